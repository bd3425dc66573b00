"""Cycle cells until their window fails or all cycles are done, with reads that are log-spaced in cycles.

The read cycles are a SET and a RESET of their own, each followed by a read. The cycles between are bursts of a waveform on
the bit line, SET up and RESET down, at one word-line voltage: millions a second, as no message goes out in between. On a
bench whose generator plays no waveforms they are single pulses.

Before the stress, first cycles of every cell are read: they tell how far its window scatters, whether it can hold the
criterion at all, and later whether a window that fails has worn: only then has the cell failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Booleans, Floats, Integers
from mho.confidence import finite, with_interval
from mho.errors import InputError
from mho.instruments import Bench, Cell
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, ProcedureResult
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.cell_procedure import PLACE, TIME, CellProcedure
from mho.procedures.cells.cell_visits import each_cell
from mho.procedures.cells.extraction import lifetimes
from mho.procedures.cells.log_spacing import log_counts
from mho.procedures.cells.switching.formed_cells import (
    GATED,
    FullPulses,
    Screening,
    ScreeningPlan,
    bursts,
    conducts,
    dark_message,
    gate_needs,
    prepared_pulses,
    pulse_parameters,
    screen_cells,
    screening_parameters,
    warn_left_out,
)
from mho.procedures.parameters import FloatParameter, IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import concluded, counted, if_any, left_out, lost_cells, measured_cells
from mho.runs import Column, Conclusion, Figure, Layout, ReferenceLine, Table

SINGLE = 1_000_000  # cycles of a cell at most, one pulse at a time
GAP = 2  # rests of a pulse's width between SET and RESET of a burst, and before the next cycle
SIMULATED_READ, HARDWARE_READ = 1.5e-3, 40e-3  # s of wall time, a read cycle (?)
FIRST, APART = 20, 20  # read cycles of a reference; cycles from one to the next, beyond what a cell remembers
MORE = (5, 10, 20)  # confirmations that are tried for a criterion
FEWEST_FIRST = 8  # of which its scatter can be told
SIMULATED_BURST = 12e-3  # s of wall time


CODES = ", ".join(f"{code} {reason}" for code, reason in enumerate(lifetimes.REASONS))


@dataclass(frozen=True, eq=False, repr=False)
class Endured(ProcedureResult):
    """Result of the cycles.

    Attributes
    ----------
    counts : (reads,) array
        Cycles at each read, its own included.
    conductance : (rows, columns, 2, reads) array
        LRS and HRS, S; NaN after a failure, and of cells that are not formed.
    good, failed : (rows, columns) arrays
        Cycles up to which the window was good, and those at which it was not: infinite where it never failed. NaN of cells
        that are not formed.
    reason : (rows, columns) array
        Index into `mho.procedures.cells.extraction.lifetimes.REASONS`; -1 of cells that are not formed.
    """

    counts: Integers
    conductance: Floats
    good: Floats
    failed: Floats
    reason: Integers
    units: ClassVar[Mapping[str, str]] = {
        "conductance": "S",
        **dict.fromkeys(("lrs_first", "lrs_last", "hrs_first", "hrs_last"), "S"),
        "virtual_seconds": "s",
    }
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "counts": ("read",),
        "conductance": ("row", "column", "state", "read"),
        **dict.fromkeys(("good", "failed", "reason"), ("row", "column")),
    }


@dataclass(frozen=True)
class EndurancePlan:
    """The cells, the pulses, and the cycles at which windows are read."""

    cells: CellRange
    pulses: FullPulses
    counts: Integers
    # (samples,) or None: waveform of a cycle, V, each sample as long as a pulse; None for single pulses
    burst: Floats | None
    screening: ScreeningPlan
    spacing: int  # cycles from one read cycle of a reference to the next; 0 for no reference


class Endurance(CellProcedure[Endured]):
    """SET and RESET cells until their window fails, and fit how long they last."""

    version: ClassVar[str] = "2"  # version 1 took windows that scatter for windows that have failed
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {"2": ("*_low", "*_high")}
    title: ClassVar[str] = "Endurance of cells"
    leading: ClassVar[tuple[str, ...]] = ("array", "rows", "columns", "cycles")
    needs: ClassVar[tuple[Operation, ...]] = ("read", "pulse")
    may_need: ClassVar[Mapping[Operation, str]] = {
        **CellProcedure.may_need,
        **GATED,
        "waveform": "for cycles in bursts, which between = pulses does without",
    }
    run_words: ClassVar[str] = "Endurance of {cells}, {cycles:.3g} cycles"
    without_blanks: ClassVar[tuple[str, ...]] = ("1",)

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
    forming, blanks = screening_parameters()

    def check(self) -> CellRange:
        """Parse the ranges."""
        if self.between == "pulses" and self.cycles > SINGLE:
            raise InputError(
                f"cycles is {self.cycles:,}; at most {SINGLE:,} are applied pulse by pulse: choose between=bursts, or fewer"
            )
        cells: CellRange = super().check()
        return cells

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> EndurancePlan:
        """Check that the array has these cells and that the bench allows pulses, bursts and reads."""
        pulses = prepared_pulses(self, given, bench)
        counts = log_counts(int(self.cycles), int(self.per_decade))
        burst = self._burst(pulses) if self._in_bursts(counts) else None
        if burst is not None:
            bench.check_waveform("set", burst, interval=pulses.set.width, gate=pulses.set.gate)
        spacing = min(APART, max(int(self.cycles) // (10 * FIRST), 1)) if self.blanks else 0
        screening = ScreeningPlan.of(self, given, bench, pulses.formed_above)
        return EndurancePlan(given, pulses, counts, burst, screening, spacing)

    def needed(self) -> tuple[Operation, ...]:
        """Return what single pulses and reads need, a gate where it is asked for, and `waveform` for cycles in bursts."""
        bursts = self._in_bursts(log_counts(int(self.cycles), int(self.per_decade)))
        return (*super().needed(), *gate_needs(self), *(("waveform",) if bursts else ()))

    def _in_bursts(self, counts: Integers) -> bool:
        """Return whether there are bursts of cycles between the reads after these numbers of cycles."""
        return bool(self.between == "bursts" and (np.diff(counts) > 1).any())

    def _burst(self, pulses: FullPulses) -> Floats:
        depth, rest = self.value_or("burst_reset", pulses.reset.voltage), [0.0] * GAP
        return np.array([*rest, pulses.set.voltage, *rest, -depth, *rest])

    def in_use(self, plan: EndurancePlan) -> Mapping[str, tuple[float | str, str]]:
        """Return the pulses."""
        return {**plan.pulses.in_use(), "burst_reset": (plan.pulses.reset.voltage, "that of a RESET")}

    def layout(self, plan: EndurancePlan) -> Layout:
        """Declare one table of reads, one of cells, and maps of lifetimes and reasons."""
        count = plan.cells.count
        columns = (
            TIME,
            *PLACE,
            Column("cycles", dtype="u8", description="cycles done, the read's own included"),
            Column("state", dtype="u1", description="0 LRS, after a SET; 1 HRS, after a RESET"),
            Column("conductance", "S"),
        )
        rows = 2 * count * len(plan.counts)
        reads = Table("endurance", columns, axis="cycles", title="every read", rows=rows)
        columns = (
            *PLACE,
            Column("good", description="cycles up to which the window was good"),
            Column("failed", description="cycles at which it was not; infinite where it never was"),
            Column("reason", dtype="u1", description=CODES),
            Column("missed", dtype="u4", description="looks at which the window was missed by spread"),
        )
        title = "when each cell's window failed, and why"
        lives = Table("lifetimes", columns, signal="failed", axis="good", title=title, rows=count)
        lifetime = ("lifetime", "", "last cycle with a good window")
        images = self.maps(plan.cells, lifetime, ("failure", "", CODES), images=1)
        by_cycles = partial(
            Figure, table="endurance", x="cycles", y="conductance", x_scale="log", y_scale="log"
        )
        figures = (
            by_cycles(
                "endurance", kind="errorbars", by="state", title="LRS and HRS: median and quartiles of all cells"
            ),
            by_cycles("cells", by=("row", "column", "state"), title="LRS and HRS by cell"),
            Figure(
                "lifetimes", kind="distribution", table="lifetimes", x="failed", x_scale="log",
                lines=(ReferenceLine(x="weibull_scale", label="Weibull's scale"),),
                title="Cycles at which windows were found worn",
            ),
            *(Figure(image.name, map=image.name) for image in images),
        )  # fmt: skip
        return Layout((reads, lives, *plan.screening.tables()), images, default=reads.name, figures=figures)

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
        cycler = CellCycler(plan, bench, stream, float(self.window), int(self.confirmations))
        screening = screen_cells(plan.screening, bench, stream) if plan.screening.blanks else None
        alive, criterion = np.ones(cells.shape, dtype=bool), dict[str, Any]()
        if screening is not None:
            cycler.least = screening.least()
            alive, criterion = self._first_cycles(plan, cycler, screening, stream, conductance, bench)
        for number, (place, cell) in enumerate(each_cell(self.array, cells)):
            stream.progress("cycling", number, cells.count)
            cycler.missed = 0
            if cell in cycler.stuck:
                good[place], reason[place] = 0.0, cycler.stuck[cell]
            elif alive[place] and (screening is not None or conducts(bench, cell, plan.pulses)):
                good[place], failed[place], reason[place] = cycler.cycle(cell, conductance[place])
            else:
                continue
            stream.record(
                "lifetimes", row=cell.row, column=cell.column, good=good[place], failed=failed[place],
                reason=int(reason[place]), missed=cycler.missed,
            )  # fmt: skip
        dark = int((reason < 0).sum())
        unformed = dark if screening is None else screening.unformed
        message = dark_message(unformed, cells.count)
        warn_left_out(self, stream, screening, cells.count, unformed, without_blanks=message)
        failure = np.where(reason < 0, np.nan, reason)
        self.snapshot(stream, bench, cells, lifetime=good, failure=failure)
        left_out_of = {"unformed": unformed}
        if screening is not None:
            left_out_of |= {
                "formed_first": screening.formed_now,
                "do_not_conduct": dark - unformed,
                "measured": int(((reason >= 0) & ~np.isnan(failed)).sum()),
            }
        summary = {
            "cells": cells.count,
            **left_out_of,
            **criterion,
            **summary_of(conductance, good, failed, reason, cycler.least, strict=screening is not None),
            "virtual_seconds": bench.now(),
        }
        return Endured(counts, conductance, good, failed, reason, summary=summary)

    def conclude(self, plan: EndurancePlan, result: Endured) -> Conclusion:
        """Return how many windows failed, and Weibull's scale."""
        summary = result.summary
        scale = summary.get("weibull_scale")
        windows, cycles = counted(measured_cells(summary), "window"), counted(int(self.cycles), "cycle")
        return concluded(
            summary, f"{summary['failed']:,} of {windows} failed in {cycles}",
            "" if scale is None else f"Weibull scale {scale:,.3g} cycles",
            if_any(int(summary.get("cannot_hold") or 0), "that cannot hold the criterion"),
            if_any(int(summary.get("missed_by_spread_alone") or 0), "missed by spread"),
            left_out(summary), lost_cells(summary),
        )  # fmt: skip

    def _first_cycles(
        self, plan: EndurancePlan, cycler: CellCycler, screening: Screening, stream: Stream,
        conductance: Floats, bench: Bench,
    ) -> tuple[Booleans, dict[str, Any]]:  # fmt: skip
        """Read first cycles of all cells that conduct, and say whether they can hold the criterion.

        Returns `alive` (rows, columns): which switch. `criterion`: ``cannot_hold``, how many of those that switch
        cannot; ``window_held``, the ratio that all can, None where the first cycles are too few to tell.
        """
        cells, alive = plan.cells, np.zeros(plan.cells.shape, dtype=bool)
        for number, (place, cell) in enumerate(each_cell(self.array, cells)):
            stream.progress("first cycles", number, cells.count)
            if screening.formed[place] and conducts(bench, cell, plan.pulses):
                alive[place] = cycler.first_cycles(cell, conductance[place])
        switching, dead = list(cycler.references.values()), len(cycler.stuck)
        if dead:
            stream.say(
                f"{dead} of {cells.count} cells do not switch in their first cycles: they are stuck, or the pulses are too "
                "weak for them; they have no lifetime",
                "WARNING",
            )
        if not switching or len(switching[0]) < FEWEST_FIRST:
            return alive, {"cannot_hold": None, "window_held": None}
        ratios = lifetimes.sustainable_ratios(np.array(switching), len(plan.counts), int(self.confirmations))
        cycler.scattered = {
            cell for cell, ratio in zip(cycler.references, ratios, strict=True) if ratio < self.window
        }
        failing, lowest = len(cycler.scattered), float(ratios.min())
        if failing:
            advice = self._advice(plan, np.array(switching), list(cycler.references))
            stream.say(
                f"{failing} of {len(ratios)} cells cannot hold LRS/HRS >= {self.window:g} from the start: in {FIRST} first "
                f"cycles their windows scatter by {np.median(np.std(switching, axis=1, ddof=1)):.2g} decades about "
                f"{10.0 ** np.median(switching):.3g}. Windows that are missed by this spread are counted apart, and no "
                f"lifetime is fitted to them; {advice}",
                "WARNING",
            )
        return alive, {"cannot_hold": failing, "window_held": lowest}

    def _advice(self, plan: EndurancePlan, windows: Floats, cells: list[Cell]) -> str:
        """Return which criterion the cells hold, by their first windows (cells, cycles), log10."""
        for confirmations in (int(self.confirmations), *(n for n in MORE if n > self.confirmations)):
            ratios = lifetimes.sustainable_ratios(windows, len(plan.counts), confirmations)
            window = math.floor(10.0 * min(float(ratios.min()), float(self.window))) / 10.0
            if window >= lifetimes.SWITCHES:
                more = f" --confirmations {confirmations}" if confirmations > self.confirmations else ""
                return f"they all hold --window {window:g}{more}"
        worst = cells[int(ratios.argmin())]
        return (
            f"no criterion is held by cell [{worst.row}, {worst.column}], which hardly switches: leave it out, or RESET it "
            "with a higher voltage"
        )


