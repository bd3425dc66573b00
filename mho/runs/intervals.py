"""Prediction intervals from draws, as run files keep them, and whether outcomes lie in them.

An outcome drawn as N other values were lies between the k-th smallest and the k-th largest of them with probability
(N + 1 - 2k) / (N + 1), whatever the distribution is (Wilks, Ann. Math. Statist. 12, 91 (1941)). Of an outcome that equals
an end, the share of its possible ranks that lie inside counts (Czado, Gneiting and Held, Biometrics 65, 1254 (2009)).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

LEVEL = 0.9  # least probability with which an interval holds its outcome
LEAST_DRAWS = 19  # the fewest draws whose extremes hold another one with that probability: 18 of 20 ranks


@dataclass(frozen=True)
class Interval:
    """A prediction interval."""

    low: float  # infinite where draws are, as the cycles of a solve that needs more than allowed
    median: float
    high: float
    at_low: float = 1.0  # share with which an outcome that equals the lower end counts as inside
    at_high: float = 1.0  # the same of the upper end

    def holds(self, outcome: float) -> bool:
        """Return whether an outcome lies inside, ends included."""
        return self.low <= outcome <= self.high

    def share(self, outcome: float) -> float:
        """Return 1 for an outcome inside, 0 outside, and at an end the share that counts."""
        if not self.holds(outcome):
            return 0.0
        return self.at_low if outcome == self.low else self.at_high if outcome == self.high else 1.0

    def plain(self) -> dict[str, float | None]:
        """Return the values by name, for a run file; infinite ones are None."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Return the interval that `plain` made; `ValueError`, `KeyError` or `TypeError` for what is none."""
        low, median, high = (
            math.inf if values[name] is None else float(values[name]) for name in ("low", "median", "high")
        )
        shares = float(values["at_low"]), float(values["at_high"])
        if not low <= median <= high or not all(0.0 <= share <= 1.0 for share in shares):
            raise ValueError("the ends of an interval ascend, and shares lie between 0 and 1")
        return cls(low, median, high, *shares)


def prediction_interval(draws: Sequence[float]) -> Interval | None:
    """Return the narrowest interval of equal tails that holds another draw with at least 90 %; None for too few draws.

    `draws`: NaN is left out; infinite values rank highest.
    """
    values = np.sort([value for value in draws if not math.isnan(value)])
    count = len(values)
    if count < LEAST_DRAWS:
        return None
    cut = math.floor((count + 1) * (1.0 - LEVEL) / 2.0 + 1e-9)
    low, high = float(values[cut - 1]), float(values[count - cut])

    def share(end: float) -> float:
        below, ties = int((values < end).sum()), int((values == end).sum())
        first, last = max(below, cut) + 1, min(below + ties, count - cut) + 1
        return (last - first + 1) / (ties + 1)

    # Not the mean of the middle two: one of them may be infinite.
    return Interval(low, float(values[(count - 1) // 2]), high, share(low), share(high))
