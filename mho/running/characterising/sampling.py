"""Which cells of an array stand for all of them: one line of each of equal stretches, drawn at random.

Cells drawn from all over the array would be a better sample, but experiments visit the crossings of rows and columns. The
stretches see to it that both ends of every line, and so all lengths of wire, are in the sample.
"""

from __future__ import annotations

import math

import numpy as np

from mho.array_types import Integers
from mho.chip_maps.chip import ArrayMap
from mho.errors import InputError
from mho.procedures.cell_range import CellRange


def stratified(lines: Integers, wanted: int, rng: np.random.Generator) -> Integers:
    """Return a line of each of `wanted` stretches of `lines`, as equal as can be, ascending; all where there are fewer.

    Parameters
    ----------
    lines : (n,) array
        Ascending line numbers.
    """
    stretches = np.array_split(lines, min(wanted, len(lines)))
    return np.array([rng.choice(stretch) for stretch in stretches], dtype=np.int64)


def sample_cells(array: ArrayMap, count: int, rng: np.random.Generator) -> CellRange:
    """Return at least `count` cells (or all) at the crossings of rows and columns, as many of one as of the other.

    Lines that the chip map knows to be bad are left out.

    Raises
    ------
    InputError
        For no cell, or an array of bad lines.
    """
    if count < 1:
        raise InputError(f"{count} cells are no sample; take at least 1")
    rows = np.setdiff1d(np.arange(array.rows), array.bad_rows)
    columns = np.setdiff1d(np.arange(array.columns), array.bad_columns)
    if not len(rows) or not len(columns):
        raise InputError(f"the chip map says of all lines of array {array.name!r} that they are bad")
    side = min(math.isqrt(count - 1) + 1, len(rows), len(columns))
    more = -(-count // side)
    wanted = (side, more) if len(columns) >= len(rows) else (more, side)
    return CellRange(stratified(rows, wanted[0], rng), stratified(columns, wanted[1], rng))


def spread(lines: Integers, wanted: int, offset: float = 0.0) -> Integers:
    """Return `wanted` of some lines, evenly spread (all where there are fewer).

    Parameters
    ----------
    offset : float
        From 0 to 1, in their distance. Where lines are twice as many as wanted, 0 and 0.5 have none in common.
    """
    count = min(wanted, len(lines))
    places = np.floor((np.arange(count) + offset) * len(lines) / count).astype(np.int64)
    return lines[places]
