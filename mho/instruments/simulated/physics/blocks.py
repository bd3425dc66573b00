"""Splitting a block of cells into pieces of rows that fit the processor's cache.

NumPy asks for huge pages (2 MB, `MADV_HUGEPAGE`) where an array is large: the first read of one cell would then fill one of
each process of its noise, 22 MB in all, and take longer than everything else about the read.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

LARGE = 1 << 22  # bytes from which NumPy asks for huge pages
# Windows has neither of them
PRIVATE: dict[str, Any] = {"flags": getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)}


def zeros_by_page(shape: tuple[int, ...], dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """Return an array of zeros, as `numpy.zeros`, whose pages are small where the system has memory by the page."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < LARGE or not PRIVATE["flags"]:
        return np.zeros(shape, dtype)
    memory = mmap.mmap(-1, size, **PRIVATE)
    return np.frombuffer(memory, dtype).reshape(shape)


Index = Any  # any index of a two-dimensional array

PIECE = 8192  # cells: a dozen float32 temporaries of it fit the second-level cache
SHORT = 4 * PIECE  # cells of a list that is not worth splitting


def pieces(index: Index, shape: tuple[int, int], size: int = PIECE) -> Iterator[tuple[Index, Index]]:
    """Split the selection `index` of an array of `shape` along its rows: yield index and position in ``array[index]`` of
    each.

    An index other than slices or an open grid ``(rows[:, None], columns)`` is one piece.
    """
    rows: Any
    columns: Any
    rows, columns = index if isinstance(index, tuple) and len(index) == 2 else (index, slice(None))
    if isinstance(rows, slice) and isinstance(columns, slice):
        lines: Any = range(*rows.indices(shape[0]))
        width = len(range(*columns.indices(shape[1])))
    elif isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.shape[1] == 1 and rows.dtype != bool:
        lines, width = rows, np.size(columns)
    else:
        yield index, ...
        return
    height = max(size // max(width, 1), 1)
    for start in range(0, len(lines), height):
        part = slice(start, start + height)
        some = lines[part]
        yield (_as_slice(some) if isinstance(some, range) else some, columns), part


def is_list(index: Index) -> bool:
    """Return whether a selection is cells of one column, by an array of their rows: what `stretches` splits."""
    return (
        isinstance(index, tuple) and len(index) == 2 and isinstance(index[0], np.ndarray)
        and index[0].dtype != bool and isinstance(index[1], int)
    )  # fmt: skip


def stretches(index: tuple[np.ndarray[Any, Any], int]) -> Iterator[tuple[Index, slice]]:
    """Split a long list of cells, ``(rows, column)``: yield index and position, row after row, of each piece.

    Rows that follow each other become a slice, which needs no copy.
    """
    rows, column = index[0].reshape(-1), index[1]
    size = PIECE if len(rows) > SHORT else SHORT
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        yield (as_slice(some), column), slice(start, start + len(some))


def as_slice(rows: np.ndarray[Any, Any]) -> Index:
    """Return rows, at least one, as a slice where they follow each other."""
    if rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def is_whole(index: Index) -> bool:
    """Return whether `pieces` leaves the selection `index` in one piece for any size."""
    rows = index[0] if isinstance(index, tuple) and len(index) == 2 else index
    return isinstance(rows, np.ndarray) and not (rows.ndim == 2 and rows.shape[1] == 1)


def _as_slice(lines: range) -> slice:
    return slice(lines.start, None if lines.stop < 0 else lines.stop, lines.step)


def some(cells: Any) -> bool:
    """Return whether any of the `cells`, a mask over many or over one, are meant."""
    return bool(cells.any() if cells.ndim else cells)


def put_where(new: Sequence[tuple[Any, Any]], index: Index, changed: Any) -> None:
    """Set states of the `changed` cells at `index` to values: pairs of a state's array, and one value or one for each."""
    if changed.ndim == 0 or changed.all():
        for state, value in new:
            state[index] = value
    elif is_list(index):
        places = np.flatnonzero(changed)
        rows = index[0].reshape(-1)[places], index[1]
        for state, value in new:
            state[rows] = value.reshape(-1)[places] if np.ndim(value) else value
    else:
        for state, value in new:
            state[index] = np.where(changed, value, state[index])
