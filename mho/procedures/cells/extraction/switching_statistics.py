"""Numbers of SET/RESET distributions: medians, spread by cycle and by device, memory from cycle to cycle, window.

Everything is of log10 G, as G of HRS is log-normal. With cell i, cycle j

    log10 G_ij = mean + device_i + cycle_ij                  (one-way random effects)

`device` and `cycle` are found from the mean squares between and within cells (Searle, Casella, McCulloch, Variance
Components (1992), section 3.6 (?), cells with unequal numbers of cycles included).

Cells are independent of each other, cycles of a cell are not: intervals are those of numbers of cells (`mho.confidence`).
Those of medians, quartiles and the worst window are of order statistics: HRS may have a narrow body and a long tail, which
no law of two numbers fits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats
from mho.confidence import (
    FEWEST,
    Ends,
    Scale,
    binomial_interval,
    clustered_binomial_interval,
    component_interval,
    difference_of,
    jackknife,
    with_interval,
)

NORMAL_IQR = 1.3489795  # interquartile range of a normal distribution of unit deviation


def robust_deviation(values: Floats) -> float:
    """Return the interquartile range of finite values in units of a normal distribution's; NaN for fewer than four."""
    known = values[np.isfinite(values)]
    if known.size < 4:
        return math.nan
    low, high = np.quantile(known, [0.25, 0.75])
    return float(high - low) / NORMAL_IQR


ROUNDS = 20  # of a fixed point that is found to a thousandth in five
TAIL = 0.05  # share beyond the worst-case window

CELLS_OF_A_SPREAD = 16
"""Fewest cells whose spread from cycle to cycle and memory have an interval: with a tail, fewer do not tell how wide."""

CELLS_OF_A_TAIL = 32  # fewest cells that bound a tail outwards: fewer tell too little of how cells differ

READINGS_OF_A_TAIL = math.log(0.025) / math.log(1.0 - TAIL)
"""Fewest independent readings one of which lies beyond the quantile of `TAIL` in 97.5 %."""

BY_CELLS: dict[str, Scale] = {"cycle_deviation": "log", "autocorrelation": "correlation"}
"""Numbers of a state whose intervals are found by leaving cells out, and the scale on which they scatter evenly."""


@dataclass(frozen=True)
class MeanSquares:
    """Analysis of variance of cells and their cycles."""

    # between, within: mean squares; NaN where they cannot be told
    between: float
    within: float
    cells: int
    values: int
    size: float  # values of a cell; of cells with unequal numbers, their weighted mean

    @property
    def deviations(self) -> tuple[float, float]:
        """From cycle to cycle, and from device to device: 0 where cells differ by less than their cycles explain."""
        return math.sqrt(self.within), math.sqrt(max(self.between - self.within, 0.0) / self.size)

    def device_interval(self) -> tuple[float, float]:
        """Return the interval of the deviation from device to device."""
        freedom = self.values - self.cells
        low, high = component_interval(self.between, self.within, self.cells, freedom, self.size)
        return float(low), float(high)


def mean_squares(values: Floats) -> MeanSquares:
    """Return the analysis of variance of `values` (cells, cycles), NaN left out."""
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    values, known, counts = values[counts > 0], known[counts > 0], counts[counts > 0]
    cells, total = len(counts), int(counts.sum())
    if total <= cells:
        return MeanSquares(math.nan, math.nan, cells, total, math.nan)
    means = np.where(known, values, 0.0).sum(axis=1) / counts
    within = np.where(known, (values - means[:, None]) ** 2, 0.0).sum() / (total - cells)
    if cells < 2:
        return MeanSquares(math.nan, float(within), cells, total, math.nan)
    grand = float(counts @ means) / total
    between = float(counts @ (means - grand) ** 2) / (cells - 1)
    size = (total - float(counts @ counts) / total) / (cells - 1)
    return MeanSquares(between, float(within), cells, total, size)


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
    correlation = float((filled[:, 1:] * filled[:, :-1]).sum() / pairs.sum()) / variance
    memory = correlation
    for _ in range(ROUNDS):
        memory = correlation + _variance_of_mean(memory, cycles) * (1.0 - correlation)
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
    cycle, device = mean_squares(logs).deviations
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


