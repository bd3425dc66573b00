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
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.confidence import finite, with_interval
from mho.errors import InputError
from mho.instruments import Bench, Cell
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.detection_limit import blanks_parameter
from mho.procedures.cells.extraction.lifetimes import (
    GOOD,
    REASONS,
    SPREAD,
    STUCK_HRS,
    STUCK_LRS,
    SWITCHES,
    fit_weibull,
    has_worn,
    held_ratios,
    judge,
)
from mho.procedures.cells.log_spacing import log_counts
from mho.procedures.cells.switching.cycling import conducts
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
from mho.procedures.cells.switching.stress import StressReads, bursts
from mho.procedures.parameters import FloatParameter, IntegerParameter, ListParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import (
    counted,
    if_any,
    joined,
    left_out,
    lost_cells,
    measured_cells,
    without_measured,
)
from mho.runs import Column, Conclusion, Figure, Layout, Map, ReferenceLine, Table

SINGLE = 1_000_000  # cycles of a cell at most, one pulse at a time
GAP = 2  # rests of a pulse's width between SET and RESET of a burst, and before the next cycle
SIMULATED_READ, HARDWARE_READ = 1.5e-3, 40e-3  # s of wall time, a read cycle (?)
FIRST, APART = (
    20,
    20,
)  # read cycles of a reference, and cycles from one to the next: further than a cell remembers
MORE = (5, 10, 20)  # confirmations that are tried for a criterion
FEWEST_FIRST = 8  # of which its scatter can be told
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
    reason: Integers
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
    spacing : int
        Cycles from one read cycle of a reference to the next; 0 for no reference.
    """

    cells: CellRange
    pulses: FullPulses
    counts: Integers
    burst: Floats | None
    survey: CellSettings
    spacing: int


class Endurance(Procedure):
    """SET and RESET cells until their window fails, and fit how long they last."""

    version: ClassVar[str] = "2"  # version 1 took windows that scatter for windows that have failed
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

    forming, blanks = forming_parameter(), blanks_parameter()

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Form nothing, take no blanks and no first cycles, as version 1 did."""
        return dict(values) | ({"forming": "no", "blanks": 0} if version == "1" else {})

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
        spacing = min(APART, max(int(self.cycles) // (10 * FIRST), 1)) if self.blanks else 0
        survey = CellSettings.of(self, given, bench, pulses.formed_above)
        return EndurancePlan(given, pulses, counts, burst, survey, spacing)

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
                Column("missed", dtype="u4", description="looks at which the window was missed by spread"),
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
                title="Cycles at which windows were found worn",
            ),
            *(Figure(image.name, map=image.name) for image in images),
        )
        tables = (reads, lives, *plan.survey.tables())
        return Layout(tables, images, default=reads.name, figures=figures)

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
        missed = np.zeros(cells.shape, dtype=int)
        cycled = CycledCell(plan, bench, stream, float(self.window), int(self.confirmations))
        surveyed = survey_cells(plan.survey, bench, stream) if plan.survey.blanks else None
        if surveyed is not None:
            cycled.least = surveyed.least()
        alive = np.zeros(cells.shape, dtype=bool)
        held: dict[str, Any] = {}
        if surveyed is not None:
            held = self._first_cycles(plan, cycled, surveyed, stream, conductance, alive, bench)
        for number, (i, j) in enumerate(np.ndindex(cells.shape)):
            cell = Cell(self.array, int(cells.rows[i]), int(cells.columns[j]))
            stream.progress("cycling", number, cells.count)
            if surveyed is None and not conducts(bench, cell, plan.pulses):
                continue
            if surveyed is not None and not alive[i, j]:
                if cell in cycled.stuck:
                    good[i, j], reason[i, j] = 0.0, cycled.stuck[cell]
                else:
                    continue
            else:
                good[i, j], failed[i, j], reason[i, j] = cycled.cycle(cell, conductance[i, j])
                missed[i, j] = cycled.missed
            stream.record(
                "lifetimes",
                row=cell.row,
                column=cell.column,
                good=good[i, j],
                failed=failed[i, j],
                reason=int(reason[i, j]),
                missed=int(missed[i, j]),
            )
        unformed = int((reason < 0).sum()) if surveyed is None else surveyed.unformed
        if unformed and surveyed is None:
            stream.say(unformed_message(unformed, cells.count), "WARNING")
        elif unformed:
            stream.say(
                never_formed(self, unformed, cells.count, tried=plan.survey.forming is not None), "WARNING"
            )
        for name, values in (("lifetime", good), ("failure", np.where(reason < 0, np.nan, reason))):
            stream.snapshot(f"{self.array}_{name}", cells.ascending(values), bench.now())
        counts_of = {"unformed": unformed}
        if surveyed is not None:
            counts_of |= {
                "formed_first": surveyed.formed_now,
                "do_not_conduct": int((reason < 0).sum()) - unformed,
                "measured": int(((reason >= 0) & ~np.isnan(failed)).sum()),
            }
        least = -math.inf if surveyed is None else surveyed.least()
        summary = {
            "cells": cells.count,
            **counts_of,
            **held,
            **summary_of(conductance, good, failed, reason, least, strict=surveyed is not None),
            "virtual_seconds": bench.now(),
        }
        return Endured(
            counts=counts, conductance=conductance, summary=summary, good=good, failed=failed, reason=reason
        )

    def conclude(self, plan: EndurancePlan, result: Endured) -> Conclusion:
        """Return how many windows failed, and Weibull's scale."""
        summary = result.summary
        scale = summary.get("weibull_scale")
        return without_measured(summary) or Conclusion(
            joined(
                f"{summary['failed']:,} of {counted(measured_cells(summary), 'window')} failed in "
                f"{counted(int(self.cycles), 'cycle')}",
                "" if scale is None else f"Weibull scale {scale:,.3g} cycles",
                if_any(int(summary.get("cannot_hold") or 0), "that cannot hold the criterion"),
                if_any(int(summary.get("missed_by_spread_alone") or 0), "missed by spread"),
                left_out(summary),
                lost_cells(summary),
            )
        )

    def _first_cycles(
        self,
        plan: EndurancePlan,
        cycled: CycledCell,
        surveyed: CellSurveyed,
        stream: Stream,
        conductance: Floats,
        alive: NDArray[np.bool_],
        bench: Bench,
    ) -> dict[str, Any]:
        """Read first cycles of all cells that conduct, mark which are `alive`, and say whether they can hold the criterion.

        Returns
        -------
        dict
            ``cannot_hold``, how many of those that switch cannot; ``window_held``, the ratio that all can, None where the
            first cycles are too few to tell.
        """
        cells = plan.cells
        for number, (i, j) in enumerate(np.ndindex(cells.shape)):
            stream.progress("first cycles", number, cells.count)
            cell = Cell(self.array, int(cells.rows[i]), int(cells.columns[j]))
            if surveyed.formed[i, j] and conducts(bench, cell, plan.pulses):
                alive[i, j] = cycled.first_cycles(cell, conductance[i, j])
        switching, dead = list(cycled.references.values()), len(cycled.stuck)
        if dead:
            stream.say(
                f"{dead} of {cells.count} cells do not switch in their first cycles: they are stuck, or the pulses are too "
                "weak for them; they have no lifetime",
                "WARNING",
            )
        if not switching or len(switching[0]) < FEWEST_FIRST:
            return {"cannot_hold": None, "window_held": None}
        ratios = held_ratios(np.array(switching), len(plan.counts), int(self.confirmations))
        cycled.scattered = {
            cell for cell, ratio in zip(cycled.references, ratios, strict=True) if ratio < self.window
        }
        failing, lowest = len(cycled.scattered), float(ratios.min())
        if failing:
            advice = self._advice(plan, np.array(switching), list(cycled.references))
            stream.say(
                f"{failing} of {len(ratios)} cells cannot hold LRS/HRS >= {self.window:g} from the start: in {FIRST} first "
                f"cycles their windows scatter by {np.median(np.std(switching, axis=1, ddof=1)):.2g} decades about "
                f"{10.0 ** np.median(switching):.3g}. Windows that are missed by this spread are counted apart, and no "
                f"lifetime is fitted to them; {advice}",
                "WARNING",
            )
        return {"cannot_hold": failing, "window_held": lowest}

    def _advice(self, plan: EndurancePlan, windows: Floats, cells: list[Cell]) -> str:
        """Return which criterion the cells hold, by their first windows (cells, cycles), log10."""
        for confirmations in (int(self.confirmations), *(n for n in MORE if n > self.confirmations)):
            ratios = held_ratios(windows, len(plan.counts), confirmations)
            held = math.floor(10.0 * min(float(ratios.min()), float(self.window))) / 10.0
            if held >= SWITCHES:
                more = f" --confirmations {confirmations}" if confirmations > self.confirmations else ""
                return f"they all hold --window {held:g}{more}"
        worst = cells[int(ratios.argmin())]
        return (
            f"no criterion is held by cell [{worst.row}, {worst.column}], which hardly switches: leave it out, or RESET it "
            "with a higher voltage"
        )


