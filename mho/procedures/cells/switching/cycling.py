"""SET and RESET cells again and again, read after each: how conductances scatter from cycle to cycle and cell to cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Booleans, Floats, Integers
from mho.instruments import ArrayBench, Bench, Pulse
from mho.instruments.arrays import CellPositions
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, ProcedureResult
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.cell_procedure import PLACE, TIME, CellProcedure
from mho.procedures.cells.cell_visits import each_cell
from mho.procedures.cells.extraction.lifetimes import SWITCHES
from mho.procedures.cells.extraction.switching_statistics import (
    distribution_with_intervals,
    window_with_intervals,
)
from mho.procedures.cells.switching.formed_cells import (
    GATED,
    FullPulses,
    Screening,
    ScreeningPlan,
    conducts,
    dark_message,
    gate_needs,
    prepared_pulses,
    pulse_parameters,
    screen_cells,
    screening_parameters,
    warn_left_out,
)
from mho.procedures.parameters import IntegerParameter
from mho.procedures.stream import Stream
from mho.procedures.wording import concluded, counted, left_out, lost_cells, measured_cells
from mho.runs import Column, Conclusion, Figure, Layout, Table

LRS, HRS = 0, 1
MOST_READS = 50_000_000  # of a run: its results also take 0.4 GB of memory
SIMULATED_STEP, HARDWARE_STEP, AT_ONCE_STEP = 0.8e-3, 20e-3, 2e-6  # s of wall time, a pulse and a read (?)
CUT = 0.05  # share of reads in HRS below the noise, from which on the tail that is cut bends the numbers


@dataclass(frozen=True, eq=False, repr=False)
class Switched(ProcedureResult):
    """Result of the cycles; each number NAME of the summary has a 95 % interval, NAME_low to NAME_high.

    Attributes
    ----------
    conductance : (rows, columns, 2, cycles) array
        Reads after SET and after RESET, S; NaN of cells that are not formed.
    formed : (rows, columns) array of bool
    """

    conductance: Floats
    formed: Booleans
    units: ClassVar[Mapping[str, str]] = {
        "conductance": "S",
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
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "conductance": ("row", "column", "state", "cycle"),
        "formed": ("row", "column"),
    }


@dataclass(frozen=True)
class SwitchingPlan:
    """The cells and the pulses."""

    cells: CellRange
    pulses: FullPulses
    screening: ScreeningPlan


class Switching(CellProcedure[Switched]):
    """SET and RESET cells many times, and tell how both states are distributed."""

    version: ClassVar[str] = "3"  # version 1 told states of cells that are stuck, and an HRS below the noise
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "2": ("*_low", "*_high"),
        "3": ("*_low", "*_high", "worst_window", "not_extracted*"),
    }
    title: ClassVar[str] = "Switch cells (SET/RESET distributions)"
    leading: ClassVar[tuple[str, ...]] = (
        "array",
        "rows",
        "columns",
        "cycles",
        "set_voltage",
        "reset_voltage",
    )
    needs: ClassVar[tuple[Operation, ...]] = ("read", "pulse")
    may_need: ClassVar[Mapping[Operation, str]] = {**CellProcedure.may_need, **GATED}
    run_words: ClassVar[str] = "Switch {cells} {cycles} times"
    without_blanks: ClassVar[tuple[str, ...]] = ("1",)

    cycles = IntegerParameter("Cycles of each cell", minimum=1, maximum=1_000_000, default=100)
    set_voltage, set_gate, reset_voltage, reset_gate, width = pulse_parameters()
    forming, blanks = screening_parameters()

    def needed(self) -> tuple[Operation, ...]:
        """Return what reads and pulses need, and a gate where it is asked for."""
        return (*super().needed(), *gate_needs(self))

    def check(self) -> CellRange:
        """Parse the ranges."""
        cells = CellRange.parse(self.rows, self.columns)
        count = 2 * cells.count * self.cycles
        self.check_count(count, MOST_READS, "reads", "switch fewer cells or less often")
        return cells

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> SwitchingPlan:
        """Check that the array has these cells and that the bench allows pulses and reads."""
        pulses = prepared_pulses(self, given, bench)
        return SwitchingPlan(given, pulses, ScreeningPlan.of(self, given, bench, pulses.formed_above))

    def in_use(self, plan: SwitchingPlan) -> Mapping[str, tuple[float | str, str]]:
        """Return the pulses."""
        return plan.pulses.in_use()

    def layout(self, plan: SwitchingPlan) -> Layout:
        """Declare one table of reads, and maps of each state's median."""
        columns = (
            TIME,
            *PLACE,
            Column("cycle", dtype="u4"),
            Column("state", dtype="u1", description="0 LRS, after a SET; 1 HRS, after a RESET"),
            Column("conductance", "S"),
        )
        rows = 2 * plan.cells.count * self.cycles
        table = Table("cycles", columns, axis="cycle", title="every read", rows=rows)
        states = ((name, "S", f"median {name.upper()} conductance") for name in ("lrs", "hrs"))
        images = self.maps(plan.cells, *states, images=1)
        figures = (
            Figure(
                "distributions", kind="distribution", table="cycles", x="conductance", by="state", x_scale="log",
                y_scale="probability", title="Conductance after SET (LRS) and after RESET (HRS)",
            ),
            Figure(
                "cycles", kind="errorbars", table="cycles", x="cycle", y="conductance", by="state", y_scale="log",
                title="Median and quartiles of all cells by cycle",
            ),
            *(Figure(image.name, map=image.name) for image in images),
        )  # fmt: skip
        return Layout((table, *plan.screening.tables()), images, default=table.name, figures=figures)

    def estimate(self, given: CellRange, source: BenchSource) -> Estimate:
        """Estimate pulses, and the time from that of a pulse and a read."""
        steps, simulation = 2 * given.count * self.cycles, source.bench.simulation
        if simulation is None:
            return Estimate(pulses=steps, seconds=HARDWARE_STEP * steps)
        step = SIMULATED_STEP if simulation.instruments else AT_ONCE_STEP
        return Estimate(pulses=steps, seconds=step * steps)

    def execute(self, plan: SwitchingPlan, bench: Bench, stream: Stream) -> Switched:
        """Cycle cell after cell, or all at once on a bench without instruments."""
        screening = screen_cells(plan.screening, bench, stream) if plan.screening.blanks else None
        cycler = Cycler(plan, bench, stream, self.array, int(self.cycles))
        if screening is not None:
            cycler.known[:] = screening.formed
        if isinstance(bench, ArrayBench):
            cycler.cycle_at_once(bench)
        else:
            cycler.cycle_one_by_one()
        cells, formed = plan.cells, cycler.formed
        states = cycler.conductance[formed]  # (cells, 2, cycles)
        for state, name in enumerate(("lrs", "hrs")):
            median = np.full(cells.shape, np.nan)
            median[formed] = np.median(states[:, state], axis=1)
            self.snapshot(stream, bench, cells, **{name: median})
        summary: dict[str, Any] = {"cells": cells.count}
        if screening is None:
            unformed = cells.count - int(formed.sum())
            if unformed:
                stream.say(dark_message(unformed, cells.count), "WARNING")
            summary |= {"unformed": unformed, "cycles": int(self.cycles)}
            summary |= numbers_of(states)
        else:
            summary |= {**screening.counts(), "cycles": int(self.cycles)}
            summary |= self._strict(states, screening, stream)
        summary["virtual_seconds"] = bench.now()
        return Switched(cycler.conductance, formed, summary=summary)

    def conclude(self, plan: SwitchingPlan, result: Switched) -> Conclusion:
        """Return how often cells were cycled, and their window."""
        summary = result.summary
        window = summary.get("window")
        return concluded(
            summary, f"{counted(measured_cells(summary), 'cell')} cycled {summary['cycles']:,} times",
            "no window" if window is None else f"window {window:.3g}", left_out(summary), lost_cells(summary),
        )  # fmt: skip

    def _strict(self, states: Floats, screening: Screening, stream: Stream) -> dict[str, Any]:
        """Return what states (cells, 2, cycles), S, of cells that switch tell, above the noise of the readings.

        A cell switches where its medians differ by a factor of two, an HRS below the noise counted as that. Where more
        than a share of `CUT` of the reads in HRS is below it, only what the others bound is told: a median above it, and
        with it the worst window, whose quantile of HRS lies higher.
        """
        least = screening.least(max(states.size, 1))
        medians = np.median(np.maximum(states, least), axis=2)
        switching = medians[:, LRS] >= SWITCHES * medians[:, HRS]
        stuck, dark = int((~switching).sum()), screening.formed.sum() - len(states)
        warn_left_out(self, stream, screening, screening.formed.size, screening.unformed)
        if dark or stuck:
            stream.say(
                f"{int(dark) + stuck} of {screening.formed.size} cells do not switch by these pulses, and are left out: "
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
            known = {"median", "median_low", "median_high"} if median > least else set()
            cut = dict.fromkeys(set(summary["hrs"]) - known)
            summary["hrs"] |= cut
            names = {"correlation"} | (set() if known else {"window", "worst_window"})
            for name in sorted(names):
                summary |= dict.fromkeys((name, f"{name}_low", f"{name}_high"))
            missing = {f"hrs.{name}": why for name in sorted(cut)} | dict.fromkeys(sorted(names), why)
            stream.say(why, "WARNING")
        missing = {name: why for name, why in missing.items() if not name.endswith(("_low", "_high"))}
        counts = {"do_not_switch": int(dark) + stuck, "measured": len(states), "hrs_below_noise": share}
        return {**counts, **summary, "not_extracted": missing}


def numbers_of(states: Floats) -> dict[str, Any]:
    """Return what states (cells, 2, cycles), S, tell, with intervals."""
    lrs, hrs = distribution_with_intervals(states[:, LRS]), distribution_with_intervals(states[:, HRS])
    return {"lrs": lrs, "hrs": hrs, **window_with_intervals(states)}


class Cycler:
    """Cycles a plan's cells into a run file and into arrays.

    `conductance` (rows, columns, 2, cycles): S; NaN where not read. `formed` (rows, columns): cells that conduct.
    `known` (rows, columns): cells that are to be cycled if they conduct: no pulse is sent to others.
    """

    def __init__(self, plan: SwitchingPlan, bench: Bench, stream: Stream, array: str, cycles: int) -> None:
        self._cells, self._pulses, self._bench, self._stream = plan.cells, plan.pulses, bench, stream
        self._array, self._cycles = array, cycles
        self.conductance = np.full((*plan.cells.shape, 2, cycles), np.nan)
        self.formed = np.zeros(plan.cells.shape, dtype=bool)
        self.known = np.ones(plan.cells.shape, dtype=bool)

    def cycle_one_by_one(self) -> None:
        """Give each cell all its cycles before the next one is connected."""
        for number, (place, cell) in enumerate(each_cell(self._array, self._cells)):
            self.formed[place] = bool(self.known[place]) and conducts(self._bench, cell, self._pulses)
            for cycle in range(self._cycles if self.formed[place] else 0):
                for state, pulse in ((LRS, self._pulses.set), (HRS, self._pulses.reset)):
                    self._bench.pulse(cell, pulse)
                    read = self.conductance[(*place, state, cycle)] = self._bench.read(cell)
                    self._stream.record(
                        "cycles", time=self._bench.now(), row=cell.row, column=cell.column, cycle=cycle,
                        state=state, conductance=read,
                    )  # fmt: skip
                done, total = number * self._cycles + cycle + 1, self._cells.count * self._cycles
                self._stream.pace("switching", done, total)

    def cycle_at_once(self, bench: ArrayBench) -> None:
        """Give all cells their cycles together, each with a time of its own."""
        rows, columns = self._cells.positions()
        count = len(rows)
        flat = self.conductance.reshape(count, 2, self._cycles)
        times = np.zeros_like(flat)
        bench.draw([CellPositions(self._array, rows, columns)])
        visit = bench.visit([CellPositions(self._array, rows, columns)], 2.0 * self._cycles)
        try:
            with visit:
                everyone = np.arange(count)

                def apply(pulse: Pulse, which: Integers) -> tuple[Floats, Floats]:
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
            numbers, states, cycles = place
            reads = {"time": times[place], "row": rows[numbers], "column": columns[numbers]}
            self._stream.record_block(
                "cycles", {**reads, "cycle": cycles, "state": states, "conductance": flat[place]}
            )
