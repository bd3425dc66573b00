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

from mho.analysis.calibration.censored_normal import censored_normal
from mho.analysis.calibration.experiments.estimates import Estimate
from mho.analysis.calibration.pulses_by_cell import formed_above
from mho.analysis.calibration.transitions import Sequences

Floats = NDArray[np.float64]

FORMING_WIDTH = 1e-6  # s, of forming_voltage
DEVIATES = 1.959964
BEYOND = 3.5  # deviations above the mean: a cell that did not form there is lost


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
        found = censored_normal(low[~lost], high[~lost])
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