class CycledCell:
    """Cycles one cell after another, and reads their windows.

    Attributes
    ----------
    references : dict
        log10 of LRS/HRS in the first cycles of each cell.
    missed : int
        Looks at the last cell at which its window was missed by spread.
    least : float
        Conductance that a reading tells from nothing, S.
    stuck : dict
        In which state each cell is stuck that did not switch in its first cycles.
    scattered : set
        Cells that cannot hold the criterion from the start.
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
        windows, verdict, done, good = [], GOOD, 0, 0
        for count in sorted({*read, *(one for one in counts if one <= read[-1])}):
            self._stress(cell, count - done - 1)
            done = count
            found = np.full(2, np.nan)
            verdict = self._read_window(cell, done, found)
            if verdict == GOOD:
                good = done
            if count in counts:
                conductance[:, counts.index(count)] = found
            if count in read:
                windows.append(self._window(found))
        self._done[cell], self._good[cell] = done, good
        reference = np.array(windows)
        if switches := bool(np.median(reference) >= math.log10(SWITCHES)):
            self.references[cell] = reference
        else:
            self.stuck[cell] = STUCK_LRS if verdict == STUCK_LRS else STUCK_HRS
        return switches

    def cycle(self, cell: Cell, conductance: Floats) -> tuple[float, float, int]:
        """Cycle until the window fails; fill `conductance` (2, reads), and return last good cycle, failed one, reason.

        A window that fails while the cell has not worn is missed by spread: the cell goes on.
        """
        done, good = self._done.get(cell, 0), self._good.get(cell, 0)
        self.missed = 0
        for number, count in enumerate(self._plan.counts.tolist()):
            if cell in self._done and count <= self._done[cell]:
                continue  # among the first cycles
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
                if cell not in self.references:
                    return float(good), float(done), verdict
                failed = done
                done, worn = self._worn(cell, done)
                if worn:
                    return float(good), float(failed), verdict
                self.missed += 1
        return float(good), math.inf, SPREAD if self.missed else GOOD

    def _worn(self, cell: Cell, done: int) -> tuple[int, bool]:
        """Read windows once more as far apart as the first ones; return cycles done, and whether they lie below those."""
        reference, windows = self.references[cell], []
        for _ in range(len(reference)):
            self._stress(cell, self._plan.spacing - 1)
            done += self._plan.spacing
            found = np.full(2, np.nan)
            self._read_window(cell, done, found)
            windows.append(self._window(found))
        holds = cell not in self.scattered
        return done, has_worn(reference, np.array(windows), len(self._plan.counts), holds=holds)

    def _window(self, states: Floats) -> float:
        """Return log10 of LRS/HRS (2,), S; an HRS below what readings tell counts as that."""
        least = max(self.least, 1e-12)
        lrs, hrs = np.maximum(states, least)
        return float(np.log10(lrs / hrs))

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


def summary_of(
    conductance: Floats, good: Floats, failed: Floats, reason: Integers, least: float, *, strict: bool
) -> dict[str, Any]:
    """Return the numbers for the run's result: failures by reason, Weibull's fit, states at the first and the last read.

    Parameters
    ----------
    least : float
        Conductance that a reading tells from nothing, S.
    strict : bool
        Whether cells that never switched are left out of the states, and counted.
    """
    known = (reason >= 0) & ~np.isnan(failed)
    summary: dict[str, Any] = {"failed": int(np.isfinite(failed).sum())}
    for code in range(STUCK_LRS, SPREAD + 1 if strict else SPREAD):
        summary[REASONS[code].replace(" ", "_")] = int((reason[known] == code).sum())
    if strict:
        summary["never_switched"] = int(((reason >= 0) & ~known).sum())
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
