"""Random telegraph noise in reads in a row: whether there are one or two levels, which, and how long each lasts.

Reads are assigned to two levels with hysteresis. Two levels are found only where all of this holds, as 1/f noise wanders
far enough to be cut in two, too:

- the levels lie further apart than what remains around them explains: by 4.5 standard deviations. A normal distribution cut
  in the middle gives 2.7, a slow ramp 3.5, half a slow swing 4.1;
- the way from one to the other is a jump, not a slope: most of it within two samples;
- there are some jumps: each level was left twice or more.

The dwell times are those of a two-state Markov chain that was seen at the samples alone, so that dwells between two samples
are not missed: with p and q the shares of samples after which the lower and the upper level were left,

    1/dwell_low + 1/dwell_high = -ln(1 - p - q)/interval,      dwell_low/dwell_high = q/p
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mho.array_types import Booleans, Floats, Integers

SEPARATION = 4.5  # standard deviations between two levels
ABRUPT = 0.7  # share of the step that half of the jumps make within two samples
LEAST_EXITS = 2
ROUNDS = 4  # of levels from states and states from levels
HYSTERESIS = 0.2  # of the step, to either side of the middle
UNRELATED = 1e-3  # least correlation from sample to sample that is told from none
TAIL = 0.025  # on each side of a 95 % interval


@dataclass(frozen=True)
class Telegraph:
    """Two levels found.

    Attributes
    ----------
    low, high : float
        Levels, S.
    separation : float
        Between them, in standard deviations of what remains around them.
    dwell_low, dwell_high : float
        Mean times in each, s.
    dwell_low_interval, dwell_high_interval : (float, float)
        Each holds the truth with 95 %.
    """

    low: float
    high: float
    separation: float
    dwell_low: float
    dwell_high: float
    dwell_low_interval: tuple[float, float]
    dwell_high_interval: tuple[float, float]


def find_telegraph(series: Floats, interval: float) -> Telegraph | None:
    """Return the two levels of reads in a row, or None where there is one.

    Parameters
    ----------
    series : (series, samples) array
        S; there may be any time between one series and the next.
    interval : float
        From sample to sample, s.
    """
    up = two_states(series)
    if up is None:
        return None
    low, high = float(np.median(series[~up])), float(np.median(series[up]))
    rest = series - np.where(up, high, low)
    around = float(rest.std())
    exits = exits_of(up)
    if not (high - low > SEPARATION * around and min(exits) >= LEAST_EXITS):
        return None
    if abruptness(series, up) < ABRUPT * (high - low):
        return None
    (dwell_low, dwell_high), (of_low, of_high) = (values.tolist() for values in dwell_times(up, interval))
    apart = (high - low) / max(around, 1e-300)
    return Telegraph(low, high, apart, dwell_low, dwell_high, tuple(of_low), tuple(of_high))


def two_states(series: Floats) -> Booleans | None:
    """Return in which of two states each sample is; None where only one can be told."""
    low, high = split(series.ravel())
    up = None
    for _ in range(ROUNDS):
        if not high > low:
            return None
        up = with_hysteresis(series, 0.5 * (low + high), HYSTERESIS * (high - low))
        if up.all() or not up.any():
            return None
        low, high = float(np.median(series[~up])), float(np.median(series[up]))
    return up


def split(values: Floats) -> tuple[float, float]:
    """Return the means on either side of the cut that leaves the least variance (Otsu, IEEE Trans. SMC 9, 62 (1979))."""
    ordered = np.sort(values)
    count = len(ordered)
    if count < 2:
        return 0.0, 0.0
    below = np.cumsum(ordered)[:-1]
    sizes = np.arange(1, count)
    between = (below / sizes - (ordered.sum() - below) / (count - sizes)) ** 2 * sizes * (count - sizes)
    cut = int(between.argmax()) + 1
    return float(ordered[:cut].mean()), float(ordered[cut:].mean())


def with_hysteresis(series: Floats, middle: float, margin: float) -> Booleans:
    """Return the state (series, samples) that changes only when a sample lies beyond the `middle` by the `margin`, S."""
    decided = np.abs(series - middle) > margin
    last = np.maximum.accumulate(np.where(decided, np.arange(series.shape[1]), -1), axis=1)
    first = decided.argmax(axis=1)[:, None]  # before the first one that is decided, its state
    place = np.where(last >= 0, last, first)
    state: Booleans = np.take_along_axis(series, place, axis=1) > middle
    return state


def exits_of(up: Booleans) -> tuple[int, int]:
    """Return how often the lower and the upper state were left within series."""
    return int((up[:, 1:] & ~up[:, :-1]).sum()), int((~up[:, 1:] & up[:, :-1]).sum())


def abruptness(series: Floats, up: Booleans) -> float:
    """Return the median over jumps of the largest change within two samples about each, S."""
    padded = np.pad(series, ((0, 0), (1, 1)), mode="edge")
    row, before = np.nonzero(up[:, 1:] != up[:, :-1])
    at = before + 1  # of `before` in the padded series
    last = padded.shape[1] - 1
    changes = [
        np.abs(padded[row, at + 1] - padded[row, at]),
        np.abs(padded[row, at + 1] - padded[row, at - 1]),
        np.abs(padded[row, np.minimum(at + 2, last)] - padded[row, at]),
    ]
    return float(np.median(np.max(changes, axis=0))) if len(row) else 0.0


@dataclass(frozen=True)
class Chain:
    """A two-state Markov chain as it was seen at the samples."""

    # exits, seen: (2,): how often the lower and upper state were left, and samples in each with one behind
    exits: Integers
    seen: Integers

    @classmethod
    def of(cls, up: Booleans) -> Chain:
        """Count in states (series, samples)."""
        within = up[:, :-1]
        return cls(np.array(exits_of(up)), np.array([(~within).sum(), within.sum()]))

    @property
    def leaving(self) -> Floats:
        """Probabilities (2,) to leave either state from one sample to the next."""
        leaving: Floats = self.exits / np.maximum(self.seen, 1)
        return leaving

    def dwells(self, interval: float) -> Floats:
        """Return the mean dwell times (2,), s, with samples every `interval`; infinite where a state was not left."""
        leaving = self.leaving
        if not leaving.all():
            return np.full(2, math.inf)
        times: Floats = leaving.sum() * interval / (leaving * self._rate())
        return times

    def _rate(self) -> float:
        """Return how fast the chain forgets, in samples; where they hardly depend on each other that is a lower bound."""
        return -math.log(max(1.0 - float(self.leaving.sum()), UNRELATED))

    def deviations(self) -> Floats:
        """Return the deviations (2,) of the logarithms of the dwell times, from those of the counts."""
        p = self.leaving
        total = float(p.sum())
        change = 1.0 / (max(1.0 - total, UNRELATED) * self._rate())
        # Rows: of the dwell in the lower and in the upper state; columns: by each probability.
        slopes = 1.0 / total - change - np.diag(1.0 / p)
        variances: Floats = (slopes**2) @ (p * (1.0 - p) / self.seen)
        return np.sqrt(variances)


def dwell_times(up: Booleans, interval: float) -> tuple[Floats, Floats]:
    """Return the mean dwell times (2,), s, in the lower and upper state (series, samples), and 95 % intervals (2, 2).

    The intervals are those of a mean exponential time of which so many were seen (Garwood, Biometrika 28, 437 (1936)), as
    much wider on a logarithmic scale as samples that miss dwells make the times less certain.
    """
    from scipy.stats import chi2  # loads slowly

    chain = Chain.of(up)
    dwells = chain.dwells(interval)
    if not np.isfinite(dwells).all():
        return dwells, np.array([[0.0, math.inf]] * 2)
    stretch = np.maximum(chain.deviations() * np.sqrt(chain.exits), 1.0)
    ends = [chi2.ppf(1.0 - TAIL, 2 * chain.exits + 2), chi2.ppf(TAIL, 2 * chain.exits)]
    return dwells, dwells[:, None] * np.stack([(2.0 * chain.exits / end) ** stretch for end in ends], axis=1)
