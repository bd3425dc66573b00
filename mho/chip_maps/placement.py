"""Placement of blocks on physical rows and columns, as compact as the known bad cells allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Integers
from mho.chip_maps.chip import ArrayMap
from mho.errors import ChipMapError

EVERY = slice(None)


@dataclass(frozen=True)
class Placement:
    """A block of digits on an array: physical rows and columns, in the block's own order."""

    array: str
    rows: Integers
    columns: Integers

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the block."""
        return len(self.rows), len(self.columns)

    def within_segment(self, array: ArrayMap) -> Placement:
        """Return the lines as counted from the beginning of their segments, where their wires begin."""
        if array.segment is None:
            return self
        return Placement(self.array, self.rows % array.segment, self.columns % array.segment)

    def cells(self) -> tuple[Integers, Integers]:
        """Physical row and column of every cell of the block, each (rows, columns)."""
        rows, columns = np.meshgrid(self.rows, self.columns, indexing="ij")
        return rows, columns


def place(array: ArrayMap, rows: int, columns: int) -> Placement:
    """Find `rows` x `columns` good cells, nearest to the array's origin, within one segment where they fit into one.

    Rows and columns with a bad cell are avoided greedily, worst first: a column is dropped where there are others
    left, else the row. Spare lines are used only in place of dropped ones. Raises `ChipMapError` when the block does
    not fit: what is left beside which defects, and whether the spare lines are used up.
    """
    best, bad = None, known_bad(array)
    for region in _regions(array, rows, columns):
        good_lines = _good_lines(array, bad, rows, columns, *region)
        if good_lines.hold(rows, columns):
            return Placement(array.name, good_lines.rows[:rows], good_lines.columns[:columns])
        if best is None or len(good_lines.rows) * len(good_lines.columns) > len(best.rows) * len(
            best.columns
        ):
            best = good_lines
    assert best is not None
    raise ChipMapError(
        f"a block of {rows} x {columns} cells does not fit array {array.name!r} of {array.rows} x {array.columns}: "
        f"{best.why(array, rows, columns)}"
    )


def place_tiles(array: ArrayMap, rows: int, columns: int, width: int) -> tuple[Placement, ...]:
    """Split a block of many columns into tiles of at most `width` columns, stacked near the origin.

    Tiles share no cell. Stacking them in a square keeps the wires short. One tile is connected at a time, so `width`
    limits the current in one line's wire. Raises `ChipMapError` when the tiles do not fit, with the number of columns
    that do.
    """
    width = min(width, array.columns - array.spare_columns)
    count = -(-columns // width)
    usable = array.rows - array.spare_rows
    if rows > usable:
        spare = f", {array.spare_rows} of them spare ones" if array.spare_rows else ""
        raise ChipMapError(f"array {array.name!r} has {array.rows} rows{spare}; {rows} are needed")
    most = usable // rows
    square = min(max(round((count * width / rows) ** 0.5), 1), most)
    room, bad = 0, known_bad(array)
    for stacks in (square, most):  # a narrow array gets a single stack instead of a square
        across = min(-(-count // stacks), (array.columns - array.spare_columns) // width)
        good = _good_lines(array, bad, stacks * rows, across * width)
        good_rows, good_columns = good.rows, good.columns
        down, across = min(stacks, len(good_rows) // rows), len(good_columns) // width
        room = max(room, down * across)
        if room >= count:
            break
    else:
        raise ChipMapError(
            f"{columns} columns of {rows} cells do not fit array {array.name!r} of {array.rows} x {array.columns}: "
            f"{room * width} do{good.beside(array)}; use fewer bits or a smaller matrix"
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


def free_places(array: ArrayMap, rows: int, columns: int) -> Iterator[tuple[Integers, Integers]]:
    """Yield the lines of blocks of one size that lie within segments, share no cell, and hold no bad one.

    With spare lines a block goes around bad cells; without, its lines are neighbours, and a place with a bad cell is left
    out.
    """
    bad = known_bad(array)
    if not (array.spare_rows or array.spare_columns):
        for top in _starts(array.rows, array.stretch[0], rows):
            for left in _starts(array.columns, array.stretch[1], columns):
                if not bad[top : top + rows, left : left + columns].any():
                    yield top + np.arange(rows), left + np.arange(columns)
        return
    tall, wide = (room // size * size for room, size in zip(array.stretch, (rows, columns), strict=True))
    for down, across in _regions(array, rows, columns) if tall and wide else ():
        good = _good_lines(array, bad, tall, wide, down, across)
        for top in range(0, len(good.rows) - rows + 1, rows):
            for left in range(0, len(good.columns) - columns + 1, columns):
                yield good.rows[top : top + rows], good.columns[left : left + columns]


def _starts(lines: int, segment: int, size: int) -> list[int]:
    return [
        first + start
        for first in range(0, lines, segment)
        for start in range(0, segment - size + 1, size)
        if first + start + size <= lines
    ]


def shared(arrays: Sequence[ArrayMap]) -> ArrayMap:
    """Return the first of arrays that share rows and columns, with the defects of all of them."""
    joined = {
        name: tuple(dict.fromkeys(one for array in arrays for one in getattr(array, name)))
        for name in ("bad_cells", "bad_rows", "bad_columns")
    }
    return arrays[0].model_copy(update=joined)


def defects_text(array: ArrayMap) -> str:
    """Return in words how many defects are known, to follow what an array has room for; "" without any."""
    return f", beside {array.defects} known defects" if array.defects else ""


def known_bad(array: ArrayMap) -> NDArray[np.bool_]:
    """Return which cells of an array are known to be bad, (rows, columns)."""
    bad: NDArray[np.bool_] = np.zeros((array.rows, array.columns), dtype=np.bool_)
    bad[list(array.bad_rows)] = True
    bad[:, list(array.bad_columns)] = True
    if array.bad_cells:
        bad[tuple(np.transpose(array.bad_cells))] = True
    return bad


@dataclass(frozen=True)
class GoodLines:
    """Lines whose crossings hold no known bad cell."""

    # rows, columns: no more of them than there are without the spare ones
    rows: Integers
    columns: Integers
    # dropped_rows, dropped_columns: those that were given up
    dropped_rows: Integers
    dropped_columns: Integers

    def hold(self, rows: int, columns: int) -> bool:
        """Return whether a block of this size fits."""
        return len(self.rows) >= rows and len(self.columns) >= columns

    def why(self, array: ArrayMap, rows: int, columns: int) -> str:
        """Return in words why a block does not fit."""
        left = f"{len(self.rows)} x {len(self.columns)} are left"
        whole = "" if array.stretch[0] >= rows and array.stretch[1] >= columns else self._unspared(array)
        return left + (self.beside(array) or " beside its 0 known bad cells") + whole

    def beside(self, array: ArrayMap) -> str:
        """Return in words what limits the array: its defects, the lines given up for them, and its spare lines."""
        if not array.defects:
            return ""
        cells = len(set(array.bad_cells))
        text = f" beside its {cells} known bad cells"
        text += f" and {array.defects - cells} bad lines" if array.defects > cells else ""
        given_up, used_up = [], ""
        for what, spare, lines in (
            ("rows", array.spare_rows, self.dropped_rows),
            ("columns", array.spare_columns, self.dropped_columns),
        ):
            given_up += [f"{what} {_some(lines)}"] if len(lines) else []
            used_up += f"; the {spare} spare {what} are used up" if 0 < spare < len(lines) else ""
        return text + (f" ({' and '.join(given_up)} given up)" if given_up else "") + used_up

    def _unspared(self, array: ArrayMap) -> str:
        if not (array.spare_rows or array.spare_columns):
            return ""
        spare = f"{array.spare_rows} spare rows and {array.spare_columns} spare columns"
        return f"; its {spare} only stand in for defective ones"


def _good_lines(
    array: ArrayMap, bad: NDArray[np.bool_], rows: int, columns: int, down: slice = EVERY,
    across: slice = EVERY,
) -> GoodLines:  # fmt: skip
    """Return the lines of a part of the array, its rows `down` and columns `across`, for a block of `rows` x `columns`."""
    numbers = np.arange(array.rows)[down], np.arange(array.columns)[across]
    bad = np.asarray(bad[down, across])
    usable = len(numbers[0]) - array.spare_rows, len(numbers[1]) - array.spare_columns
    if not bad.any():
        good_rows, good_columns = (lines[:count] for lines, count in zip(numbers, usable, strict=True))
        return GoodLines(good_rows, good_columns, numbers[0][:0], numbers[1][:0])
    keep_rows, keep_columns = (np.asarray(~bad.all(axis=axis)) for axis in (1, 0))
    left = bad & keep_rows[:, None] & keep_columns
    per_row, per_column = left.sum(axis=1), left.sum(axis=0)
    while per_row.any():
        over_rows, over_columns = keep_rows.sum() - rows, keep_columns.sum() - columns
        if per_column.max() * max(over_columns, 0) >= per_row.max() * max(over_rows, 0):
            worst = int(np.argmax(per_column))
            keep_columns[worst], per_column[worst] = False, 0
            per_row = per_row - (bad[:, worst] & keep_rows)
        else:
            worst = int(np.argmax(per_row))
            keep_rows[worst], per_row[worst] = False, 0
            per_column = per_column - (bad[worst] & keep_columns)
    return GoodLines(
        numbers[0][keep_rows][: usable[0]],
        numbers[1][keep_columns][: usable[1]],
        numbers[0][~keep_rows],
        numbers[1][~keep_columns],
    )


def _regions(array: ArrayMap, rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Yield the parts of an array in which a block may lie: its segments, or the whole where the block is larger."""
    if array.segment is None or rows > array.stretch[0] or columns > array.stretch[1]:
        yield EVERY, EVERY
        return
    size = array.segment
    for top in range(0, array.rows, size):
        for left in range(0, array.columns, size):
            yield slice(top, top + size), slice(left, left + size)


def _some(lines: Integers, shown: int = 5) -> str:
    """Return line numbers in words, the first few of many."""
    more = f" and {len(lines) - shown} more" if len(lines) > shown else ""
    return ", ".join(map(str, lines[:shown].tolist())) + more
