"""How much two samples differ, as functions of arrays: differences with intervals, and sizes of effects.

- the difference of means with Welch's interval, or of medians with that of their order statistics (`mho.confidence`);
- Hedges' g, the difference of means in units of the common standard deviation, without the bias of small samples
  (Hedges, J. Educ. Stat. 6, 107 (1981); interval: Hedges & Olkin, Statistical Methods for Meta-Analysis, 1985, section 5);
- Cliff's delta, the probability that a value of one sample is above one of the other less the probability that it is
  below (Cliff, Psychol. Bull. 114, 494 (1993)), which assumes no distribution, and the test of Mann and Whitney (Ann. Math.
  Stat. 18, 50 (1947)). Its interval is the wider on either side of that of Feng & Cliff (J. Mod. Appl. Stat. Meth. 3, 322
  (2004)) with Student's deviate, and of Newcombe's fifth (Stat. Med. 25, 559 (2006)): the first says too little where
  samples hardly overlap, the second where one scatters more than the other.

Samples are independent. Nothing here knows of runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mho.array_types import Floats
from mho.confidence import difference_of, difference_of_means, median_interval

LEVEL = 0.95
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2.0)
CENTRES = ("median", "mean")


@dataclass(frozen=True)
class Ranged:
    """A number and the ends of its 95 % interval; the ends are NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return not (math.isnan(self.low) or math.isnan(self.high))


@dataclass(frozen=True)
class Effect:
    """How the second of two samples differs from the first."""

    first: int  # number of values
    second: int  # of the other sample
    difference: Ranged  # of the medians or means, in the unit of the values
    ratio: float  # of the medians or means; NaN where the first is 0 or the signs differ
    hedges_g: Ranged  # positive where the second sample lies above; NaN where one has a single value
    cliffs_delta: Ranged  # likewise
    p_value: float  # of the two-sided test of Mann and Whitney; NaN likewise

    @property
    def size(self) -> tuple[float, float]:
        """By what effects are ordered: the magnitude of Cliff's delta, then of Hedges' g; then the relative difference."""
        if math.isnan(self.cliffs_delta.value):
            return 0.0, abs(math.log(self.ratio)) if self.ratio > 0.0 else float(self.difference.value != 0.0)
        g = self.hedges_g.value
        return abs(self.cliffs_delta.value), 0.0 if math.isnan(g) else abs(g)


def effect(first: Floats, second: Floats, centre: str = "median") -> Effect:
    """Return how two samples (n,) and (m,) of finite values differ; with a single value in one there are no intervals.

    The difference of medians, if that is the `centre`, has one where both have five values.
    """
    a, b = (np.sort(np.asarray(values, dtype=float)) for values in (first, second))
    middle = np.median if centre == "median" else np.mean
    of_a, of_b = float(middle(a)), float(middle(b))
    ratio = of_b / of_a if of_a and of_b / of_a > 0.0 else math.nan
    if min(len(a), len(b)) < 2:
        nothing = Ranged(math.nan)
        return Effect(len(a), len(b), Ranged(of_b - of_a), ratio, nothing, nothing, math.nan)
    low, high = difference_interval(a, b, centre)
    return Effect(
        len(a), len(b), Ranged(of_b - of_a, low, high), ratio, hedges_g(a, b), cliffs_delta(a, b),
        mann_whitney(a, b),
    )  # fmt: skip


def difference_interval(first: Floats, second: Floats, centre: str = "median") -> tuple[float, float]:
    """Return the interval of the difference of centres, second minus first; that of medians takes five values in each."""
    if centre == "mean":
        low, high = difference_of_means(first, second)
    else:
        of = median_interval(first), median_interval(second)
        low, high = difference_of(*of, (np.median(first), np.median(second)))
    return float(low), float(high)


