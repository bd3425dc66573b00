"""Placement of blocks on physical rows and columns, as compact as the known bad cells allow."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ArrayMap
from mho.errors import ChipMapError

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Placement:
    """A block of digits on an array: physical rows and columns, in the block's own order."""

    array: str
    rows: Index
    columns: Index

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the block."""
        return len(self.rows), len(self.columns)

    def within_segment(self, array: ArrayMap) -> Placement:
        """Return the lines as counted from the beginning of their segments, where their wires begin."""
        if array.segment is None:
            return self
        return Placement(self.array, self.rows % array.segment, self.columns % array.segment)

    def cells(self) -> tuple[Index, Index]:
        """Physical row and column of every cell of the block, each (rows, columns)."""
        rows, columns = np.meshgrid(self.rows, self.columns, indexing="ij")
        return rows, columns


def place(array: ArrayMap, rows: int, columns: int) -> Placement:
    """Find `rows` x `columns` good cells, nearest to the array's origin.

    Rows and columns with a bad cell are avoided greedily, worst first: a column is dropped where there are
    spare columns, else the row.

    Raises
    ------
    ChipMapError
        When the block does not fit, with the size that would.
    """
    good_rows, good_columns = _good_lines(array, rows, columns)
    if len(good_rows) < rows or len(good_columns) < columns:
        raise ChipMapError(
            f"a block of {rows} x {columns} cells does not fit array {array.name!r} of {array.rows} x {array.columns}: "
            f"{len(good_rows)} x {len(good_columns)} are left beside its {len(array.bad_cells)} known bad cells"
        )
    return Placement(array.name, good_rows[:rows], good_columns[:columns])


def place_tiles(array: ArrayMap, rows: int, columns: int, width: int) -> tuple[Placement, ...]:
    """Split a block of many columns into tiles of at most `width` columns, stacked near the origin.

    Tiles share no cell. Stacking them in a square keeps the wires short. One tile is connected at a time, so
    `width` limits the current in one line's wire.

    Raises
    ------
    ChipMapError
        When the tiles do not fit, with the number of columns that do.
    """
    width = min(width, array.columns)
    count = -(-columns // width)
    if rows > array.rows:
        raise ChipMapError(f"array {array.name!r} has {array.rows} rows; {rows} are needed")
    most = array.rows // rows
    square = min(max(round((count * width / rows) ** 0.5), 1), most)
    room = 0
    for wanted in (square, most):  # a narrow array gets a single stack instead of a square
        across = min(-(-count // wanted), array.columns // width)
        good_rows, good_columns = _good_lines(array, wanted * rows, across * width)
        down, across = min(wanted, len(good_rows) // rows), len(good_columns) // width
        room = max(room, down * across)
        if room >= count:
            break
    else:
        raise ChipMapError(
            f"{columns} columns of {rows} cells do not fit array {array.name!r} of {array.rows} x {array.columns}: "
            f"{room * width} do; use fewer bits or a smaller matrix"
        )
    places = sorted(
        ((i, j) for i in range(down) for j in range(across)), key=lambda t: (t[0] * rows + t[1] * width, t)
    )[:count]
    tiles = []
    for number, (i, j) in enumerate(places):
        wide = min(width, columns - number * width)
        tiles.append(
            Placement(
                array.name, good_rows[i * rows : (i + 1) * rows], good_columns[j * width : j * width + wide]
            )
        )
    return tuple(tiles)


def _good_lines(array: ArrayMap, rows: int, columns: int) -> tuple[Index, Index]:
    """Return rows and columns whose crossings contain no known bad cell."""
    bad = np.zeros((array.rows, array.columns), dtype=bool)
    for row, column in array.bad_cells:
        bad[row, column] = True
    keep_rows, keep_columns = np.ones(array.rows, bool), np.ones(array.columns, bool)
    while True:
        left = bad & keep_rows[:, None] & keep_columns
        if not left.any():
            return np.flatnonzero(keep_rows), np.flatnonzero(keep_columns)
        per_row, per_column = left.sum(axis=1), left.sum(axis=0)
        spare_rows, spare_columns = keep_rows.sum() - rows, keep_columns.sum() - columns
        if per_column.max() * max(spare_columns, 0) >= per_row.max() * max(spare_rows, 0):
            keep_columns[np.argmax(per_column)] = False
        else:
            keep_rows[np.argmax(per_row)] = False


def free_corners(
    array: ArrayMap, rows: int, columns: int, bad: Collection[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield the first row and column of blocks of one size that lie within segments, share no cell, and hold no bad one."""
    for top in _starts(array.rows, array.stretch[0], rows):
        for left in _starts(array.columns, array.stretch[1], columns):
            if not any(top <= r < top + rows and left <= c < left + columns for r, c in bad):
                yield top, left


def _starts(lines: int, segment: int, size: int) -> list[int]:
    return [
        first + start
        for first in range(0, lines, segment)
        for start in range(0, segment - size + 1, size)
        if first + start + size <= lines
    ]
