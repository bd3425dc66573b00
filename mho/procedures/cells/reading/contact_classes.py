"""Classes of cells by what they conduct with the select transistor on and off, and whole lines that are broken.

    leaky      conducts with the transistor off: the selector does not select
    short      in compliance, or above any conductance that a cell can be programmed to
    good       formed: conducts as a cell does, or did once
    unformed   conducts less than a formed cell, but more than nothing, and never conducted before
    open       no more current with the transistor on than off

What the transistor lets through when it is off is taken off what is read when it is on: the meter's offset, and the
leakage of a line, are in both. A broken line is told as a line: its cells are all open, from some place to an end of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]

OPEN, SHORT, UNFORMED, GOOD, LEAKY = range(5)
NAMES = ("open", "short", "unformed", "good", "leaky")
NOT_READ = -1

FEWEST = 4
"""Cells of one class up to the end of a line from which the line is told, not the cells."""

TOLD = (OPEN, SHORT, LEAKY)
"""Classes that a broken or shorted line gives all its cells."""


@dataclass(frozen=True)
class Thresholds:
    """Bounds between the classes, S.

    Attributes
    ----------
    open_below : float
        At least what the noise of a reading passes for; below a virgin cell's own conductance, where the meter allows.
    formed_above : float
        As write-verify takes a cell as formed.
    short_above : float
        Beyond what a SET leaves at the highest word-line voltage.
    leaky_above : float
        With the transistor off: what would add up to a tenth of the lowest level over the cells of a line.
    """

    open_below: float
    formed_above: float
    short_above: float
    leaky_above: float


@dataclass(frozen=True)
class BrokenLine:
    """A stretch of a line, up to at least one end of the lines tested, whose cells are all of one class.

    Attributes
    ----------
    kind : "row" or "column"
    line : int
        Its number.
    what : int
        `OPEN`, `SHORT` or `LEAKY`.
    first, last : int
        Numbers of the crossing lines between which the cells lie, both included.
    whole : bool
        Whether these are all that were tested.
    """

    kind: str
    line: int
    what: int
    first: int
    last: int
    whole: bool

    def __str__(self) -> str:
        """Return it as a sentence tells it."""
        crossing = "column" if self.kind == "row" else "row"
        where = "" if self.whole else f" from {crossing} {self.first} to {self.last}"
        return f"{self.kind} {self.line} ({'bit' if self.kind == 'row' else 'source'} line) is {NAMES[self.what]}{where}"


def classify(
    on: Floats,
    off: Floats,
    limited: NDArray[np.bool_],
    thresholds: Thresholds,
    formed: NDArray[np.bool_] | np.bool_ = np.False_,
) -> Classes:
    """Return the class of each cell.

    Parameters
    ----------
    on, off : arrays of one shape
        Conductance with the transistor on, less what flows when it is off where that matters, and off, S. NaN, beyond the
        range of the meter, counts as infinite.
    limited : array of bool
        Whether the reading with the transistor on was in compliance.
    formed : array of bool
        Which have conducted before: in a deep RESET they conduct less than `Thresholds.formed_above`.
    """
    through = np.where(np.isnan(on), np.inf, on)
    short = limited | (through > thresholds.short_above)
    leaky = ~(np.abs(off) <= thresholds.leaky_above)
    return np.select(
        [leaky, short, through < thresholds.open_below, formed | (through >= thresholds.formed_above)],
        [LEAKY, SHORT, OPEN, GOOD],
        UNFORMED,
    ).astype(np.int64)


def broken_lines(
    classes: Classes, rows: NDArray[np.int64], columns: NDArray[np.int64], fewest: int = FEWEST
) -> list[BrokenLine]:
    """Return the lines that are open, shorted or leaky as lines: whole ones first, then those broken in the middle.

    A stretch counts while less than half of it is explained by others: where some rows are open, so are their crossings
    with every column.

    Parameters
    ----------
    classes : (rows, columns) array
    rows, columns : (rows,), (columns,) arrays
        Numbers of the lines, ascending.
    fewest : int
        Cells that a stretch has at least. A stretch that is not the whole line reaches one end of it.
    """
    found: list[BrokenLine] = []
    for what in TOLD:
        of_class = classes == what
        explained = np.zeros_like(of_class)
        for whole in (True, False):
            for kind, lines, crossing, turned in (
                ("row", rows, columns, False),
                ("column", columns, rows, True),
            ):
                cells, known = (one.T if turned else one for one in (of_class, explained))
                for line, one, told in zip(lines.tolist(), cells, known, strict=True):
                    for part in _stretches(one, whole):
                        count = part.stop - part.start
                        if count >= fewest and 2 * np.count_nonzero(told[part]) < count:
                            ends = int(crossing[part.start]), int(crossing[part.stop - 1])
                            found.append(BrokenLine(kind, line, what, *ends, whole))
                            told[part] = True
    return found


def in_lines(
    lines: list[BrokenLine], rows: NDArray[np.int64], columns: NDArray[np.int64], what: int
) -> NDArray[np.bool_]:
    """Return which cells, (rows, columns), lie in the lines of a class."""
    told = np.zeros((len(rows), len(columns)), dtype=bool)
    for line in lines:
        if line.what == what:
            own, crossing = (rows, columns) if line.kind == "row" else (columns, rows)
            within = (crossing >= line.first) & (crossing <= line.last)
            told |= (
                np.outer(own == line.line, within)
                if line.kind == "row"
                else np.outer(within, own == line.line)
            )
    return told


def _stretches(cells: NDArray[np.bool_], whole: bool) -> list[slice]:
    """Return the whole line where all of its cells are true, or the stretches of true that reach an end of it."""
    if cells.all() or whole:
        return [slice(0, len(cells))] if cells.all() and whole else []
    first, last = int(np.argmin(cells)), len(cells) - int(np.argmin(cells[::-1]))
    return [part for part in (slice(0, first), slice(last, len(cells))) if part.start < part.stop]
