"""Reads the values of a run file by row numbers, when they are asked for, from an open run or one that is opened for it.

A dataset outlives the ``with`` block of its run, and goes to the workers of dask: so the values know the file, and open it
anew where it was closed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mho.analysis.datasets.grids import GridCandidate, TableGrid, find_grid, grid_with_gaps
from mho.runs import RunFile

BLOCK_BYTES = 8 << 20  # read at a time


@dataclass(frozen=True)
class StoredValues:
    """A column of a table, the images or an axis of a map, or an array, by its rows."""

    path: Path
    kind: Literal["table", "maps", "arrays"]
    group: str  # name of the table, map or array
    column: str  # of the table; of a map ``value``, ``time``, ``row`` or ``column``
    shape: tuple[int, ...]  # as of when the run was looked at: rows that come later are no part of it
    dtype: np.dtype[Any]
    unit: str = ""
    description: str = ""
    # Values behind a row's own length are masked: NaN, whole numbers become floats for it
    ragged: bool = False
    run: RunFile | None = field(default=None, compare=False, repr=False)  # used while it is open

    def __getstate__(self) -> dict[str, Any]:
        return vars(replace(self, run=None))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @property
    def block_rows(self) -> int:
        """Rows that make up `BLOCK_BYTES`."""
        return max(1, BLOCK_BYTES // max(1, self.dtype.itemsize * math.prod(self.shape[1:])))

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Return rows `start` to `stop` (rows, *own shape); raises `RunFileError` where the file is damaged."""
        length = self.shape[0] if self.shape else 1
        stop = length if stop is None else min(stop, length)
        if self.run is not None and self.run.is_open:
            return self._read(self.run, start, stop)
        with RunFile(self.path, whole=False) as run:
            return self._read(run, start, stop)

    def blocks(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield first row and values of each block; an array is read whole."""
        if self.kind == "arrays":
            yield 0, self.read()
            return
        for start in range(0, self.shape[0], self.block_rows):
            yield start, self.read(start, start + self.block_rows)

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
        for start in range(low, high, self.block_rows):
            first, last = np.searchsorted(rising, [start, start + self.block_rows])
            if first < last:
                begin, end = int(rising[first]), int(rising[last - 1]) + 1
                taken[order[first:last]] = self.read(begin, end)[rising[first:last] - begin]
        return taken.reshape((*rows.shape, *own))

    def _read(self, run: RunFile, start: int, stop: int) -> NDArray[Any]:
        match self.kind:
            case "table":
                values = run.column(self.group, self.column, start, stop)
                if not self.ragged:
                    return values
                lengths = run.column(self.group, f"{self.column}_length", start, stop)
                there = np.arange(values.shape[1]) < lengths[:, None]
                return np.where(there, values, np.array(np.nan, self.dtype)).astype(self.dtype, copy=False)
            case "maps" if self.column == "value":
                return run.images(self.group, start, stop)
            case "maps":
                if self.column == "time":
                    return run.map_times(self.group)[start:stop]
                return run.map_axes(self.group)[self.column == "column"][start:stop]
            case _:
                values = run.array(self.group)
                return values[start:stop] if values.ndim else values


def of_column(run: RunFile, table: str, column: str, rows: int, *, masked: bool = True) -> StoredValues:
    """Return the values of a column, cut to `rows`; if `masked`, NaN behind the lengths that another column has."""
    stored = run.stored(table, column)
    ragged = masked and len(stored.shape) == 2 and f"{column}_length" in run.units(table)
    dtype = np.dtype("f8") if ragged and stored.dtype.kind in "biu" else stored.dtype
    shape = (rows, *stored.shape[1:])
    facts = stored.unit, stored.description
    return StoredValues(run.path, "table", table, column, shape, dtype, *facts, ragged, run)


def of_map(run: RunFile, name: str, part: str = "value") -> StoredValues:
    """Return the images of a map, or what another `part` of it has: ``time``, ``row`` or ``column``."""
    stored = run.stored(f"maps/{name}", part)
    growing = part in ("time", "value")  # the numbers of lines have no unit either
    shape = (run.map_length(name), *stored.shape[1:]) if growing else stored.shape
    facts = stored.unit if growing else "", stored.description
    return StoredValues(run.path, "maps", name, part, shape, stored.dtype, *facts, run=run)


def of_array(run: RunFile, name: str) -> StoredValues:
    """Return the values of an array."""
    stored = run.stored(f"arrays/{name}")
    facts = stored.unit, stored.description
    return StoredValues(run.path, "arrays", name, "", stored.shape, stored.dtype, *facts, run=run)


def grid_of(
    run: RunFile,
    table: str,
    rows: int,
    *,
    lines: bool = True,
    gaps: bool = False,
    names: Collection[str] = (),
) -> TableGrid | None:
    """Return the grid that the first `rows` rows of a table fill, None where there is none; `lines` as of `find_grid`.

    With `gaps`, one that they fill in part, see `grid_with_gaps`; that of the columns `names`, where they are known.
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
    grid = None if names else find_grid(candidates, rows, lines=lines)
    if gaps and grid is None:
        return grid_with_gaps(candidates, rows, names)
    return grid
