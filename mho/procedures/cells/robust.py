"""Spread that outliers do not decide."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

NORMAL_IQR = 1.3489795  # interquartile range of a normal distribution of unit deviation


def robust_deviation(values: NDArray[np.float64]) -> float:
    """Return the interquartile range of finite values in units of a normal distribution's; NaN for fewer than four."""
    known = values[np.isfinite(values)]
    if known.size < 4:
        return math.nan
    low, high = np.quantile(known, [0.25, 0.75])
    return float(high - low) / NORMAL_IQR
