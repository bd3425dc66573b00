"""Reads the values of a run file by row numbers, when they are asked for, from an open run or one that is opened for it.

A dataset outlives the ``with`` block of its run, and goes to the workers of dask: so the values know the file, and open it
anew where it was closed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mho.analysis.datasets.grids import GridCandidate, TableGrid, find_grid
from mho.runs import RunFile

BLOCK_BYTES = 8 << 20  # read at a time where rows are picked


@dataclass(frozen=True)
class StoredValues:
    """A column of a table, the images of a map, or an array, by its rows."""

    path: Path
    kind: Literal["table", "maps", "arrays"]
    group: str  # name of the table, map or array
    column: str  # and of the column
    shape: tuple[int, ...]  # as of when the run was looked at: rows that come later are no part of it
    dtype: np.dtype[Any]
    # Values behind a row's own length are masked: NaN, whole numbers become floats for it
    ragged: bool = False
    run: RunFile | None = field(default=None, compare=False, repr=False)  # used while it is open

    def __getstate__(self) -> dict[str, Any]:
        return vars(replace(self, run=None))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows `start` to `stop` (rows, *own shape); raises `RunFileError` where the file is damaged."""
        if self.run is not None and self.run.is_open:
            return self._read(self.run, start, stop)
        with RunFile(self.path, whole=False) as run:
            return self._read(run, start, stop)

    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the values of `rows` (*shape of rows, *own shape), block by block of the file."""
        own = self.shape[1:]
        flat = rows.reshape(-1)
        if not len(flat):
            return np.empty((*rows.shape, *own), self.dtype)
        low, high = int(flat.min()), int(flat.max()) + 1
        if high - low == len(flat) and (np.diff(flat) == 1).all():
            return self.read(low, high).reshape((*rows.shape, *own))
        taken = np.empty((len(flat), *own), self.dtype)
        order = np.argsort(flat, kind="stable")
        rising = flat[order]
        step = max(1, BLOCK_BYTES // max(1, taken[:1].nbytes))
        for start in range(low, high, step):
            first, last = np.searchsorted(rising, [start, start + step])
            if first < last:
                begin, end = int(rising[first]), int(rising[last - 1]) + 1
                taken[order[first:last]] = self.read(begin, end)[rising[first:last] - begin]
        return taken.reshape((*rows.shape, *own))

    def _read(self, run: RunFile, start: int, stop: int) -> NDArray[Any]:
        match self.kind:
            case "table":
                values = run.column(self.group, self.column, start, stop)
                return self._masked(run, values, start, stop) if self.ragged else values
            case "maps":
                return run.images(self.group, start, stop)
            case _:
                return run.array(self.group)[start:stop]

    def _masked(self, run: RunFile, values: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
        lengths = run.column(self.group, f"{self.column}_length", start, stop)
        there = np.arange(values.shape[1]) < lengths[:, None]
        return np.where(there, values, np.array(np.nan, self.dtype)).astype(self.dtype, copy=False)


def of_column(run: RunFile, table: str, column: str, rows: int) -> StoredValues:
    """Return the values of a column, cut to `rows`; masked where another column has their lengths."""
    stored = run.stored(table, column)
    ragged = len(stored.shape) == 2 and f"{column}_length" in run.units(table)
    dtype = np.dtype("f8") if ragged and stored.dtype.kind in "biu" else stored.dtype
    return StoredValues(run.path, "table", table, column, (rows, *stored.shape[1:]), dtype, ragged, run)


def of_map(run: RunFile, name: str) -> StoredValues:
    """Return the images of a map."""
    stored = run.stored(f"maps/{name}")
    shape = (run.map_length(name), *stored.shape[1:])
    return StoredValues(run.path, "maps", name, "", shape, stored.dtype, run=run)


def of_array(run: RunFile, name: str) -> StoredValues:
    """Return the values of an array."""
    stored = run.stored(f"arrays/{name}")
    return StoredValues(run.path, "arrays", name, "", stored.shape, stored.dtype, run=run)


def grid_of(run: RunFile, table: str, rows: int, *, lines: bool = True) -> TableGrid | None:
    """Return the grid that the first `rows` rows of a table fill, None where there is none; `lines` as of `find_grid`.

    What the table plots is no key of it.
    """
    signal, axis = run.plotted(table)
    declared = {axis, run.series(table)}
    candidates = []
    for column in run.units(table):
        stored = run.stored(table, column)
        number = len(stored.shape) == 1 and stored.dtype.kind in "biuf"
        if number and (column != signal or column in declared):
            read = partial(run.column, table, column)
            candidates.append(GridCandidate(column, stored.dtype, read, column in declared))
    return find_grid(candidates, rows, lines=lines)
