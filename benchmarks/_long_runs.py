"""A run file of many gigabytes in a second: a table whose chunks are all the same compressed bytes."""

from __future__ import annotations

import zlib
from pathlib import Path

import h5py
import numpy as np

from mho.runs import Column, Figure, Layout, RunHeader, RunWriter, Table

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


def long_run(path: Path, size: float) -> int:
    """Write a run whose table holds `size` bytes uncompressed; return its number of rows.

    The rows of a chunk differ as reads of 64 cells of 8 levels with noise do; every chunk repeats them, so that the file is
    written in seconds and read as any other.
    """
    header = RunHeader("A long run", "Retention", "1", {})
    with RunWriter.create(path, header, Layout((Table("points", COLUMNS),), figures=FIGURES)) as run:
        run.emit_block("points", {column.name: np.zeros(1, column.dtype) for column in COLUMNS})
        run.set_result({})
    chunks = max(1, round(size / ROW_BYTES / CHUNK_ROWS))
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
    with h5py.File(path, "r+") as file:
        table = file["entry/points"]
        for column in COLUMNS:
            attributes = dict(table[column.name].attrs)
            del table[column.name]
            made = table.create_dataset(
                column.name, (chunks * CHUNK_ROWS,), column.dtype, maxshape=(None,), chunks=(CHUNK_ROWS,),
                compression="gzip",
            )  # fmt: skip
            made.attrs.update(attributes)
            packed = zlib.compress(np.asarray(block[column.name], column.dtype).tobytes(), 1)
            for chunk in range(chunks):
                made.id.write_direct_chunk((chunk * CHUNK_ROWS,), packed)
    return chunks * CHUNK_ROWS
