"""What a forming ramp tells of the cells: quantiles of the forming voltage, and the parameters of its distribution.

A ramp brackets the voltage at which a cell forms: above the last pulse that did not form it, up to the one that did. A cell
that no pulse formed lies above the ramp, one that the first pulse formed below it. Everything here keeps to that: counts
between grid points, likelihoods of intervals (interval censoring), and quantiles that end where the ramp ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.array_types import Floats, Integers
from mho.confidence import binomial_interval, likelihood_drop, profile_interval, quantile_ranks, with_interval
from mho.procedures.cells.extraction.response_curve import IntervalEstimate

FEWEST = 5  # cells that formed within the ramp, below which no distribution is fitted

NOT_FORMED, FORMED, OVER, CONDUCTED = range(4)
"""Codes of the states of cells: what `form` made of them, or that they conducted before."""

SHARES = 200  # levels at which the distribution is kept, at least
NEVER = -1  # number of the pulse that formed a cell, for one that none formed


@dataclass(frozen=True)
class Distribution:
    """A distribution of two parameters, fitted to forming voltages."""

    # first, second: mean and standard deviation (V) of a normal one; scale (V) and shape of Weibull's
    first: IntervalEstimate
    second: IntervalEstimate
    likelihood: float  # logarithm of the likelihood


def shares(formed_by: Integers, pulses: int) -> tuple[Floats, Floats, Floats]:
    """Return the share of cells that were formed by each pulse or an earlier one, and the ends of its 95 % interval.

    `formed_by` (cells,): number of the pulse that formed each cell, from 0; `NEVER` for none. `pulses`: of the whole
    ramp.
    """
    done = np.cumsum(np.bincount(formed_by[formed_by >= 0], minlength=pulses))
    low, high = binomial_interval(done, np.full(pulses, len(formed_by)))
    return done / max(len(formed_by), 1), low, high


def quantile(share: float, formed_by: Integers, volts: Floats) -> IntervalEstimate:
    """Return a quantile (V) of the forming voltage, with the interval between order statistics, whatever the distribution.

    Parameters
    ----------
    share : float
        Between 0 and 1: 0.5 is the median.
    formed_by : (cells,) array
        As `shares` has it.
    volts : (pulses,) array
        The ramp, V, ascending.
    """
    count = len(formed_by)
    if not count:
        return IntervalEstimate(math.nan, -math.inf, math.inf)
    reached = np.cumsum(np.bincount(formed_by[formed_by >= 0], minlength=len(volts))) / count
    place = int(np.searchsorted(reached, share - 1e-12))
    if place == len(volts) or place == 0:  # beyond an end of the ramp, nothing says how far
        value = math.nan
    else:
        before = float(reached[place - 1])
        part = (share - before) / float(reached[place] - before)
        value = float(volts[place - 1] + part * (volts[place] - volts[place - 1]))
    ranked = np.sort(np.where(formed_by >= 0, formed_by, len(volts)))
    first, last = quantile_ranks(count, share)
    below = np.concatenate([[-np.inf], volts])  # under the bracket of each pulse, and of none
    above = np.append(volts, np.inf)
    low = -math.inf if first < 0 else float(below[ranked[first]])
    high = math.inf if last >= count else float(above[ranked[last]])
    return IntervalEstimate(value, low, high)


def fit_normal(formed_by: Integers, volts: Floats) -> Distribution | None:
    """Fit a normal distribution to the brackets; None where fewer than five cells formed, or at two pulses at most."""
    from scipy.special import log_ndtr

    def log_survival(x: Floats, first: float, log_second: float) -> Floats:
        # Not beyond 30 standard deviations: the optimiser may come along there.
        survival: Floats = log_ndtr(np.clip((first - x) / math.exp(log_second), -30.0, 30.0))
        return survival

    def start(middle: float, spread: float) -> tuple[float, float, float]:
        return middle, spread, math.log(spread)

    fit = _fit(formed_by, volts, log_survival, start)
    if fit is None:
        return None
    mean, log_sd, likelihood = fit
    return Distribution(mean, _of_logarithm(log_sd), likelihood)


def fit_weibull(formed_by: Integers, volts: Floats) -> Distribution | None:
    """Fit Weibull's distribution, 1 - exp(-(V/scale)^shape), to the brackets; None as `fit_normal`."""

    def log_survival(x: Floats, log_scale: float, log_shape: float) -> Floats:
        power = math.exp(min(log_shape, 7.0)) * (np.log(np.maximum(x, 1e-9)) - log_scale)
        return -np.exp(np.clip(power, -500.0, 6.0))

    def start(middle: float, spread: float) -> tuple[float, float, float]:
        return math.log(middle * 1.05), spread / middle, math.log(max(1.2 * middle / spread, 1.0))

    fit = _fit(formed_by, volts, log_survival, start)
    if fit is None:
        return None
    log_scale, log_shape, likelihood = fit
    return Distribution(_of_logarithm(log_scale), _of_logarithm(log_shape), likelihood)


def normal_share(volts: Floats, fitted: Distribution) -> Floats:
    """Return the share of cells that form below each voltage (V)."""
    from scipy.special import ndtr

    share: Floats = ndtr((volts - fitted.first.value) / fitted.second.value)
    return share


