"""Confidence intervals of 95 %: what independent values tell of a share, a mean, a spread, a median, a ratio, a lifetime.

What is independent is the caller's to know: cells, chips, runs; reads of one cell are not. Each method is exact for the
law that it names, or errs to the wide side; ``docs/intervals.md`` has how often each holds the truth, by the law and the
number of values, as ``python -m benchmarks intervals`` measures it. Values lie along the last axis, so that a thousand
samples are one call. An end is NaN where there are too few values for an interval.

Percentiles of a bootstrap are not used: of eight values they hold a standard deviation in 72 % of the cases, not in 95.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats

Ends = tuple[Any, Any]  # lower and upper ends: arrays, or numbers where there is one sample
Scale = Literal["linear", "log", "correlation"]

LEVEL = 0.95
FEWEST = 5  # values below which order, tails and groups say too little for an interval
GROUPS = 64  # groups that a jackknife leaves out one by one, at most
FIRST_STEP, WIDEST = 0.02, 6.0  # of a parameter, away from the likeliest; beyond the last it is not known
KURTOSIS, KURTOSIS_WEIGHT, KURTOSIS_VALUES = 8.0, 0.3, 20.0
"""What is expected of a fourth moment over the square of the variance before the values say, as that of relaxing cells;
its weight beside that of the values, as a share of their number and at most. Few values seldom show their tails."""


def median(values: Floats) -> Any:
    """Return the median along the first axis, to the bit NumPy's, which loads ``numpy.ma`` when it is first called.

    That takes as long as a third of NumPy itself. None of the values may be NaN.
    """
    middle = np.sort(values, axis=0)[(len(values) - 1) // 2 : len(values) // 2 + 1]
    return middle.sum(axis=0) / len(middle)


def _t(freedom: Any) -> Any:
    """Return Student's deviate that leaves half of the rest beyond each side."""
    from scipy.special import stdtrit  # loads slowly

    return stdtrit(freedom, 0.5 + LEVEL / 2.0)


def binomial_interval(successes: ArrayLike, trials: ArrayLike, level: float = LEVEL) -> Ends:
    """Return the interval of a probability, of Clopper and Pearson (Biometrika 26, 404 (1934)); 0 to 1 without trials.

    It holds whatever the probability is with `level` at least, also where all trials succeeded or none did. No ends where
    a number is NaN. Fractions stand for trials that are not independent, see `clustered_binomial_interval`.
    """
    from scipy.special import betaincinv

    tail = (1.0 - level) / 2.0
    k, n = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(trials, np.float64))
    rest = n - k
    low = np.where(k <= 0.0, 0.0, betaincinv(np.maximum(k, 1e-9), rest + 1.0, tail))
    high = np.where(rest <= 0.0, 1.0, betaincinv(k + 1.0, np.maximum(rest, 1e-9), 1.0 - tail))
    return low[()], high[()]


def clustered_binomial_interval(successes: ArrayLike, trials: ArrayLike) -> Ends:
    """Return the interval of a probability whose trials come in clusters (..., clusters) that vary together.

    As that of so many independent trials as leave the share equally uncertain (Korn and Graubard, Survey Methodology 24,
    193 (1998)): bits of a vector, cells of a chip. Student's degrees of freedom are fewer where a few clusters hold most of
    what scatters. Where no trial failed, or all did, nothing tells how clusters vary: each then counts as one trial, as a
    cluster alone does.
    """
    k, n = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(trials, np.float64))
    clusters, total = k.shape[-1], n.sum(axis=-1)
    share = k.sum(axis=-1) / total
    if clusters < 2:
        return binomial_interval(share, np.ones_like(share))
    squares = (k - share[..., None] * n) ** 2
    scatter = squares.sum(axis=-1)
    varies = scatter > 0.0
    some = np.where(varies, scatter, 1.0)
    kurtosis = clusters * (squares**2).sum(axis=-1) / some**2
    freedom = np.clip(
        2.0 * (clusters - 1) / np.maximum(kurtosis - (clusters - 3) / clusters, 1e-9), 1.0, clusters - 1.0
    )
    effective = share * (1.0 - share) * total**2 * (clusters - 1) / clusters / some
    effective = np.minimum(effective * (_t(total - 1.0) / _t(freedom)) ** 2, total)
    effective = np.where(varies, effective, np.where(share * (1.0 - share) > 0.0, total, clusters))
    return binomial_interval(share * effective, effective)


