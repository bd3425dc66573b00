"""Read a block of cells once or repeatedly, to measure conductances, their drift and their noise."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.chip import parse_chip_map
from mho.chip_maps.placement import Placement
from mho.errors import InputError
from mho.instruments import ArrayBench, Bench, Cell
from mho.instruments.bench_file import BenchSource, Operation, ReadSettings
from mho.procedures.base import Estimate, ProcedureResult
from mho.procedures.cell_range import CellRange, check_inside
from mho.procedures.cells.cell_procedure import PLACE, CellProcedure
from mho.procedures.cells.programming.array_programming import FlatCells, read_cells
from mho.procedures.cells.programming.record import CLOCK_ZERO, clock_zero
from mho.procedures.parameters import FloatParameter, IntegerParameter
from mho.procedures.stream import Stream
from mho.procedures.wording import counted, joined, quantity
from mho.runs import Array, Column, Conclusion, Figure, Layout, Map, RunFile, Table
from mho.toml import load_toml

SIMULATED_READ, HARDWARE_READ = 0.3e-3, 10e-3  # s of wall time, messages included (?)
READ_AT_ONCE = 5e-6  # s of wall time per cell, on a bench without instruments
SIMULATED_SAMPLE, HARDWARE_SAMPLE = 0.05e-3, 1e-3  # s, overhead of each further read in a row (?)
LINE_FREQUENCY = 50.0  # Hz


@dataclass(frozen=True, eq=False, repr=False)
class Reads(ProcedureResult):
    """Result of the reads.

    Attributes
    ----------
    conductance : (repeats, rows, columns) array
        S; the mean of the reads in a row.
    deviation : (repeats, rows, columns) array
        Standard deviation of the reads in a row, S; NaN of a single one. The reads themselves are in the run file.
    times : (repeats,) array
        Bench time at which each repeat began, s.
    formed : int
        How many of the cells read as formed, or have before: what is read of others may be the meter's offset and noise.
    """

    conductance: Floats
    deviation: Floats
    times: Floats
    formed: int = 0
    units: ClassVar[Mapping[str, str]] = {
        "conductance": "S",
        "deviation": "S",
        "times": "s",
        **dict.fromkeys(("mean_conductance", "largest_conductance", "mean_deviation"), "S"),
        "virtual_seconds": "s",
    }
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **dict.fromkeys(("conductance", "deviation"), ("repeat", "row", "column")),
        "times": ("repeat",),
    }


def declared_reads(array: str, cells: CellRange, samples: int, repeats: int) -> tuple[Table, Map, Array]:
    """Return what a run file keeps of repeated reads: the table of reads, the map of an image each, the clock's zero."""
    columns = (
        Column("time", "s", description="bench time, at the end of reads in a row"),
        Column("repeat", dtype="u4"),
        *PLACE,
        Column("sample", dtype="u2", description="number among the reads in a row"),
        Column("conductance", "S"),
    )
    table = Table("reads", columns, title="every read", rows=cells.count * samples * repeats)
    lines = np.sort(cells.rows), np.sort(cells.columns)
    image = Map(f"{array}_conductance", "S", *lines, f"{array}: conductance", images=repeats)
    return table, image, clock_zero()


@dataclass(frozen=True)
class ReadPlan:
    """The cells to read, and the voltage at the bit line."""

    cells: CellRange
    volts: float


