"""Read programmed cells at log-spaced moments over hours: how they drift and spread, how many stay in their windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.levels import UNKNOWN, Levels, in_windows, nearest_levels
from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.bench import at_temperature, check_temperature
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, ProcedureResult
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.cell_procedure import CellProcedure
from mho.procedures.cells.log_spacing import log_spaced
from mho.procedures.cells.reading.drift import by_level, level_rows, loss_rate, without_misfits
from mho.procedures.cells.reading.read import Reader, ReadPlan, declared_reads
from mho.procedures.cells.switching.formed_cells import (
    MAY_NEED,
    Screening,
    ScreeningPlan,
    screen_cells,
    screening_needs,
    screening_parameters,
    unformed_reads,
    warn_left_out,
)
from mho.procedures.parameters import FloatParameter, IntegerParameter
from mho.procedures.stream import Stream
from mho.procedures.wording import concluded, counted, if_any, left_out, quantity
from mho.runs import Column, Conclusion, Figure, Layout, Table

ROOM = 298.15  # K
AT_ONCE, SIMULATED_READ, HARDWARE_READ = 5e-6, 0.4e-3, 30e-3  # s of wall time a cell (?)


@dataclass(frozen=True, eq=False, repr=False)
class Retained(ProcedureResult):
    """Result of the reads; `mho.procedures.cells.reading.drift.by_level` says what the numbers of a level are.

    Attributes
    ----------
    conductance : (reads, rows, columns) array
        S.
    elapsed : (reads,) array
        s since the first read, at the beginning of each.
    digits : (rows, columns) array
        Level of each cell at the first read; -1 of cells that are not formed, or not told from nothing.
    """

    conductance: Floats
    elapsed: Floats
    digits: Integers
    units: ClassVar[Mapping[str, str]] = {
        "conductance": "S",
        **dict.fromkeys(("elapsed", "age", "virtual_seconds"), "s"),
        **dict.fromkeys(("temperature", "temperature_read", "temperature_deviation"), "K"),
        "loss_rate": "1/s",
        **{
            f"level_{k}.{name}{end}": "S"
            for k in range(16)
            for name in ("start", "drift", "drift_deviation", "spread", "spread_per_decade")
            for end in ("", "_low", "_high")
        },
    }
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "conductance": ("read", "row", "column"),
        "elapsed": ("read",),
        "digits": ("row", "column"),
    }


@dataclass(frozen=True)
class RetentionPlan:
    """The cells, and when they are read."""

    reads: ReadPlan
    moments: Floats  # (reads,): s after the first read
    # temperature, present: K; None to leave the chip as it is; and what it is now, None where nothing tells
    temperature: float | None
    present: float | None
    levels: Levels
    screening: ScreeningPlan


class Retention(CellProcedure[Retained]):
    """Read cells at log-spaced moments and tell by level how they drift and how many stay in their windows."""

    version: ClassVar[str] = "2"  # version 1 took a cell that conducts little for one that was never formed
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {"2": ("*_low", "*_high")}
    title: ClassVar[str] = "Retention of cells"
    leading: ClassVar[tuple[str, ...]] = ("array", "rows", "columns", "last", "temperature")
    needs: ClassVar[tuple[Operation, ...]] = ("read",)
    may_need: ClassVar[Mapping[Operation, str]] = {
        **CellProcedure.may_need,
        **MAY_NEED,
        "temperature": "where a temperature is given (set by hand, and settled, it is left out)",
    }
    without_blanks: ClassVar[tuple[str, ...]] = ("1",)

    first = FloatParameter("First read after the start", units="s", minimum=1e-3, maximum=1e9, default=1.0)
    last = FloatParameter("Last read after the start", units="s", minimum=1e-3, maximum=1e9, default=1e4)
    per_decade = IntegerParameter("Reads in a decade of time", minimum=1, maximum=100, default=3)
    age = FloatParameter(
        "Time since the cells were programmed, at the start", units="s", minimum=0.0, maximum=1e9, default=0.0
    )
    temperature = FloatParameter(
        "Temperature of the chip, left as it is unless given", units="K", minimum=0.0, maximum=1000.0
    )
    samples = IntegerParameter("Reads in a row of each cell", minimum=1, maximum=2500, default=1)
    forming, blanks = screening_parameters()

    def check(self) -> CellRange:
        """Parse the ranges and the moments."""
        if self.last < self.first:
            raise InputError(
                f"last is {self.last:g} s, before first, which is {self.first:g} s; end after the first read"
            )
        log_spaced(float(self.first), float(self.last), int(self.per_decade))
        cells: CellRange = super().check()
        return cells

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> RetentionPlan:
        """Check that the array has these cells, that the bench may read them and can take the chip to the temperature."""
        chip = self.readable_chip(bench, given)
        kelvin = None if self.temperature is None else check_temperature(bench, float(self.temperature))
        moments = log_spaced(float(self.first), float(self.last), int(self.per_decade))
        return RetentionPlan(
            ReadPlan(given, bench.file.read.voltage),
            np.concatenate([[0.0], moments]),
            kelvin,
            None if bench.simulated is None else float(bench.simulated.chip.temperature),
            chip.level_scale(),
            ScreeningPlan.of(self, given, bench, chip.write_verify.formed_above),
        )

    def needed(self) -> tuple[Operation, ...]:
        """Return what reads and blank readings need, and `temperature` where one is given."""
        heated: tuple[Operation, ...] = () if self.temperature is None else ("temperature",)
        return (*super().needed(), *screening_needs(self), *heated)

    def in_use(self, plan: RetentionPlan) -> Mapping[str, tuple[float | str, str]]:
        """Return the temperature, where something tells it."""
        return {} if plan.present is None else {"temperature": (plan.present, "the chip's")}

    def layout(self, plan: RetentionPlan) -> Layout:
        """Declare the table and maps of reads, as `Read` has them, and a table of levels."""
        table, image, zero = declared_reads(
            self.array, plan.reads.cells, int(self.samples), len(plan.moments)
        )
        columns = (
            Column("elapsed", "s", description="since the first read"),
            Column("level", dtype="u1", description="nearest level at the first read"),
            Column("change", "S", description="mean change since the first read"),
            Column("deviation", "S", description="standard deviation of the change"),
            Column("robust_deviation", "S", description="its interquartile range, as a normal deviation"),
            Column("inside", description="share of cells in the window of that level"),
        )
        levels = Table("retention", columns, signal="change", series="level", title="change by level")
        over_time = partial(Figure, table="retention", x="elapsed", by="level", x_scale="log")
        figures = (
            over_time("drift", y="change", fit="log-time line", title="Mean change by level"),
            over_time(
                "spread", y="deviation", fit="log-time line", title="Standard deviation of the change by level"
            ),
            over_time("inside", y="inside", title="Share of cells in their window"),
            Figure(
                "reads", table="reads", x="time", y="conductance", by=("row", "column"), x_scale="log",
                title="Reads by cell",
            ),
            Figure(image.name, map=image.name),
        )  # fmt: skip
        tables = (levels, table, *plan.screening.tables())
        return Layout(tables, (image,), (zero,), default=table.name, figures=figures)

    def run_title(self) -> str:
        """Return the name of the cells, how long they are watched, and the temperature."""
        at = "" if self.temperature is None else f" at {self.temperature:g} K"
        return f"Retention of {self.describe_cells(None)} for {self.last:g} s{at}"

    def estimate(self, given: CellRange, source: BenchSource) -> Estimate:
        """Estimate the time from that of the reads, and on real instruments from that of the last one."""
        reads = len(log_spaced(float(self.first), float(self.last), int(self.per_decade))) + 1
        simulation = source.bench.simulation
        if simulation is None:
            each = given.count * HARDWARE_READ
            chuck, heating = source.bench.instruments.chuck, 0.0
            if chuck is not None and self.temperature is not None:
                heating = 60.0 * abs(self.temperature - ROOM) / chuck.ramp + chuck.dwell
            return Estimate(pulses=0, seconds=heating + max(float(self.last), reads * each) + each)
        read = SIMULATED_READ if simulation.instruments or self.samples > 1 else AT_ONCE
        return Estimate(pulses=0, seconds=reads * given.count * read * self.samples)

    def execute(self, plan: RetentionPlan, bench: Bench, stream: Stream) -> Retained:
        """Read at the start and at each moment; complete reads of an earlier attempt are copied."""
        samples = int(self.samples)
        reader = Reader(plan.reads, bench, stream, self.array, samples, len(plan.moments))
        same = ("array", "rows", "columns", "samples", "first", "last", "per_decade", "temperature")
        earlier = reader.earlier_attempt({name: getattr(self, name) for name in same})
        begun = bench.now()
        screening = None
        if plan.screening.blanks and earlier is None:
            screening = screen_cells(plan.screening, bench, stream)
            begun = bench.now()
        with at_temperature(bench, plan.temperature, stream.progress) as temperature:
            if earlier is not None:  # whose clock goes on while the chip heats up again
                earlier = replace(earlier, elapsed=earlier.elapsed + bench.now() - begun)
            reader.read_all(plan.moments, earlier, hurried=True)
        if temperature is not None:
            stream.say(f"the heater is off; the chip, at {temperature.last:.2f} K, cools by itself")
        if plan.screening.blanks and screening is None:
            screening = screen_cells(replace(plan.screening, forming=None), bench, stream)
        temperatures = {}
        if temperature is not None:
            temperatures = {
                "temperature_read": temperature.mean,
                "temperature_deviation": temperature.deviation,
            }
        conductance = reader.reads.conductance.reshape(len(plan.moments), -1)
        digits, counts = self._levels_of(conductance[0], plan, screening, stream)
        inside = in_windows(conductance, digits, plan.levels)
        elapsed = reader.reads.times - reader.reads.times[0]
        stream.record_block("retention", level_rows(elapsed, conductance, digits, inside))
        ages = float(self.age) + (reader.moments - reader.moments[0]).reshape(conductance.shape)
        numbers = by_level(ages, conductance, digits, inside)
        if screening is not None:
            numbers, missing = without_misfits(numbers, ages, conductance, digits)
            for reason in dict.fromkeys(missing.values()):
                stream.say(reason, "WARNING")
            counts |= {"not_extracted": missing}
        summary = {
            "cells": digits.size, **counts, "reads": int(conductance.size) * samples,
            "elapsed": float(elapsed[-1]), "age": float(self.age),
            "temperature": plan.present if plan.temperature is None else plan.temperature, **temperatures,
            "loss_rate": loss_rate(elapsed, conductance[:, digits > 0], strict=screening is not None),
            **numbers, "virtual_seconds": bench.now(),
        }  # fmt: skip
        return Retained(
            reader.reads.conductance, elapsed, digits.reshape(plan.reads.cells.shape), summary=summary
        )

    def conclude(self, plan: RetentionPlan, result: Retained) -> Conclusion:
        """Return how many cells are still in their windows at the end."""
        summary = result.summary
        levels = [one for name, one in summary.items() if name.startswith("level_")]
        inside = sum(round(one["cells"] * one["inside"]) for one in levels)
        known = sum(one["cells"] for one in levels)
        outside = known - sum(round(one["cells"] * one["inside_at_start"]) for one in levels)
        return concluded(
            summary, f"{inside:,} of {counted(known, 'cell')} in their windows after {quantity(summary['elapsed'], 's')}",
            if_any(outside, "outside before"), left_out(summary),
        )  # fmt: skip

    def _levels_of(
        self, first: Floats, plan: RetentionPlan, screening: Screening | None, stream: Stream
    ) -> tuple[Integers, dict[str, Any]]:
        """Return the level of each cell at the first read (cells,), S, and how many cells have none, and why."""
        above, seen = plan.screening.formed_above, np.ones(first.shape, dtype=bool)
        formed = first > above
        if screening is not None:
            formed |= screening.formed.ravel()
            seen = first > screening.least()
        digits = nearest_levels(first, plan.levels, formed & seen)
        cells, unformed, below = digits.size, int((~formed).sum()), int((formed & ~seen).sum())
        message = unformed_reads(unformed, cells, above)
        warn_left_out(self, stream, screening, cells, unformed, below, without_blanks=message)
        if screening is None:
            return digits, {"unformed": unformed}
        counts = {**screening.counts(), "unformed": unformed, "below_noise": below}
        return digits, {**counts, "measured": int((digits != UNKNOWN).sum())}