def distribution_with_intervals(conductance: Floats) -> dict[str, float | None]:
    """Return the numbers of `distribution` with their intervals, NAME_low to NAME_high; None for what is not known."""
    logs, numbers = logarithms(conductance), distribution(conductance)
    low, high = quantile_interval(logs, 0.5)
    ends = {
        "median": (10.0**low, 10.0**high),
        "device_deviation": mean_squares(logs).device_interval(),
        "robust_deviation": _robust_interval(logs - _nanmedian(logs)[:, None]),
        **jackknife(conductance, distribution, BY_CELLS),
    }
    if np.isfinite(logs).any(axis=1).sum() < CELLS_OF_A_SPREAD:
        ends |= dict.fromkeys(BY_CELLS, (math.nan, math.nan))
    entries: dict[str, float | None] = {}
    for name, value in numbers.items():
        entries |= with_interval(name, value, ends[name])
    return entries


def window_with_intervals(states: Floats) -> dict[str, float | None]:
    """Return the numbers of `window` with their intervals."""
    ends = {
        "window": _ratio_interval(states, 0.5),
        "worst_window": _ratio_interval(states, TAIL),
        **jackknife(states, window, {"correlation": "correlation"}),
    }
    entries: dict[str, float | None] = {}
    for name, value in window(states).items():
        entries |= with_interval(name, value, ends[name])
    return entries


def quantile_interval(values: Floats, share: float) -> Ends:
    """Return the interval of a quantile of values (cells, cycles), whatever their law; NaN with fewer than five cells.

    Between the quantiles at both ends of the interval of the share of values that lie below it, cells being clusters
    (Woodruff, J. Am. Stat. Assoc. 47, 635 (1952)). A tail has no outer end where the values do not reach far enough: with
    fewer than `CELLS_OF_A_TAIL` cells, or where these differ so much that they are worth fewer readings than
    `READINGS_OF_A_TAIL`.
    """
    known = np.isfinite(values)
    values, known = values[known.any(axis=1)], known[known.any(axis=1)]
    if len(values) < FEWEST:
        return math.nan, math.nan
    every, counts = values[known], known.sum(axis=1)
    below = (known & (values <= np.quantile(every, share))).sum(axis=1)
    # Of equal values more than that share may lie below.
    low, high = clustered_binomial_interval(below * (share * every.size / below.sum()), counts)
    ends = [
        float(np.quantile(every, min(low, share), method="lower")),
        float(np.quantile(every, max(high, share), method="higher")),
    ]
    if min(share, 1.0 - share) < 0.25:  # quartiles hold without
        deep = binomial_interval(TAIL * READINGS_OF_A_TAIL, READINGS_OF_A_TAIL)[0]
        if len(values) < CELLS_OF_A_TAIL or min(low, 1.0 - high) < deep:
            ends[share > 0.5] = math.nan
    return ends[0], ends[1]


def _ratio_interval(states: Floats, share: float) -> Ends:
    """Return the interval of the quantile of LRS at `share` over that of HRS at 1 - `share`, states (cells, 2, cycles)."""
    quantiles = []
    for values, at in ((states[:, 1], 1.0 - share), (states[:, 0], share)):
        known = values[np.isfinite(values)]
        if not known.size:
            return math.nan, math.nan
        quantiles.append(logarithms(np.array([np.quantile(known, at), *quantile_interval(values, at)])))
    hrs, lrs = quantiles
    low, high = difference_of((hrs[1], hrs[2]), (lrs[1], lrs[2]), (hrs[0], lrs[0]))
    return 10.0**low, 10.0**high


def _robust_interval(residuals: Floats) -> Ends:
    """Return the interval of the robust deviation of what is left of values (cells, cycles) without their cell's median."""
    value = robust_deviation(residuals)
    if not value > 0.0:
        return math.nan, math.nan
    places = np.nanquantile(residuals, [0.25, 0.75])
    quartiles = [quantile_interval(residuals, share) for share in (0.25, 0.75)]
    low, high = difference_of(quartiles[0], quartiles[1], (places[0], places[1]))
    return max(low, 0.0) / NORMAL_IQR, high / NORMAL_IQR


def _nanmean(values: Floats) -> Floats:
    """Return means along rows; NaN of a row without a number, without numpy's warning."""
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    sums = np.where(known, values, 0.0).sum(axis=1)
    means: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def _nanmedian(values: Floats) -> Floats:
    """Return medians along rows; NaN of a row without a number, without numpy's warning."""
    medians = np.full(len(values), np.nan)
    some = np.isfinite(values).any(axis=1)
    if some.any():
        medians[some] = np.nanmedian(values[some], axis=1)
    return medians
