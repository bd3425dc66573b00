"""Moments and counts that are spaced evenly on a logarithmic scale: what drift, wear and stress are watched at."""

from __future__ import annotations

import math

import numpy as np

from mho.array_types import Floats, Integers
from mho.errors import InputError

MOST_PER_DECADE = 1000


def log_spaced(first: float, last: float, per_decade: int) -> Floats:
    """Return values from `first` to `last`, both included, `per_decade` a decade counted from the first.

    Raises `InputError` when `first` is not above 0, `last` lies before it, or a decade has no value.
    """
    if not (math.isfinite(first) and first > 0.0):
        raise InputError(f"logarithmic spacing begins at {first:g}; begin above 0")
    if not (math.isfinite(last) and last >= first):
        raise InputError(f"logarithmic spacing ends at {last:g}, before it begins at {first:g}; end later")
    if not 1 <= per_decade <= MOST_PER_DECADE:
        raise InputError(f"{per_decade} values a decade; give 1 to {MOST_PER_DECADE}")
    steps = math.floor(per_decade * math.log10(last / first) + 1e-9)
    values = first * 10.0 ** (np.arange(steps + 1) / per_decade)
    if values[-1] > last * (1.0 - 1e-9):
        values[-1] = last
        return values
    return np.append(values, last)


def log_counts(last: int, per_decade: int) -> Integers:
    """Return whole counts from 1 to `last`, both included, about `per_decade` a decade and none twice; as `log_spaced`."""
    return np.unique(np.round(log_spaced(1.0, float(last), per_decade)).astype(np.int64))
