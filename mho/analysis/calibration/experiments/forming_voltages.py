"""Forming voltage and its spread, from the pulses on virgin cells: each cell gives a bracket.

A cell forms at the first pulse with V_BL - cost >= V_form, where a pulse shorter than 1 us and a low gate cost

    forming_decade log10(1 us/width) + forming_gate_loss max(forming_gate - V_WL, 0)

so V_form lies above the most that did not form it, up to what did. The likelihood is that of censored intervals of a normal
distribution. A cell that no pulse formed although it had what forms all others is lost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration.experiments.estimates import FEWEST, Estimate
from mho.analysis.calibration.transitions import Sequences, formed_above

Floats = NDArray[np.float64]

FORMING_WIDTH = 1e-6  # s, of forming_voltage
DEVIATES = 1.959964
BEYOND = 3.5  # deviations above the mean: a cell that did not form there is lost
STEP = 1e-3  # of mean/V and ln(sd/V), for the curvature
SPREADS = math.log(5e-3), math.log(3.0)  # V: beyond, brackets do not bound a spread


def brackets(forming: Sequences, base: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Return the voltages (cells,) above which and up to which each cell formed, V; infinite where nothing bounds them."""
    cost = base["forming_decade"] * np.log10(FORMING_WIDTH / forming.width)
    cost = cost + base["forming_gate_loss"] * np.maximum(base["forming_gate"] - forming.gate, 0.0)
    arriving = forming.voltage - cost
    formed = forming.live & (forming.after >= formed_above(base))
    failed = forming.live & ~formed
    low = np.where(failed, arriving, -np.inf).max(axis=0, initial=-np.inf)
    high = np.where(formed, arriving, np.inf).min(axis=0, initial=np.inf)
    return low, np.maximum(high, low + 1e-3)


def forming_voltages(low: Floats, high: Floats) -> tuple[list[Estimate], NDArray[np.bool_]]:
    """Return forming_voltage and forming_spread, and which cells are lost; nothing where the brackets do not bound them."""
    lost = np.zeros(len(low), bool)
    found: tuple[Floats, Floats] | None = None
    for _ in range(3):
        found = _fit(low[~lost], high[~lost])
        if found is None:
            return [], np.zeros(len(low), bool)
        (mean, log_sd), _ = found
        beyond = ~np.isfinite(high) & (low > mean + BEYOND * math.exp(log_sd))
        if (beyond == lost).all():
            break
        lost = beyond
    assert found is not None  # the loop runs
    (mean, log_sd), (mean_error, sd_error) = found
    sd, least, most = (math.exp(log_sd + side * DEVIATES * sd_error) for side in (0.0, -1.0, 1.0))
    return [
        Estimate(
            "forming_voltage",
            float(mean),
            float(mean - DEVIATES * mean_error),
            float(mean + DEVIATES * mean_error),
        ),
        Estimate("forming_spread", sd, least, most),
    ], lost


def _fit(low: Floats, high: Floats) -> tuple[Floats, Floats] | None:
    """Return mean and ln of the deviation, and their standard errors."""
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

    middles = np.where(inside, 0.5 * (low + high), np.where(np.isfinite(high), high, low))
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
