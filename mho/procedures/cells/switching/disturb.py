"""Stress cells as reads or a neighbour's programming do, with reads that are log-spaced in pulses: how they are disturbed.

A cell that shares its row (bit line) with a cell in SET has a share of the SET voltage on its bit line: a half or a third,
as the array is biased. One that shares its column (source line) with a cell in RESET has that of the RESET voltage on its
source line. Whether its word line is on depends on the way the word lines run, of which a chip map says nothing: word lines
along the rows are on for all cells of the row and off for the others of the column.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.levels import UNKNOWN, Levels, in_windows, nearest_levels
from mho.confidence import finite
from mho.instruments import Bench, Cell, Pulse
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, ProcedureResult
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.cell_procedure import PLACE, TIME, CellProcedure
from mho.procedures.cells.cell_visits import each_cell
from mho.procedures.cells.log_spacing import log_counts
from mho.procedures.cells.switching.formed_cells import (
    BURST,
    GATED,
    FullPulses,
    Screening,
    ScreeningPlan,
    bursts,
    gate_needs,
    prepared_pulses,
    pulse_parameters,
    screen_cells,
    screening_parameters,
    unformed_reads,
    warn_left_out,
)
from mho.procedures.chip_in_use import chip_of
from mho.procedures.parameters import IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import concluded, counted, if_any, left_out, quantity
from mho.runs import Column, Conclusion, Figure, Layout, Table


def counts_to_leave(counts: Integers, inside: Booleans) -> Floats:
    """Return the count at which each cell was first seen outside its window; infinite where it never was.

    `counts` (reads,): pulses before each read; 0 of the first, before any stress. `inside` (reads, cells): whether
    each read lay in the window of its cell. A cell that was outside from the start has left at 0.
    """
    left = ~inside
    first = left.argmax(axis=0)
    return np.where(left.any(axis=0), counts[first].astype(float), math.inf)


def by_level(
    counts: Integers, conductance: Floats, digits: Integers, inside: Booleans
) -> dict[str, dict[str, Any]]:
    """Return for each level, as ``level_K``, what the stress did to its cells.

    `counts` (reads,). `conductance` (reads, cells): S; the first read is before any stress. `digits` (cells,): level
    of each cell at the start. `inside` (reads, cells). Returns ``cells``; ``change`` and ``largest_change``, S, from
    the first to the last read, of the median and of the cell that changed most; ``median_leaves`` and
    ``worst_leaves``, pulses at which half of the cells, and the first of them, were outside: None says not within the
    pulses applied. Cells that began outside their window count in the changes alone.
    """
    numbers: dict[str, dict[str, Any]] = {}
    leaving = counts_to_leave(counts, inside)
    for digit in np.unique(digits[digits != UNKNOWN]).tolist():
        of = digits == digit
        change = conductance[-1, of] - conductance[0, of]
        left = np.sort(leaving[of & inside[0]])
        numbers[f"level_{digit}"] = {
            "cells": int(of.sum()),
            "outside_at_start": int((of & ~inside[0]).sum()),
            "change": finite(np.median(change)),
            "largest_change": finite(change[np.abs(change).argmax()]),
            "median_leaves": finite(left[(len(left) - 1) // 2]) if left.size else None,
            "worst_leaves": finite(left[0]) if left.size else None,
        }
    return numbers


SHARES = {"V/2": 1.0 / 2.0, "V/3": 1.0 / 3.0, "V": 1.0}
ON, OFF = "on", "off"
SIMULATED_STEP, HARDWARE_STEP = 1.5e-3, 30e-3  # s of wall time, a burst and a read (?)
PULSE_TO_PULSE = 2.0  # widths, at least


@dataclass(frozen=True, eq=False, repr=False)
class Disturbed(ProcedureResult):
    """Result of the stress.

    Attributes
    ----------
    counts : (reads,) array
        Pulses before each read, 0 before the first.
    conductance : (reads, rows, columns) array
        S.
    digits : (rows, columns) array
        Level of each cell before the stress; -1 of cells that are not formed.
    leaves : (rows, columns) array
        Pulses at which a cell was first seen outside its window; infinite where it never was.
    """

    counts: Integers
    conductance: Floats
    digits: Integers
    leaves: Floats
    units: ClassVar[Mapping[str, str]] = {
        "conductance": "S",
        "voltage": "V", "gate": "V", "width": "s", "virtual_seconds": "s",
        **{f"level_{k}.{name}": "S" for k in range(16) for name in ("change", "largest_change")},
    }  # fmt: skip
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "counts": ("read",),
        "conductance": ("read", "row", "column"),
        **dict.fromkeys(("digits", "leaves"), ("row", "column")),
    }


@dataclass(frozen=True)
class DisturbPlan:
    """The cells, the pulse that stresses them, and the counts at which they are read."""

    cells: CellRange
    pulses: FullPulses
    stress: Pulse
    counts: Integers
    levels: Levels
    screening: ScreeningPlan


class Disturb(CellProcedure[Disturbed]):
    """Stress cells by reads or half-select pulses, and tell when they leave their windows."""

    version: ClassVar[str] = "2"  # version 1 took a cell that conducts little for one that was never formed
    title: ClassVar[str] = "Disturb cells (reads, half-select)"
    leading: ClassVar[tuple[str, ...]] = ("array", "rows", "columns", "stress", "pulses")
    needs: ClassVar[tuple[Operation, ...]] = ("read", "pulse")
    may_need: ClassVar[Mapping[Operation, str]] = {**CellProcedure.may_need, **GATED}
    without_blanks: ClassVar[tuple[str, ...]] = ("1",)

    rows = Parameter("Rows", default="0:4")
    columns = Parameter("Columns", default="0:4")
    stress = ListParameter(
        "Stress by reads, or by a share of a SET or RESET", choices=["read", "set", "reset"], default="read"
    )
    share = ListParameter("Share of the SET or RESET voltage", choices=list(SHARES), default="V/2")
    word_line = ListParameter("Word line of the stressed cells", choices=[ON, OFF], default=ON)
    pulses = IntegerParameter("Pulses at each cell", minimum=1, maximum=10**10, default=10**6)
    per_decade = IntegerParameter("Reads in a decade of pulses", minimum=1, maximum=100, default=3)
    set_voltage, set_gate, reset_voltage, reset_gate, width = pulse_parameters()
    forming, blanks = screening_parameters()

    def needed(self) -> tuple[Operation, ...]:
        """Return what reads and pulses need, and a gate where it is asked for."""
        return (*super().needed(), *gate_needs(self))

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> DisturbPlan:
        """Check that the array has these cells and that the bench allows the stress."""
        pulses = prepared_pulses(self, given, bench)
        counts = np.concatenate([[0], log_counts(int(self.pulses), int(self.per_decade))])
        stress = bench.check_pulse(self._pulse(pulses, bench), int(min(np.diff(counts).max(), BURST)))
        screening = ScreeningPlan.of(self, given, bench, pulses.formed_above)
        return DisturbPlan(given, pulses, stress, counts, chip_of(bench).level_scale(), screening)

    def _pulse(self, pulses: FullPulses, bench: Bench) -> Pulse:
        """Return the pulse that a stressed cell sees."""
        if self.stress == "read":
            read = bench.file.read
            full, share = Pulse("set", read.voltage, pulses.set.width, read.gate), 1.0
        else:
            full, share = (pulses.set if self.stress == "set" else pulses.reset), SHARES[self.share]
        gate = full.gate if self.word_line == ON else 0.0
        return Pulse(full.kind, full.voltage * share, full.width, gate)

    def in_use(self, plan: DisturbPlan) -> Mapping[str, tuple[float | str, str]]:
        """Return the pulses."""
        return plan.pulses.in_use()

    def layout(self, plan: DisturbPlan) -> Layout:
        """Declare one table of reads, and maps of the change and of when cells left their windows."""
        columns = (
            TIME,
            *PLACE,
            Column("level", dtype="i2", description="of the cell before the stress; -1 not formed"),
            Column("pulses", dtype="u8", description="before the read"),
            Column("conductance", "S"),
            Column("change", "S", description="since before the stress"),
        )
        rows = plan.cells.count * len(plan.counts)
        table = Table("disturb", columns, axis="pulses", title="every read", rows=rows)
        change, leaves = ("change", "S", "change by all pulses"), ("leaves", "", "pulses to leave the window")
        images = self.maps(plan.cells, change, leaves, images=1)
        by_pulses = partial(Figure, table="disturb", x="pulses", x_scale="log")
        line = "bit line" if plan.stress.kind == "set" else "source line"
        stress = f"{plan.stress.voltage:.3g} V on the {line}, word line {plan.stress.gate:.3g} V"
        title = f"Change by {stress}: median and quartiles by level"
        figures = (
            by_pulses("disturb", kind="errorbars", y="change", by="level", title=title),
            by_pulses("cells", y="conductance", by=("row", "column"), title="Conductance by cell"),
            *(Figure(image.name, map=image.name) for image in images),
        )
        return Layout((table, *plan.screening.tables()), images, default=table.name, figures=figures)

    def run_title(self) -> str:
        """Return the name of the cells and the stress."""
        what = "reads" if self.stress == "read" else f"{self.share} of a {str(self.stress).upper()}"
        return f"Disturb {self.describe_cells(None)} by {what}, word line {self.word_line}"

    def estimate(self, given: CellRange, source: BenchSource) -> Estimate:
        """Estimate pulses, and the time of bursts and reads."""
        reads = len(log_counts(int(self.pulses), int(self.per_decade))) + 1
        each = (HARDWARE_STEP if source.bench.simulation is None else SIMULATED_STEP) * reads
        if source.bench.simulation is None:
            each += PULSE_TO_PULSE * self.value_or("width", 100e-9) * self.pulses
        return Estimate(pulses=given.count * int(self.pulses), seconds=given.count * each)

    def execute(self, plan: DisturbPlan, bench: Bench, stream: Stream) -> Disturbed:
        """Stress cell after cell."""
        cells, counts = plan.cells, plan.counts
        conductance = np.full((len(counts), *cells.shape), np.nan)
        digits = np.full(cells.shape, UNKNOWN)
        screening = screen_cells(plan.screening, bench, stream) if plan.screening.blanks else None
        least = plan.pulses.formed_above if screening is None else screening.least()
        for number, (place, cell) in enumerate(each_cell(self.array, cells)):
            stream.progress("stressing", number, cells.count)
            if screening is None or screening.formed[place]:
                reads = conductance[(slice(None), *place)]
                digits[place] = self._stress(cell, plan, bench, stream, reads, least)
        left_out_of = self._counts(digits, screening, plan, stream)
        flat, level = conductance.reshape(len(counts), -1), digits.ravel()
        inside = in_windows(flat, level, plan.levels)
        leaves = np.where(digits == UNKNOWN, np.nan, counts_to_leave(counts, inside).reshape(cells.shape))
        self.snapshot(stream, bench, cells, change=conductance[-1] - conductance[0], leaves=leaves)
        summary = {
            "cells": cells.count, **left_out_of, "pulses": int(self.pulses), "voltage": plan.stress.voltage,
            "gate": plan.stress.gate, "width": plan.stress.width, **by_level(counts, flat, level, inside),
            "virtual_seconds": bench.now(),
        }  # fmt: skip
        return Disturbed(counts, conductance, digits, leaves, summary=summary)

    def conclude(self, plan: DisturbPlan, result: Disturbed) -> Conclusion:
        """Return how many cells the stress drove out of their windows."""
        summary = result.summary
        levels = [one for name, one in summary.items() if name.startswith("level_")]
        known = sum(one["cells"] for one in levels)
        outside = sum(one["outside_at_start"] for one in levels)
        left = int((np.isfinite(result.leaves) & (result.leaves > 0)).sum())
        return concluded(
            summary, f"{left:,} of {counted(known - outside, 'cell')} left their windows",
            f"{counted(summary['pulses'], 'pulse')} of {quantity(summary['voltage'], 'V')}",
            if_any(outside, "outside before"), left_out(summary),
        )  # fmt: skip

    def _counts(
        self, digits: Integers, screening: Screening | None, plan: DisturbPlan, stream: Stream
    ) -> dict[str, int]:
        """Return how many cells were left out, and say why."""
        left = int((digits == UNKNOWN).sum())
        unformed = left if screening is None else screening.unformed
        message = unformed_reads(left, digits.size, plan.pulses.formed_above)
        warn_left_out(self, stream, screening, digits.size, unformed, left - unformed, without_blanks=message)
        if screening is None:
            return {"unformed": left}
        return {**screening.counts(), "below_noise": left - unformed, "measured": digits.size - left}

    def _stress(
        self, cell: Cell, plan: DisturbPlan, bench: Bench, stream: Stream, reads: Floats, least: float
    ) -> int:
        """Stress one cell and fill `reads` (reads,); return its level before, or `UNKNOWN` for one below `least` (S)."""
        digit = UNKNOWN
        for number, count in enumerate(plan.counts.tolist()):
            for some in bursts(count - int(plan.counts[max(number - 1, 0)])):
                bench.pulse(cell, plan.stress, some)
            reads[number] = bench.read(cell)
            if not number:
                digit = int(nearest_levels(reads[:1], plan.levels, reads[:1] > least)[0])
            stream.record(
                "disturb", time=bench.now(), row=cell.row, column=cell.column, level=digit, pulses=count,
                conductance=reads[number], change=reads[number] - reads[0],
            )  # fmt: skip
            if digit == UNKNOWN:
                break
        return digit