class CellCycler:
    """Cycles one cell after another, and reads their windows.

    `references`: log10 of LRS/HRS in the first cycles of each cell; `missed`: looks at the last cell at which its
    window was missed by spread; `least`: conductance that a reading tells from nothing, S; `stuck`: in which state
    each cell is stuck that did not switch in its first cycles; `scattered`: cells that cannot hold the criterion from
    the start.
    """

    def __init__(
        self, plan: EndurancePlan, bench: Bench, stream: Stream, ratio: float, confirmations: int
    ) -> None:
        self._plan, self._bench, self._stream = plan, bench, stream
        self._ratio, self._confirmations = ratio, confirmations
        self._done: dict[Cell, int] = {}
        self._good: dict[Cell, int] = {}
        self.references: dict[Cell, Floats] = {}
        self.stuck: dict[Cell, int] = {}
        self.scattered: set[Cell] = set()
        self.missed = 0
        self.least = -math.inf

    def first_cycles(self, cell: Cell, conductance: Floats) -> bool:
        """Read the first cycles of a cell, fill `conductance` (2, reads) as far as they go; return whether it switches."""
        counts, last = self._plan.counts.tolist(), int(self._plan.counts[-1])
        read = [1 + number * self._plan.spacing for number in range(FIRST)]
        read = [count for count in read if count <= last]
        windows, verdict, done, good = [], lifetimes.GOOD, 0, 0
        for count in sorted({*read, *(one for one in counts if one <= read[-1])}):
            self._stress(cell, count - done - 1)
            done = count
            states = np.full(2, np.nan)
            verdict = self._read_window(cell, done, states)
            if verdict == lifetimes.GOOD:
                good = done
            if count in counts:
                conductance[:, counts.index(count)] = states
            if count in read:
                windows.append(self._window(states))
        self._done[cell], self._good[cell] = done, good
        reference = np.array(windows)
        if switches := bool(np.median(reference) >= math.log10(lifetimes.SWITCHES)):
            self.references[cell] = reference
        else:
            self.stuck[cell] = lifetimes.STUCK_LRS if verdict == lifetimes.STUCK_LRS else lifetimes.STUCK_HRS
        return switches

    def cycle(self, cell: Cell, conductance: Floats) -> tuple[float, float, int]:
        """Cycle until the window fails; fill `conductance` (2, reads), and return last good cycle, failed one, reason.

        A window that fails while the cell has not worn is missed by spread: the cell goes on.
        """
        done, good = self._done.get(cell, 0), self._good.get(cell, 0)
        for number, count in enumerate(self._plan.counts.tolist()):
            if cell in self._done and count <= self._done[cell]:
                continue  # among the first cycles
            self._stress(cell, count - done - 1)
            done = max(done, count - 1)
            for _ in range(self._confirmations):  # one cycle may go wrong, and the next is as good as ever
                done += 1
                verdict = self._read_window(cell, done, conductance[:, number])
                if verdict == lifetimes.GOOD:
                    good = done
                    break
            else:
                if cell not in self.references:
                    return float(good), float(done), verdict
                failed = done
                done, worn = self._worn(cell, done)
                if worn:
                    return float(good), float(failed), verdict
                self.missed += 1
        return float(good), math.inf, lifetimes.SPREAD if self.missed else lifetimes.GOOD

    def _worn(self, cell: Cell, done: int) -> tuple[int, bool]:
        """Read windows once more as far apart as the first ones; return cycles done, and whether they lie below those."""
        reference, windows = self.references[cell], []
        for _ in range(len(reference)):
            self._stress(cell, self._plan.spacing - 1)
            done += self._plan.spacing
            states = np.full(2, np.nan)
            self._read_window(cell, done, states)
            windows.append(self._window(states))
        holds = cell not in self.scattered
        return done, lifetimes.has_worn(reference, np.array(windows), len(self._plan.counts), holds=holds)

    def _window(self, states: Floats) -> float:
        """Return log10 of LRS/HRS (2,), S; an HRS below what readings tell counts as that."""
        lrs, hrs = np.maximum(states, max(self.least, 1e-12))
        return float(np.log10(lrs / hrs))

    def _read_window(self, cell: Cell, done: int, states: Floats) -> int:
        """SET and RESET once, reading after each into `states` (2,); return the verdict."""
        pulses = self._plan.pulses
        for state, pulse in enumerate((pulses.set, pulses.reset)):
            self._bench.pulse(cell, pulse)
            states[state] = self._bench.read(cell)
            self._stream.record(
                "endurance", time=self._bench.now(), row=cell.row, column=cell.column, cycles=done, state=state,
                conductance=states[state],
            )  # fmt: skip
        return lifetimes.judge(
            float(states[0]), float(states[1]), self._ratio, pulses.middle, pulses.formed_above
        )

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


