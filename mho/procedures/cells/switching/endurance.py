"""Cycle cells until their window fails or all cycles are done, with reads that are log-spaced in cycles.

The read cycles are a SET and a RESET of their own, each followed by a read. The cycles between are bursts of a waveform on
the bit line, SET up and RESET down, at one word-line voltage: millions a second, as no message goes out in between. On a
bench whose generator plays no waveforms they are single pulses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.confidence import finite, with_interval
from mho.errors import InputError
from mho.instruments import Bench, Cell
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.extraction.lifetimes import GOOD, REASONS, STUCK_LRS, fit_weibull, judge
from mho.procedures.cells.log_spacing import log_counts
from mho.procedures.cells.switching.cycling import conducts
from mho.procedures.cells.switching.full_pulses import (
    FullPulses,
    prepared_pulses,
    pulse_parameters,
    unformed_message,
)
from mho.procedures.cells.switching.stress import StressReads, bursts
from mho.procedures.parameters import FloatParameter, IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.runs import Column, Figure, Layout, Map, ReferenceLine, Table

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

SINGLE = 1_000_000  # cycles of a cell at most, one pulse at a time
GAP = 2  # rests of a pulse's width between SET and RESET of a burst, and before the next cycle
SIMULATED_READ, HARDWARE_READ = 1.5e-3, 40e-3  # s of wall time, a read cycle (?)
SIMULATED_BURST = 12e-3  # s of wall time


@dataclass(frozen=True, kw_only=True)
class Endured(StressReads):
    """Result of the cycles: counts include the read's own cycle, conductance is (rows, columns, 2, reads).

    The two are LRS and HRS, after SET and after RESET; NaN after a failure, and of cells that are not formed.

    Attributes
    ----------
    good, failed : (rows, columns) arrays
        Cycles up to which the window was good, and those at which it was not: infinite where it never failed. NaN of cells
        that are not formed.
    reason : (rows, columns) array
        Index into `mho.procedures.cells.extraction.lifetimes.REASONS`; -1 of cells that are not formed.
    """

    good: Floats
    failed: Floats
    reason: Numbers
    units: ClassVar[Mapping[str, str]] = {
        "lrs_first": "S",
        "lrs_last": "S",
        "hrs_first": "S",
        "hrs_last": "S",
        "virtual_seconds": "s",
    }


@dataclass(frozen=True)
class EndurancePlan:
    """The cells, the pulses, and the cycles at which windows are read.

    Attributes
    ----------
    burst : (samples,) array or None
        Waveform of a cycle, V, each sample as long as a pulse; None for single pulses.
    """

    cells: CellRange
    pulses: FullPulses
    counts: Numbers
    burst: Floats | None


class Endurance(Procedure):
    """SET and RESET cells until their window fails, and fit how long they last."""

    version: ClassVar[str] = "2"  # in version 1 intervals held less often than 95 %
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {"2": ("*_low", "*_high")}
    title: ClassVar[str] = "Endurance of cells"
    group: ClassVar[str] = "Cells"

    array = Parameter("Array", default="multiply")
    rows = Parameter("Rows", default="0:4")
    columns = Parameter("Columns", default="0:4")
    cycles = IntegerParameter("Cycles of each cell", minimum=1, maximum=10**10, default=10**6)
    per_decade = IntegerParameter("Reads in a decade of cycles", minimum=1, maximum=100, default=4)
    confirmations = IntegerParameter(
        "Cycles in a row whose windows fail, for a cell to have failed", minimum=1, maximum=100, default=3
    )
    window = FloatParameter("Least LRS/HRS of a good window", minimum=1.0, maximum=1e6, default=5.0)
    between = ListParameter(
        "Cycles between reads, as bursts on the bit line or single pulses",
        choices=["bursts", "pulses"],
        default="bursts",
    )
    set_voltage, set_gate, reset_voltage, reset_gate, width = pulse_parameters()
    burst_reset = FloatParameter(
        "RESET voltage within bursts, that of a RESET unless given", units="V", minimum=0.01, maximum=10.0
    )

    def check(self) -> CellRange:
        """Parse the ranges."""
        if self.between == "pulses" and self.cycles > SINGLE:
            raise InputError(
                f"cycles is {self.cycles:,}; at most {SINGLE:,} are applied pulse by pulse: choose between=bursts, or fewer"
            )
        return CellRange.parse(self.rows, self.columns)

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> EndurancePlan:
        """Check that the array has these cells and that the bench allows pulses, bursts and reads."""
        pulses = prepared_pulses(self, given, bench)
        counts = log_counts(int(self.cycles), int(self.per_decade))
        burst = self._burst(pulses) if self.between == "bursts" and (np.diff(counts) > 1).any() else None
        if burst is not None:
            bench.check_waveform("set", burst, interval=pulses.set.width, gate=pulses.set.gate)
        return EndurancePlan(given, pulses, counts, burst)

    def _burst(self, pulses: FullPulses) -> Floats:
        depth = pulses.reset.voltage if self.burst_reset is None else float(self.burst_reset)
        rest = [0.0] * GAP
        return np.array([*rest, pulses.set.voltage, *rest, -depth, *rest])

    def in_use(self, plan: EndurancePlan) -> Mapping[str, tuple[float | str, str]]:
        """Return the pulses."""
        return {**plan.pulses.in_use(), "burst_reset": (plan.pulses.reset.voltage, "that of a RESET")}

    def layout(self, plan: EndurancePlan) -> Layout:
        """Declare one table of reads, one of cells, and maps of lifetimes and reasons."""
        cells = plan.cells
        reads = Table(
            "endurance",
            (
                Column("time", "s", description="bench time of the read"),
                Column("row", dtype="u2"),
                Column("column", dtype="u2"),
                Column("cycles", dtype="u8", description="cycles done, the read's own included"),
                Column("state", dtype="u1", description="0 LRS, after a SET; 1 HRS, after a RESET"),
                Column("conductance", "S"),
            ),
            signal="conductance",
            axis="cycles",
            title="every read",
            rows=2 * cells.count * len(plan.counts),
        )
        lives = Table(
            "lifetimes",
            (
                Column("row", dtype="u2"),
                Column("column", dtype="u2"),
                Column("good", dtype="f8", description="cycles up to which the window was good"),
                Column(
                    "failed",
                    dtype="f8",
                    description="cycles at which it was not; infinite where it never was",
                ),
                Column(
                    "reason", dtype="u1", description=", ".join(f"{n} {r}" for n, r in enumerate(REASONS))
                ),
            ),
            signal="failed",
            axis="good",
            title="when each cell's window failed, and why",
            rows=cells.count,
        )
        axes = np.sort(cells.rows), np.sort(cells.columns)
        images = (
            Map(
                f"{self.array}_lifetime", "", *axes, f"{self.array}: last cycle with a good window", images=1
            ),
            Map(
                f"{self.array}_failure",
                "",
                *axes,
                f"{self.array}: {', '.join(f'{n} {r}' for n, r in enumerate(REASONS))}",
                images=1,
            ),
        )
        figures = (
            Figure(
                "endurance",
                kind="errorbars",
                table=reads.name,
                x="cycles",
                y="conductance",
                by="state",
                x_scale="log",
                y_scale="log",
                title="LRS and HRS: median and quartiles of all cells",
            ),
            Figure(
                "cells",
                table=reads.name,
                x="cycles",
                y="conductance",
                by=("row", "column", "state"),
                x_scale="log",
                y_scale="log",
                title="LRS and HRS by cell",
            ),
            Figure(
                "lifetimes",
                kind="distribution",
                table=lives.name,
                x="failed",
                x_scale="log",
                lines=(ReferenceLine(x="weibull_scale", label="Weibull's scale"),),
                title="Cycles at which windows were found failed",
            ),
            *(Figure(image.name, map=image.name) for image in images),
        )
        return Layout((reads, lives), images, default=reads.name, figures=figures)

    def describe_cells(self, plan: EndurancePlan) -> str:
        """Return array and ranges."""
        return self._cells_as_given()

    def _cells_as_given(self) -> str:
        return f"{self.array}[{self.rows}, {self.columns}]"

    def run_title(self) -> str:
        """Return the name of the cells and the number of cycles."""
        return f"Endurance of {self._cells_as_given()}, {self.cycles:.3g} cycles"

    def estimate(self, given: CellRange, source: BenchSource) -> Estimate:
        """Estimate pulses, and the time of read cycles and of what lies between, if no window fails."""
        counts = log_counts(int(self.cycles), int(self.per_decade))
        hardware = source.bench.simulation is None
        each = (HARDWARE_READ if hardware else SIMULATED_READ) * len(counts)
        if self.between == "pulses":
            each = (HARDWARE_READ if hardware else SIMULATED_READ) * self.cycles
        elif hardware:
            width = 100e-9 if self.width is None else self.width
            each += (3 * GAP + 2) * width * self.cycles
        else:
            each += SIMULATED_BURST * len(counts)
        return Estimate(pulses=2 * given.count * int(self.cycles), seconds=given.count * each)

    def execute(self, plan: EndurancePlan, bench: Bench, stream: Stream) -> Endured:
        """Cycle cell after cell, each until its window fails or all cycles are done."""
        cells, counts = plan.cells, plan.counts
        conductance = np.full((*cells.shape, 2, len(counts)), np.nan)
        good, failed = np.full(cells.shape, np.nan), np.full(cells.shape, np.nan)
        reason = np.full(cells.shape, -1)
        cycled = CycledCell(plan, bench, stream, float(self.window), int(self.confirmations))
        for number, (i, j) in enumerate(np.ndindex(cells.shape)):
            cell = Cell(self.array, int(cells.rows[i]), int(cells.columns[j]))
            stream.progress("cycling", number, cells.count)
            if not conducts(bench, cell, plan.pulses):
                continue
            good[i, j], failed[i, j], reason[i, j] = cycled.cycle(cell, conductance[i, j])
            stream.record(
                "lifetimes",
                row=cell.row,
                column=cell.column,
                good=good[i, j],
                failed=failed[i, j],
                reason=int(reason[i, j]),
            )
        unformed = int((reason < 0).sum())
        if unformed:
            stream.say(unformed_message(unformed, cells.count), "WARNING")
        for name, values in (("lifetime", good), ("failure", np.where(reason < 0, np.nan, reason))):
            stream.snapshot(f"{self.array}_{name}", cells.ascending(values), bench.now())
        summary = {
            "cells": cells.count,
            "unformed": unformed,
            **summary_of(conductance, good, failed, reason),
            "virtual_seconds": bench.now(),
        }
        return Endured(
            counts=counts, conductance=conductance, summary=summary, good=good, failed=failed, reason=reason
        )


class CycledCell:
    """Cycles one cell after another, and reads their windows."""

    def __init__(
        self, plan: EndurancePlan, bench: Bench, stream: Stream, ratio: float, confirmations: int
    ) -> None:
        self._plan, self._bench, self._stream = plan, bench, stream
        self._ratio, self._confirmations = ratio, confirmations

    def cycle(self, cell: Cell, conductance: Floats) -> tuple[float, float, int]:
        """Cycle until the window fails; fill `conductance` (2, reads), and return last good cycle, failed one, reason."""
        done, good = 0, 0
        for number, count in enumerate(self._plan.counts.tolist()):
            self._stress(cell, count - done - 1)
            done = max(done, count - 1)
            for _ in range(
                self._confirmations
            ):  # one cycle may go wrong, and the next one is as good as ever
                done += 1
                verdict = self._read_window(cell, done, conductance[:, number])
                if verdict == GOOD:
                    good = done
                    break
            else:
                return float(good), float(done), verdict
        return float(good), math.inf, GOOD

    def _read_window(self, cell: Cell, done: int, found: Floats) -> int:
        """SET and RESET once, reading after each into `found` (2,); return the verdict."""
        pulses = self._plan.pulses
        for state, pulse in enumerate((pulses.set, pulses.reset)):
            self._bench.pulse(cell, pulse)
            found[state] = self._bench.read(cell)
            self._stream.record(
                "endurance",
                time=self._bench.now(),
                row=cell.row,
                column=cell.column,
                cycles=done,
                state=state,
                conductance=found[state],
            )
        return judge(float(found[0]), float(found[1]), self._ratio, pulses.middle, pulses.formed_above)

    def _stress(self, cell: Cell, count: int) -> None:
        """Apply so many cycles without a read."""
        pulses = self._plan.pulses
        if self._plan.burst is None:
            for _ in range(count):
                self._bench.checkpoint()
                self._bench.pulse(cell, pulses.set)
                self._bench.pulse(cell, pulses.reset)
            return
        for some in bursts(count):
            self._bench.checkpoint()
            self._bench.waveform(
                cell, "set", self._plan.burst, interval=pulses.set.width, gate=pulses.set.gate, count=some
            )


def summary_of(conductance: Floats, good: Floats, failed: Floats, reason: Numbers) -> dict[str, Any]:
    """Return the numbers for the run's result: failures by reason, Weibull's fit, states at the first and the last read."""
    known = reason >= 0
    summary: dict[str, Any] = {"failed": int((reason > GOOD).sum())}
    for code in range(STUCK_LRS, len(REASONS)):
        summary[REASONS[code].replace(" ", "_")] = int((reason == code).sum())
    fit = fit_weibull(good[known], failed[known])
    for name in ("scale", "shape"):
        value, ends = (
            (math.nan, (math.nan, math.nan))
            if fit is None
            else (getattr(fit, name), getattr(fit, f"{name}_interval"))
        )
        summary |= with_interval(f"weibull_{name}", value, ends)
    ends = _first_and_last(conductance[known])
    for state, name in enumerate(("lrs", "hrs")):
        summary[f"{name}_first"], summary[f"{name}_last"] = (finite(values[state]) for values in ends)
    return summary


def _first_and_last(conductance: Floats) -> tuple[Floats, Floats]:
    """Return the medians of (cells, 2, reads) at the first read, and at each cell's last one; (2,) each."""
    if not len(conductance):
        return np.full(2, np.nan), np.full(2, np.nan)
    last = np.isfinite(conductance[:, 1]).sum(axis=1) - 1
    final = conductance[np.arange(len(conductance)), :, last]
    return np.median(conductance[:, :, 0], axis=0), np.median(final, axis=0)
