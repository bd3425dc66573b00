"""I-V loops of cells, timed by the instrument: bipolar sweeps, cycle after cycle, with SET and RESET extracted.

The compliance is the word line's, one for each half if wanted, or the source-measure unit's in the positive half. Every
point is kept; what is extracted of each loop is in a table of its own (`iv_extraction`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import InputError
from mho.instruments import Bench, Cell, Reading
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cell_range import CellRange, check_inside
from mho.procedures.cells.detection_limit import Blank, blanks_parameter
from mho.procedures.cells.extraction.iv_extraction import (
    Branches,
    Loops,
    PointNoise,
    extract,
    low_field,
    summary_of,
)
from mho.procedures.cells.switching.formed_cells import (
    CellSettings,
    form_first,
    forming_parameter,
    survey_cells,
    unformed_message,
)
from mho.procedures.chip_in_use import chip_of
from mho.procedures.parameters import BooleanParameter, FloatParameter, IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, joined, left_out, lost_cells, quantity, without_measured
from mho.runs import Column, Conclusion, Figure, Layout, Map, Table

MOST_POINTS = 2500  # list length that every source-measure unit supports
MOST_IN_ALL = 50_000_000  # points of a run: its results also take 0.5 GB of memory
BLANK_CELLS = 4  # between which blanks are shared
SIMULATED_POINT, HARDWARE_POINT, HARDWARE_SWEEP = 0.05e-3, 1e-3, 0.1  # s of wall time beside the aperture (?)
LINE_FREQUENCY = 50.0  # Hz
ROUNDING = 1e-9  # V: loops that differ by less switch at one step of the sweep


@dataclass(frozen=True)
class Sweeps:
    """Result of the loops; `units` are those of the summary.

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
    summary : dict
        Summary in the run file and of ``--json``.
    path : Path
        The run file.
    """

    voltages: Floats
    currents: Floats
    limited: NDArray[np.bool_]
    conductance: Floats
    loops: Loops | None
    summary: dict[str, Any]
    path: Path = field(default=Path())
    units: ClassVar[Mapping[str, str]] = {
        "largest_current": "A",
        "mean_conductance": "S",
        **{
            f"{name}{end}": unit
            for name, unit in (
                ("v_set", "V"),
                ("v_reset", "V"),
                ("lrs", "S"),
                ("hrs", "S"),
                ("peak_current", "A"),
            )
            for end in ("", "_low", "_high", "_device_sd", "_cycle_sd")
        },
        "virtual_seconds": "s",
    }


def levels(highest: float, lowest: float, step: float) -> Floats:
    """Return the levels of a sweep 0, `highest`, `lowest`, 0 in equal steps of `step` at most; all in V.

    Each section is divided evenly, so that its ends are exact.

    Raises
    ------
    InputError
        When both extremes are 0, the step is not positive, or there are more than 2500 levels.
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


def way_back(voltages: Floats) -> NDArray[np.bool_]:
    """Return which points (V) lie on the last way back to 0 V."""
    turn = np.abs(voltages).argmax()
    if voltages.min() < 0.0 < voltages.max():  # for both signs the way back is the last section
        turn = voltages.argmin()
    return np.arange(len(voltages)) > turn


def conductance_left(voltages: Floats, currents: Floats, limited: NDArray[np.bool_], window: float) -> float:
    """Return the conductance (S) on a sweep's way back: least squares through 0 of its end within +-`window` (V).

    NaN where no point lies there, or all of them were limited.
    """
    used = (
        way_back(voltages)
        & (np.abs(voltages) <= window)
        & (voltages != 0.0)
        & ~limited
        & np.isfinite(currents)
    )
    if not used.any():
        return math.nan
    v, i = voltages[used], currents[used]  # not `low_field`: runs of before are repeated to the last bit
    return float(v @ i / (v @ v))


@dataclass(frozen=True)
class SweptCells:
    """The cells to sweep, and the levels.

    Attributes
    ----------
    voltages : (points,) array
        V.
    """

    cells: CellRange
    voltages: Floats