class Read(CellProcedure[Reads]):
    """Read a block of cells, once or repeatedly."""

    version: ClassVar[str] = "2"  # in version 1 a read voltage of 0 meant none given
    title: ClassVar[str] = "Read cells"
    leading: ClassVar[tuple[str, ...]] = ("array", "rows", "columns", "read_voltage", "repeats")
    needs: ClassVar[tuple[Operation, ...]] = ("read",)
    run_words: ClassVar[str] = "Read {cells}"

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

    def check(self) -> CellRange:
        """Parse the ranges, and refuse a voltage at which no current flows."""
        cells: CellRange = super().check()
        self.check_read_voltage()
        return cells

    def prepare(self, given: CellRange, bench: Bench, rng: np.random.Generator) -> ReadPlan:
        """Check that the array has these cells and that the bench may read them."""
        chip = parse_chip_map(bench.chip_text, f"chip map {bench.file.chip}")
        check_inside(chip.array(self.array), given)
        bench.check_read()
        volts = self.value_or("read_voltage", bench.file.read.voltage)
        bench.limits.check_level("bit line", volts)
        return ReadPlan(given, volts)

    @classmethod
    def from_version(cls, version: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Remove a read voltage of 0 V, which stood for the bench's in version 1."""
        old = version == "1" and values.get("read_voltage") == 0
        return {name: one for name, one in values.items() if not (old and name == "read_voltage")}

    def in_use(self, plan: ReadPlan) -> Mapping[str, tuple[float, str]]:
        """Return the voltage at the bit line."""
        return {"read_voltage": (plan.volts, "the bench's")}

    def layout(self, plan: ReadPlan) -> Layout:
        """Declare one table of reads, and one map of conductances per repeat."""
        table, image, zero = declared_reads(self.array, plan.cells, self.samples, self.repeats)
        reads = Figure(
            "reads", table=table.name, x="time", y="conductance", by=("row", "column"), title="Reads by cell"
        )
        figures = (reads, Figure(image.name, map=image.name))
        return Layout((table,), (image,), (zero,), default=f"maps/{image.name}", figures=figures)

    def estimate(self, given: CellRange, source: BenchSource) -> Estimate:
        """Estimate the time from messages and integrations per cell and the interval of repeats; there are no pulses."""
        simulation = source.bench.simulation
        if simulation is not None:  # an interval takes no wall time there
            at_once = not simulation.instruments and self.samples == 1
            reads = (READ_AT_ONCE if at_once else SIMULATED_READ) + SIMULATED_SAMPLE * (self.samples - 1)
            return Estimate(pulses=0, seconds=reads * given.count * self.repeats)
        reads = HARDWARE_READ + (source.bench.read.nplc / LINE_FREQUENCY + HARDWARE_SAMPLE) * self.samples
        each = max(given.count * reads, self.interval)
        return Estimate(pulses=0, seconds=each * self.repeats)

    def execute(self, plan: ReadPlan, bench: Bench, stream: Stream) -> Reads:
        """Read row by row, repeat after repeat; complete repeats of an earlier attempt are copied."""
        reader = Reader(plan, bench, stream, self.array, self.samples, self.repeats)
        same = ("array", "rows", "columns", "samples", "repeats", "interval")
        parameters = {name: getattr(self, name) for name in same} | {"read_voltage": plan.volts}
        reader.read_all(self.interval * np.arange(float(self.repeats)), reader.earlier_attempt(parameters))
        formed = int(bench.forming.formed(self.array, *plan.cells.positions()).sum())
        reads = reader.reads
        summary = {
            "cells": plan.cells.count,
            "reads": reads.conductance.size * self.samples,
            "mean_conductance": float(reads.conductance.mean()),
            "largest_conductance": float(reads.conductance.max()),
            "virtual_seconds": bench.now(),
        }
        if self.samples > 1:
            summary["mean_deviation"] = float(reads.deviation.mean())
        return replace(reads, summary=summary, formed=formed)

    def conclude(self, plan: ReadPlan, result: Reads) -> Conclusion:
        """Return how many cells were read, and their conductances."""
        summary = result.summary
        mean, largest = summary["mean_conductance"], summary["largest_conductance"]
        times = "" if self.repeats == 1 else f" {self.repeats:,} times"
        cells = f"{counted(summary['cells'], 'cell')} read{times}"
        if not result.formed:  # a mean of the meter's offset and noise would tell of no cell
            at_most = "" if largest is None else f", readings up to {quantity(largest, 'S')}"
            return Conclusion(f"{cells}, none of them as formed{at_most}")
        return Conclusion(
            joined(
                cells,
                f"mean {quantity(mean, 'S')}" if mean and mean > 0.0 else "",
                f"largest {quantity(largest, 'S')}" if largest is not None else "",
            )
        )


@dataclass(frozen=True)
class EarlierReads:
    """The complete repeats in a run file."""

    repeats: int  # number of complete repeats
    rows: dict[str, NDArray[Any]]  # rows of these repeats in the table of reads, by column
    times: Floats  # (repeats,): start of each, s on the earlier bench's clock
    # Present time on that clock, s, by the computer's, as the process has ended; never before the last row
    elapsed: float


def earlier_reads(path: Path, parameters: Mapping[str, Any], per_repeat: int, image: str) -> EarlierReads:
    """Read the complete repeats, with `per_repeat` reads each, and the map `image` from the run file at `path`.

    Raises `RunFileError` when it cannot be read; `InputError` when it was made with other `parameters`.
    """
    with RunFile(path) as run:
        for name, value in parameters.items():
            before = _in_use(run, name)
            if before != value:
                raise InputError(
                    f"{path} cannot be taken up: its {name} is {before!r}, not {value!r}; take the same, or begin anew"
                )
        repeats = min(run.length("reads") // per_repeat, len(run.map_times(image)))
        rows = {name: values[: repeats * per_repeat] for name, values in run.table("reads").items()}
        since = time.time() - float(run.array(CLOCK_ZERO)[0]) if CLOCK_ZERO in run.arrays else 0.0
        last = float(rows["time"][-1]) if repeats else 0.0
        return EarlierReads(repeats, rows, run.map_times(image)[:repeats], float(np.fmax(since, last)))


def _in_use(run: RunFile, name: str) -> Any:
    """Return a parameter's value in `run`; `Read` version 1 stored 0 V for the read voltage of the bench file."""
    value = run.parameters[name].value if name in run.parameters else None
    if (name, run.version, value) == ("read_voltage", "1", 0.0):
        read = load_toml(run.bench, f"bench file in {run.path}", InputError).get("read")
        default = ReadSettings().voltage
        return read.get("voltage", default) if isinstance(read, dict) else default
    return value


class Reader:
    """Reads a plan's cells, one repeat at a time, into a run file and into arrays.

    `reads`: so far, NaN elsewhere. `moments` (repeats, rows, columns): time of each read, s, as in the rows. `shift`:
    offset from the bench's clock to that of the rows, s. `total`, `per_repeat`: reads of all repeats, of which those
    in a row count as one; and rows of a repeat.
    """

    def __init__(
        self, plan: ReadPlan, bench: Bench, stream: Stream, array: str, samples: int, repeats: int
    ) -> None:
        self._cells, self._volts, self._bench, self._stream = plan.cells, plan.volts, bench, stream
        self._array, self._samples = array, samples
        nothing = np.full((repeats, *plan.cells.shape), np.nan)
        self.reads = Reads(nothing, nothing.copy(), np.zeros(repeats))
        self.moments = np.full_like(self.reads.conductance, np.nan)
        self.total = self.reads.conductance.size
        self.per_repeat = plan.cells.count * samples
        self.shift = 0.0

    def earlier_attempt(self, parameters: Mapping[str, Any]) -> EarlierReads | None:
        """Return the reads to take over; None without any, or on a simulated bench, whose chip was another one.

        `parameters` and errors are those of `earlier_reads`.
        """
        if self._stream.earlier is None or self._bench.simulated is not None:
            return None
        image = f"{self._array}_conductance"
        reads = earlier_reads(self._stream.earlier, parameters, self.per_repeat, image)
        return reads if reads.repeats else None

    def read_all(self, moments: Floats, earlier: EarlierReads | None, *, hurried: bool = False) -> None:
        """Read once at each of the `moments` (repeats,), s after the first repeat, after taking over an `earlier` attempt.

        Rows use the clock of the first attempt. After an interruption the moments are those of before where `hurried`,
        which has all that were missed at once; else they are as far apart as before.
        """
        done, clock = 0, self._bench.now()
        if earlier is not None:
            done, clock = earlier.repeats, earlier.elapsed
            self._stream.say(f"{done} of {len(moments)} repeats are taken over from {self._stream.earlier}")
            self.take_over(earlier)
        self.shift = clock - self._bench.now()
        start = clock if not done else float(self.reads.times[0])
        if done and not hurried and done < len(moments):
            start = max(start, clock - float(moments[done]))
        if self._bench.simulated is None:
            self._stream.set_array(CLOCK_ZERO, np.array([time.time() - clock]))
        for repeat in range(done, len(moments)):
            self._bench.wait_until(start + float(moments[repeat]) - self.shift)
            self.read(repeat)
        self._stream.progress("reading", self.total, self.total)

    def take_over(self, earlier: EarlierReads) -> None:
        """Store the complete repeats of an earlier attempt as this run's first ones."""
        done = earlier.repeats
        taken = earlier.rows["conductance"].reshape(done, *self._cells.shape, self._samples)
        self.reads.conductance[:done] = taken.mean(axis=-1)
        if self._samples > 1:
            self.reads.deviation[:done] = taken.std(axis=-1, ddof=1)
        self.reads.times[:done] = earlier.times
        self.moments[:done] = earlier.rows["time"].reshape(taken.shape)[..., -1]
        self._stream.record_block("reads", earlier.rows)
        for repeat in range(done):
            self._snapshot(repeat)

    def read(self, repeat: int) -> None:
        """Read all cells once more, now."""
        self.reads.times[repeat] = self._bench.now() + self.shift
        if isinstance(self._bench, ArrayBench) and self._samples == 1:
            self._read_at_once(self._bench, repeat)
        else:
            self._read_one_by_one(repeat)
        self._snapshot(repeat)

    def _snapshot(self, repeat: int) -> None:
        image = self._cells.ascending(self.reads.conductance[repeat])
        self._stream.snapshot(f"{self._array}_conductance", image, self.reads.times[repeat])

    def _read_at_once(self, bench: ArrayBench, repeat: int) -> None:
        conductance = self.reads.conductance[repeat]
        placement = Placement(self._array, self._cells.rows, self._cells.columns)
        done = repeat * conductance.size
        for cells in FlatCells.of([placement], [np.ones(conductance.shape, bool)]).batches():
            verified = read_cells(bench, cells, [placement], self._volts)
            rows = {name: verified.rows[name] for name in ("time", "row", "column", "conductance")}
            rows["time"] = rows["time"] + self.shift
            rows |= {
                "repeat": np.full_like(verified.pulses, repeat),
                "sample": np.zeros_like(verified.pulses),
            }
            cells.put([conductance], verified.achieved)
            cells.put([self.moments[repeat]], rows["time"])
            self._stream.record_block("reads", rows)
            done += verified.achieved.size
            self._stream.check()
            self._stream.progress("reading", done, self.total)

    def _read_one_by_one(self, repeat: int) -> None:
        rows, columns = self._cells.rows.tolist(), self._cells.columns.tolist()
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                cell = Cell(self._array, row, column)
                if self._samples == 1:
                    values = np.array([self._bench.read(cell, self._volts)])
                else:
                    values = self._bench.read_list(cell, self._samples, self._volts)
                self.reads.conductance[repeat, i, j] = values.mean()
                if self._samples > 1:
                    self.reads.deviation[repeat, i, j] = values.std(ddof=1)
                moment = self.moments[repeat, i, j] = self._bench.now() + self.shift
                where = {"time": moment, "repeat": repeat, "row": row, "column": column}
                self._record(where, values)
            self._stream.pace("reading", (repeat * len(rows) + i + 1) * len(columns), self.total)

    def _record(self, where: dict[str, float], values: Floats) -> None:
        if self._samples == 1:
            self._stream.record("reads", sample=0, conductance=values[0], **where)
            return
        block = {name: np.full(self._samples, value) for name, value in where.items()}
        self._stream.record_block(
            "reads", {"sample": np.arange(self._samples), "conductance": values, **block}
        )
