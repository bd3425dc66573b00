"""Finds whether the rows of a table are a full grid of some of its columns: cycle x row x column, each point once.

Most tables are written by loops within each other: the innermost column changes from row to row, the next one each time
that the inner one has gone through all its values. Such a grid is found column by column, block by block, in flat memory.
Rows in another order, as after sorting or with cells taken at random, are found among the whole numbers of a table that
fits into memory. Rows that fill at least half of a grid, as those of a sweep that was stopped, are such a grid with gaps;
no sparser outer product is ever made of a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Read = Callable[[int, int], NDArray[Any]]  # returns rows ``start`` to ``stop`` of a column

BLOCK_ROWS = 1 << 16  # rows of a column that are looked at at a time
MOST_VALUES = 1 << 22  # values that a column of a grid takes at most
MOST_SORTED_ROWS = 1 << 22
"""Rows of a table in which a grid in another order is sought: their order is kept in memory."""

MOST_DIMENSIONS = 6


@dataclass(frozen=True)
class TableGrid:
    """Rows of a table as points of a grid."""

    # The values of each key column, by its name: the dimensions, the slowest first
    coordinates: Mapping[str, NDArray[Any]]
    # The row of each point, in the shape of the grid, -1 in a gap; None where the rows lie in its order
    order: NDArray[np.int64] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Points along each dimension."""
        return tuple(len(values) for values in self.coordinates.values())


@dataclass(frozen=True)
class GridCandidate:
    """A column of single numbers that may be a key."""

    name: str
    dtype: np.dtype[Any]
    read: Read
    declared: bool = False  # the table declares it as its axis, or as what separates its curves

    @property
    def counts(self) -> bool:
        """Whether its values are whole."""
        return self.dtype.kind in "biu"


def find_grid(candidates: Sequence[GridCandidate], rows: int, *, lines: bool = True) -> TableGrid | None:
    """Return the grid that the rows of a table fill, None where there is none.

    Of `candidates` that say the same, the first is taken; with `lines`, a column that rises from row to row is a grid
    of one dimension.
    """
    if rows < 2:
        return None
    if line := _line([one for one in candidates if one.declared and one.counts], rows):
        return line if lines else None
    # loops within each other
    chain = _chain(
        [periodic for one in candidates if (periodic := _periodic(one, rows)) is not None], 1, rows
    )
    if chain is not None and len(chain) > 1:
        return TableGrid({one.name: one.values for one in reversed(chain)})
    return _sorted(candidates, rows) or (
        _line([one for one in candidates if one.declared or one.counts], rows) if lines else None
    )


@dataclass(frozen=True)
class _Periodic:
    """A column whose values come in turn, each `stride` times: row i has ``values[i // stride % len(values)]``."""

    name: str
    stride: int
    values: NDArray[Any]


def _chain(periodic: Sequence[_Periodic], stride: int, rows: int) -> list[_Periodic] | None:
    """Return columns, from the fastest on, each of which changes when the ones before have gone through their values."""
    if stride == rows:
        return []
    for one in periodic:
        if one.stride == stride and len(one.values) * stride <= rows:
            rest = _chain(periodic, stride * len(one.values), rows)
            if rest is not None and len(rest) < MOST_DIMENSIONS:
                return [one, *rest]
    return None


def _periodic(column: GridCandidate, rows: int) -> _Periodic | None:
    """Return stride and values of a column whose values come in turn; each column is read until it proves to be none."""
    stride = _first_change(column, rows)
    if not stride or rows % stride:  # 0 where the first is no number
        return None
    values = _turn(column, stride, rows)
    if values is None or rows % (stride * len(values)):
        return None
    for start, block in _blocks(column, rows):
        places = np.arange(start, start + len(block)) // stride % len(values)
        if not np.array_equal(block, values[places]):
            return None
    return _Periodic(column.name, stride, values)


def _first_change(column: GridCandidate, rows: int) -> int | None:
    first = column.read(0, 1)
    for start, block in _blocks(column, rows):
        changed = np.flatnonzero(block != first)
        if len(changed):
            return start + int(changed[0])
    return None