@dataclass(frozen=True)
class SweepPlan:
    """A sweep on one bench.

    Attributes
    ----------
    gate, gate_reset : float
        At the word line in the positive and in the negative half, V.
    limit, limit_reset : float or None
        Current limits (A) of the source in the positive and in the negative half; None for the bench's own.
    window : float
        Largest voltage (V) on the way back from which the remaining conductance is fitted.
    bench_limit : float
        That one, A.
    formed_above : float
        Conductance (S) of a formed cell.
    """

    swept: SweptCells
    gate: float
    gate_reset: float
    limit: float | None
    limit_reset: float | None
    window: float
    bench_limit: float
    formed_above: float
    survey: CellSettings

    @property
    def parts(self) -> tuple[tuple[slice, float, float | None], ...]:
        """The lists that the instrument sweeps, each with word line (V) and current limit (A): one, or one a half."""
        volts = self.swept.voltages
        whole = slice(0, len(volts))
        if self.gate_reset == self.gate and self.limit is self.limit_reset is None:
            return ((whole, self.gate, None),)
        # Between the halves the levels pass 0 V; a list ends there anyhow.
        turn = int(np.argmax(Branches.of(volts).out)) if volts.min() < 0.0 else len(volts)
        positive, negative = slice(0, turn), slice(turn, len(volts))
        halves = ((positive, self.gate, self.limit), (negative, self.gate_reset, self.limit_reset))
        return tuple(half for half in halves if half[0].start < half[0].stop and np.any(volts[half[0]]))


