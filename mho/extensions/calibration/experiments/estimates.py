"""A parameter's value with its 95 % interval, and intervals of means."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from mho.array_types import Floats

TAIL = 0.025
FEWEST = 5  # cells, or series of reads, below which their scatter gives no interval


@dataclass(frozen=True)
class ParameterEstimate:
    """A parameter of a preset, SI, with the ends of its 95 % interval, and what it is from.

    `beside` has parameters that are set with it, SI: the temperature at which a retention time is one.
    """

    name: str
    value: float
    low: float
    high: float
    source: str = ""
    beside: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Its name, with what is set beside it."""
        return self.name + "".join(f" at {value:.4g} K" for value in self.beside.values())


def is_told(one: ParameterEstimate, shares: Collection[str]) -> bool:
    """Return whether an interval is narrower than what is taken for granted of a parameter: e times more or less.

    Of shares the odds count, e times more or less for one deviation; what may be negative is always told.
    """
    if one.name in shares:
        low, high = (min(max(end, 1e-9), 1.0 - 1e-9) for end in (one.low, one.high))
        return math.log(high / (1.0 - high)) - math.log(low / (1.0 - low)) < 4.0
    return one.low <= 0.0 or math.log(one.high / one.low) < 2.0


def reach(count: int) -> float:
    """Return the half width of a 95 % interval of a mean of `count` values, in its standard errors (Student's t)."""
    from scipy.stats import t  # loads slowly

    return float(t.ppf(1.0 - TAIL, count - 1))


def mean_of(name: str, values: Floats) -> ParameterEstimate | None:
    """Return the mean of what each cell tells; None for fewer than five cells."""
    known = values[np.isfinite(values)]
    if len(known) < FEWEST:
        return None
    middle = float(known.mean())
    half = reach(len(known)) * float(known.std(ddof=1)) / math.sqrt(len(known))
    return ParameterEstimate(name, middle, middle - half, middle + half)


def root_mean_square(name: str, squares: Floats) -> ParameterEstimate | None:
    """Return the root of the mean of squares; its interval is one of the logarithm. None as `mean_of`."""
    known = squares[np.isfinite(squares)]
    if len(known) < FEWEST or not known.mean() > 0.0:
        return None
    middle = float(known.mean())
    relative = reach(len(known)) * float(known.std(ddof=1)) / middle / math.sqrt(len(known))
    value, stretch = math.sqrt(middle), math.exp(0.5 * relative)  # a root has half the relative error
    return ParameterEstimate(name, value, value / stretch, value * stretch)