def _turn(column: GridCandidate, stride: int, rows: int) -> NDArray[Any] | None:
    """Return the values of a column until the first comes again; None for too many, or one that comes twice before."""
    parts: list[NDArray[Any]] = []
    first, count = column.read(0, 1), 0
    most = min(MOST_VALUES, rows // max(stride, 2))  # innermost, another column has two values
    for start, block in _blocks(column, rows):
        values = block[-start % stride :: stride].copy()  # a view would keep the block
        again = np.flatnonzero(values == first)
        again = again[again + count > 0]
        parts.append(values[: again[0]] if len(again) else values)
        count += len(parts[-1])
        if len(again) or count > most:
            break
    if count > most:
        return None
    values = np.concatenate(parts)
    return values if len(np.unique(values)) == count else None


def _sorted(candidates: Sequence[GridCandidate], rows: int) -> TableGrid | None:
    """Return a grid of whole numbers, and of what is declared, whose rows lie in any order; its coordinates rise."""
    if rows > MOST_SORTED_ROWS:
        return None
    keys = [
        (one.name, *np.unique(one.read(0, rows), return_inverse=True))
        for one in candidates
        if (one.counts or one.declared) and not _is_all_different(one, rows)
    ]
    keys = [key for key in keys if 1 < len(key[1]) < rows and np.array_equal(key[1], key[1])]
    grids = (
        _laid_out([keys[place] for place in chosen])
        for chosen in _subsets([len(key[1]) for key in keys], rows)
    )
    return next(filter(None, grids), None)


_Key = tuple[
    str, NDArray[Any], NDArray[np.intp]
]  # a column's name, its different values, and each row's place in them


def _laid_out(keys: Sequence[_Key]) -> TableGrid | None:
    """Return the grid of some columns, with gaps; None where two rows are at one point."""
    shape = tuple(len(values) for _, values, _ in keys)
    points = np.ravel_multi_index(tuple(places.reshape(-1) for _, _, places in keys), shape)
    order = np.full(math.prod(shape), -1, np.int64)
    order[points] = np.arange(len(points))
    if np.count_nonzero(order >= 0) < len(points):
        return None
    return TableGrid({name: values for name, values, _ in keys}, order.reshape(shape))


def grid_with_gaps(
    candidates: Sequence[GridCandidate], rows: int, names: Collection[str] = ()
) -> TableGrid | None:
    """Return the smallest grid of which the rows of a table fill at least half, each at a point of its own.

    `names`: its columns, where they are known: then it may be emptier. None where there is none.
    """
    if not 0 < rows <= MOST_SORTED_ROWS:
        return None
    keys: list[_Key] = []
    for one in candidates:
        if one.name in names or not (names or _is_all_different(one, rows)):
            values, places = np.unique(one.read(0, rows), return_inverse=True)
            if np.array_equal(values, values) and (names or 1 < len(values) <= rows / 2):
                keys.append((one.name, values, places))
    if names:
        keys.sort(key=lambda key: list(names).index(key[0]))
        full = len(keys) == len(names) and math.prod(len(key[1]) for key in keys) <= MOST_SORTED_ROWS
        return _laid_out(keys) if full else None
    chosen = [
        some
        for count in range(2, MOST_DIMENSIONS + 1)
        for some in combinations(keys, count)
        if rows <= math.prod(len(key[1]) for key in some) <= 2 * rows
    ]
    chosen.sort(key=lambda some: math.prod(len(key[1]) for key in some))
    return next(filter(None, map(_laid_out, chosen)), None)


def _is_all_different(column: GridCandidate, rows: int) -> bool:
    """Return whether no value of the first block comes again in it: no key of a long table is so."""
    return rows > BLOCK_ROWS and len(np.unique(column.read(0, BLOCK_ROWS))) == BLOCK_ROWS


def _subsets(counts: Sequence[int], rows: int, start: int = 0) -> Iterator[tuple[int, ...]]:
    """Yield the places of counts whose product is the number of rows, the first ones first."""
    for place in range(start, len(counts)):
        if counts[place] == rows:
            yield (place,)
        elif rows % counts[place] == 0:
            for rest in _subsets(counts, rows // counts[place], place + 1):
                if len(rest) < MOST_DIMENSIONS:
                    yield (place, *rest)


def _line(candidates: Sequence[GridCandidate], rows: int) -> TableGrid | None:
    """Return the one dimension of a table in which a column rises from row to row; what is declared comes first."""
    for one in sorted(candidates, key=lambda one: not one.declared):
        if rows <= MOST_SORTED_ROWS and _rises(one, rows):
            return TableGrid({one.name: one.read(0, rows)})
    return None


def _rises(column: GridCandidate, rows: int) -> bool:
    last = column.read(0, 1)
    for start, block in _blocks(column, rows):
        known = block if not start else np.concatenate([last, block])
        if not (known[1:] > known[:-1]).all():
            return False
        last = block[-1:]
    return True


def _blocks(column: GridCandidate, rows: int) -> Iterator[tuple[int, NDArray[Any]]]:
    for start in range(0, rows, BLOCK_ROWS):
        yield start, column.read(start, min(start + BLOCK_ROWS, rows))


def rows_of(
    grid_shape: tuple[int, ...], order: NDArray[np.int64] | None, key: Sequence[Any]
) -> NDArray[np.int64]:
    """Return the rows of the points that `key` (a slice or a whole number a dimension) takes, in its shape."""
    if order is not None:
        return np.asarray(order[tuple(key)])
    rows = np.zeros((), np.int64)
    for place, (one, length) in enumerate(zip(key, grid_shape, strict=True)):
        stride = math.prod(grid_shape[place + 1 :])
        along = np.arange(length, dtype=np.int64)[one] * stride
        rows = rows[..., None] + along if isinstance(one, slice) else rows + along
    return rows
