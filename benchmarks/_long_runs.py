"""Run files of many gigabytes in seconds: a table of small rows or of waves, whose chunks are the same compressed bytes."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from mho.runs import Column, Figure, Layout, RunHeader, RunWriter, Table

SIZE = float(os.environ.get("MHO_BENCHMARK_GIGABYTES", "10"))  # of the largest, GB

CHUNK_ROWS = 1 << 16
COLUMNS = (
    Column("time", "s"),
    Column("row", dtype="u2"),
    Column("column", dtype="u2"),
    Column("level", dtype="i4"),
    Column("voltage", "V"),
    Column("current", "A"),
    Column("conductance", "S"),
)
FIGURES = (
    Figure("current", table="points", x="time", y="current"),
    Figure("two", table="points", x="time", y=("current", "voltage")),
    Figure("levels", table="points", x="time", y="conductance", by="level"),
    Figure("cells", table="points", x="time", y="conductance", by=("row", "column")),
    Figure("drift", kind="errorbars", table="points", x="level", y="conductance"),
    Figure("scatter", kind="scatter", table="points", x="voltage", y="current"),
    Figure("counts", kind="histogram", table="points", x="conductance"),
    Figure("shares", kind="distribution", table="points", x="conductance", by="level"),
)
"""One of each way in which a long table is drawn."""

ROW_BYTES = 8 * 4 + 2 * 2 + 4

WAVE_VALUES = 1 << 17
WAVE_COLUMNS = (Column("time", "s"), Column("wave", "V", shape=(WAVE_VALUES,)))
WAVE_FIGURES = (
    Figure("waves", table="waves", y="wave"),
    Figure("counts", kind="histogram", table="waves", x="wave"),
)


def long_run(path: Path, size: float) -> int:
    """Write a run whose table holds `size` bytes uncompressed in small rows; return their number.

    The rows of a chunk differ as reads of 64 cells of 8 levels with noise do; every chunk repeats them, so that the file is
    written in seconds and read as any other.
    """
    rng = np.random.default_rng(1)
    cell = np.arange(CHUNK_ROWS) % 64
    conductance = 5e-6 * (cell % 8) + 1e-7 * rng.standard_normal(CHUNK_ROWS)
    block = {
        "time": np.arange(CHUNK_ROWS, dtype=float),
        "row": cell // 8,
        "column": cell % 8,
        "level": cell % 8,
        "voltage": np.full(CHUNK_ROWS, 0.2),
        "current": 0.2 * conductance,
        "conductance": conductance,
    }
    chunks = max(1, round(size / ROW_BYTES / CHUNK_ROWS))
    layout = Layout((Table("points", COLUMNS),), figures=FIGURES)
    return _written(path, RunHeader("A long run", "Retention", "1", {}), layout, block, chunks)


def long_waves(path: Path, size: float) -> int:
    """Write a run whose table holds `size` bytes uncompressed in waves of 1 MB of a 12-bit converter; return how many."""
    turns = np.linspace(0.0, 20.0 * np.pi, WAVE_VALUES)
    noise = 0.003 * np.random.default_rng(1).standard_normal(WAVE_VALUES)
    wave = np.round((np.sin(turns) + noise) * 2047.0) / 2047.0
    block = {"time": np.zeros(1), "wave": wave[None]}
    layout = Layout((Table("waves", WAVE_COLUMNS, "wave"),), figures=WAVE_FIGURES)
    return _written(
        path, RunHeader("Long waves", "Waves", "1", {}), layout, block, max(1, round(size / wave.nbytes))
    )


LONG: dict[str, tuple[Callable[[Path, float], int], tuple[Figure, ...]]] = {
    "small rows": (long_run, FIGURES),
    "waves of 1 MB": (long_waves, WAVE_FIGURES),
}
"""What writes a long run, and its figures, by what its table holds."""


def _written(path: Path, header: RunHeader, layout: Layout, block: dict[str, np.ndarray], chunks: int) -> int:
    """Write a run of one table that repeats a block of rows as its chunks; return the number of rows."""
    (declared,) = layout.tables
    rows = len(block["time"])
    with RunWriter.create(path, header, layout) as run:
        run.emit_block(
            declared.name, {one.name: np.zeros((1, *one.shape), one.dtype) for one in declared.columns}
        )
        run.set_result({})
    with h5py.File(path, "r+") as file:
        table = file["entry"][declared.name]
        for column in declared.columns:
            attributes = dict(table[column.name].attrs)
            del table[column.name]
            made = table.create_dataset(
                column.name,
                (chunks * rows, *column.shape),
                column.dtype,
                maxshape=(None, *column.shape),
                chunks=(rows, *column.shape),
                compression="gzip",
            )
            made.attrs.update(attributes)
            packed = zlib.compress(np.asarray(block[column.name], column.dtype).tobytes(), 1)
            for chunk in range(chunks):
                made.id.write_direct_chunk((chunk * rows, *(0 for _ in column.shape)), packed)
    return chunks * rows