class IV(Procedure):
    """Sweep the voltage at cells, up, down and back; extract SET and RESET voltages, both states and their window."""

    # Version 4 told spreads of rounding; 3 extracted whatever the noise, with other intervals; 2 was called Sweep, and
    # extracted nothing; in 1 a gate of 0 meant none given.
    version: ClassVar[str] = "5"
    restated: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "4": ("*_low", "*_high"),
        "5": ("*_cycle_sd", "not_extracted*"),
    }
    title: ClassVar[str] = "I-V loops"
    group: ClassVar[str] = "Cells"

    array = Parameter("Array", default="multiply")
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
    forming, blanks = forming_parameter(), blanks_parameter()

    def check(self) -> SweptCells:
        """Parse the ranges and compute the levels."""
        cells = CellRange.parse(self.rows, self.columns)
        voltages = levels(self.highest, self.lowest, self.step)
        for name, missing in (
            ("gate_reset", not self.lowest),
            ("compliance_reset", not self.lowest),
            ("compliance", not self.highest),
        ):
            if getattr(self, name) is not None and missing:
                half = "negative" if name.endswith("reset") else "positive"
                raise InputError(
                    f"{name} is for the {half} half, and none is swept; leave it out, or sweep that half"
                )
        points = cells.count * self.cycles * len(voltages)
        if points > MOST_IN_ALL:
            raise InputError(
                f"{points:,} points are more than the {MOST_IN_ALL:,} a run may have; sweep fewer cells or less often, or "
                "choose a larger step"
            )
        return SweptCells(cells, voltages)

    def prepare(self, given: SweptCells, bench: Bench, rng: np.random.Generator) -> SweepPlan:
        """Check that the array has these cells and that the bench allows the levels."""
        chip = chip_of(bench)
        check_inside(chip.array(self.array), given.cells)
        bench.check_read()
        gate = bench.file.read.gate if self.gate is None else float(self.gate)
        limit, limit_reset = (
            None if one is None else float(one) for one in (self.compliance, self.compliance_reset)
        )
        for one in (limit, limit_reset):
            if one is not None:
                bench.limits.check_current("bit line", one)
        plan = SweepPlan(
            given,
            gate,
            gate if self.gate_reset is None else float(self.gate_reset),
            limit,
            limit_reset,
            max(bench.file.read.voltage, float(self.step)),
            bench.file.read.current_limit,
            chip.write_verify.formed_above,
            CellSettings.of(self, given.cells, bench, chip.write_verify.formed_above),
        )
        for part, word_line, _ in plan.parts:
            bench.check_sweep(given.voltages[part].tolist(), word_line)
        return plan

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Remove a gate of 0 V, which stood for the bench's in version 1; extract as versions 1 to 3 did."""
        old = version == "1" and values.get("gate") == 0
        kept = {name: one for name, one in values.items() if not (old and name == "gate")}
        if version in ("1", "2"):
            kept["extract"] = False
        return kept | ({"forming": "no", "blanks": 0} if version in ("1", "2", "3") else {})

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
        cells, voltages = plan.swept.cells, plan.swept.voltages
        table = Table(
            "sweeps",
            (
                Column("time", "s", description="bench time at the end of the sweep"),
                Column("sweep", dtype="u4", description="number of the sweep"),
                Column("row", dtype="u2"),
                Column("column", dtype="u2"),
                Column("voltage", "V", description="bit-line voltage, measured"),
                Column("current", "A", description="current"),
                Column("limited", dtype="u1", description="1 where the point was in compliance"),
            ),
            signal="current",
            axis="voltage",
            title="I-V curves",
            series="sweep",
            rows=cells.count * self.cycles * len(voltages),
        )
        image = Map(
            f"{self.array}_conductance",
            "S",
            np.sort(cells.rows),
            np.sort(cells.columns),
            f"{self.array}: conductance that the sweep left",
        )
        loops = Table(
            "loops",
            (
                Column("sweep", dtype="u4", description="number of the sweep"),
                Column("cycle", dtype="u4"),
                Column("row", dtype="u2"),
                Column("column", dtype="u2"),
                Column("v_set", "V", description="steepest rise; NaN where the cell was not set"),
                Column("v_reset", "V", description="steepest fall; NaN where it was not reset"),
                Column("lrs", "S", description="at low voltage, after the positive half"),
                Column("hrs", "S", description="at low voltage, after the negative half"),
                Column("window", description="lrs / hrs"),
                Column("peak_current", "A", description="largest on the way to the lowest voltage"),
                Column("peak_voltage", "V", description="where it flows"),
                Column("below_noise", dtype="u1", description="1 where the HRS is not told from nothing"),
            ),
            signal="window",
            axis="cycle",
            title="what was extracted of each loop",
            series="",
            rows=cells.count * self.cycles,
        )
        curves = Figure(
            "current_voltage",
            table=table.name,
            x="voltage",
            y="current",
            by=("row", "column"),
            y_scale="log",
            title="I-V curves by cell",
        )
        extracted = (
            Figure(
                "set_voltage", kind="distribution", table="loops", x="v_set", y_scale="probability",
                title="SET voltages of all loops",
            ),
            Figure(
                "reset_voltage", kind="distribution", table="loops", x="v_reset", y_scale="probability",
                title="RESET voltages of all loops",
            ),
            Figure(
                "states", kind="errorbars", table="loops", x="cycle", y=("lrs", "hrs"), y_scale="log",
                title="Both states at low voltage, by cycle",
            ),
            Figure("window", kind="distribution", table="loops", x="window", x_scale="log", title="On/off window"),
        )  # fmt: skip
        left = Figure(image.name, map=image.name)
        if not self.extract:
            return Layout((table,), (image,), default=table.name, figures=(curves, left))
        figures = (curves, *extracted, left)
        tables = (table, loops, *plan.survey.tables())
        return Layout(tables, (image,), default=table.name, figures=figures)

    def describe_cells(self, plan: SweepPlan) -> str:
        """Return array and ranges."""
        return self._cells_as_given()

    def _cells_as_given(self) -> str:
        return f"{self.array}[{self.rows}, {self.columns}]"

    def run_title(self) -> str:
        """Return the name of the cells and the range of the sweep."""
        reach = f"{self.lowest:g} to {self.highest:g} V" if self.lowest else f"to {self.highest:g} V"
        return f"I-V of {self._cells_as_given()} {reach}"

    def estimate(self, given: SweptCells, source: BenchSource) -> Estimate:
        """Estimate the time from delay and integration per point; there are no pulses."""
        sweeps, points = given.cells.count * self.cycles, len(given.voltages)
        if source.bench.simulation is not None:  # delays take no wall time there
            return Estimate(pulses=0, seconds=SIMULATED_POINT * sweeps * points)
        point = HARDWARE_POINT + self.delay + source.bench.read.nplc / LINE_FREQUENCY
        return Estimate(pulses=0, seconds=sweeps * (HARDWARE_SWEEP + points * point))

    def execute(self, plan: SweepPlan, bench: Bench, stream: Stream) -> Sweeps:
        """Sweep cell after cell, cycle after cycle, and extract after each cycle."""
        cells, voltages = plan.swept.cells, plan.swept.voltages
        shape = (self.cycles, *cells.shape)
        currents = np.full((*shape, len(voltages)), np.nan)
        limited = np.zeros(currents.shape, dtype=bool)
        conductance = np.full(shape, np.nan)
        total, done, kept = int(np.prod(shape)), 0, 0
        surveyed = None
        if self.extract and self.blanks:
            surveyed = survey_cells(replace(plan.survey, blanks=0), bench, stream)
        noise = self._noise(plan, bench, total)

        def keep() -> None:
            """Extract of the loops of a cycle that were swept, which an interrupted run keeps, too."""
            nonlocal kept
            if not self.extract:
                return
            some = np.arange(kept, done)
            loops = self._extracted(
                plan, currents.reshape(total, -1)[some], limited.reshape(total, -1)[some], noise
            )
            cycle, i, j = np.unravel_index(some, shape)
            stream.record_block(
                "loops",
                {
                    "sweep": some,
                    "cycle": cycle,
                    "row": cells.rows[i],
                    "column": cells.columns[j],
                    **vars(loops),
                },
            )
            kept = done

        try:
            for number, (cycle, i, j) in enumerate(np.ndindex(shape)):
                cell = Cell(self.array, int(cells.rows[i]), int(cells.columns[j]))
                readings = self._loop(plan, bench, cell)
                measured, currents[cycle, i, j], limited[cycle, i, j] = zip(*readings, strict=True)
                self._record(
                    stream, bench, number, cell, measured, currents[cycle, i, j], limited[cycle, i, j]
                )
                done = number + 1
                conductance[cycle, i, j] = conductance_left(
                    voltages, currents[cycle, i, j], limited[cycle, i, j], plan.window
                )
                stream.check()
                stream.progress("sweeping", done, total)
                if (i, j) == (shape[1] - 1, shape[2] - 1):
                    stream.snapshot(
                        f"{self.array}_conductance", cells.ascending(conductance[cycle]), bench.now()
                    )
                    keep()
        finally:
            if kept < done:
                keep()
        loops = self._extracted(plan, currents, limited, noise) if self.extract else None
        summary = {
            "cells": cells.count,
            "sweeps": total,
            "points": int(currents.size),
            "limited_points": int(limited.sum()),
            "largest_current": float(np.nanmax(np.abs(currents), initial=0.0)),
            "mean_conductance": _mean(conductance),
            **({} if loops is None else summary_of(loops)),
            "virtual_seconds": bench.now(),
        }
        if surveyed is not None and noise is not None and loops is not None:
            summary |= surveyed.counts() | self._measured(plan, currents, limited, noise)
            summary |= self._not_extracted(summary, loops)
        if loops is not None:
            self._say(plan, stream, loops, summary)
        return Sweeps(voltages, currents, limited, conductance, loops, summary)

    def conclude(self, plan: SweepPlan, result: Sweeps) -> Conclusion:
        """Return how many loops show a SET and a RESET, and where."""
        summary = result.summary
        nothing = without_measured(summary)
        if nothing is not None:
            return nothing
        loops = f"{counted(summary['sweeps'], 'loop')} of {counted(summary['cells'], 'cell')}"
        if result.loops is None:
            return Conclusion(f"{loops}, {counted(summary['points'], 'point')}")
        found = [
            f"{summary[number]:,} {name}"
            + (f" at {quantity(volts, 'V')}" if (volts := summary.get(key)) is not None else "")
            for number, name, key in (("sets", "SET", "v_set"), ("resets", "RESET", "v_reset"))
        ]
        return Conclusion(f"{loops}: " + joined(*found, left_out(summary), lost_cells(summary)))

    def _noise(self, plan: SweepPlan, bench: Bench, loops: int) -> PointNoise | None:
        """Return the noise of the points, by sweeps with the transistor off of a few cells; None for no blanks."""
        if not (self.extract and self.blanks):
            return None
        rows, columns = plan.swept.cells.positions()
        some = min(len(rows), BLANK_CELLS)
        volts, blanks = bench.file.read.voltage, []
        for part, _, limit in plan.parts:
            with self._metering(bench, limit):
                found = [
                    reading.current
                    for row, column in zip(rows[:some].tolist(), columns[:some].tolist(), strict=True)
                    for reading in bench.sweep(
                        Cell(self.array, row, column),
                        [volts] * -(-int(self.blanks) // some),
                        gate=0.0,
                        delay=self.delay,
                    )
                ]
            blanks.append((part, Blank.of(np.array(found))))
        return PointNoise.of(blanks, len(plan.swept.voltages), loops)

    def _measured(
        self, plan: SweepPlan, currents: Floats, limited: NDArray[np.bool_], noise: PointNoise
    ) -> dict[str, Any]:
        """Return the numbers of what stands out of the noise: cells, largest current, mean of what the sweeps left."""
        voltages, net = plan.swept.voltages, currents - noise.offset
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
        self, plan: SweepPlan, currents: Floats, limited: NDArray[np.bool_], noise: PointNoise | None
    ) -> Loops:
        return extract(plan.swept.voltages, currents, limited, plan.window, float(self.least_change), noise)

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
                readings += bench.sweep(cell, plan.swept.voltages[part].tolist(), gate=gate, delay=self.delay)
        return readings

    def _record(
        self,
        stream: Stream,
        bench: Bench,
        number: int,
        cell: Cell,
        measured: Sequence[float],
        currents: Floats,
        limited: NDArray[np.bool_],
    ) -> None:
        points = len(currents)
        stream.record_block(
            "sweeps",
            {
                "time": np.full(points, bench.now()),
                "sweep": np.full(points, number),
                "row": np.full(points, cell.row),
                "column": np.full(points, cell.column),
                "voltage": measured,
                "current": currents,
                "limited": limited,
            },
        )

    def _say(self, plan: SweepPlan, stream: Stream, loops: Loops, summary: Mapping[str, Any]) -> None:
        """Tell of cells that seem virgin, of what was not extracted, and of loops that did not switch."""
        if "conducting" in summary:
            cells, dark = summary["cells"], summary["cells"] - summary["conducting"]
            if summary["unformed"]:
                stream.say(
                    unformed_message(self, summary["unformed"], cells, tried=plan.survey.forming is not None),
                    "WARNING",
                )
            if dark > summary["unformed"]:
                stream.say(
                    f"{dark} of {cells} cells conduct nothing that stands out of the noise of the readings",
                    "WARNING",
                )
            for reason, names in _by_reason(summary["not_extracted"]).items():
                if summary["conducting"]:
                    stream.say(f"{', '.join(names)} not extracted: {reason}", "WARNING")
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
            told = f"the HRS is not told from nothing in {below} {of}; read longer, or on a smaller range"
            why |= {"hrs": told, "window": told}
        elif summary["sets"]:
            why |= {"hrs": reset, "window": reset}
        missing = {name: reason for name, reason in why.items() if summary.get(name) is None}
        for name in ("v_set_cycle_sd", "v_reset_cycle_sd"):
            if (spread := summary.get(name)) is not None and spread < ROUNDING:
                missing[name] = (
                    "every loop of a cell switches at the same step of the sweep; take a smaller step"
                )
        return {**dict.fromkeys(missing), "not_extracted": missing}


def _by_reason(missing: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the names of what was not extracted, by the reason."""
    reasons: dict[str, list[str]] = {}
    for name, reason in missing.items():
        reasons.setdefault(reason, []).append(name)
    return reasons


def _mean(conductance: Floats) -> float | None:
    """Return the mean of the finite values, S; None when there are none."""
    known = conductance[np.isfinite(conductance)]
    return float(known.mean()) if known.size else None


Sweep = IV
"""Its name before it extracted anything, for scripts; run files, plans and queues have `mho.former_names`."""
