"""SET and RESET cells again and again, read after each: how conductances scatter from cycle to cycle and cell to cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import InputError
from mho.instruments import ArrayBench, Bench, Cell, Pulse
from mho.instruments.arrays import CellPositions
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.detection_limit import blanks_parameter
from mho.procedures.cells.extraction.lifetimes import SWITCHES
from mho.procedures.cells.extraction.switching_statistics import (
    distribution_with_intervals,
    window_with_intervals,
)
from mho.procedures.cells.switching.formed_cells import (
    CellSettings,
    CellSurveyed,
    forming_parameter,
    survey_cells,
)
from mho.procedures.cells.switching.formed_cells import unformed_message as never_formed
from mho.procedures.cells.switching.full_pulses import (
    FullPulses,
    prepared_pulses,
    pulse_parameters,
    unformed_message,
)
from mho.procedures.parameters import IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, joined, left_out, lost_cells, measured_cells, without_measured
from mho.runs import Column, Conclusion, Figure, Layout, Map, Table

LRS, HRS = 0, 1
MOST_READS = 50_000_000  # of a run: its results also take 0.4 GB of memory
SIMULATED_STEP, HARDWARE_STEP, AT_ONCE_STEP = 0.8e-3, 20e-3, 2e-6  # s of wall time, a pulse and a read (?)
CUT = 0.05  # share of reads in HRS below the noise, from which on the tail that is cut bends the numbers
ANNOUNCED = 0.05  # s of wall time between two announcements


@dataclass(frozen=True)
class Switched:
    """Result of the cycles.

    Attributes
    ----------
    conductance : (rows, columns, 2, cycles) array
        Reads after SET and after RESET, S; NaN of cells that are not formed.
    formed : (rows, columns) array of bool
    summary : dict
        Summary in the run file and of ``--json``; each number NAME has a 95 % interval, NAME_low to
        NAME_high.
    path : Path
        The run file.
    """

    conductance: Floats
    formed: NDArray[np.bool_]
    summary: dict[str, Any]
    path: Path = field(default=Path())
    units: ClassVar[Mapping[str, str]] = {
        **{
            f"{state}.{name}": "S"
            for state in ("lrs", "hrs")
            for name in ("median", "median_low", "median_high")
        },
        **{
            f"{state}.{name}_deviation{end}": "decades"
            for state in ("lrs", "hrs")
            for name in ("cycle", "device", "robust")
            for end in ("", "_low", "_high")
        },
        "virtual_seconds": "s",
    }


@dataclass(frozen=True)
class SwitchingPlan:
    """The cells and the pulses."""

    cells: CellRange
    pulses: FullPulses
    survey: CellSettings


class Switching(Procedure):
    """SET and RESET cells many times, and tell how both states are distributed."""

    version: ClassVar[str] = "3"  # version 1 told states of cells that are stuck, and an HRS below the noise
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "2": ("*_low", "*_high"),
        "3": ("*_low", "*_high", "worst_window", "not_extracted*"),
    }
    title: ClassVar[str] = "Switch cells (SET/RESET distributions)"
    group: ClassVar[str] = "Cells"

    array = Parameter("Array", default="multiply")
    rows = Parameter("Rows", default="0:8")
    columns = Parameter("Columns", default="0:8")
    cycles = IntegerParameter("Cycles of each cell", minimum=1, maximum=1_000_000, default=100)
    set_voltage, set_gate, reset_voltage, reset_gate, width = pulse_parameters()
    forming, blanks = forming_parameter(), blanks_parameter()

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Form nothing and take no blanks, as version 1 did."""
        return dict(values) | ({"forming": "no", "blanks": 0} if version == "1" else {})

    def check(self) -> CellRange:
        """Parse the ranges."""
        cells = CellRange.parse(self.rows, self.columns)
        reads = 2 * cells.count * self.cycles
        if reads > MOST_READS:
            raise InputError(
                f"{reads:,} reads are more than the {MOST_READS:,} a run may have; switch fewer cells or less often"
            )
        return cells

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> SwitchingPlan:
        """Check that the array has these cells and that the bench allows pulses and reads."""
        pulses = prepared_pulses(self, given, bench)
        return SwitchingPlan(given, pulses, CellSettings.of(self, given, bench, pulses.formed_above))

    def in_use(self, plan: SwitchingPlan) -> Mapping[str, tuple[float | str, str]]:
        """Return the pulses."""
        return plan.pulses.in_use()

    def layout(self, plan: SwitchingPlan) -> Layout:
        """Declare one table of reads, and maps of each state's median."""
        cells = plan.cells
        table = Table(
            "cycles",
            (
                Column("time", "s", description="bench time of the read"),
                Column("row", dtype="u2"),
                Column("column", dtype="u2"),
                Column("cycle", dtype="u4"),
                Column("state", dtype="u1", description="0 LRS, after a SET; 1 HRS, after a RESET"),
                Column("conductance", "S"),
            ),
            signal="conductance",
            axis="cycle",
            title="every read",
            rows=2 * cells.count * self.cycles,
        )
        images = tuple(
            Map(
                f"{self.array}_{name}",
                "S",
                np.sort(cells.rows),
                np.sort(cells.columns),
                f"{self.array}: median {name.upper()} conductance",
                images=1,
            )
            for name in ("lrs", "hrs")
        )
        figures = (
            Figure(
                "distributions",
                kind="distribution",
                table=table.name,
                x="conductance",
                by="state",
                x_scale="log",
                y_scale="probability",
                title="Conductance after SET (LRS) and after RESET (HRS)",
            ),
            Figure(
                "cycles",
                kind="errorbars",
                table=table.name,
                x="cycle",
                y="conductance",
                by="state",
                y_scale="log",
                title="Median and quartiles of all cells by cycle",
            ),
            *(Figure(image.name, map=image.name) for image in images),
        )
        return Layout((table, *plan.survey.tables()), images, default=table.name, figures=figures)

    def describe_cells(self, plan: SwitchingPlan) -> str:
        """Return array and ranges."""
        return self._cells_as_given()

    def _cells_as_given(self) -> str:
        return f"{self.array}[{self.rows}, {self.columns}]"

    def run_title(self) -> str:
        """Return the name of the cells and the number of cycles."""
        return f"Switch {self._cells_as_given()} {self.cycles} times"

    def estimate(self, given: CellRange, source: BenchSource) -> Estimate:
        """Estimate pulses, and the time from that of a pulse and a read."""
        steps, simulation = 2 * given.count * self.cycles, source.bench.simulation
        if simulation is None:
            return Estimate(pulses=steps, seconds=HARDWARE_STEP * steps)
        step = SIMULATED_STEP if simulation.instruments else AT_ONCE_STEP
        return Estimate(pulses=steps, seconds=step * steps)

    def execute(self, plan: SwitchingPlan, bench: Bench, stream: Stream) -> Switched:
        """Cycle cell after cell, or all at once on a bench without instruments."""
        surveyed = survey_cells(plan.survey, bench, stream) if plan.survey.blanks else None
        cycler = Cycler(plan, bench, stream, self.array, int(self.cycles))
        if surveyed is not None:
            cycler.known[:] = surveyed.formed
        if isinstance(bench, ArrayBench):
            cycler.cycle_at_once(bench)
        else:
            cycler.cycle_one_by_one()
        cells, formed = plan.cells, cycler.formed
        states = cycler.conductance[formed]  # (cells, 2, cycles)
        for state, name in enumerate(("lrs", "hrs")):
            median = np.full(cells.shape, np.nan)
            median[formed] = np.median(states[:, state], axis=1)
            stream.snapshot(f"{self.array}_{name}", cells.ascending(median), bench.now())
        summary: dict[str, Any] = {"cells": cells.count}
        if surveyed is None:
            unformed = cells.count - int(formed.sum())
            if unformed:
                stream.say(unformed_message(unformed, cells.count), "WARNING")
            summary |= {"unformed": unformed, "cycles": int(self.cycles)}
            summary |= numbers_of(states)
        else:
            summary |= {**surveyed.counts(), "cycles": int(self.cycles)}
            summary |= self._strict(states, surveyed, stream)
        summary["virtual_seconds"] = bench.now()
        return Switched(cycler.conductance, formed, summary)

    def conclude(self, plan: SwitchingPlan, result: Switched) -> Conclusion:
        """Return how often cells were cycled, and their window."""
        summary = result.summary
        window = summary.get("window")
        return without_measured(summary) or Conclusion(
            joined(
                f"{counted(measured_cells(summary), 'cell')} cycled {summary['cycles']:,} times",
                "no window" if window is None else f"window {window:.3g}",
                left_out(summary),
                lost_cells(summary),
            )
        )

    def _strict(self, states: Floats, surveyed: CellSurveyed, stream: Stream) -> dict[str, Any]:
        """Return what states (cells, 2, cycles), S, of cells that switch tell, above the noise of the readings.

        A cell switches where its medians differ by a factor of two, an HRS below the noise counted as that. Where more
        than a share of `CUT` of the reads in HRS is below it, only what the others bound is told: a median above it, and
        with it the worst window, whose quantile of HRS lies higher.
        """
        least = surveyed.least(max(states.size, 1))
        medians = np.median(np.maximum(states, least), axis=2)
        switching = medians[:, LRS] >= SWITCHES * medians[:, HRS]
        stuck, dark = int((~switching).sum()), surveyed.formed.sum() - len(states)
        if surveyed.unformed:
            said = never_formed(self, surveyed.unformed, surveyed.formed.size, tried=surveyed.tried)
            stream.say(said, "WARNING")
        if dark or stuck:
            stream.say(
                f"{int(dark) + stuck} of {surveyed.formed.size} cells do not switch by these pulses, and are left out: "
                "they are stuck, or the pulses are too weak",
                "WARNING",
            )
        states = states[switching]
        below = states[:, HRS] < least
        share = float(below.mean()) if below.size else 0.0
        summary = numbers_of(states)
        missing: dict[str, str] = {}
        if not len(states):
            why = "no cell switches"
            missing = {f"{state}.{name}": why for state in ("lrs", "hrs") for name in summary[state]}
            missing |= dict.fromkeys(("window", "worst_window", "correlation"), why)
        elif share > CUT:
            why = (
                f"{100.0 * share:.2g} % of the reads in HRS lie below {1e9 * least:.3g} nS, which readings do not tell "
                "from nothing: read longer, or on a smaller range"
            )
            median = float(np.median(np.where(below, 0.0, states[:, HRS])))
            told = {"median", "median_low", "median_high"} if median > least else set()
            cut = dict.fromkeys(set(summary["hrs"]) - told)
            summary["hrs"] |= cut
            names = {"correlation"} | (set() if told else {"window", "worst_window"})
            for name in sorted(names):
                summary |= dict.fromkeys((name, f"{name}_low", f"{name}_high"))
            missing = {f"hrs.{name}": why for name in sorted(cut)} | dict.fromkeys(sorted(names), why)
            stream.say(why, "WARNING")
        missing = {name: why for name, why in missing.items() if not name.endswith(("_low", "_high"))}
        counts = {"do_not_switch": int(dark) + stuck, "measured": len(states), "hrs_below_noise": share}
        return {**counts, **summary, "not_extracted": missing}


