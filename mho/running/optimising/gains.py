"""Means over chips and savings between two settings on the same chips, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as students

Floats = NDArray[np.float64]

RESAMPLES = 4000


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    low: float
    mean: float
    high: float

    def holds(self, value: float) -> bool:
        """Return whether a value lies in the interval, ends included."""
        return self.low <= value <= self.high


def mean_of(values: Sequence[float]) -> Estimate:
    """Return the mean of independent values, with Student's interval."""
    count, mean = len(values), float(np.mean(values))
    half = (
        float(students.ppf(0.975, count - 1) * np.std(values, ddof=1) / count**0.5) if count > 1 else np.inf
    )
    return Estimate(mean - half, mean, mean + half)


def saving(before: Sequence[float], after: Sequence[float], seed: int) -> Estimate:
    """Return the share saved, 1 - mean(after)/mean(before), of pairs: the percentile bootstrap over pairs.

    Parameters
    ----------
    before, after : (chips,) sequences
        Costs of the same chips.
    seed : int
        Of the resampling.
    """
    pairs = np.array([before, after], dtype=float)
    count = pairs.shape[1]
    drawn = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    old, new = pairs[:, drawn].mean(axis=2)
    low, high = np.quantile(1.0 - new / old, (0.025, 0.975))
    return Estimate(float(low), float(1.0 - pairs[1].mean() / pairs[0].mean()), float(high))
