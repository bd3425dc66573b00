"""Success over chips and savings between two settings on the same chips, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats
from mho.confidence import clustered_binomial_interval, ratio_interval


@dataclass(frozen=True)
class GainEstimate:
    """A value with its 95 % interval."""

    low: float
    mean: float
    high: float

    def holds(self, value: float) -> bool:
        """Return whether a value lies in the interval, ends included."""
        return self.low <= value <= self.high


def success_of(successes: Sequence[int], cells: Sequence[int]) -> GainEstimate:
    """Return the share of the cells that succeed, of so many of so many on each chip, chips being independent."""
    low, high = clustered_binomial_interval(successes, cells)
    return GainEstimate(float(low), float(np.sum(successes) / np.sum(cells)), float(high))


def saving(before: Sequence[float] | Floats, after: Sequence[float] | Floats) -> GainEstimate:
    """Return the share saved, 1 - mean(after)/mean(before), of pairs (chips,): costs of the same chips."""
    high, low = (1.0 - float(end) for end in ratio_interval(after, before))
    return GainEstimate(low, 1.0 - float(np.mean(after) / np.mean(before)), high)