def numbers_of(states: Floats) -> dict[str, Any]:
    """Return what states (cells, 2, cycles), S, tell, with intervals."""
    states_alone = {"lrs": states[:, LRS], "hrs": states[:, HRS]}
    numbers: dict[str, Any] = {name: distribution_with_intervals(one) for name, one in states_alone.items()}
    return numbers | window_with_intervals(states)


class Cycler:
    """Cycles a plan's cells into a run file and into arrays.

    Attributes
    ----------
    conductance : (rows, columns, 2, cycles) array
        S; NaN where not read.
    formed : (rows, columns) array of bool
        Cells that conduct.
    known : (rows, columns) array of bool
        Cells that are to be cycled if they conduct: no pulse is sent to others.
    """

    def __init__(self, plan: SwitchingPlan, bench: Bench, stream: Stream, array: str, cycles: int) -> None:
        self._cells, self._pulses, self._bench, self._stream = plan.cells, plan.pulses, bench, stream
        self._array, self._cycles = array, cycles
        self.conductance = np.full((*plan.cells.shape, 2, cycles), np.nan)
        self.formed = np.zeros(plan.cells.shape, dtype=bool)
        self.known = np.ones(plan.cells.shape, dtype=bool)
        self._announced = stream.now()

    def cycle_one_by_one(self) -> None:
        """Give each cell all its cycles before the next one is connected."""
        for number, (i, j) in enumerate(np.ndindex(self._cells.shape)):
            cell = Cell(self._array, int(self._cells.rows[i]), int(self._cells.columns[j]))
            self.formed[i, j] = bool(self.known[i, j]) and conducts(self._bench, cell, self._pulses)
            for cycle in range(self._cycles if self.formed[i, j] else 0):
                for state, pulse in ((LRS, self._pulses.set), (HRS, self._pulses.reset)):
                    self._bench.pulse(cell, pulse)
                    read = self.conductance[i, j, state, cycle] = self._bench.read(cell)
                    self._stream.record(
                        "cycles",
                        time=self._bench.now(),
                        row=cell.row,
                        column=cell.column,
                        cycle=cycle,
                        state=state,
                        conductance=read,
                    )
                if self._stream.now() - self._announced > ANNOUNCED:
                    self._announced = self._stream.now()
                    self._stream.progress(
                        "switching", number * self._cycles + cycle + 1, self._cells.count * self._cycles
                    )

    def cycle_at_once(self, bench: ArrayBench) -> None:
        """Give all cells their cycles together, each with a time of its own."""
        rows, columns = (
            lines.ravel() for lines in np.meshgrid(self._cells.rows, self._cells.columns, indexing="ij")
        )
        count = len(rows)
        flat = self.conductance.reshape(count, 2, self._cycles)
        times = np.zeros_like(flat)
        bench.draw([CellPositions(self._array, rows, columns)])
        visit = bench.visit([CellPositions(self._array, rows, columns)], 2.0 * self._cycles)
        try:
            with visit:
                everyone = np.arange(count)

                def apply(pulse: Pulse, which: NDArray[np.int64]) -> tuple[Floats, Floats]:
                    like = np.ones(len(which))
                    sets = np.full(len(which), pulse.kind == "set")
                    visit.pulse(which, sets, pulse.voltage * like, pulse.width * like, pulse.gate * like)
                    return visit.read(which)

                formed = visit.read(everyone)[0] > self._pulses.formed_above
                known = self.known.ravel()
                formed &= known
                dark = np.flatnonzero(~formed & known)
                if dark.size:
                    formed[dark] = apply(self._pulses.probe, dark)[0] > self._pulses.formed_above
                which = np.flatnonzero(formed)
                self.formed[:] = formed.reshape(self.formed.shape)
                for cycle in range(self._cycles if which.size else 0):
                    for state, pulse in ((LRS, self._pulses.set), (HRS, self._pulses.reset)):
                        flat[which, state, cycle], times[which, state, cycle] = apply(pulse, which)
                    self._stream.progress("switching", cycle + 1, self._cycles)
        finally:
            times += visit.begun[:, None, None]
            place = np.nonzero(np.isfinite(flat))
            self._stream.record_block(
                "cycles",
                {
                    "time": times[place],
                    "row": rows[place[0]],
                    "column": columns[place[0]],
                    "cycle": place[2],
                    "state": place[1],
                    "conductance": flat[place],
                },
            )


def conducts(bench: Bench, cell: Cell, pulses: FullPulses) -> bool:
    """Return whether a cell conducts, if need be after a SET that forms no cell."""
    if bench.read(cell) > pulses.formed_above:
        return True
    bench.pulse(cell, pulses.probe)
    return bench.read(cell) > pulses.formed_above
