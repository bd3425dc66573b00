"""What stress did to cells: changes by level, and the number of pulses at which cells leave their windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.confidence import finite
from mho.procedures.cells.levels_of_cells import UNKNOWN

Floats = NDArray[np.float64]


def counts_to_leave(counts: NDArray[np.int64], inside: NDArray[np.bool_]) -> Floats:
    """Return the count at which each cell was first seen outside its window; infinite where it never was.

    Parameters
    ----------
    counts : (reads,) array
        Pulses before each read; 0 of the first, before any stress.
    inside : (reads, cells) array
        Whether each read lay in the window of its cell. A cell that was outside from the start has left at 0.
    """
    left = ~inside
    first = left.argmax(axis=0)
    return np.where(left.any(axis=0), counts[first].astype(float), math.inf)


def by_level(
    counts: NDArray[np.int64], conductance: Floats, digits: NDArray[np.int64], inside: NDArray[np.bool_]
) -> dict[str, dict[str, Any]]:
    """Return for each level, as ``level_K``, what the stress did to its cells.

    Parameters
    ----------
    counts : (reads,) array
    conductance : (reads, cells) array
        S; the first read is before any stress.
    digits : (cells,) array
        Level of each cell at the start.
    inside : (reads, cells) array

    Returns
    -------
    dict
        ``cells``; ``change`` and ``largest_change``, S, from the first to the last read, of the median and of the cell that
        changed most; ``median_leaves`` and ``worst_leaves``, pulses at which half of the cells, and the first of them, were
        outside: None says not within the pulses applied. Cells that began outside their window count in the changes alone.
    """
    found: dict[str, dict[str, Any]] = {}
    leaving = counts_to_leave(counts, inside)
    for digit in np.unique(digits[digits != UNKNOWN]).tolist():
        of = digits == digit
        change = conductance[-1, of] - conductance[0, of]
        left = np.sort(leaving[of & inside[0]])
        found[f"level_{digit}"] = {
            "cells": int(of.sum()),
            "outside_at_start": int((of & ~inside[0]).sum()),
            "change": finite(np.median(change)),
            "largest_change": finite(change[np.abs(change).argmax()]),
            "median_leaves": finite(left[(len(left) - 1) // 2]) if left.size else None,
            "worst_leaves": finite(left[0]) if left.size else None,
        }
    return found