def summary_of(
    conductance: Floats, good: Floats, failed: Floats, reason: Integers, least: float, *, strict: bool
) -> dict[str, Any]:
    """Return the numbers for the run's result: failures by reason, Weibull's fit, states at the first and the last read.

    `least`: conductance that a reading tells from nothing, S; `strict`: whether cells that never switched are left
    out of the states, and counted.
    """
    known = (reason >= 0) & ~np.isnan(failed)
    summary: dict[str, Any] = {"failed": int(np.isfinite(failed).sum())}
    for code in range(lifetimes.STUCK_LRS, lifetimes.SPREAD + 1 if strict else lifetimes.SPREAD):
        summary[lifetimes.REASONS[code].replace(" ", "_")] = int((reason[known] == code).sum())
    if strict:
        summary["never_switched"] = int(((reason >= 0) & ~known).sum())
    fit = lifetimes.fit_weibull(good[known], failed[known])
    for name in ("scale", "shape"):
        value, ends = getattr(fit, name, math.nan), getattr(fit, f"{name}_interval", (math.nan, math.nan))
        summary |= with_interval(f"weibull_{name}", value, ends)
    ends = _first_and_last(conductance[known])
    for state, name in enumerate(("lrs", "hrs")):
        summary[f"{name}_first"], summary[f"{name}_last"] = (
            finite(values[state]) if values[state] > least else None for values in ends
        )
    if strict:
        summary["not_extracted"] = _not_extracted(summary, int(known.sum()))
    return summary


def _not_extracted(summary: Mapping[str, Any], cells: int) -> dict[str, str]:
    """Return why a number of the result is None, by name."""
    few = f"{summary['failed']} of {cells} cells have worn out, and two at least are needed"
    none = "no cell that switches was cycled" if not cells else "it is not told from nothing: read longer"
    why = dict.fromkeys(("weibull_scale", "weibull_shape"), few if cells else none)
    why |= dict.fromkeys(("lrs_first", "lrs_last", "hrs_first", "hrs_last"), none)
    return {name: reason for name, reason in why.items() if summary[name] is None}


def _first_and_last(conductance: Floats) -> tuple[Floats, Floats]:
    """Return the medians of (cells, 2, reads) at the first read, and at each cell's last one; (2,) each."""
    if not len(conductance):
        return np.full(2, np.nan), np.full(2, np.nan)
    last = np.isfinite(conductance[:, 1]).sum(axis=1) - 1
    final = conductance[np.arange(len(conductance)), :, last]
    return np.median(conductance[:, :, 0], axis=0), np.median(final, axis=0)
