"""The selected cells of an array, and their text for a form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Booleans
from mho.errors import InputError


@dataclass(frozen=True)
class Selection:
    """A set of cells: those that are True in a mask of the array."""

    mask: Booleans

    @classmethod
    def nothing(cls, shape: tuple[int, int]) -> Selection:
        """Return the empty selection of an array of this shape."""
        return cls(np.zeros(shape, dtype=bool))

    def rectangle(self, first: tuple[int, int], last: tuple[int, int]) -> Booleans:
        """Return the cells between two corners, both included, as far as the array reaches."""
        mask = np.zeros_like(self.mask)
        (top, bottom), (left, right) = (sorted(ends) for ends in zip(first, last, strict=True))
        mask[max(top, 0) : max(bottom + 1, 0), max(left, 0) : max(right + 1, 0)] = True
        return mask

    def with_cells(self, cells: Booleans) -> Selection:
        """Return the selection with `cells` added."""
        return Selection(self.mask | cells)

    def without(self, cells: Booleans) -> Selection:
        """Return the selection with `cells` taken away."""
        return Selection(self.mask & ~cells)

    @property
    def count(self) -> int:
        """Number of selected cells."""
        return int(self.mask.sum())

    @property
    def rows(self) -> str:
        """The rows that hold a selected cell, as `mho.procedures.cell_range.parse_lines` reads them."""
        return lines_text(np.flatnonzero(self.mask.any(axis=1)))

    @property
    def columns(self) -> str:
        """The columns that hold a selected cell, likewise."""
        return lines_text(np.flatnonzero(self.mask.any(axis=0)))

    @property
    def crossings(self) -> int:
        """Number of cells at the crossings of `rows` and `columns`, which may exceed the selection."""
        return int(self.mask.any(axis=1).sum() * self.mask.any(axis=0).sum())

    def describe(self) -> str:
        """Describe the selection, and the lines that a form makes of it."""
        if not self.count:
            return "no cell selected: drag over cells (Ctrl adds, Shift takes away)"
        cells = f"{self.count:,} cell{'' if self.count == 1 else 's'} selected"
        lines = f"rows {self.rows}, columns {self.columns}"
        if self.crossings == self.count:
            return f"{cells}: {lines}"
        return f"{cells}; a form takes {self.crossings:,}: {lines}"


def lines_text(lines: NDArray[np.int64]) -> str:
    """Return ascending line numbers as text: ``0:8, 12, 20:40:2``."""
    return ", ".join(_parts([int(line) for line in lines]))


def _parts(lines: list[int]) -> Iterator[str]:
    """Cut off runs of equal steps, longest first from the left; only steps of 1, or three lines and more."""
    start = 0
    while start < len(lines):
        end = start + 1
        step = lines[end] - lines[start] if end < len(lines) else 1
        while end < len(lines) and lines[end] - lines[end - 1] == step:
            end += 1
        if step != 1 and end - start < 3:
            end = start + 1
        if end - start == 1:
            yield str(lines[start])
        else:
            yield f"{lines[start]}:{lines[end - 1] + 1}" + (f":{step}" if step != 1 else "")
        start = end


def load_mask(path: str, shape: tuple[int, int]) -> Booleans:
    """Return the cells for which a file (.npy, .csv, .mtx) of the array's shape holds anything but 0; else `InputError`."""
    from mho.chip_maps.matrix_files import load_digits  # late, for scipy takes long to import

    mask: Booleans = load_digits(path) != 0
    if mask.shape != shape:
        raise InputError(
            f"mask {path} has {mask.shape[0]} x {mask.shape[1]} cells, the array {shape[0]} x {shape[1]}; "
            "give one number for each cell"
        )
    return mask
