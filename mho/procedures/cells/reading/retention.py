"""Read programmed cells at log-spaced moments over hours: how they drift and spread, how many stay in their windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.levels import Levels
from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.bench import HeldTemperature, at_temperature, check_temperature
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cell_range import CellRange, check_inside
from mho.procedures.cells.detection_limit import blanks_parameter
from mho.procedures.cells.levels_of_cells import UNKNOWN, in_windows, nearest_levels, unformed_reads
from mho.procedures.cells.log_spacing import log_spaced
from mho.procedures.cells.reading.drift import by_level, level_rows, loss_rate, without_misfits
from mho.procedures.cells.reading.earlier_reads import earlier_attempt
from mho.procedures.cells.reading.read import Reader, ReadPlan, declared_reads
from mho.procedures.cells.switching.formed_cells import (
    CellSettings,
    CellSurveyed,
    below_noise_message,
    forming_parameter,
    survey_cells,
    unformed_message,
)
from mho.procedures.chip_in_use import chip_of
from mho.procedures.parameters import FloatParameter, IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, if_any, joined, left_out, quantity, without_measured
from mho.runs import Column, Conclusion, Figure, Layout, Table

ROOM = 298.15  # K
AT_ONCE, SIMULATED_READ, HARDWARE_READ = 5e-6, 0.4e-3, 30e-3  # s of wall time a cell (?)


@dataclass(frozen=True)
class Retained:
    """Result of the reads; `units` are those of the summary.

    Attributes
    ----------
    conductance : (reads, rows, columns) array
        S.
    elapsed : (reads,) array
        s since the first read, at the beginning of each.
    digits : (rows, columns) array
        Level of each cell at the first read; -1 of cells that are not formed, or not told from nothing.
    summary : dict
        Summary in the run file and of ``--json``; `mho.procedures.cells.reading.drift.by_level` says what its numbers are.
    path : Path
        The run file.
    """

    conductance: Floats
    elapsed: Floats
    digits: NDArray[np.int64]
    summary: dict[str, Any]
    path: Path = field(default=Path())
    units: ClassVar[Mapping[str, str]] = {
        "elapsed": "s",
        "age": "s",
        "loss_rate": "1/s",
        "temperature": "K",
        "temperature_read": "K",
        "temperature_deviation": "K",
        "virtual_seconds": "s",
        **{
            f"level_{k}.{name}{end}": "S"
            for k in range(16)
            for name in ("start", "drift", "drift_deviation", "spread", "spread_per_decade")
            for end in ("", "_low", "_high")
        },
    }


@dataclass(frozen=True)
class RetentionPlan:
    """The cells, and when they are read.

    Attributes
    ----------
    moments : (reads,) array
        s after the first read.
    temperature, found : float or None
        K; None to leave the chip as it is; and as it was found, None where nothing tells.
    """

    reads: ReadPlan
    moments: Floats
    temperature: float | None
    found: float | None
    levels: Levels
    survey: CellSettings


class Retention(Procedure):
    """Read cells at log-spaced moments and tell by level how they drift and how many stay in their windows."""

    version: ClassVar[str] = "2"  # version 1 took a cell that conducts little for one that was never formed
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {"2": ("*_low", "*_high")}
    title: ClassVar[str] = "Retention of cells"
    group: ClassVar[str] = "Cells"

    array = Parameter("Array", default="multiply")
    rows = Parameter("Rows", default="0:8")
    columns = Parameter("Columns", default="0:8")
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
    forming, blanks = forming_parameter(), blanks_parameter()

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Form nothing and take no blanks, as version 1 did."""
        return dict(values) | ({"forming": "no", "blanks": 0} if version == "1" else {})

    def check(self) -> CellRange:
        """Parse the ranges and the moments."""
        if self.last < self.first:
            raise InputError(
                f"last is {self.last:g} s, before first, which is {self.first:g} s; end after the first read"
            )
        log_spaced(float(self.first), float(self.last), int(self.per_decade))
        return CellRange.parse(self.rows, self.columns)

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> RetentionPlan:
        """Check that the array has these cells, that the bench may read them and can take the chip to the temperature."""
        chip = chip_of(bench)
        check_inside(chip.array(self.array), given)
        bench.check_read()
        kelvin = None if self.temperature is None else check_temperature(bench, float(self.temperature))
        moments = log_spaced(float(self.first), float(self.last), int(self.per_decade))
        return RetentionPlan(
            ReadPlan(given, bench.file.read.voltage),
            np.concatenate([[0.0], moments]),
            kelvin,
            None if bench.simulated is None else float(bench.simulated.chip.temperature),
            chip.level_scale(),
            CellSettings.of(self, given, bench, chip.write_verify.formed_above),
        )

    def in_use(self, plan: RetentionPlan) -> Mapping[str, tuple[float | str, str]]:
        """Return the temperature, where something tells it."""
        return {} if plan.found is None else {"temperature": (plan.found, "the chip's")}

    def layout(self, plan: RetentionPlan) -> Layout:
        """Declare the table and maps of reads, as `Read` has them, and a table of levels."""
        table, image, zero = declared_reads(
            self.array, plan.reads.cells, int(self.samples), len(plan.moments)
        )
        levels = Table(
            "retention",
            (
                Column("elapsed", "s", description="since the first read"),
                Column("level", dtype="u1", description="nearest level at the first read"),
                Column("change", "S", description="mean change since the first read"),
                Column("deviation", "S", description="standard deviation of the change"),
                Column("robust_deviation", "S", description="its interquartile range, as a normal deviation"),
                Column("inside", description="share of cells in the window of that level"),
            ),
            signal="change",
            axis="elapsed",
            series="level",
            title="change by level",
        )

        def over_time(name: str, column: str, title: str, fit: str = "log-time line") -> Figure:
            return Figure(
                name,
                table=levels.name,
                x="elapsed",
                y=column,
                by="level",
                x_scale="log",
                fit=fit,
                title=title,
            )

        figures = (
            over_time("drift", "change", "Mean change by level"),
            over_time("spread", "deviation", "Standard deviation of the change by level"),
            over_time("inside", "inside", "Share of cells in their window", fit=""),
            Figure(
                "reads",
                table=table.name,
                x="time",
                y="conductance",
                by=("row", "column"),
                x_scale="log",
                title="Reads by cell",
            ),
            Figure(image.name, map=image.name),
        )
        tables = (levels, table, *plan.survey.tables())
        return Layout(tables, (image,), (zero,), default=table.name, figures=figures)

    def describe_cells(self, plan: RetentionPlan) -> str:
        """Return array and ranges."""
        return self._cells_as_given()

    def _cells_as_given(self) -> str:
        return f"{self.array}[{self.rows}, {self.columns}]"

    def run_title(self) -> str:
        """Return the name of the cells, how long they are watched, and the temperature."""
        at = "" if self.temperature is None else f" at {self.temperature:g} K"
        return f"Retention of {self._cells_as_given()} for {self.last:g} s{at}"

    def estimate(self, given: CellRange, source: BenchSource) -> Estimate:
        """Estimate the time from that of the reads, and on real instruments from that of the last one."""
        reads = len(log_spaced(float(self.first), float(self.last), int(self.per_decade))) + 1
        simulation = source.bench.simulation
        if simulation is None:
            each = given.count * HARDWARE_READ
            heating = _heating_time(source, self.temperature)
            return Estimate(pulses=0, seconds=heating + max(float(self.last), reads * each) + each)
        read = SIMULATED_READ if simulation.instruments or self.samples > 1 else AT_ONCE
        return Estimate(pulses=0, seconds=reads * given.count * read * self.samples)

    def execute(self, plan: RetentionPlan, bench: Bench, stream: Stream) -> Retained:
        """Read at the start and at each moment; complete reads of an earlier attempt are copied."""
        samples = int(self.samples)
        reader = Reader(plan.reads, bench, stream, self.array, samples, len(plan.moments))
        same = ("array", "rows", "columns", "samples", "first", "last", "per_decade", "temperature")
        wanted = {name: getattr(self, name) for name in same}
        earlier = earlier_attempt(stream, bench, wanted, reader.per_repeat, f"{self.array}_conductance")
        begun = bench.now()
        surveyed = None
        if plan.survey.blanks and earlier is None:
            surveyed = survey_cells(plan.survey, bench, stream)
            begun = bench.now()
        with at_temperature(bench, plan.temperature, stream.progress) as held:
            if earlier is not None:  # whose clock goes on while the chip heats up again
                earlier = replace(earlier, elapsed=earlier.elapsed + bench.now() - begun)
            reader.read_all(plan.moments, earlier, hurried=True)
        if held is not None:
            stream.say(f"the heater is off; the chip, at {held.last:.2f} K, cools by itself")
        if plan.survey.blanks and surveyed is None:
            surveyed = survey_cells(replace(plan.survey, forming=None), bench, stream)
        conductance = reader.found.conductance.reshape(len(plan.moments), -1)
        digits, counts = self._levels_of(conductance[0], plan, surveyed, stream)
        inside = in_windows(conductance, digits, plan.levels)
        elapsed = reader.found.times - reader.found.times[0]
        stream.record_block("retention", level_rows(elapsed, conductance, digits, inside))
        ages = float(self.age) + (reader.moments - reader.moments[0]).reshape(conductance.shape)
        found = by_level(ages, conductance, digits, inside)
        if surveyed is not None:
            found, missing = without_misfits(found, ages, conductance, digits)
            for reason in dict.fromkeys(missing.values()):
                stream.say(reason, "WARNING")
            counts |= {"not_extracted": missing}
        summary = {
            "cells": digits.size,
            **counts,
            "reads": int(conductance.size) * samples,
            "elapsed": float(elapsed[-1]),
            "age": float(self.age),
            "temperature": plan.found if plan.temperature is None else plan.temperature,
            **_as_read(held),
            "loss_rate": loss_rate(elapsed, conductance[:, digits > 0], strict=surveyed is not None),
            **found,
            "virtual_seconds": bench.now(),
        }
        return Retained(reader.found.conductance, elapsed, digits.reshape(plan.reads.cells.shape), summary)

    def conclude(self, plan: RetentionPlan, result: Retained) -> Conclusion:
        """Return how many cells are still in their windows at the end."""
        summary = result.summary
        levels = [one for name, one in summary.items() if name.startswith("level_")]
        inside = sum(round(one["cells"] * one["inside"]) for one in levels)
        known = sum(one["cells"] for one in levels)
        outside = known - sum(round(one["cells"] * one["inside_at_start"]) for one in levels)
        return without_measured(summary) or Conclusion(
            joined(
                f"{inside:,} of {counted(known, 'cell')} in their windows after {quantity(summary['elapsed'], 's')}",
                if_any(outside, "outside before"),
                left_out(summary),
            )
        )

    def _levels_of(
        self, first: Floats, plan: RetentionPlan, surveyed: CellSurveyed | None, stream: Stream
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """Return the level of each cell at the first read (cells,), S, and how many cells have none, and why."""
        above = plan.survey.formed_above
        if surveyed is None:
            digits = nearest_levels(first, plan.levels, first > above)
            unformed = int((digits == UNKNOWN).sum())
            if unformed:
                stream.say(unformed_reads(unformed, digits.size, above), "WARNING")
            return digits, {"unformed": unformed}
        formed = surveyed.formed.ravel() | (first > above)
        seen = first > surveyed.least()
        digits = nearest_levels(first, plan.levels, formed & seen)
        unformed, below = int((~formed).sum()), int((formed & ~seen).sum())
        if unformed:
            stream.say(unformed_message(self, unformed, digits.size, tried=surveyed.tried), "WARNING")
        if below:
            stream.say(below_noise_message(below, digits.size, surveyed.least()), "WARNING")
        counts = {"unformed": unformed, "formed_first": surveyed.formed_now, "below_noise": below}
        return digits, {**counts, "measured": int((digits != UNKNOWN).sum())}


def _as_read(held: HeldTemperature | None) -> dict[str, float]:
    """Return mean and largest deviation (K) of a temperature that was read while it was held; nothing else for None."""
    if held is None:
        return {}
    return {"temperature_read": held.mean, "temperature_deviation": held.deviation}


def _heating_time(source: BenchSource, kelvin: float | None) -> float:
    """Return about how long a bench's chuck takes from room temperature to `kelvin` (K), s."""
    chuck = source.bench.instruments.chuck
    if chuck is None or kelvin is None:
        return 0.0
    return 60.0 * abs(kelvin - ROOM) / chuck.ramp + chuck.dwell
