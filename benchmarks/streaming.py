"""What a row of data costs on its way into the file, beside PyMeasure's CSV and plain h5py.

Ten float64 columns, and the table that programming fills, whose integer columns are checked for their range.
A row counts once it is flushed. `RunWriter` flushes by itself every 50 ms, and once more at the end of each
timed loop, which is timed too; PyMeasure flushes every row; h5py as the name of its figure says. Flushed means
handed to the operating system, not synchronised with the disk, for all of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from benchmarks._pymeasure import recorder
from benchmarks.registry import Figure, median_seconds
from procedures.programming import PULSES
from runs import Column, Layout, RunHeader, RunWriter, Table

NAMES = tuple(f"c{number}" for number in range(10))
ROWS = 10_000
SLOW_ROWS = 1_000  # for what takes hundreds of microseconds a row
BLOCK = 500
CHUNK = 1024
WRITER_THREADS = 2  # the caller's, and the one that flushes

PULSE = {
    "time": 1.5, "array": 2, "row": 17, "column": 4, "kind": 1,
    "voltage": 3.0, "width": 100e-9, "gate": 1.25, "conductance": 15.2e-6,
}  # fmt: skip

Row = Mapping[str, float]
Block = Mapping[str, NDArray[np.float64]]


def run(repeat: int) -> list[Figure]:
    """Write the same rows into a run file, PyMeasure's CSV and plain HDF5 files."""
    values = np.random.default_rng(1).standard_normal((ROWS, len(NAMES)))
    rows: list[Row] = [dict(zip(NAMES, row, strict=True)) for row in values.tolist()]
    blocks: list[Block] = [
        dict(zip(NAMES, np.ascontiguousarray(values[start : start + BLOCK].T), strict=True))
        for start in range(0, ROWS, BLOCK)
    ]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        ours = _run_file(place / "run.h5", rows, blocks, repeat)
        csv = _pymeasure(place / "results.csv", NAMES, rows, repeat)
        csv_blocks = _pymeasure_batches(place / "batches.csv", blocks, repeat)
        csv_pulses = _pymeasure(place / "pulses.csv", PULSE, [PULSE] * ROWS, repeat)
        single = {
            flush: _h5py(place / f"rows {flush}.h5", rows, repeat, flush=flush) for flush in (True, False)
        }
        grouped = _h5py_blocks(place / "blocks.h5", blocks, repeat)
    row, block = "emit a row of 10 columns", f"emit_block of {BLOCK} rows of 10 columns, each flushed"
    threads = WRITER_THREADS
    return [
        Figure(
            f"{row}, beside CSV",
            1e6 * ours.row,
            "us",
            "PyMeasure's Recorder",
            1e6 * csv,
            detail={"rows": ROWS},
            threads=threads,
        ),
        Figure(
            "emit a row of the pulses table, beside CSV",
            1e6 * ours.pulse,
            "us",
            "PyMeasure's Recorder",
            1e6 * csv_pulses,
            detail={"columns": len(PULSES.columns)},
            threads=threads,
        ),
        Figure(
            f"{row}, beside HDF5",
            1e6 * ours.row,
            "us",
            "h5py row by row, each flushed",
            1e6 * single[True],
            detail={"rows": ROWS, "h5py's rows": SLOW_ROWS, "h5py never flushed, us": 1e6 * single[False]},
            threads=threads,
        ),
        Figure(
            f"{block}, beside CSV",
            1.0 / ours.block_row,
            "rows/s",
            "PyMeasure's Recorder, row by row",
            1.0 / csv_blocks,
            threads=threads,
        ),
        Figure(
            f"{block}, beside HDF5",
            1.0 / ours.block_row,
            "rows/s",
            "h5py, the same blocks, each flushed",
            1.0 / grouped,
            threads=threads,
        ),
    ]


class RunFileSeconds(NamedTuple):
    """Seconds a row of `emit`, of flushed `emit_block`, and of `emit` into the pulses table."""

    row: float
    block_row: float
    pulse: float


def _run_file(path: Path, rows: list[Row], blocks: list[Block], repeat: int) -> RunFileSeconds:
    table = Table("data", tuple(Column(name) for name in NAMES), signal=NAMES[1], axis=NAMES[0])
    header = RunHeader("streaming", "Streaming", "1", {})
    with RunWriter.create(path, header, Layout((table, PULSES), default="data")) as writer:

        def emit() -> None:
            for row in rows:
                writer.emit("data", **row)
            writer.flush()

        def emit_blocks() -> None:
            for block in blocks:
                writer.emit_block("data", block)
                writer.flush()

        def emit_pulses() -> None:
            for _ in range(ROWS):
                writer.emit("pulses", **PULSE)
            writer.flush()

        return RunFileSeconds(_a_row(emit, repeat), _a_row(emit_blocks, repeat), _a_row(emit_pulses, repeat))


def _pymeasure(path: Path, columns: Iterable[str], rows: list[Row], repeat: int) -> float:
    with recorder(path, tuple(columns)) as csv:

        def emit() -> None:
            for row in rows:
                csv.handle(row)

        return _a_row(emit, repeat)


def _pymeasure_batches(path: Path, blocks: list[Block], repeat: int) -> float:
    """Return seconds a row of batches, which PyMeasure's Worker takes apart like this."""
    with recorder(path, NAMES) as csv:

        def emit() -> None:
            for block in blocks:
                for index in range(BLOCK):
                    csv.handle({name: values[index] for name, values in block.items()})

        return _a_row(emit, repeat)


def _h5py(path: Path, rows: list[Row], repeat: int, *, flush: bool) -> float:
    """Return seconds a row of growing each dataset by one and assigning to it."""
    with closing(h5py.File(path, "w", libver="latest")) as file:
        datasets = _datasets(file)

        def write() -> None:
            start = len(datasets[NAMES[0]])
            for number, row in enumerate(rows[:SLOW_ROWS], start):
                for name, dataset in datasets.items():
                    dataset.resize(number + 1, axis=0)
                    dataset[number] = row[name]
                if flush:
                    file.flush()

        return _a_row(write, repeat, min(SLOW_ROWS, len(rows)))


def _h5py_blocks(path: Path, blocks: list[Block], repeat: int) -> float:
    with closing(h5py.File(path, "w", libver="latest")) as file:
        datasets = _datasets(file)

        def write() -> None:
            for block in blocks:
                for name, dataset in datasets.items():
                    start = len(dataset)
                    dataset.resize(start + BLOCK, axis=0)
                    dataset[start:] = block[name]
                file.flush()

        return _a_row(write, repeat)


def _datasets(file: h5py.File) -> dict[str, Any]:
    return {name: file.create_dataset(name, (0,), "f8", maxshape=(None,), chunks=(CHUNK,)) for name in NAMES}


def _a_row(work: Callable[[], None], repeat: int, count: int = 0) -> float:
    return median_seconds(work, repeat) / (count or ROWS)
