"""Counts of levels: as which level a cell is read that was to hold another, and shares with their intervals.

A reader decides for the nearest level: between the windows of two levels, in the middle between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mho.confidence import binomial_interval
from mho.runs.figures import Band

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def in_order(bands: Sequence[Band]) -> tuple[Band, ...]:
    """Return levels in the order of their windows, from the lowest up."""
    return tuple(sorted(bands, key=lambda band: -np.inf if band.low is None else band.low))


def decided_levels(values: Floats, bands: Sequence[Band]) -> Counts:
    """Return the place among ordered `bands` of the level for which each of `values` is taken.

    Parameters
    ----------
    values : (n,) array
    bands : sequence of Band
        Windows as `in_order` returns them. The border between two lies in the middle between their ends that face
        each other.
    """
    borders = [_middle(below, above) for below, above in pairwise(bands)]
    return np.searchsorted(np.array(borders), values).astype(np.int64)


def _middle(below: Band, above: Band) -> float:
    ends = [end for end in (below.high, above.low) if end is not None]
    return float(np.mean(ends)) if ends else np.nan


def confusion(wanted: Counts, found: Counts, levels: int) -> Counts:
    """Return how often each level was wanted and another found, (levels, levels): a row for each that was wanted."""
    counts = np.bincount(levels * wanted + found, minlength=levels**2)
    return counts.reshape(levels, levels)


def row_shares(counts: Counts) -> Floats:
    """Return counts as shares of their row; NaN where there are none, so that a rare one shows."""
    total = counts.sum(axis=1, keepdims=True)
    return np.where(counts > 0, counts / np.maximum(total, 1), np.nan)


def shares(places: Floats, found: Floats, of: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the distinct places with counts, and there the share of the counts, and the ends of its interval.

    Parameters
    ----------
    places, found, of : (n,) arrays
        Place, how many, and of how many; counts at one place are added up.

    Returns
    -------
    places, share, low, high : (m,) arrays
        The interval is Clopper's and Pearson's, of 95 %: it holds whatever the share is, also where none was found.
    """
    known = np.isfinite(places) & (of > 0.0) & (found >= 0.0) & (found <= of)
    distinct, which = np.unique(places[known], return_inverse=True)
    sums = [np.rint(np.bincount(which, one[known], len(distinct))).astype(np.int64) for one in (found, of)]
    low, high = binomial_interval(sums[0], sums[1])
    return distinct, sums[0] / np.maximum(sums[1], 1), low, high