def hedges_g(first: Floats, second: Floats) -> Ranged:
    """Return Hedges' g of the second sample over the first; infinite where no value scatters and the means differ."""
    n, m = len(first), len(second)
    freedom = n + m - 2
    pooled = math.sqrt(((n - 1) * first.var(ddof=1) + (m - 1) * second.var(ddof=1)) / freedom)
    difference = float(second.mean() - first.mean())
    if pooled == 0.0:
        return Ranged(math.copysign(math.inf, difference) if difference else 0.0)
    d = freedom / 2.0
    unbiased = math.exp(math.lgamma(d) - math.lgamma(d - 0.5)) / math.sqrt(
        d
    )  # of Cohen's d (Hedges 1981, eq. 6e)
    g = unbiased * difference / pooled
    half = Z * math.sqrt((n + m) / (n * m) + g * g / (2.0 * (n + m)))
    return Ranged(g, g - half, g + half)


def cliffs_delta(first: Floats, second: Floats) -> Ranged:
    """Return Cliff's delta of the second sample over the first."""
    a, b = np.sort(first), np.sort(second)
    n, m = len(a), len(b)
    # Of each value, how many of the other sample lie above, less those below: all pairs without making them.
    above, below = m - np.searchsorted(b, a, "right"), np.searchsorted(b, a, "left")
    by_first = (above - below) / m
    by_second = (np.searchsorted(a, b, "left") - (n - np.searchsorted(a, b, "right"))) / n
    delta = float((above - below).sum()) / (n * m)
    low, high = _of_overlap(delta, n, m)
    if abs(delta) == 1.0:  # no pair contradicts, so that nothing scatters
        return Ranged(delta, low, high)
    ties = n * m - float((above + below).sum())
    scatter = _of_scatter(by_first - delta, by_second - delta, n * m * (1.0 - delta**2) - ties, delta)
    return Ranged(delta, min(low, scatter[0]), max(high, scatter[1]))


def _of_scatter(by_first: Floats, by_second: Floats, spread: float, delta: float) -> tuple[float, float]:
    """Return the interval of Feng and Cliff, of what each value says less `delta`, with Welch's degrees of freedom.

    `spread` is the sum over all pairs of the square of what each says less `delta`; pairs that tie say 0.
    """
    from scipy.special import stdtrit

    n, m = len(by_first), len(by_second)
    rows, columns = float((by_first**2).sum()), float((by_second**2).sum())
    of_first, of_second = rows / (n * (n - 1)), columns / (m * (m - 1))
    least = (1.0 - delta**2) / (n * m - 1.0)  # that the pairs allow (Cliff 1993, eq. 7)
    exact = (m * m * rows + n * n * columns - spread) / (n * m * (n - 1) * (m - 1))
    variance = max(exact, of_first + of_second, least)
    parts = of_first**2 / (n - 1) + of_second**2 / (m - 1)
    freedom = (of_first + of_second) ** 2 / parts if parts > 0.0 else n + m - 2.0
    z = float(stdtrit(freedom, 0.5 + LEVEL / 2.0))
    half = z * math.sqrt(variance) * math.sqrt((1.0 - delta**2) ** 2 + z * z * variance)
    base, share = delta - delta**3, 1.0 - delta**2 + z * z * variance
    return max((base - half) / share, -1.0), min((base + half) / share, 1.0)


def _of_overlap(delta: float, n: int, m: int) -> tuple[float, float]:
    """Return Newcombe's fifth interval: the deltas from which this one is as far as their own errors allow."""
    share = 0.5 + delta / 2.0

    def beyond(other: float) -> bool:
        # of exponential laws (Hanley and McNeil 1982)
        more = (1.0 - other) / (2.0 - other) + other / (1.0 + other)
        variance = other * (1.0 - other) * (1.0 + ((n + m) / 2.0 - 1.0) * more) / (n * m)
        return (share - other) ** 2 > Z * Z * variance

    ends = []
    for end in (0.0, 1.0):
        inside, outside = share, end
        for _ in range(50):
            half = 0.5 * (inside + outside)
            inside, outside = (inside, half) if beyond(half) else (half, outside)
        ends.append(2.0 * outside - 1.0)
    return ends[0], ends[1]


def mann_whitney(first: Floats, second: Floats) -> float:
    """Return the two-sided p-value of the test of Mann and Whitney; 1 where all values are equal."""
    from scipy.stats import mannwhitneyu  # loads slowly

    if np.ptp(np.concatenate((first, second))) == 0.0:
        return 1.0
    return float(mannwhitneyu(first, second, alternative="two-sided").pvalue)
