"""Which lines of an array a form names: ``0:8`` or ``0:8:2, 12`` as row or column numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ArrayMap
from mho.errors import ChipMapError, InputError

_PART = re.compile(r"(\d{1,6})(?::(\d{1,6})(?::(\d{1,6}))?)?")


@dataclass(frozen=True)
class CellRange:
    """Where some rows and columns cross, in the order in which they are visited.

    Attributes
    ----------
    rows, columns : (m,), (n,) arrays
        Line numbers.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @classmethod
    def parse(cls, rows: str, columns: str) -> CellRange:
        """Return the range that a form names; `InputError` as `parse_lines`."""
        return cls(parse_lines(rows, "rows"), parse_lines(columns, "columns"))

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and columns."""
        return len(self.rows), len(self.columns)

    @property
    def count(self) -> int:
        """How many cells."""
        return len(self.rows) * len(self.columns)

    def ascending(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return an image of the cells, (rows, columns) as visited, with its lines in ascending order as maps have them."""
        return values[np.ix_(np.argsort(self.rows), np.argsort(self.columns))]


def parse_lines(text: str, what: str) -> NDArray[np.int64]:
    """Return the line numbers in `text`, in the order written.

    Parameters
    ----------
    text : str
        Numbers and ranges ``first:end`` or ``first:end:step`` (`end` is not included), apart by commas.
    what : str
        "rows" or "columns", for the error.

    Raises
    ------
    InputError
        For anything else, for no line at all, and for one named twice.
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


def check_inside(array: ArrayMap, cells: CellRange) -> None:
    """Raise `ChipMapError` when a line lies outside the array."""
    for what, lines, count in (("row", cells.rows, array.rows), ("column", cells.columns, array.columns)):
        if lines.max() >= count:
            raise ChipMapError(
                f"array {array.name!r} has {count} {what}s, 0 to {count - 1}; {what} {lines.max()} is not among them"
            )
