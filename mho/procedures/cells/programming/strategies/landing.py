"""Where to aim a SET whose outcome spreads, so that the fewest pulses are left (dynamic programming, one step ahead).

A SET lands in the window with probability p_in, below it with p_under, above it with p_over. With `under` and `over` the
expected numbers of pulses that are left from there, the expected number with this SET is

    W = 1 + p_under under + p_over over

and the aim is where W is least. All are functions of numbers or of arrays of cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import log_ndtr, ndtr

Values = Any  # a number for one cell, an array for many

AIMS = np.linspace(-2.5, 1.1, 25)
"""Aims that are tried, in spreads from the middle of the window."""


def best_aim(low: Values, high: Values, spread: Values, under: Values, over: Values) -> tuple[Values, Values]:
    """Return the mean to aim for, and the expected number of pulses W.

    Parameters
    ----------
    low, high : float or array
        The window, V of gate voltage; `high` may be infinite.
    spread : float or array
        Standard deviation of where a SET lands, V.
    under, over : float or array
        Expected numbers of pulses that are left after a SET that lands below, and above the window.
    """
    low, high, spread, under, over = (
        np.asarray(value, dtype=float)[..., None] for value in (low, high, spread, under, over)
    )
    width = np.minimum(high - low, 8.0 * spread)  # of one that is open above: far enough to be sure
    aims = low + 0.5 * width + np.maximum(spread, 0.2 * width) * AIMS
    below, above = ndtr((low - aims) / spread), ndtr((aims - high) / spread)
    left = 1.0 + under * below + over * above
    best = left.argmin(axis=-1)[..., None]
    return np.take_along_axis(aims, best, axis=-1)[..., 0], np.take_along_axis(left, best, axis=-1)[..., 0]


def beyond(spread: Values, excess: Values) -> tuple[Values, Values]:
    """Return mean and variance of a normal deviate with this standard deviation, given that it exceeds `excess`.

    Those of a truncated normal distribution, by the logarithm of its tail, which does not underflow.
    """
    z = np.clip(excess / spread, -6.0, 6.0)
    hazard = np.exp(-0.5 * z * z - 0.5 * np.log(2.0 * np.pi) - log_ndtr(-z))
    return spread * hazard, spread**2 * np.maximum(1.0 + z * hazard - hazard**2, 0.0)
