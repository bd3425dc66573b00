"""Numbers of SET/RESET distributions: medians, spread by cycle and by device, memory from cycle to cycle, window.

Everything is of log10 G, as G of HRS is log-normal. With cell i, cycle j

    log10 G_ij = mean + device_i + cycle_ij                  (one-way random effects)

`device` and `cycle` are found from the mean squares between and within cells (Searle, Casella, McCulloch, Variance
Components (1992), section 3.6 (?), cells with unequal numbers of cycles included).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mho.procedures.cells.robust import robust_deviation

Floats = NDArray[np.float64]

ROUNDS = 20  # of a fixed point that is found to a thousandth in five
TAIL = 0.05  # share beyond the worst-case window


def variance_components(values: Floats) -> tuple[float, float]:
    """Return the deviations from cycle to cycle and from device to device of `values` (cells, cycles), NaN left out.

    The device part is 0 where cells differ by less than their cycles explain. NaN where it cannot be told.
    """
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    values, known, counts = values[counts > 0], known[counts > 0], counts[counts > 0]
    cells, total = len(counts), int(counts.sum())
    if total <= cells:
        return math.nan, math.nan
    means = np.where(known, values, 0.0).sum(axis=1) / counts
    within = np.where(known, (values - means[:, None]) ** 2, 0.0).sum() / (total - cells)
    if cells < 2:
        return math.sqrt(within), math.nan
    grand = float(counts @ means) / total
    between = float(counts @ (means - grand) ** 2) / (cells - 1)
    size = (total - float(counts @ counts) / total) / (cells - 1)
    return math.sqrt(within), math.sqrt(max(between - within, 0.0) / size)


def lag_one(values: Floats) -> float:
    """Return the autocorrelation of successive cycles, all cells together; NaN with fewer than five cycles.

    Deviations from the mean of a short series are too small by that mean's own variance v, which for a first-order memory r
    is known: what is found is (r - v)/(1 - v), and is solved for r.
    """
    cycles = values.shape[1]
    deviations = values - _nanmean(values)[:, None]
    known = np.isfinite(deviations)
    pairs = known[:, 1:] & known[:, :-1]
    if cycles < 5 or not pairs.any():
        return math.nan
    filled = np.where(known, deviations, 0.0)
    variance = float((filled**2).sum() / known.sum())
    if not variance > 0.0:
        return math.nan
    found = float((filled[:, 1:] * filled[:, :-1]).sum() / pairs.sum()) / variance
    memory = found
    for _ in range(ROUNDS):
        memory = found + _variance_of_mean(memory, cycles) * (1.0 - found)
    return memory


def _variance_of_mean(memory: float, count: int) -> float:
    """Return the variance of the mean of `count` values with this memory from one to the next, of unit variance."""
    r = min(max(memory, -0.99), 0.99)
    return ((1.0 + r) / (1.0 - r) - 2.0 * r * (1.0 - r**count) / (count * (1.0 - r) ** 2)) / count


def correlation(one: Floats, other: Floats) -> float:
    """Return how two states (cells, cycles) of the same cycles vary together about their cells' means."""
    both = np.isfinite(one) & np.isfinite(other)
    x, y = (np.where(both, values, np.nan) for values in (one, other))
    x, y = (np.where(both, values - _nanmean(values)[:, None], 0.0) for values in (x, y))
    size = math.sqrt(float((x * x).sum()) * float((y * y).sum()))
    return float((x * y).sum()) / size if size > 0.0 else math.nan


def distribution(conductance: Floats) -> dict[str, float]:
    """Return the numbers of one state's conductances (cells, cycles), S; what is not above 0 S is left out."""
    logs = logarithms(conductance)
    cycle, device = variance_components(logs)
    known = logs[np.isfinite(logs)]
    return {
        "median": 10.0 ** float(np.median(known)) if known.size else math.nan,
        "cycle_deviation": cycle,
        "device_deviation": device,
        "robust_deviation": robust_deviation(logs - _nanmedian(logs)[:, None]),  # of the cycle part
        "autocorrelation": lag_one(logs),
    }


def logarithms(conductance: Floats) -> Floats:
    """Return log10 of conductances in S; NaN of what is not above 0."""
    return np.log10(np.where(conductance > 0.0, conductance, np.nan))


def window(states: Floats) -> dict[str, float]:
    """Return ratios of LRS to HRS, states (cells, 2, cycles): of medians, and of the worst cycles (low LRS, high HRS)."""
    lrs, hrs = (states[:, state][np.isfinite(states[:, state])] for state in (0, 1))
    if not (lrs.size and hrs.size):
        return {"window": math.nan, "worst_window": math.nan, "correlation": math.nan}
    middle, highest = float(np.median(hrs)), float(np.quantile(hrs, 1.0 - TAIL))
    return {
        "window": float(np.median(lrs)) / middle if middle > 0.0 else math.nan,
        "worst_window": float(np.quantile(lrs, TAIL)) / highest if highest > 0.0 else math.nan,
        "correlation": correlation(logarithms(states[:, 0]), logarithms(states[:, 1])),
    }


def _nanmean(values: Floats) -> Floats:
    known = np.isfinite(values)
    means: Floats = np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return means


def _nanmedian(values: Floats) -> Floats:
    """Return medians along rows; NaN of a row without a number, without numpy's warning."""
    medians = np.full(len(values), np.nan)
    some = np.isfinite(values).any(axis=1)
    if some.any():
        medians[some] = np.nanmedian(values[some], axis=1)
    return medians
