"""Curves and distributions of several runs pooled into a median with quartiles. Functions of arrays.

Curves are put on a common x first: by their rows where these lie at the same x, at equal x where x repeats, else on a
grid, between the points of each curve and never beyond its ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats

Points = tuple[Floats, Floats]  # x and y of a curve, (n,) each

GRID = 200  # places of a grid on which curves are interpolated
DIGITS = 10  # significant digits to which two x are the same
MOST_BRANCHES = 16  # parts of a curve that turns back, such as the sweeps of an I-V loop


@dataclass(frozen=True)
class Places:
    """The common x of curves."""

    way: str  # ``rows`` (the same x in each row), ``equal`` (x repeats) or ``grid`` (interpolated)
    x: Floats  # (n,)
    branches: tuple[slice, ...] = (slice(None),)  # the parts of a grid; one unless the curves turn back
    log_x: bool = False  # whether is interpolated between logarithms
    log_y: bool = False  # likewise


@dataclass(frozen=True)
class Pooled:
    """Median and quartiles of curves at common places, (n,) arrays; `count` says how many curves have a value there."""

    x: Floats
    low: Floats
    middle: Floats
    high: Floats
    count: NDArray[np.int64]


def common_places(curves: Sequence[Points], *, log_x: bool = False, log_y: bool = False) -> Places:
    """Return the x at which curves can be compared."""
    every = [x[np.isfinite(x)] for x, _ in curves]
    longest = max(every, key=len, default=np.empty(0))
    rounded = [_rounded(x) for x in every]
    reference = _rounded(longest)
    if all(np.array_equal(one, reference[: len(one)]) for one in rounded):
        return Places("rows", longest)
    distinct = np.unique(np.concatenate(rounded))
    most = max(len(np.unique(one)) for one in rounded)
    if len(distinct) <= 1.5 * most + 2 or bool((distinct == np.round(distinct)).all()):
        return Places("equal", distinct)
    if log_x:
        every = [x[x > 0.0] for x in every]
    parts = [_branches(x) for x in every]
    counts = {len(one) for one in parts}
    if len(counts) > 1 or not 1 <= (number := counts.pop()) <= MOST_BRANCHES:
        parts, number = [[slice(None)]] * len(every), 1
    grids: list[Floats] = []
    for branch in range(number):
        pieces = [x[part[branch]] for x, part in zip(every, parts, strict=True) if x.size]
        low, high = min(map(np.min, pieces), default=0.0), max(map(np.max, pieces), default=0.0)
        grid = np.geomspace(low, high, GRID) if log_x and low > 0.0 else np.linspace(low, high, GRID)
        falls = sum(float(piece[-1] - piece[0]) for piece in pieces) < 0.0 and number > 1
        grids.append(grid[::-1] if falls else grid)
    ends = [GRID * branch for branch in range(number + 1)]
    branches = tuple(slice(begin, end) for begin, end in pairwise(ends))
    return Places("grid", np.concatenate(grids), branches, log_x, log_y)


def sampled(places: Places, x: Floats, y: Floats) -> Floats:
    """Return y of a curve at common places; NaN where the curve has no value, beyond its ends above all."""
    seen = np.isfinite(x)
    x, y = x[seen], y[seen]
    result = np.full(len(places.x), np.nan)
    if places.way == "rows":
        result[: len(y)] = y[: len(result)]
        return result
    if places.way == "equal":
        distinct, values = _medians(_rounded(x), y)
        _, mine, there = np.intersect1d(distinct, places.x, assume_unique=True, return_indices=True)
        result[there] = values[mine]
        return result
    known = np.isfinite(y) & ((x > 0.0) | (not places.log_x)) & ((y > 0.0) | (not places.log_y))
    x, y = x[known], y[known]
    parts = _branches(x) if len(places.branches) > 1 else [slice(None)]
    if len(parts) != len(places.branches):
        return result
    for part, branch in zip(parts, places.branches, strict=True):
        result[branch] = _between(places, places.x[branch], x[part], y[part])
    return result


def pool_curves(places: Places, curves: Sequence[Points]) -> Pooled:
    """Return median and quartiles over curves at common places."""
    stacked = np.array([sampled(places, *curve) for curve in curves]).reshape(-1, len(places.x))
    low, middle, high = quantiles_over_runs(stacked)
    return Pooled(places.x, low, middle, high, np.isfinite(stacked).sum(axis=0))


def quantiles_over_runs(stacked: Floats) -> tuple[Floats, Floats, Floats]:
    """Return first quartile, median and third quartile of (runs, n) values over the runs, without those that are NaN.

    As NumPy's ``nanquantile``, linear between ranks, all columns at once: that goes through them one by one.
    """
    nothing = np.full(stacked.shape[1:], np.nan)
    if not len(stacked):
        return nothing, nothing, nothing
    ordered = np.sort(np.where(np.isfinite(stacked), stacked, np.nan), axis=0)  # NaN comes last
    last = np.isfinite(ordered).sum(axis=0) - 1
    result = []
    for share in (0.25, 0.5, 0.75):
        rank = share * np.maximum(last, 0)
        below = np.floor(rank).astype(int)
        above = np.minimum(below + 1, np.maximum(last, 0))
        low, high = (np.take_along_axis(ordered, place[None], axis=0)[0] for place in (below, above))
        with np.errstate(all="ignore"):
            result.append(np.where(last >= 0, low + (rank - below) * (high - low), np.nan))
    return result[0], result[1], result[2]


def sketch(values: Floats, most: int) -> tuple[Floats, float]:
    """Return the finite values in order, at most `most` evenly spaced ranks of them, and how many each stands for."""
    known = np.sort(values[np.isfinite(values)])
    if known.size <= most:
        return known, 1.0
    ranks = ((np.arange(most) + 0.5) * known.size / most).astype(int)
    return known[ranks], known.size / most


def shares_at(places: Floats, ordered: Floats) -> Floats:
    """Return the share of ordered values up to each place."""
    return np.searchsorted(ordered, places, side="right") / max(ordered.size, 1)


def _between(places: Places, grid: Floats, x: Floats, y: Floats) -> Floats:
    """Interpolate a branch within its range."""
    if not x.size:
        return np.full(len(grid), np.nan)
    x, y = _medians(x, y)
    across = np.log(x) if places.log_x else x
    inner = np.log(grid) if places.log_x else grid
    room = 1e-9 * max(float(np.ptp(across)), 1e-300)  # the ends of a grid are rounded
    values = np.interp(inner, across, np.log(y) if places.log_y else y)
    values = np.exp(values) if places.log_y else values
    return np.where((inner >= across[0] - room) & (inner <= across[-1] + room), values, np.nan)


def _medians(x: Floats, y: Floats) -> Points:
    """Return the distinct x and the median of y at each."""
    distinct, which, counts = np.unique(x, return_inverse=True, return_counts=True)
    order = np.lexsort((y, which.ravel()))
    if len(distinct) == len(x):
        return distinct, y[order]
    parts = np.split(y[order], np.cumsum(counts)[:-1])
    middles = [np.median(part[np.isfinite(part)]) if np.isfinite(part).any() else np.nan for part in parts]
    return distinct, np.array(middles)


def _branches(x: Floats) -> list[slice]:
    """Return the parts of x between which it turns back."""
    direction = np.sign(np.diff(x))
    moving = np.flatnonzero(direction)
    turns = moving[1:][direction[moving[1:]] != direction[moving[:-1]]]
    ends = [0, *turns.tolist(), len(x)]
    return [slice(begin, end) for begin, end in pairwise(ends)]


def _rounded(x: Floats) -> Floats:
    """Round to `DIGITS` significant digits, so that 0.1 + 0.2 and 0.3 are the same."""
    size = np.abs(x)
    scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.where(size > 0.0, size, 1.0))))
    with np.errstate(all="ignore"):
        result = np.round(x * scale) / scale
    return np.where(np.isfinite(result), result, x)