def weibull_share(volts: Floats, fitted: Distribution) -> Floats:
    """Return the share of cells that form below each voltage (V)."""
    share: Floats = -np.expm1(-((np.maximum(volts, 0.0) / fitted.first.value) ** fitted.second.value))
    return share


def summary_of(state: Integers, formed_by: Integers, conductance: Floats, volts: Floats) -> dict[str, Any]:
    """Return counts, yield, quantiles and fitted parameters; an end that the ramp does not reach is None.

    `state`, `conductance` (cells,): code of each cell, and its last read, S; `formed_by` (n,): the pulse that formed
    each of those that did not conduct before, as `shares` has it; `volts` (pulses,): the ramp, V.
    """
    counts = {
        name: int((state == code).sum())
        for name, code in (
            ("formed", FORMED), ("over_formed", OVER), ("not_formed", NOT_FORMED), ("conducted_before", CONDUCTED),
        )
    }  # fmt: skip
    low, high = binomial_interval(counts["formed"], len(formed_by))
    after = conductance[np.isin(state, (FORMED, OVER))]
    quartiles = np.quantile(after, (0.25, 0.5, 0.75)).tolist() if after.size else [None] * 3
    summary: dict[str, Any] = {
        "cells": len(state), **counts, "yield": counts["formed"] / len(formed_by) if len(formed_by) else None,
        "yield_low": low, "yield_high": high,
        "pulses": int(np.where(formed_by >= 0, formed_by + 1, len(volts)).sum()),
    }  # fmt: skip
    for name, share in (("median", 0.5), ("lower_quartile", 0.25), ("upper_quartile", 0.75)):
        summary |= _known(name, quantile(share, formed_by, volts))
    normal, weibull = fit_normal(formed_by, volts), fit_weibull(formed_by, volts)
    if normal is not None:
        summary |= _known("normal_mean", normal.first) | _known("normal_sd", normal.second)
    if weibull is not None:
        summary |= _known("weibull_scale", weibull.first) | _known("weibull_shape", weibull.second)
    if normal is not None and weibull is not None:
        summary["better_fit"] = "normal" if normal.likelihood >= weibull.likelihood else "Weibull"
    names = ("conductance_lower", "conductance_median", "conductance_upper")
    return summary | dict(zip(names, quartiles, strict=True))


def _known(name: str, estimate: IntervalEstimate) -> dict[str, float | None]:
    return with_interval(name, estimate.value, (estimate.low, estimate.high))


def share_rows(formed_by: Integers, volts: Floats) -> dict[str, Floats]:
    """Return the rows of the table ``formed``: share, interval and fits at levels (V) along the ramp."""
    share, low, high = shares(formed_by, len(volts))
    normal, weibull = fit_normal(formed_by, volts), fit_weibull(formed_by, volts)
    levels = np.linspace(volts[0], volts[-1], max(SHARES, len(volts)))
    by = np.searchsorted(volts, levels + 1e-9) - 1  # the last pulse up to there
    nothing = np.full(len(levels), np.nan)
    return {
        "ramped": levels, "share": share[by], "low": low[by], "high": high[by],
        "normal": nothing if normal is None else normal_share(levels, normal),
        "weibull": nothing if weibull is None else weibull_share(levels, weibull),
    }  # fmt: skip


def _of_logarithm(estimate: IntervalEstimate) -> IntervalEstimate:
    """Return the number whose logarithm was found, with its interval."""
    return IntervalEstimate(
        *(math.exp(min(one, 700.0)) for one in (estimate.value, estimate.low, estimate.high))
    )


def _fit(
    formed_by: Integers, volts: Floats, log_survival: Callable[[Floats, float, float], Floats],
    start: Callable[[float, float], tuple[float, float, float]],
) -> tuple[IntervalEstimate, IntervalEstimate, float] | None:  # fmt: skip
    """Maximise the likelihood of the brackets; return both parameters with their intervals, and its logarithm.

    `log_survival`: logarithm of the share that forms above voltages, for both parameters; `start`: first parameter to
    start from, the unit in which it is searched, and the second one, by the middle and the spread of the voltages
    (V).
    """
    from scipy.optimize import minimize

    inside = formed_by[formed_by >= 0]
    counts = np.bincount(inside, minlength=len(volts)).astype(float)
    if len(inside) < FEWEST or np.count_nonzero(counts) < 3:
        return None
    never = float(len(formed_by) - len(inside))
    middle, spread = float(np.median(volts[inside])), max(float(volts[inside].std()), 1e-3)
    first, unit, second = start(middle, spread)

    def cost(parameters: Floats) -> float:
        above = log_survival(volts, first + unit * float(parameters[0]), float(parameters[1]))
        before = np.concatenate([[0.0], above[:-1]])
        within = before + np.log(-np.expm1(np.minimum(above - before, -1e-12)))
        return -float(counts @ within + never * above[-1])

    best = minimize(cost, (0.0, second), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-7})
    place, drop = np.asarray(best.x, dtype=float), likelihood_drop(len(inside))
    intervals = [(float(place[axis]), *profile_interval(cost, place, axis, drop)) for axis in (0, 1)]
    location = IntervalEstimate(*(first + unit * one for one in intervals[0]))
    return location, IntervalEstimate(*intervals[1]), -float(best.fun)
