"""Cycles to failure: when a cell's window failed and why, and Weibull's distribution of it.

    F(n) = 1 - exp(-(n/scale)^shape)

A window is looked at from time to time only. A failure is known to lie between the last good look and the first bad one,
and that of a cell that never failed beyond its last look: the likelihood is that of censored intervals (Meeker and Escobar,
Statistical Methods for Reliability Data (1998), section 2.4 (?)). Intervals are those of the likelihood's profile (section
8.3 (?)), as a few failures between few looks leave it far from a parabola, with Student's deviate for few failures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats
from mho.confidence import likelihood_drop, profile_interval

STEEPEST = 5.0  # logarithm of the largest shape
SWITCHES = 2.0  # LRS/HRS from which a cell with too narrow a window still switches
GOOD, STUCK_LRS, STUCK_HRS, NARROW, SPREAD = range(5)
REASONS = (
    "good", "stuck in LRS", "stuck in HRS", "window below the ratio", "missed by spread alone"
)  # fmt: skip
WORN = 1e-2  # chance that a cell is taken for worn which has not, over all looks at it
MISSED = 0.01  # chance, over all looks, that a cell whose windows scatter is taken for failed


def judge(lrs: float, hrs: float, ratio: float, middle: float, least: float) -> int:
    """Return GOOD, or why the window has failed, of reads (S) after a SET and after a RESET.

    Parameters
    ----------
    ratio : float
        Least LRS/HRS of a good window.
    middle : float
        Conductance between the states, S: of a cell that no longer switches it tells in which one it is stuck.
    least : float
        Conductance that every LRS exceeds, S.
    """
    if lrs > least and lrs >= ratio * hrs:
        return GOOD
    if lrs > least and lrs >= min(SWITCHES, ratio) * hrs:
        return NARROW
    return STUCK_LRS if max(lrs, hrs) >= middle else STUCK_HRS


def has_worn(first: Floats, later: Floats, looks: int, *, holds: bool) -> bool:
    """Return whether `later` windows of a cell lie below its `first` ones, by more than their scatter explains.

    By the rank sum of Mann and Whitney (Ann. Math. Statist. 18, 50 (1947)): windows scatter without a law in common.
    The chance of an error is divided among all looks at the cell. `first`, `later` (n,): log10 of LRS/HRS. `holds`:
    whether the cell held the criterion at first. Of one that did not, only a cell which no longer switches has
    failed.
    """
    from scipy.stats import mannwhitneyu  # loads slowly

    if not holds and later.max() >= math.log10(SWITCHES):
        return False
    return bool(mannwhitneyu(later, first, alternative="less").pvalue < WORN / max(looks, 1))


def sustainable_ratios(windows: Floats, looks: int, confirmations: int) -> Floats:
    """Return for each cell the largest LRS/HRS of a criterion that its scatter does not fail, to one in a hundred cells.

    A look fails when so many `confirmations` in a row do. Windows are taken as log-normal, as measured. `windows`
    (cells, cycles): log10 of LRS/HRS in a cell's first cycles; `looks`: how often a cell is looked at.
    """
    from scipy.stats import t as student  # loads slowly

    count = windows.shape[1]
    share = (MISSED / max(looks, 1)) ** (1.0 / confirmations)
    reach = float(student.isf(share, count - 1)) * math.sqrt(1.0 + 1.0 / count)
    ratios: Floats = 10.0 ** (windows.mean(axis=1) - reach * windows.std(axis=1, ddof=1))
    return ratios


@dataclass(frozen=True)
class Weibull:
    """A fitted distribution of lifetimes; each interval holds the truth with 95 %.

    Where all may have failed at the same count nothing bounds the shape, which is NaN.
    """

    scale: float
    shape: float
    scale_interval: tuple[float, float]
    shape_interval: tuple[float, float]


def fit_weibull(good: Floats, bad: Floats) -> Weibull | None:
    """Return the distribution of lifetimes in the intervals from `good` to `bad`; None where fewer than two failed.

    Parameters
    ----------
    good : (n,) array
        Last count at which each was good, 0 from the start.
    bad : (n,) array
        First count at which it was not; infinite where it never failed.
    """
    from scipy.optimize import minimize  # loads slowly

    failed = np.isfinite(bad)
    if failed.sum() < 2:
        return None
    good = np.maximum(good, 0.0)
    middles = np.sqrt(np.maximum(good, bad / 10.0) * bad)[failed]
    spread = float(np.std(np.log(middles)))
    # Of a Weibull distribution, log n has the deviation 1.28/shape.
    start = np.array([np.log(middles).mean() + 0.5 * spread, -math.log(max(spread, 0.05) / 1.28)])

    def minus_log_likelihood(place: Floats) -> float:
        return _minus_log_likelihood(place, good, bad)

    optimum = minimize(
        minus_log_likelihood, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}
    )
    place = np.asarray(optimum.x)
    drop = likelihood_drop(int(failed.sum()))
    ends = [_powers(*profile_interval(minus_log_likelihood, place, axis, drop)) for axis in (0, 1)]
    scale, shape = np.exp(place).tolist()
    return Weibull(scale, shape if place[1] < STEEPEST - 1.0 else math.nan, *ends)


def _minus_log_likelihood(place: Floats, good: Floats, bad: Floats) -> float:
    """Return -log likelihood at (log scale, log shape)."""
    shape = math.exp(min(place[1], STEEPEST))
    with np.errstate(over="ignore"):
        before = np.exp(np.minimum(shape * (np.log(np.maximum(good, 1e-300)) - place[0]), 600.0))
        after = np.exp(np.minimum(shape * (np.log(bad) - place[0]), 600.0))
    before = np.where(good > 0.0, before, 0.0)
    share = np.where(np.isfinite(bad), -np.expm1(-np.maximum(after - before, 0.0)), 1.0)
    return float((before - np.log(np.maximum(share, 1e-300))).sum())


def _powers(low: float, high: float) -> tuple[float, float]:
    """Return the ends of a number whose logarithm has these."""
    return math.exp(low), math.exp(high)
