"""Row or column numbers of an array as text: ``0:8`` or ``0:8:2, 12``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ArrayMap
from mho.errors import ChipMapError, InputError

_PART = re.compile(r"(\d{1,6})(?::(\d{1,6})(?::(\d{1,6}))?)?")


@dataclass(frozen=True)
class CellRange:
    """The cells at the crossings of some rows and columns, in the order of their visits."""

    # rows, columns: (m,), (n,): line numbers
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @classmethod
    def parse(cls, rows: str, columns: str) -> CellRange:
        """Parse the rows and columns of a form; raises as `parse_lines`."""
        return cls(parse_lines(rows, "rows"), parse_lines(columns, "columns"))

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return len(self.rows), len(self.columns)

    @property
    def count(self) -> int:
        """Number of cells."""
        return len(self.rows) * len(self.columns)

    def positions(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and column of each cell, in one list in the order of the visits: row by row."""
        return np.repeat(self.rows, len(self.columns)), np.tile(self.columns, len(self.rows))

    def ascending(self, values: NDArray[Any]) -> NDArray[Any]:
        """Reorder an image of the cells, (rows, columns) as visited, to ascending lines as in maps."""
        return values[np.ix_(np.argsort(self.rows), np.argsort(self.columns))]


def parse_lines(text: str, what: str) -> NDArray[np.int64]:
    """Return the line numbers in `text`, in the order written.

    `text`: numbers and ranges ``first:end`` or ``first:end:step`` (`end` is excluded), separated by commas; `what`:
    "rows" or "columns", for the error. Raises `InputError` for any other text, for no line at all, and for a repeated
    line.
    """
    lines: list[int] = []
    for part in str(text).split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise InputError(
                f"{what} {text!r}: {part.strip()!r} is neither a number nor a range such as 0:8 or 0:64:2"
            )
        first, end, step = match.groups()
        if end is None:
            lines.append(int(first))
        elif step is not None and int(step) == 0:
            raise InputError(f"{what} {text!r}: a step of 0 goes nowhere")
        else:
            lines.extend(range(int(first), int(end), int(step or 1)))
    if not lines:
        raise InputError(f"{what} {text!r} names no line; the end of a range is not included")
    if len(set(lines)) != len(lines):
        twice = next(line for line in lines if lines.count(line) > 1)
        raise InputError(f"{what} {text!r} names {twice} twice")
    return np.array(lines, dtype=np.int64)


def lines_text(lines: NDArray[np.int64]) -> str:
    """Return ascending line numbers as `parse_lines` reads them, neighbours as ranges."""
    edges = [0, *(np.flatnonzero(np.diff(lines) != 1) + 1).tolist(), len(lines)]
    stretches = [lines[first:last] for first, last in pairwise(edges)]
    return ", ".join(
        f"{one[0]}:{one[-1] + 1}" if len(one) > 1 or len(stretches) == 1 else f"{one[0]}" for one in stretches
    )


def check_inside(array: ArrayMap, cells: CellRange) -> None:
    """Raise `ChipMapError` when a line lies outside the array."""
    for what, lines, count in (("row", cells.rows, array.rows), ("column", cells.columns, array.columns)):
        if lines.max() >= count:
            raise ChipMapError(
                f"array {array.name!r} has {count} {what}s, 0 to {count - 1}; {what} {lines.max()} is not among them"
            )
