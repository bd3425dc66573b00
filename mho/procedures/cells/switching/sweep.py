"""Sweep the voltage at cells, up, down and back, and record the current: I-V curves, timed by the instrument."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import parse_chip_map
from mho.errors import InputError
from mho.instruments import Bench, Cell
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cell_range import CellRange, check_inside
from mho.procedures.parameters import FloatParameter, IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.runs import Column, Figure, Layout, Map, Table

Floats = NDArray[np.float64]

MOST_POINTS = 2500  # list length that every source-measure unit supports
MOST_IN_ALL = 50_000_000  # points of a run: its results also take 0.5 GB of memory
SIMULATED_POINT, HARDWARE_POINT, HARDWARE_SWEEP = 0.05e-3, 1e-3, 0.1  # s of wall time beside the aperture (?)
LINE_FREQUENCY = 50.0  # Hz


@dataclass(frozen=True)
class Sweeps:
    """Result of the sweeps; `units` are those of the summary.

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
    summary : dict
        Summary in the run file and of ``--json``.
    path : Path
        The run file.
    """

    voltages: Floats
    currents: Floats
    limited: NDArray[np.bool_]
    conductance: Floats
    summary: dict[str, Any]
    path: Path = field(default=Path())
    units: ClassVar[Mapping[str, str]] = {
        "largest_current": "A",
        "mean_conductance": "S",
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


def conductance_left(voltages: Floats, currents: Floats, limited: NDArray[np.bool_], window: float) -> float:
    """Return the conductance (S) on a sweep's way back: least squares through 0 of its end within +-`window` (V).

    NaN where no point lies there, or all of them were limited.
    """
    back = np.arange(len(voltages)) > np.abs(voltages).argmax()
    if voltages.min() < 0.0 < voltages.max():  # for both signs the way back is the last section
        back = np.arange(len(voltages)) > voltages.argmin()
    used = back & (np.abs(voltages) <= window) & (voltages != 0.0) & ~limited & np.isfinite(currents)
    if not used.any():
        return math.nan
    v, i = voltages[used], currents[used]
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
    gate : float
        At the word line, V.
    window : float
        Largest voltage (V) on the way back from which the remaining conductance is fitted.
    """

    swept: SweptCells
    gate: float
    window: float