def mean_interval(values: ArrayLike) -> Ends:
    """Return Student's interval of a mean; of a median, where the values' law is symmetric."""
    x = np.asarray(values, np.float64)
    count = x.shape[-1]
    if count < 2:
        return _no_ends(x)
    middle = x.mean(axis=-1)
    half = _t(count - 1) * x.std(axis=-1, ddof=1) / math.sqrt(count)
    return middle - half, middle + half


def repetition_interval(values: ArrayLike, errors: ArrayLike = 0.0) -> Ends:
    """Return the interval in which another value lies that is drawn as these (..., n) are, of Student, for a normal law.

    `errors` are the standard errors with which each is known, beside what scatters from one to the next.
    """
    x = np.asarray(values, np.float64)
    count = x.shape[-1]
    if count < 2:
        return _no_ends(x)
    middle = x.mean(axis=-1)
    half = _t(count - 1) * np.sqrt((1.0 + 1.0 / count) * x.var(axis=-1, ddof=1) + np.square(errors))
    return middle - half, middle + half


def deviation_interval(values: ArrayLike) -> Ends:
    """Return the interval of a standard deviation: of chi-square, with fewer degrees of freedom the longer the tails are.

    A variance of n values with kurtosis k is as uncertain as one of 2 (n - 1) / (k - (n - 3)/n) degrees of freedom of a
    normal law (Bonett, Comput. Stat. Data Anal. 50, 775 (2006), with his kurtosis about a trimmed mean). Few values hardly
    show their tails, so theirs is pulled towards `KURTOSIS`: for normal values the interval is wider than it needs to be.
    """
    x = np.asarray(values, np.float64)
    count = x.shape[-1]
    if count < FEWEST:
        return _no_ends(x)
    cut = int(0.5 / math.sqrt(count - 4) * count)
    middle = np.sort(x, axis=-1)[..., cut : count - cut].mean(axis=-1, keepdims=True)
    squares = ((x - x.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    fourth = ((x - middle) ** 4).sum(axis=-1)
    some = squares > 0.0
    own = np.where(some, count * fourth / np.where(some, squares, 1.0) ** 2, KURTOSIS)
    weight = min(KURTOSIS_WEIGHT * count, KURTOSIS_VALUES)
    kurtosis = (count * own + weight * KURTOSIS) / (count + weight)
    freedom = 2.0 * (count - 1) / (kurtosis - (count - 3) / count)
    return freedom_interval(squares / (count - 1), freedom)


def freedom_interval(variance: Any, freedom: Any) -> Ends:
    """Return the interval of a standard deviation whose variance has so many degrees of freedom, of chi-square."""
    from scipy.special import chdtri

    tail = (1.0 - LEVEL) / 2.0
    scaled = variance * freedom
    return np.sqrt(scaled / chdtri(freedom, tail)), np.sqrt(scaled / chdtri(freedom, 1.0 - tail))


def quantile_ranks(count: int, share: float) -> tuple[int, int]:
    """Return the places, from 0, of the order statistics of `count` values between which a quantile lies with 95 %.

    Whatever the law is: how many of the values lie below the quantile is binomial. -1, and `count`, where there is no such
    value, so that the interval has no end on that side.
    """
    from scipy.special import bdtr

    below = bdtr(np.arange(count + 1.0), count, share)  # probability of so many below, or fewer
    tail = (1.0 - LEVEL) / 2.0
    return int(np.searchsorted(below, tail)) - 1, int(np.searchsorted(below, 1.0 - tail))


def median_interval(values: ArrayLike) -> Ends:
    """Return the interval of a median between order statistics, whatever the law; NaN for fewer than five, or with NaN.

    Between those that hold it with a little more than 95 % and a little less, it is interpolated (Hettmansperger and
    Sheather, Stat. Probab. Lett. 4, 75 (1986)). Of five values it is their range, which holds the median with 93.75 %.
    Infinite values rank highest, or lowest.
    """
    from scipy.special import bdtr

    x = np.asarray(values, np.float64)
    x = np.sort(np.where(np.isnan(x).any(axis=-1, keepdims=True), np.nan, x), axis=-1)
    count = x.shape[-1]
    if count < FEWEST:
        return _no_ends(x)
    depths = np.arange(1, count // 2 + 1)
    # By the interval from the d-th to the d-th from above
    coverage = 1.0 - 2.0 * bdtr(depths - 1.0, count, 0.5)
    depth = max(int((coverage >= LEVEL).sum()), 1)
    outer = x[..., depth - 1], x[..., count - depth]
    if depth == len(depths) or coverage[depth - 1] < LEVEL:
        return outer
    part = (coverage[depth - 1] - LEVEL) / (coverage[depth - 1] - coverage[depth])
    weight = (count - depth) * part / (depth + (count - 2 * depth) * part)
    inner = x[..., depth], x[..., count - depth - 1]
    with np.errstate(invalid="ignore"):
        low, high = ((1.0 - weight) * one + weight * other for one, other in zip(outer, inner, strict=True))
    return (
        np.where(np.isfinite(inner[0]) & np.isfinite(outer[0]), low, outer[0])[()],
        np.where(np.isfinite(inner[1]) & np.isfinite(outer[1]), high, outer[1])[()],
    )


def ratio_interval(numerators: ArrayLike, denominators: ArrayLike) -> Ends:
    """Return the interval of a ratio of means of pairs (..., n), of Fieller (J. R. Stat. Soc. B 16, 175 (1954)).

    A ratio r is held where Student's test does not tell the mean of ``numerator - r denominator`` from 0. NaN where the
    denominators' mean is not told from 0: every ratio is held then.
    """
    a, b = np.broadcast_arrays(np.asarray(numerators, np.float64), np.asarray(denominators, np.float64))
    count = a.shape[-1]
    if count < 2:
        return _no_ends(a)
    top, bottom = a.mean(axis=-1), b.mean(axis=-1)
    x, y = a - top[..., None], b - bottom[..., None]
    unit = _t(count - 1) ** 2 / (count * (count - 1.0))
    square, product, other = (unit * (one * two).sum(axis=-1) for one, two in ((y, y), (x, y), (x, x)))
    # (bottom^2 - square) r^2 - 2 (top bottom - product) r + (top^2 - other) = 0
    leading, half, last = bottom**2 - square, top * bottom - product, top**2 - other
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(np.maximum(half**2 - leading * last, 0.0))
        low, high = ((half + sign * root) / leading for sign in (-1.0, 1.0))
    known = leading > 0.0
    return np.where(known, low, np.nan)[()], np.where(known, high, np.nan)[()]


def difference_of(first: Ends, second: Ends, values: tuple[ArrayLike, ArrayLike]) -> Ends:
    """Return the interval of second minus first, of two independent numbers with their intervals.

    Each end is as far from the difference as both numbers' ends on that side, in squares (Zou and Donner, Stat. Med. 27,
    1693 (2008)): no law is assumed beside those of the two intervals.
    """
    one, two = (np.asarray(value, np.float64) for value in values)
    low = (two - one) - np.hypot(two - second[0], first[1] - one)
    high = (two - one) + np.hypot(second[1] - two, one - first[0])
    return low, high


def difference_of_means(first: ArrayLike, second: ArrayLike) -> Ends:
    """Return the interval of the second mean minus the first, of Welch (Biometrika 34, 28 (1947)), any variances."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    n, m = a.shape[-1], b.shape[-1]
    if min(n, m) < 2:
        return _no_ends(a)
    of_a, of_b = a.var(axis=-1, ddof=1) / n, b.var(axis=-1, ddof=1) / m
    both = of_a + of_b
    parts = of_a**2 / (n - 1) + of_b**2 / (m - 1)
    freedom = np.where(parts > 0.0, both**2 / np.where(parts > 0.0, parts, 1.0), n + m - 2.0)
    half, middle = _t(freedom) * np.sqrt(both), b.mean(axis=-1) - a.mean(axis=-1)
    return middle - half, middle + half


def component_interval(
    between: ArrayLike, within: ArrayLike, groups: int, freedom: float, size: float
) -> Ends:
    """Return the interval of the deviation from group to group in a one-way layout of random effects.

    Of Ting, Burdick, Graybill, Jeyaratnam and Lu (J. Stat. Comput. Simul. 35, 135 (1990)), as Burdick and Graybill,
    Confidence Intervals on Variance Components (1992), section 3.3 (?), have it: (between - within)/size is a difference of
    two mean squares, whose limits are matched to those known for each alone. The lower end is 0 where it would be below.
    `freedom` is that of `within`; `size` of unequal groups is the weighted mean of the analysis of variance.
    """
    from scipy.special import chdtri, fdtri

    a, b = np.asarray(between, np.float64), np.asarray(within, np.float64)
    if groups < FEWEST or freedom < 1:
        return _no_ends(a[..., None])
    n, tail = groups - 1.0, (1.0 - LEVEL) / 2.0
    middle = a - b
    ends = []
    for share, sign in ((1.0 - tail, -1.0), (tail, 1.0)):
        f = float(fdtri(n, freedom, share))
        of_a = abs(1.0 - n / float(chdtri(n, 1.0 - share)))
        of_b = abs(1.0 - freedom / float(chdtri(freedom, share)))
        both = ((f - 1.0) ** 2 - (of_a * f) ** 2 - of_b**2) / f
        square = (of_a * a) ** 2 + (of_b * b) ** 2 + both * a * b
        ends.append(np.sqrt(np.maximum(middle + sign * np.sqrt(np.maximum(square, 0.0)), 0.0) / size))
    return ends[0], ends[1]


def jackknife(
    values: Floats, statistic: Callable[[Floats], Mapping[str, float]], scales: Mapping[str, Scale]
) -> dict[str, tuple[float, float]]:
    """Return the intervals of numbers that `statistic` makes of several rows, by leaving rows out one after the other.

    Student's interval of the pseudo-values (Tukey, Ann. Math. Stat. 29, 614 (1958); Miller, Biometrika 61, 1 (1974)),
    on the scale on which a number scatters evenly: "linear", "log" for what is positive, "correlation" for what lies
    between -1 and 1. Of many rows, groups are left out; `statistic` is NaN where it cannot be told.
    """
    count = len(values)
    nothing = dict.fromkeys(scales, (math.nan, math.nan))
    if count < FEWEST:
        return nothing
    whole = statistic(values)
    groups = min(count, GROUPS)
    left = np.arange(count) % groups
    parts = [statistic(values[left != one]) for one in range(groups)]
    intervals = nothing
    for name, scale in scales.items():
        onto, back = _SCALES[scale]
        with np.errstate(divide="ignore", invalid="ignore"):
            middle = float(onto(np.float64(whole[name])))
            others = np.asarray(onto(np.array([one[name] for one in parts], np.float64)))
        if not (math.isfinite(middle) and np.isfinite(others).all()):
            continue
        half = float(_t(groups - 1)) * math.sqrt(
            (groups - 1.0) / groups * float(((others - others.mean()) ** 2).sum())
        )
        intervals[name] = float(back(middle - half)), float(back(middle + half))
    return intervals


_SCALES: dict[Scale, tuple[Callable[[Any], Any], Callable[[float], float]]] = {
    "linear": (lambda x: x, lambda x: x),
    "log": (np.log, lambda x: math.exp(min(x, 700.0))),
    "correlation": (np.arctanh, math.tanh),
}


def likelihood_drop(failures: int) -> float:
    """Return by how much twice the log likelihood may fall from its maximum within an interval of 95 %.

    Of many values that is chi-square's 3.84; of n normal ones the likelihood of a mean falls by n ln(1 + t^2/(n - 1)) at
    the ends of Student's interval, and so it does nearly for scale and shape of lifetimes, with the number of those that
    ended (censored ones tell of no end) in place of n.
    """
    n = max(failures, 2)
    return n * math.log1p(float(_t(n - 1)) ** 2 / (n - 1.0))


def profile_interval(
    cost: Callable[[Floats], float], place: Floats, axis: int, drop: float
) -> tuple[float, float]:
    """Return the interval of one of two parameters by the profile of their likelihood; NaN for an end that is not found.

    `cost`, minus the logarithm of the likelihood, is least at `place` (2,), in units of which the likelihood falls within a
    few, as logarithms are; for `drop` see `likelihood_drop`.
    """
    from scipy.optimize import brentq, minimize_scalar  # loads slowly

    best, beside = cost(place), float(place[1 - axis])

    def excess(distance: float) -> float:
        value = float(place[axis]) + distance

        def along(other: float) -> float:
            return cost(np.array([value, other] if axis == 0 else [other, value]))

        solution = minimize_scalar(along, bounds=(beside - WIDEST, beside + WIDEST), method="bounded")
        return 2.0 * (min(float(solution.fun), along(beside)) - best) - drop

    ends = []
    for sign in (-1.0, 1.0):
        near, step = 0.0, FIRST_STEP
        while step <= WIDEST and excess(sign * step) < 0.0:
            near, step = sign * step, 2.0 * step
        width = math.nan if step > WIDEST else float(brentq(excess, near, sign * step, xtol=1e-4))
        ends.append(float(place[axis]) + width)
    return ends[0], ends[1]


def with_interval(name: str, value: float, ends: tuple[Any, Any]) -> dict[str, float | None]:
    """Return a result's number NAME with its interval, NAME_low to NAME_high; None for what is not known."""
    return {
        f"{name}{end}": finite(one) for end, one in zip(("", "_low", "_high"), (value, *ends), strict=True)
    }


def finite(value: Any) -> float | None:
    """Return a number for a run's result: None for one that is not finite."""
    return float(value) if np.isfinite(value) else None


def _no_ends(values: Floats) -> Ends:
    nothing = np.full(values.shape[:-1], np.nan)[()]
    return nothing, nothing
