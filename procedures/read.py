"""Read a block of cells, once or again and again: what a chip holds, and how it drifts and fluctuates."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pymeasure.experiment import FloatParameter, IntegerParameter
from pymeasure.experiment import Parameter as FormParameter

from chip_maps.chip import parse_chip_map
from instruments import Bench, Cell
from instruments.bench_file import BenchSource
from procedures.base import Estimate, Procedure
from procedures.cell_range import check_inside, parse_lines
from procedures.stream import Stream
from runs import Column, Layout, Map, Table

Floats = NDArray[np.float64]

SIMULATED_READ, HARDWARE_READ = 0.3e-3, 10e-3  # s of wall time, messages included (?)
LINE_FREQUENCY = 50.0  # Hz
ANNOUNCED = 0.05  # s of wall time between two announcements


@dataclass(frozen=True)
class Reads:
    """What was read.

    Attributes
    ----------
    conductance : (repeats, rows, columns) array
        S.
    times : (repeats,) array
        Bench time at which each repeat began, s.
    summary : dict
        What the run file keeps, and ``--json`` prints.
    path : Path
        The run file.
    """

    conductance: Floats
    times: Floats
    summary: dict[str, Any]
    path: Path = field(default=Path())


class Read(Procedure):
    """Read a block of cells, once or repeatedly."""

    title: ClassVar[str] = "Read cells"
    group: ClassVar[str] = "Cells"

    array = FormParameter("Array", default="multiply")
    rows = FormParameter("Rows", default="0:8")
    columns = FormParameter("Columns", default="0:8")
    read_voltage = FloatParameter(
        "Read voltage, 0 for the bench's", units="V", minimum=0.0, maximum=10.0, default=0.0
    )
    repeats = IntegerParameter("Repeats", minimum=1, maximum=1_000_000, default=1)
    interval = FloatParameter(
        "Time between the starts of two repeats", units="s", minimum=0.0, maximum=1e6, default=0.0
    )

    def check(self) -> None:
        """Understand the ranges."""
        self._rows, self._columns = parse_lines(self.rows, "rows"), parse_lines(self.columns, "columns")

    def prepare(self, bench: Bench, rng: np.random.Generator) -> None:
        """Check that the array has these cells and that the bench may read them."""
        chip = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
        check_inside(chip.array(self.array), self._rows, self._columns)
        bench.check_read()
        self._volts = float(self.read_voltage) or bench.file.read.voltage
        bench.limits.check_level("bit line", self._volts)

    def layout(self) -> Layout:
        """One table of reads, one map of conductances a repeat."""
        table = Table(
            "reads",
            (
                Column("time", "s", description="bench time"),
                Column("repeat", dtype="u4"),
                Column("row", dtype="u2"),
                Column("column", dtype="u2"),
                Column("conductance", "S"),
            ),
            signal="conductance",
            axis="time",
            title="every read",
        )
        order = np.argsort(self._rows), np.argsort(self._columns)
        image = Map(
            f"{self.array}_conductance",
            "S",
            self._rows[order[0]],
            self._columns[order[1]],
            f"{self.array}: conductance",
        )
        return Layout((table,), (image,), default=f"maps/{image.name}")

    def describe_cells(self) -> str:
        """Array and ranges."""
        return f"{self.array}[{self.rows}, {self.columns}]"

    def run_title(self) -> str:
        """Name the cells."""
        return f"Read {self.describe_cells()}"

    def estimate(self, source: BenchSource) -> Estimate:
        """No pulses; each read takes its messages and the meter's integration, each repeat its interval."""
        cells = len(self._rows) * len(self._columns)
        if source.bench.simulation is not None:  # an interval costs no wall time there
            return Estimate(pulses=0, seconds=SIMULATED_READ * cells * self.repeats)
        each = max(cells * (HARDWARE_READ + source.bench.read.nplc / LINE_FREQUENCY), self.interval)
        return Estimate(pulses=0, seconds=each * self.repeats)

    def execute(self, bench: Bench, stream: Stream) -> Reads:
        """Read row by row, repeat after repeat."""
        shape = (self.repeats, len(self._rows), len(self._columns))
        conductance, times = np.full(shape, np.nan), np.zeros(self.repeats)
        order = np.ix_(np.argsort(self._rows), np.argsort(self._columns))
        announced, start = stream.now(), bench.now()
        for repeat in range(self.repeats):
            bench.wait_until(start + repeat * self.interval)
            times[repeat] = bench.now()
            for i, row in enumerate(self._rows.tolist()):
                for j, column in enumerate(self._columns.tolist()):
                    value = bench.read(Cell(self.array, row, column), self._volts)
                    conductance[repeat, i, j] = value
                    stream.record(
                        "reads",
                        time=bench.now(),
                        repeat=repeat,
                        row=row,
                        column=column,
                        conductance=value,
                    )
                if stream.now() - announced > ANNOUNCED:
                    announced = stream.now()
                    stream.check()
                    done = (repeat * shape[1] + i + 1) * shape[2]
                    stream.progress("reading", done, conductance.size)
            stream.snapshot(f"{self.array}_conductance", conductance[repeat][order], times[repeat])
        stream.progress("reading", conductance.size, conductance.size)
        summary = {
            "cells": int(np.prod(shape[1:])),
            "reads": conductance.size,
            "mean_conductance": float(conductance.mean()),
            "largest_conductance": float(conductance.max()),
            "virtual_seconds": bench.now(),
        }
        return Reads(conductance, times, summary)