class Sweep(Procedure):
    """Sweep the voltage at cells, up, down and back, and record the current (I-V curves)."""

    version: ClassVar[str] = "2"  # in version 1 a gate of 0 meant none given
    title: ClassVar[str] = "Sweep cells (I-V)"
    group: ClassVar[str] = "Cells"

    array = Parameter("Array", default="multiply")
    rows = Parameter("Rows", default="0:2")
    columns = Parameter("Columns", default="0:2")
    highest = FloatParameter("Highest voltage", units="V", minimum=0.0, maximum=10.0, default=0.5)
    lowest = FloatParameter("Lowest voltage", units="V", minimum=-10.0, maximum=0.0, default=0.0)
    step = FloatParameter("Largest step", units="V", minimum=1e-4, maximum=1.0, default=0.02)
    gate = FloatParameter("Word-line voltage, the bench's unless given", units="V", minimum=0.0, maximum=10.0)
    delay = FloatParameter("Wait at each level", units="s", minimum=0.0, maximum=100.0, default=0.0)
    cycles = IntegerParameter("Sweeps of each cell", minimum=1, maximum=100_000, default=1)

    def check(self) -> SweptCells:
        """Parse the ranges and compute the levels."""
        cells = CellRange.parse(self.rows, self.columns)
        voltages = levels(self.highest, self.lowest, self.step)
        points = cells.count * self.cycles * len(voltages)
        if points > MOST_IN_ALL:
            raise InputError(
                f"{points:,} points are more than the {MOST_IN_ALL:,} a run may have; sweep fewer cells or less often, or "
                "choose a larger step"
            )
        return SweptCells(cells, voltages)

    def prepare(self, given: SweptCells, bench: Bench, rng: np.random.Generator) -> SweepPlan:
        """Check that the array has these cells and that the bench allows the levels."""
        chip = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
        check_inside(chip.array(self.array), given.cells)
        bench.check_read()
        gate = bench.file.read.gate if self.gate is None else float(self.gate)
        bench.check_sweep(given.voltages.tolist(), gate)
        return SweepPlan(given, gate, max(bench.file.read.voltage, float(self.step)))

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Remove a gate of 0 V, which stood for the bench's in version 1."""
        old = version == "1" and values.get("gate") == 0
        return {name: one for name, one in values.items() if not (old and name == "gate")}

    def in_use(self, plan: SweepPlan) -> Mapping[str, tuple[float, str]]:
        """Return the word line's voltage."""
        return {"gate": (plan.gate, "the bench's")}

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
        curves = Figure(
            "current_voltage",
            table=table.name,
            x="voltage",
            y="current",
            by=("row", "column"),
            y_scale="log",
            title="I-V curves by cell",
        )
        return Layout(
            (table,), (image,), default=table.name, figures=(curves, Figure(image.name, map=image.name))
        )

    def describe_cells(self, plan: SweepPlan) -> str:
        """Return array and ranges."""
        return self._cells_as_given()

    def _cells_as_given(self) -> str:
        return f"{self.array}[{self.rows}, {self.columns}]"

    def run_title(self) -> str:
        """Return the name of the cells and the range of the sweep."""
        reach = f"{self.lowest:g} to {self.highest:g} V" if self.lowest else f"to {self.highest:g} V"
        return f"Sweep {self._cells_as_given()} {reach}"

    def estimate(self, given: SweptCells, source: BenchSource) -> Estimate:
        """Estimate the time from delay and integration per point; there are no pulses."""
        sweeps, points = given.cells.count * self.cycles, len(given.voltages)
        if source.bench.simulation is not None:  # delays take no wall time there
            return Estimate(pulses=0, seconds=SIMULATED_POINT * sweeps * points)
        point = HARDWARE_POINT + self.delay + source.bench.read.nplc / LINE_FREQUENCY
        return Estimate(pulses=0, seconds=sweeps * (HARDWARE_SWEEP + points * point))

    def execute(self, plan: SweepPlan, bench: Bench, stream: Stream) -> Sweeps:
        """Sweep cell after cell, cycle after cycle."""
        cells, voltages = plan.swept.cells, plan.swept.voltages
        shape = (self.cycles, *cells.shape)
        currents = np.full((*shape, len(voltages)), np.nan)
        limited = np.zeros(currents.shape, dtype=bool)
        conductance = np.full(shape, np.nan)
        volts, total = voltages.tolist(), int(np.prod(shape))
        for number, (cycle, i, j) in enumerate(np.ndindex(shape)):
            cell = Cell(self.array, int(cells.rows[i]), int(cells.columns[j]))
            readings = bench.sweep(cell, volts, gate=plan.gate, delay=self.delay)
            measured, currents[cycle, i, j], limited[cycle, i, j] = zip(*readings, strict=True)
            points = len(volts)
            stream.record_block(
                "sweeps",
                {
                    "time": np.full(points, bench.now()),
                    "sweep": np.full(points, number),
                    "row": np.full(points, cell.row),
                    "column": np.full(points, cell.column),
                    "voltage": measured,
                    "current": currents[cycle, i, j],
                    "limited": limited[cycle, i, j],
                },
            )
            conductance[cycle, i, j] = conductance_left(
                voltages, currents[cycle, i, j], limited[cycle, i, j], plan.window
            )
            stream.check()
            stream.progress("sweeping", number + 1, total)
            if (i, j) == (shape[1] - 1, shape[2] - 1):
                stream.snapshot(f"{self.array}_conductance", cells.ascending(conductance[cycle]), bench.now())
        summary = {
            "cells": cells.count,
            "sweeps": total,
            "points": int(currents.size),
            "limited_points": int(limited.sum()),
            "largest_current": float(np.nanmax(np.abs(currents), initial=0.0)),
            "mean_conductance": _mean(conductance),
            "virtual_seconds": bench.now(),
        }
        return Sweeps(voltages, currents, limited, conductance, summary)


def _mean(conductance: Floats) -> float | None:
    """Return the mean of the finite values, S; None when there are none."""
    known = conductance[np.isfinite(conductance)]
    return float(known.mean()) if known.size else None
