"""I-V loops of cells, timed by the instrument: bipolar sweeps, cycle after cycle, with SET and RESET extracted.

The compliance is the word line's, one for each half if wanted, or the source-measure unit's in the positive half. Every
point is kept; what is extracted of each loop is in a table of its own (`iv_extraction`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from mho.array_types import Booleans, Floats
from mho.errors import InputError
from mho.instruments import Bench, Cell, Reading
from mho.instruments.bench_file import BenchSource, Operation
from mho.procedures.base import Estimate, ProcedureResult
from mho.procedures.cell_range import CellRange
from mho.procedures.cells.cell_procedure import PLACE, CellProcedure
from mho.procedures.cells.cell_visits import cells_at, each_cell
from mho.procedures.cells.detection_limit import Blank
from mho.procedures.cells.extraction.iv_extraction import (
    Branches,
    Loops,
    PointNoise,
    extract,
    low_field,
    summary_of,
)
from mho.procedures.cells.switching.formed_cells import (
    MAY_NEED,
    ScreeningPlan,
    form_first,
    screen_cells,
    screening_needs,
    screening_parameters,
    unformed_message,
)
from mho.procedures.parameters import BooleanParameter, FloatParameter, IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, joined, left_out, lost_cells, quantity, without_measured
from mho.runs import Column, Conclusion, Figure, Layout, Table

MOST_POINTS = 2500  # list length that every source-measure unit supports
MOST_IN_ALL = 50_000_000  # points of a run: its results also take 0.5 GB of memory
BLANK_CELLS = 4  # between which blanks are shared
SIMULATED_POINT, HARDWARE_POINT, HARDWARE_SWEEP = 0.05e-3, 1e-3, 0.1  # s of wall time beside the aperture (?)
LINE_FREQUENCY = 50.0  # Hz
ROUNDING = 1e-9  # V: loops that differ by less switch at one step of the sweep


@dataclass(frozen=True, eq=False, repr=False)
class Sweeps(ProcedureResult):
    """Result of the loops.

    Attributes
    ----------
    voltages : (points,) array
        Levels of each sweep, V.
    currents : (cycles, rows, columns, points) array
        A; NaN where the measurement range overflowed.
    limited : (cycles, rows, columns, points) array of bool
        Whether the point was in compliance.
    conductance : (cycles, rows, columns) array
        At low voltage on the way back, S: the state after the sweep.
    loops : Loops or None
        What was extracted of each, (cycles, rows, columns); None where nothing was to be.
    """

    voltages: Floats
    currents: Floats
    limited: Booleans
    conductance: Floats
    loops: Loops | None
    units: ClassVar[Mapping[str, str]] = {
        "voltages": "V",
        "currents": "A",
        "conductance": "S",
        "largest_current": "A",
        "mean_conductance": "S",
        **{
            f"{name}{end}": unit
            for name, unit in zip(("v_set", "v_reset", "lrs", "hrs", "peak_current"), "VVSSA", strict=True)
            for end in ("", "_low", "_high", "_device_sd", "_cycle_sd")
        },
        "virtual_seconds": "s",
    }
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "voltages": ("point",),
        **dict.fromkeys(("currents", "limited"), ("cycle", "row", "column", "point")),
        "conductance": ("cycle", "row", "column"),
    }


def levels(highest: float, lowest: float, step: float) -> Floats:
    """Return the levels of a sweep 0, `highest`, `lowest`, 0 in equal steps of `step` at most; all in V.

    Each section is divided evenly, so that its ends are exact. Raises `InputError` when both extremes are 0, the step
    is not positive, or there are more than 2500 levels.
    """
    if not lowest <= 0.0 <= highest or lowest == highest:
        raise InputError(
            f"a sweep from {lowest:g} V to {highest:g} V goes nowhere; lowest is at most 0 V, highest at least 0 V, "
            "and one of them is not 0 V"
        )
    if not step > 0.0:
        raise InputError(f"a step of {step:g} V goes nowhere; choose a positive one")
    ends = [0.0, *([highest] if highest else []), *([lowest] if lowest else []), 0.0]
    steps = [math.ceil(abs(end - start) / step - 1e-9) for start, end in pairwise(ends)]
    if sum(steps) + 1 > MOST_POINTS:
        raise InputError(
            f"a sweep in steps of {step:g} V has {sum(steps) + 1} points, and {MOST_POINTS} is the most; "
            "choose a larger step"
        )
    ways = [
        np.linspace(start, end, count + 1)[1:]
        for (start, end), count in zip(pairwise(ends), steps, strict=True)
    ]
    return np.concatenate([[0.0], *ways])


def way_back(voltages: Floats) -> Booleans:
    """Return which points (V) lie on the last way back to 0 V."""
    turn = np.abs(voltages).argmax()
    if voltages.min() < 0.0 < voltages.max():  # for both signs the way back is the last section
        turn = voltages.argmin()
    return np.arange(len(voltages)) > turn


def conductance_left(voltages: Floats, currents: Floats, limited: Booleans, window: float) -> float:
    """Return the conductance (S) on a sweep's way back: least squares through 0 of its end within +-`window` (V).

    NaN where no point lies there, or all of them were limited.
    """
    used = way_back(voltages) & (np.abs(voltages) <= window) & (voltages != 0.0)
    used &= ~limited & np.isfinite(currents)
    if not used.any():
        return math.nan
    v, i = voltages[used], currents[used]  # not `low_field`: runs of before are repeated to the last bit
    return float(v @ i / (v @ v))


Given = tuple[CellRange, Floats]  # the cells, and the levels of a sweep, V


@dataclass(frozen=True)
class SweepPlan:
    """A sweep on one bench."""

    cells: CellRange
    voltages: Floats  # (points,): levels, V
    # gate, gate_reset: at the word line in the positive and in the negative half, V
    gate: float
    gate_reset: float
    # limit, limit_reset: current limits (A) of the source in either half; None for the bench's own
    limit: float | None
    limit_reset: float | None
    window: float  # largest voltage (V) on the way back from which the remaining conductance is fitted
    bench_limit: float  # that one, A
    formed_above: float  # conductance (S) of a formed cell
    screening: ScreeningPlan

    @property
    def parts(self) -> tuple[tuple[slice, float, float | None], ...]:
        """The lists that the instrument sweeps, each with word line (V) and current limit (A): one, or one a half."""
        volts = self.voltages
        whole = slice(0, len(volts))
        if self.gate_reset == self.gate and self.limit is self.limit_reset is None:
            return ((whole, self.gate, None),)
        # Between the halves the levels pass 0 V; a list ends there anyhow.
        turn = int(np.argmax(Branches.of(volts).out)) if volts.min() < 0.0 else len(volts)
        positive, negative = slice(0, turn), slice(turn, len(volts))
        halves = ((positive, self.gate, self.limit), (negative, self.gate_reset, self.limit_reset))
        return tuple(half for half in halves if half[0].start < half[0].stop and np.any(volts[half[0]]))


OF_LOOP = (
    Column("sweep", dtype="u4", description="number of the sweep"),
    Column("cycle", dtype="u4"),
    *PLACE,
    Column("v_set", "V", description="steepest rise; NaN where the cell was not set"),
    Column("v_reset", "V", description="steepest fall; NaN where it was not reset"),
    Column("lrs", "S", description="at low voltage, after the positive half"),
    Column("hrs", "S", description="at low voltage, after the negative half"),
    Column("window", description="lrs / hrs"),
    Column("peak_current", "A", description="largest on the way to the lowest voltage"),
    Column("peak_voltage", "V", description="where it flows"),
    Column("below_noise", dtype="u1", description="1 where the HRS is not told from nothing"),
)


class IV(CellProcedure[Sweeps]):
    """Sweep the voltage at cells, up, down and back; extract SET and RESET voltages, both states and their window."""

    # Version 4 told spreads of rounding; 3 extracted whatever the noise, with other intervals; 2 was called Sweep, and
    # extracted nothing; in 1 a gate of 0 meant none given.
    version: ClassVar[str] = "5"
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "4": ("*_low", "*_high"),
        "5": ("*_cycle_sd", "not_extracted*"),
    }
    title: ClassVar[str] = "I-V loops"
    leading: ClassVar[tuple[str, ...]] = (
        "array",
        "rows",
        "columns",
        "highest",
        "lowest",
        "step",
        "compliance",
        "cycles",
    )
    needs: ClassVar[tuple[Operation, ...]] = ("sweep",)
    may_need: ClassVar[Mapping[Operation, str]] = {
        **CellProcedure.may_need,
        **MAY_NEED,
        "read": "to extract, which blanks = 0 does without",
        "gate": "where a gate is given",
    }
    without_blanks: ClassVar[tuple[str, ...]] = ("1", "2", "3")

    rows = Parameter("Rows", default="0:2")
    columns = Parameter("Columns", default="0:2")
    highest = FloatParameter("Highest voltage", units="V", minimum=0.0, maximum=10.0, default=0.5)
    lowest = FloatParameter("Lowest voltage", units="V", minimum=-10.0, maximum=0.0, default=0.0)
    step = FloatParameter("Largest step", units="V", minimum=1e-4, maximum=1.0, default=0.02)
    gate = FloatParameter("Word-line voltage, the bench's unless given", units="V", minimum=0.0, maximum=10.0)
    gate_reset = FloatParameter("The same in the negative half", units="V", minimum=0.1, maximum=10.0)
    compliance = FloatParameter("Source's limit, positive half", units="A", minimum=1e-9, maximum=1.0)
    compliance_reset = FloatParameter("The same, negative half", units="A", minimum=1e-9, maximum=1.0)
    delay = FloatParameter("Wait at each level", units="s", minimum=0.0, maximum=100.0, default=0.0)
    cycles = IntegerParameter("Sweeps of each cell", minimum=1, maximum=100_000, default=1)
    extract = BooleanParameter("Extract SET, RESET and states", default=True)
    least_change = FloatParameter("Factor that counts as switching", minimum=1.05, maximum=1e6, default=2.0)
    forming, blanks = screening_parameters()

    def check(self) -> Given:
        """Parse the ranges and compute the levels."""
        cells: CellRange = super().check()
        voltages = levels(self.highest, self.lowest, self.step)
        for name, half, swept in (
            ("gate_reset", "negative", self.lowest),
            ("compliance_reset", "negative", self.lowest),
            ("compliance", "positive", self.highest),
        ):
            if getattr(self, name) is not None and not swept:
                raise InputError(
                    f"{name} is for the {half} half, and none is swept; leave it out, or sweep that half"
                )
        points = cells.count * self.cycles * len(voltages)
        advice = "sweep fewer cells or less often, or choose a larger step"
        self.check_count(points, MOST_IN_ALL, "points", advice)
        return cells, voltages

    def prepare(self, given: Given, bench: Bench, rng: np.random.Generator) -> SweepPlan:
        """Check that the array has these cells and that the bench allows the levels."""
        cells, voltages = given
        formed_above = self.readable_chip(bench, cells).write_verify.formed_above
        gate = self.value_or("gate", bench.file.read.gate)
        limit, limit_reset = (
            None if one is None else float(one) for one in (self.compliance, self.compliance_reset)
        )
        for one in (limit, limit_reset):
            if one is not None:
                bench.limits.check_current("bit line", one)
        plan = SweepPlan(
            cells, voltages, gate, self.value_or("gate_reset", gate), limit, limit_reset,
            max(bench.file.read.voltage, float(self.step)), bench.file.read.current_limit, formed_above,
            ScreeningPlan.of(self, cells, bench, formed_above),
        )  # fmt: skip
        for part, word_line, _ in plan.parts:
            bench.check_sweep(voltages[part].tolist(), word_line)
        return plan

    def needed(self) -> tuple[Operation, ...]:
        """Return what sweeps need, a gate where one is given, and blank readings where something is extracted."""
        gated: tuple[Operation, ...] = () if self.gate is None and self.gate_reset is None else ("gate",)
        return (*super().needed(), *gated, *(screening_needs(self) if self.extract else ()))

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Remove a gate of 0 V, which stood for the bench's in version 1; extract as versions 1 to 3 did."""
        settings = super().from_version(version, values)
        if version == "1" and settings.get("gate") == 0:
            del settings["gate"]
        return settings | ({"extract": False} if version in ("1", "2") else {})

    def in_use(self, plan: SweepPlan) -> Mapping[str, tuple[float, str]]:
        """Return the word line's voltages, and the limit of the source."""
        return {
            "gate": (plan.gate, "the bench's"),
            "gate_reset": (plan.gate_reset, "as gate"),
            "compliance": (plan.bench_limit, "the bench's"),
            "compliance_reset": (plan.bench_limit, "the bench's"),
        }

    def layout(self, plan: SweepPlan) -> Layout:
        """Declare one table of points, and a map of conductances after each cycle of sweeps."""
        count = plan.cells.count * self.cycles
        columns = (
            Column("time", "s", description="bench time at the end of the sweep"),
            Column("sweep", dtype="u4", description="number of the sweep"),
            *PLACE,
            Column("voltage", "V", description="bit-line voltage, measured"),
            Column("current", "A", description="current"),
            Column("limited", dtype="u1", description="1 where the point was in compliance"),
        )
        axes, rows = {"signal": "current", "axis": "voltage", "series": "sweep"}, count * len(plan.voltages)
        table = Table("sweeps", columns, title="I-V curves", rows=rows, **axes)
        (image,) = self.maps(plan.cells, ("conductance", "S", "conductance that the sweep left"))
        curves = Figure(
            "current_voltage", table="sweeps", x="voltage", y="current", by=("row", "column"), y_scale="log",
            title="I-V curves by cell",
        )  # fmt: skip
        left = Figure(image.name, map=image.name)
        if not self.extract:
            return Layout((table,), (image,), default=table.name, figures=(curves, left))
        distribution = partial(Figure, kind="distribution", table="loops")
        figures = (
            curves,
            distribution("set_voltage", x="v_set", y_scale="probability", title="SET voltages of all loops"),
            distribution("reset_voltage", x="v_reset", y_scale="probability", title="RESET voltages of all loops"),
            Figure(
                "states", kind="errorbars", table="loops", x="cycle", y=("lrs", "hrs"), y_scale="log",
                title="Both states at low voltage, by cycle",
            ),
            distribution("window", x="window", x_scale="log", title="On/off window"),
            left,
        )  # fmt: skip
        title = "what was extracted of each loop"
        loops = Table("loops", OF_LOOP, signal="window", axis="cycle", title=title, rows=count)
        tables = (table, loops, *plan.screening.tables())
        return Layout(tables, (image,), default=table.name, figures=figures)

    def run_title(self) -> str:
        """Return the name of the cells and the range of the sweep."""
        reach = f"{self.lowest:g} to {self.highest:g} V" if self.lowest else f"to {self.highest:g} V"
        return f"I-V of {self.describe_cells(None)} {reach}"

    def estimate(self, given: Given, source: BenchSource) -> Estimate:
        """Estimate the time from delay and integration per point; there are no pulses."""
        sweeps, points = given[0].count * self.cycles, len(given[1])
        if source.bench.simulation is not None:  # delays take no wall time there
            return Estimate(pulses=0, seconds=SIMULATED_POINT * sweeps * points)
        point = HARDWARE_POINT + self.delay + source.bench.read.nplc / LINE_FREQUENCY
        return Estimate(pulses=0, seconds=sweeps * (HARDWARE_SWEEP + points * point))

    def execute(self, plan: SweepPlan, bench: Bench, stream: Stream) -> Sweeps:
        """Sweep cell after cell, cycle after cycle, and extract after each cycle."""
        shape = (int(self.cycles), *plan.cells.shape)
        currents = np.full((*shape, len(plan.voltages)), np.nan)
        limited = np.zeros(currents.shape, dtype=bool)
        conductance = np.full(shape, np.nan)
        screening = None
        if self.extract and self.blanks:
            screening = screen_cells(replace(plan.screening, blanks=0), bench, stream)
        noise = self._noise(plan, bench, conductance.size)
        for cycle in range(shape[0]):
            self._cycle(
                cycle, plan, bench, stream, noise, (currents[cycle], limited[cycle], conductance[cycle])
            )
        loops = self._extracted(plan, currents, limited, noise) if self.extract else None
        summary = {
            "cells": plan.cells.count, "sweeps": conductance.size, "points": int(currents.size),
            "limited_points": int(limited.sum()),
            "largest_current": float(np.nanmax(np.abs(currents), initial=0.0)),
            "mean_conductance": _mean(conductance), **({} if loops is None else summary_of(loops)),
            "virtual_seconds": bench.now(),
        }  # fmt: skip
        if screening is not None and noise is not None and loops is not None:
            summary |= screening.counts() | self._measured(plan, currents, limited, noise)
            summary |= self._not_extracted(summary, loops)
        if loops is not None:
            self._say(plan, stream, loops, summary)
        return Sweeps(plan.voltages, currents, limited, conductance, loops, summary=summary)

    def _cycle(
        self, cycle: int, plan: SweepPlan, bench: Bench, stream: Stream, noise: PointNoise | None,
        results: tuple[Floats, Booleans, Floats],
    ) -> None:  # fmt: skip
        """Sweep each cell once; what is extracted of the loops is recorded of an interrupted cycle, too.

        `results` to fill in are currents and what was limited, (rows, columns, points), and conductances (rows, columns).
        """
        currents, limited, conductance = results
        cells, first, done = plan.cells, cycle * plan.cells.count, 0
        try:
            for number, (place, cell) in enumerate(each_cell(self.array, cells), first):
                readings = self._loop(plan, bench, cell)
                volts, currents[place], limited[place] = zip(*readings, strict=True)
                points = len(readings)
                where = {"time": bench.now(), "sweep": number, "row": cell.row, "column": cell.column}
                measured: dict[str, Any] = {
                    "voltage": volts,
                    "current": currents[place],
                    "limited": limited[place],
                }
                of_sweep = {name: np.full(points, value) for name, value in where.items()}
                stream.record_block("sweeps", of_sweep | measured)
                done += 1
                conductance[place] = conductance_left(
                    plan.voltages, currents[place], limited[place], plan.window
                )
                stream.check()
                stream.progress("sweeping", first + done, cells.count * int(self.cycles))
            self.snapshot(stream, bench, cells, conductance=conductance)
        finally:
            if self.extract and done:
                points = len(plan.voltages)
                swept = currents.reshape(-1, points)[:done], limited.reshape(-1, points)[:done]
                loops = vars(self._extracted(plan, swept[0], swept[1], noise))
                rows, columns = cells.positions()
                numbers = {"sweep": first + np.arange(done), "cycle": np.full(done, cycle)}
                of_cells = {"row": rows[:done], "column": columns[:done]}
                stream.record_block("loops", {**numbers, **of_cells, **loops})

    def conclude(self, plan: SweepPlan, result: Sweeps) -> Conclusion:
        """Return how many loops show a SET and a RESET, and where."""
        summary = result.summary
        if (nothing := without_measured(summary)) is not None:
            return nothing
        loops = f"{counted(summary['sweeps'], 'loop')} of {counted(summary['cells'], 'cell')}"
        if result.loops is None:
            return Conclusion(f"{loops}, {counted(summary['points'], 'point')}")
        switches = [
            f"{summary[number]:,} {name}"
            + (f" at {quantity(volts, 'V')}" if (volts := summary.get(key)) is not None else "")
            for number, name, key in (("sets", "SET", "v_set"), ("resets", "RESET", "v_reset"))
        ]
        return Conclusion(f"{loops}: " + joined(*switches, left_out(summary), lost_cells(summary)))

    def _noise(self, plan: SweepPlan, bench: Bench, loops: int) -> PointNoise | None:
        """Return the noise of the points, by sweeps with the transistor off of a few cells; None for no blanks."""
        if not (self.extract and plan.screening.blanks):
            return None
        some = cells_at(self.array, *plan.cells.positions())[:BLANK_CELLS]
        volts, blanks = [bench.file.read.voltage] * -(-int(self.blanks) // len(some)), []
        for part, _, limit in plan.parts:
            with self._metering(bench, limit):
                sweeps = [bench.sweep(cell, volts, gate=0.0, delay=self.delay) for cell in some]
            currents = [reading.current for sweep in sweeps for reading in sweep]
            blanks.append((part, Blank.of(np.array(currents))))
        return PointNoise.of(blanks, len(plan.voltages), loops)

    def _measured(
        self, plan: SweepPlan, currents: Floats, limited: Booleans, noise: PointNoise
    ) -> dict[str, Any]:
        """Return the numbers of what stands out of the noise: cells, largest current, mean of what the sweeps left."""
        voltages, net = plan.voltages, currents - noise.offset
        used = way_back(voltages) & ~limited & np.isfinite(net)
        with np.errstate(invalid="ignore"):
            left = low_field(voltages, net, used, plan.window)
            seen = left > noise.quantile * noise.of_fit(voltages, used, plan.window)
            # One look a point: of the largest, at all of them.
            flows = np.abs(net) > noise.quantile * noise.deviation * (1.0 + noise.share) ** 0.5
        largest = float(np.max(np.abs(net), initial=0.0, where=flows))
        return {
            "conducting": int((seen | flows.any(axis=-1)).any(axis=0).sum()),
            "largest_current": largest or None,
            "mean_conductance": _mean(np.where(seen, left, np.nan)),
        }

    def _extracted(
        self, plan: SweepPlan, currents: Floats, limited: Booleans, noise: PointNoise | None
    ) -> Loops:
        return extract(plan.voltages, currents, limited, plan.window, float(self.least_change), noise)

    def _metering(self, bench: Bench, limit: float | None) -> AbstractContextManager[None]:
        """Return the setting of the source-measure unit for a part of a loop, limited to `limit` (A)."""
        if limit is None:
            return nullcontext()
        return bench.metering(current_limit=limit, current_range=max(limit, bench.file.read.current_range))

    def _loop(self, plan: SweepPlan, bench: Bench, cell: Cell) -> list[Reading]:
        """Sweep a cell once, in one list or in two with a setting of its own each."""
        readings: list[Reading] = []
        for part, gate, limit in plan.parts:
            with self._metering(bench, limit):
                readings += bench.sweep(cell, plan.voltages[part].tolist(), gate=gate, delay=self.delay)
        return readings

    def _say(self, plan: SweepPlan, stream: Stream, loops: Loops, summary: Mapping[str, Any]) -> None:
        """Tell of cells that seem virgin, of what was not extracted, and of loops that did not switch."""
        if "conducting" in summary:
            cells, dark = summary["cells"], summary["cells"] - summary["conducting"]
            if summary["unformed"]:
                tried = plan.screening.forming is not None
                stream.say(unformed_message(self, summary["unformed"], cells, tried=tried), "WARNING")
            if dark > summary["unformed"]:
                stream.say(
                    f"{dark} of {cells} cells conduct nothing that stands out of the noise of the readings",
                    "WARNING",
                )
            missing = summary["not_extracted"] if summary["conducting"] else {}
            for reason in dict.fromkeys(missing.values()):
                names = ", ".join(name for name, why in missing.items() if why == reason)
                stream.say(f"{names} not extracted: {reason}", "WARNING")
            if summary["conducting"] and not (summary["sets"] or summary["resets"]):
                stream.say(
                    f"the cells conduct and do not switch from {self.lowest:g} V to {self.highest:g} V: sweep further "
                    "(highest, lowest)"
                )
        else:
            with np.errstate(invalid="ignore"):
                virgin = ~((loops.lrs > plan.formed_above) | (loops.hrs > plan.formed_above)).any(axis=0)
                virgin &= ~np.isnan(loops.lrs).all(axis=0)
            if virgin.any():
                stream.say(
                    f"{int(virgin.sum())} of {virgin.size} cells conduct less than {1e6 * plan.formed_above:.3g} µS in "
                    f"every loop; those that were never formed: {form_first(self.array, self.rows, self.columns)}",
                    "WARNING",
                )
        for name, done, range_ in (("SET", "sets", self.highest), ("RESET", "resets", self.lowest)):
            if range_ and 0 < summary[done] < summary["sweeps"]:
                stream.say(f"{summary['sweeps'] - summary[done]} of {summary['sweeps']} loops show no {name}")

    def _not_extracted(self, summary: Mapping[str, Any], loops: Loops) -> dict[str, Any]:
        """Return None for each number that the loops do not tell, and ``not_extracted``, why not, by name."""
        of = f"of {summary['sweeps']} loops"
        reset = f"no RESET in any {of} stands out of the noise"
        why = dict.fromkeys(
            ("lrs", "hrs", "window"), f"none {of} switches beyond the noise, so that there are no two states"
        )
        if self.highest:
            why["v_set"] = f"no SET in any {of} stands out of the noise"
        if self.lowest:
            why |= {"v_reset": reset, "peak_current": reset}
        below = int(loops.below_noise.sum())
        if below:
            dark = f"the HRS is not told from nothing in {below} {of}; read longer, or on a smaller range"
            why |= {"hrs": dark, "window": dark}
        elif summary["sets"]:
            why |= {"hrs": reset, "window": reset}
        missing = {name: reason for name, reason in why.items() if summary.get(name) is None}
        for name in ("v_set_cycle_sd", "v_reset_cycle_sd"):
            if (spread := summary.get(name)) is not None and spread < ROUNDING:
                missing[name] = (
                    "every loop of a cell switches at the same step of the sweep; take a smaller step"
                )
        return {**dict.fromkeys(missing), "not_extracted": missing}


def _mean(conductance: Floats) -> float | None:
    """Return the mean of the finite values, S; None when there are none."""
    known = conductance[np.isfinite(conductance)]
    return float(known.mean()) if known.size else None


Sweep = IV
"""Its name before it extracted anything, for scripts; run files, plans and queues have `mho.former_names`."""
