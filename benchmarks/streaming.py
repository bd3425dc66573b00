"""What a row of data costs on its way into the file, beside PyMeasure's CSV and plain h5py.

Ten float64 columns, and the table that programming fills, whose integer columns are checked for their range.
A row counts once it is flushed. `RunWriter` flushes by itself every 50 ms, and once more at the end of each
timed loop, which is timed too; PyMeasure flushes every row; h5py as the name of its figure says. Flushed means
handed to the operating system, not synchronised with the disk, for all of them. Ours are checksummed, and
images compressed; h5py's have no filters, but where its figures say so.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from benchmarks import _following as following
from benchmarks._pymeasure import recorder
from benchmarks.registry import Figure, median_seconds
from mho.procedures.cells.programming.record import PULSES
from mho.procedures.stream import Stream
from mho.runs import Column, Layout, Map, RunFile, RunHeader, RunWriter, Status, Table

NAMES = tuple(f"c{number}" for number in range(10))
ROWS = 10_000
SLOW_ROWS = 1_000  # for what takes hundreds of microseconds a row
BLOCK = 500
CHUNK = 1024
FOLLOWED = 60  # rows that another process waits for
SIDE, IMAGES = 128, 20
FILTERS: dict[str, dict[str, Any]] = {
    "fletcher32": {"fletcher32": True},
    "fletcher32, shuffle and lzf": {"fletcher32": True, "shuffle": True, "compression": "lzf"},
    "fletcher32, shuffle and gzip 1": {
        "fletcher32": True,
        "shuffle": True,
        "compression": "gzip",
        "compression_opts": 1,
    },
}
PULSE_TARGET, EMIT_TARGET, BLOCK_TARGET, SEEN_TARGET = 5.0, 10_000, 1_000_000, 1.0
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
        delays = _delays(place / "followed.h5")
        image, plain_image = _images(place / "images.h5", repeat)
        single = {
            flush: _h5py(place / f"rows {flush}.h5", rows, repeat, flush=flush) for flush in (True, False)
        }
        grouped = _h5py_blocks(place / "blocks.h5", blocks, repeat)
        filtered = {
            name: 1.0 / _h5py_blocks(place / f"{name}.h5", blocks, repeat, **filters)
            for name, filters in FILTERS.items()
        }
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
            target=f"below {PULSE_TARGET} us",
            met=1e6 * ours.pulse < PULSE_TARGET,
            detail={"columns": len(PULSES.columns)},
            threads=threads,
        ),
        Figure(
            "a procedure emits rows of 10 columns, one by one",
            1.0 / ours.announced,
            "rows/s",
            "PyMeasure's Recorder",
            1.0 / csv,
            target=f"{EMIT_TARGET:,} rows/s",
            met=1.0 / ours.announced > EMIT_TARGET,
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
            target=f"{BLOCK_TARGET:,} rows/s",
            met=1.0 / ours.block_row > BLOCK_TARGET,
            detail={f"h5py with {name}, rows/s": rate for name, rate in filtered.items()},
            threads=threads,
        ),
        Figure(
            f"snapshot of {SIDE}×{SIDE} cells",
            1e3 * image,
            "ms",
            "h5py, each flushed, uncompressed",
            1e3 * plain_image,
            detail={"MB/s": 8e-6 * SIDE**2 / image},
            threads=threads,
        ),
        Figure(
            "another process sees a row, at the latest after",
            max(delays),
            "s",
            target=f"within {SEEN_TARGET} s",
            met=max(delays) < SEEN_TARGET,
            detail={"median, s": float(np.median(delays)), "rows": len(delays)},
            threads=threads,
        ),
        Figure(
            f"finish and seal a file of {ours.rows:,} rows",
            1e3 * ours.finish,
            "ms",
            threads=threads,
        ),
    ]


class RunFileSeconds(NamedTuple):
    """Seconds a row of `emit`, of flushed `emit_block`, into the pulses table, and of a procedure's `emit`.

    And how long it took to finish the file, s, when it had so many rows.
    """

    row: float
    block_row: float
    pulse: float
    announced: float
    finish: float
    rows: int


def _run_file(path: Path, rows: list[Row], blocks: list[Block], repeat: int) -> RunFileSeconds:
    table = Table("data", tuple(Column(name) for name in NAMES), signal=NAMES[1], axis=NAMES[0])
    header = RunHeader("streaming", "Streaming", "1", {})
    with RunWriter.create(path, header, Layout((table, PULSES), default="data")) as writer:
        stream = Stream(writer)

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

        def emit_and_announce() -> None:
            for row in rows:
                stream.emit("data", **row)
            writer.flush()

        seconds = [_a_row(work, repeat) for work in (emit, emit_blocks, emit_pulses, emit_and_announce)]
        began = time.perf_counter()
        writer.finish(Status.FINISHED)
        finish = time.perf_counter() - began
    with RunFile(path) as run:
        return RunFileSeconds(*seconds, finish, run.length("data") + run.length("pulses"))


def _delays(path: Path) -> list[float]:
    table = Table("data", (Column("time", "s"),), signal="time", axis="time")
    with RunWriter.create(path, RunHeader("following", "Streaming", "1", {}), Layout((table,))) as writer:
        return following.delays(writer, "data", "time", FOLLOWED)


def _images(path: Path, repeat: int) -> tuple[float, float]:
    """Return seconds an image: ours, of conductances as a chip has them, and h5py's."""
    levels = np.random.default_rng(2).choice(np.linspace(1e-6, 40e-6, 8), (IMAGES, SIDE, SIDE))
    images = levels * (1.0 + 0.01 * np.random.default_rng(3).standard_normal(levels.shape))
    cells = np.arange(SIDE)
    layout = Layout(maps=(Map("g", "S", cells, cells),))
    with RunWriter.create(path, RunHeader("images", "Streaming", "1", {}), layout) as writer:

        def snapshots() -> None:
            for image in images:
                writer.snapshot("g", image)
                writer.flush()

        ours = _a_row(snapshots, repeat, IMAGES)
    with closing(h5py.File(path.with_suffix(".plain.h5"), "w", libver="latest")) as file:
        stack = file.create_dataset(
            "g", (0, SIDE, SIDE), "f8", maxshape=(None, SIDE, SIDE), chunks=(1, SIDE, SIDE)
        )

        def plain() -> None:
            for image in images:
                stack.resize(len(stack) + 1, axis=0)
                stack[-1] = image
                file.flush()

        return ours, _a_row(plain, repeat, IMAGES)


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


def _h5py_blocks(path: Path, blocks: list[Block], repeat: int, **filters: Any) -> float:
    with closing(h5py.File(path, "w", libver="latest")) as file:
        datasets = _datasets(file, **filters)

        def write() -> None:
            for block in blocks:
                for name, dataset in datasets.items():
                    start = len(dataset)
                    dataset.resize(start + BLOCK, axis=0)
                    dataset[start:] = block[name]
                file.flush()

        return _a_row(write, repeat)


def _datasets(file: h5py.File, **filters: Any) -> dict[str, Any]:
    return {
        name: file.create_dataset(name, (0,), "f8", maxshape=(None,), chunks=(CHUNK,), **filters)
        for name in NAMES
    }


def _a_row(work: Callable[[], None], repeat: int, count: int = 0) -> float:
    return median_seconds(work, repeat) / (count or ROWS)
