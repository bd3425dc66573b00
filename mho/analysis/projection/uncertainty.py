"""How far a projection may be off: Monte Carlo over the ranges of its assumptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.analysis.projection.assumptions import Assumption, Assumptions, Parameters, Value

Floats = NDArray[np.float64]

LEVELS = (0.05, 0.95)
"""Quantiles that a band lies between."""


@dataclass(frozen=True)
class Band:
    """The range in which 90 % of the draws lie, and their median."""

    low: float
    median: float
    high: float


def draw(assumptions: Assumptions, rng: np.random.Generator, draws: int) -> Parameters:
    """Return values drawn independently of each other from triangles over low, value and high.

    Of logarithms where a range spans more than a factor of three and holds no 0; what counts something is rounded.
    """
    return Parameters(**{name: _drawn(one, rng, draws) for name, one in assumptions.items()})


def _drawn(one: Assumption, rng: np.random.Generator, draws: int) -> Value:
    if one.low == one.high:
        return one.value
    if one.low > 0.0 and one.high > 3.0 * one.low:
        values = np.exp(rng.triangular(np.log(one.low), np.log(one.value), np.log(one.high), draws))
    else:
        values = rng.triangular(one.low, one.value, one.high, draws)
    return np.clip(np.round(values) if one.whole else values, one.low, one.high)


def band(answer: Callable[[Parameters], Any], drawn: Parameters) -> Band:
    """Return the band of an answer that is computed of all draws at once."""
    values = np.asarray(answer(drawn), dtype=np.float64)
    low, middle, high = np.quantile(values, (LEVELS[0], 0.5, LEVELS[1]))
    return Band(float(low), float(middle), float(high))
