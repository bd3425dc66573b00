"""A normal distribution by the likelihood of censored intervals: each draw lies between two bounds."""

from __future__ import annotations

import math

import numpy as np

from mho.array_types import Floats

FEWEST = 5  # draws with an upper bound, below which nothing is said
STEP = 1e-3  # of mean/V and ln(sd/V), for the curvature
SPREADS = math.log(5e-3), math.log(3.0)  # V: beyond, brackets do not bound a spread


def censored_normal(low: Floats, high: Floats) -> tuple[Floats, Floats] | None:
    """Return mean and ln of the deviation, and their standard errors; None where the bounds do not tell them.

    `low` and `high` (draws,), V, are infinite where nothing bounds a draw.
    """
    from scipy.optimize import minimize  # loads slowly
    from scipy.special import log_ndtr

    inside = np.isfinite(low) & np.isfinite(high)
    if (
        np.isfinite(high).sum() < FEWEST
        or inside.sum() < 2
        or len(np.unique(np.stack([low, high]), axis=1).T) < 3
    ):
        return None

    def minus_log_likelihood(place: Floats) -> float:
        sd = math.exp(float(np.clip(place[1], *SPREADS)))
        above = log_ndtr(np.clip((place[0] - low) / sd, -30.0, 30.0))  # ln P(V_form > low)
        beyond = log_ndtr(np.clip((place[0] - high) / sd, -30.0, 30.0))
        above, beyond = np.where(np.isneginf(low), 0.0, above), np.where(np.isinf(high), -np.inf, beyond)
        share = -np.expm1(np.minimum(beyond - above, -1e-12))
        return -float((above + np.log(share)).sum())

    middles = np.where(np.isfinite(high), high, low)
    middles[inside] = 0.5 * (low[inside] + high[inside])
    start = np.array([np.median(middles), math.log(max(float(np.std(middles[inside])), 0.03))])
    place = np.asarray(minimize(minus_log_likelihood, start, method="Nelder-Mead", options={"xatol": 1e-5}).x)
    if not SPREADS[0] < place[1] < SPREADS[1]:
        return None
    curvature, unit = np.zeros((2, 2)), STEP * np.eye(2)
    for i in range(2):
        for j in range(2):
            corners = (
                a * b * minus_log_likelihood(place + a * unit[i] + b * unit[j])
                for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))
            )
            curvature[i, j] = sum(corners) / (4.0 * STEP * STEP)
    values = np.linalg.eigvalsh(curvature)
    if values[0] <= 0.0:
        return None
    return place, np.sqrt(np.diag(np.linalg.inv(curvature)))
