"""Read a block of cells, once or again and again: what a chip holds, and how it drifts and fluctuates."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.placement import Placement
from mho.errors import InputError
from mho.instruments import ArrayBench, Bench, Cell
from mho.instruments.bench_file import BenchSource
from mho.procedures.base import Estimate, Procedure
from mho.procedures.cell_range import check_inside, parse_lines
from mho.procedures.cells.array_programming import FlatCells, read_cells
from mho.procedures.cells.earlier_reads import CLOCK_ZERO, EarlierReads, earlier_reads
from mho.procedures.parameters import FloatParameter, IntegerParameter, Parameter
from mho.procedures.stream import Stream
from mho.runs import Array, Column, Layout, Map, Table

Floats = NDArray[np.float64]

SIMULATED_READ, HARDWARE_READ = 0.3e-3, 10e-3  # s of wall time, messages included (?)
READ_AT_ONCE = 5e-6  # s of wall time a cell, on a bench without instruments
SIMULATED_SAMPLE, HARDWARE_SAMPLE = 0.05e-3, 1e-3  # s that another read in a row adds to its integration (?)
LINE_FREQUENCY = 50.0  # Hz
ANNOUNCED = 0.05  # s of wall time between two announcements


@dataclass(frozen=True)
class Reads:
    """What was read.

    Attributes
    ----------
    conductance : (repeats, rows, columns) array
        S; the mean of the reads in a row.
    deviation : (repeats, rows, columns) array
        Standard deviation of the reads in a row, S; NaN of a single one. The reads themselves are in the run file.
    times : (repeats,) array
        Bench time at which each repeat began, s.
    summary : dict
        What the run file keeps, and ``--json`` prints.
    path : Path
        The run file.
    """

    conductance: Floats
    deviation: Floats
    times: Floats
    summary: dict[str, Any]
    path: Path = field(default=Path())


class Read(Procedure):
    """Read a block of cells, once or repeatedly."""

    version: ClassVar[str] = "2"  # 1: a read voltage of 0 was none given
    title: ClassVar[str] = "Read cells"
    group: ClassVar[str] = "Cells"

    array = Parameter("Array", default="multiply")
    rows = Parameter("Rows", default="0:8")
    columns = Parameter("Columns", default="0:8")
    read_voltage = FloatParameter(
        "Read voltage, the bench's unless given", units="V", minimum=0.0, maximum=10.0
    )
    samples = IntegerParameter(
        "Reads in a row of each cell, timed by the instrument", minimum=1, maximum=2500, default=1
    )
    repeats = IntegerParameter("Repeats", minimum=1, maximum=1_000_000, default=1)
    interval = FloatParameter(
        "Time between the starts of two repeats", units="s", minimum=0.0, maximum=1e6, default=0.0
    )

    def check(self) -> None:
        """Understand the ranges, and refuse a voltage at which no current flows."""
        self._rows, self._columns = parse_lines(self.rows, "rows"), parse_lines(self.columns, "columns")
        if self.read_voltage == 0.0:
            raise InputError(
                "read_voltage is 0 V, at which no current flows; leave it out for the bench's own"
            )

    def prepare(self, bench: Bench, rng: np.random.Generator) -> None:
        """Check that the array has these cells and that the bench may read them."""
        chip = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
        check_inside(chip.array(self.array), self._rows, self._columns)
        bench.check_read()
        self._volts = bench.file.read.voltage if self.read_voltage is None else float(self.read_voltage)
        bench.limits.check_level("bit line", self._volts)

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out a read voltage of 0 V, which once stood for the bench's."""
        old = version == "1" and values.get("read_voltage") == 0
        return {name: one for name, one in values.items() if not (old and name == "read_voltage")}

    def in_use(self) -> Mapping[str, tuple[float, str]]:
        """The voltage at the bit line."""
        return {"read_voltage": (self._volts, "the bench's")}

    def layout(self) -> Layout:
        """One table of reads, one map of conductances a repeat."""
        table = Table(
            "reads",
            (
                Column("time", "s", description="bench time, at the end of reads in a row"),
                Column("repeat", dtype="u4"),
                Column("row", dtype="u2"),
                Column("column", dtype="u2"),
                Column("sample", dtype="u2", description="number among the reads in a row"),
                Column("conductance", "S"),
            ),
            signal="conductance",
            axis="time",
            title="every read",
            rows=len(self._rows) * len(self._columns) * self.samples * self.repeats,
        )
        order = np.argsort(self._rows), np.argsort(self._columns)
        image = Map(
            f"{self.array}_conductance",
            "S",
            self._rows[order[0]],
            self._columns[order[1]],
            f"{self.array}: conductance",
            images=self.repeats,
        )
        zero = Array(
            CLOCK_ZERO, np.array([np.nan]), "s", "Unix time of the run's clock at 0; NaN on a simulated bench"
        )
        return Layout((table,), (image,), (zero,), default=f"maps/{image.name}")

    def describe_cells(self) -> str:
        """Array and ranges."""
        return f"{self.array}[{self.rows}, {self.columns}]"

    def run_title(self) -> str:
        """Name the cells."""
        return f"Read {self.describe_cells()}"

    def estimate(self, source: BenchSource) -> Estimate:
        """No pulses; each cell takes its messages and the meter's integrations, each repeat its interval."""
        cells = len(self._rows) * len(self._columns)
        simulation = source.bench.simulation
        if simulation is not None:  # an interval costs no wall time there
            at_once = not simulation.instruments and self.samples == 1
            reads = (READ_AT_ONCE if at_once else SIMULATED_READ) + SIMULATED_SAMPLE * (self.samples - 1)
            return Estimate(pulses=0, seconds=reads * cells * self.repeats)
        reads = HARDWARE_READ + (source.bench.read.nplc / LINE_FREQUENCY + HARDWARE_SAMPLE) * self.samples
        each = max(cells * reads, self.interval)
        return Estimate(pulses=0, seconds=each * self.repeats)

    def execute(self, bench: Bench, stream: Stream) -> Reads:
        """Read row by row, repeat after repeat."""
        shape = (self.repeats, len(self._rows), len(self._columns))
        conductance, deviation = np.full(shape, np.nan), np.full(shape, np.nan)
        times = np.zeros(self.repeats)
        image, order = f"{self.array}_conductance", np.ix_(np.argsort(self._rows), np.argsort(self._columns))
        done, clock = 0, bench.now()
        earlier = self._earlier(bench, image)
        if earlier is not None and earlier.repeats:
            done, clock = earlier.repeats, earlier.elapsed
            stream.say(f"{done} of {self.repeats} repeats are taken over from {self.resume_from}")
            taken = earlier.rows["conductance"].reshape(done, *shape[1:], self.samples)
            conductance[:done] = taken.mean(axis=-1)
            if self.samples > 1:
                deviation[:done] = taken.std(axis=-1, ddof=1)
            times[:done] = earlier.times
            stream.record_block("reads", earlier.rows)
            for repeat in range(done):
                stream.snapshot(image, conductance[repeat][order], times[repeat])
        shift = clock - bench.now()  # from the bench's clock to that of the run's rows
        start = (
            clock if not done else max(times[0], clock - done * self.interval)
        )  # none is made up for in haste
        if bench.simulated is None:
            stream.set_array(CLOCK_ZERO, np.array([time.time() - clock]))
        announced = stream.now()
        for repeat in range(done, self.repeats):
            bench.wait_until(start + repeat * self.interval - shift)
            times[repeat] = bench.now() + shift
            if isinstance(bench, ArrayBench) and self.samples == 1:
                self._read_at_once(bench, stream, repeat, shift, conductance)
                stream.snapshot(image, conductance[repeat][order], times[repeat])
                continue
            for i, row in enumerate(self._rows.tolist()):
                for j, column in enumerate(self._columns.tolist()):
                    values = self._read(bench, Cell(self.array, row, column))
                    conductance[repeat, i, j] = values.mean()
                    if self.samples > 1:
                        deviation[repeat, i, j] = values.std(ddof=1)
                    where = {"time": bench.now() + shift, "repeat": repeat, "row": row, "column": column}
                    self._record(stream, where, values)
                if stream.now() - announced > ANNOUNCED:
                    announced = stream.now()
                    stream.check()
                    stream.progress("reading", (repeat * shape[1] + i + 1) * shape[2], conductance.size)
            stream.snapshot(image, conductance[repeat][order], times[repeat])
        stream.progress("reading", conductance.size, conductance.size)
        summary = {
            "cells": int(np.prod(shape[1:])),
            "reads": conductance.size * self.samples,
            "mean_conductance": float(conductance.mean()),
            "largest_conductance": float(conductance.max()),
            "virtual_seconds": bench.now(),
        }
        if self.samples > 1:
            summary["mean_deviation"] = float(deviation.mean())
        return Reads(conductance, deviation, times, summary)

    def _earlier(self, bench: Bench, image: str) -> EarlierReads | None:
        """Return what is to be taken over; on a simulated bench the chip was another one, so nothing is."""
        if self.resume_from is None or bench.simulated is not None:
            return None
        same = ("array", "rows", "columns", "samples", "repeats", "interval")
        wanted = {name: getattr(self, name) for name in same} | {"read_voltage": self._volts}
        per_repeat = len(self._rows) * len(self._columns) * self.samples
        return earlier_reads(self.resume_from, wanted, per_repeat, image)

    def _read_at_once(
        self, bench: ArrayBench, stream: Stream, repeat: int, shift: float, conductance: Floats
    ) -> None:
        """Read all cells for one repeat, many at once, into `conductance` and the table."""
        placement, done = Placement(self.array, self._rows, self._columns), repeat * conductance[0].size
        for cells in FlatCells.of([placement], [np.ones(conductance.shape[1:], bool)]).batches():
            found = read_cells(bench, cells, [placement], self._volts)
            cells.put([conductance[repeat]], found.achieved)
            rows = {name: found.rows[name] for name in ("row", "column", "conductance")}
            numbers = {"repeat": np.full_like(found.pulses, repeat), "sample": np.zeros_like(found.pulses)}
            stream.record_block("reads", {"time": found.rows["time"] + shift, **rows, **numbers})
            done += found.achieved.size
            stream.check()
            stream.progress("reading", done, conductance.size)

    def _read(self, bench: Bench, cell: Cell) -> Floats:
        if self.samples == 1:
            return np.array([bench.read(cell, self._volts)])
        return bench.read_list(cell, self.samples, self._volts)

    def _record(self, stream: Stream, where: dict[str, float], values: Floats) -> None:
        if self.samples == 1:
            stream.record("reads", sample=0, conductance=values[0], **where)
            return
        block = {name: np.full(self.samples, value) for name, value in where.items()}
        stream.record_block("reads", {"sample": np.arange(self.samples), "conductance": values, **block})
