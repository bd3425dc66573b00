"""Drift of programmed cells against the logarithm of time: by level the mean, the spread, the share still in the window.

Oxide cells relax about as a random walk in log t: the change since the first read has a mean and a deviation that grow by
about the same in each decade (arXiv 2502.04524). Both are fitted as

    change(t) = a + b log10 t

`b` of a cell is its drift coefficient, S a decade.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.levels import UNKNOWN
from mho.confidence import (
    binomial_interval,
    deviation_interval,
    finite,
    jackknife,
    mean_interval,
    with_interval,
)
from mho.procedures.cells.extraction.switching_statistics import robust_deviation

FEWEST_READS = 5  # later reads from which on a loss is told from drift
CERTAIN = 3.0  # standard errors above which a loss stood out, whatever the number of reads
REJECTED = 1e-3  # chance of a law's data being as far from it as these, below which its numbers are not told

FEWEST_LATER, FEWEST_CELLS = 4, 3
"""Reads and cells from which on a line over log t can be told from a bent one."""

ROUNDING = 1e-12  # of a conductance: cells without any noise bend away from a line by so much at most

OF_LINE = ("drift", "drift_deviation", "spread_per_decade")
"""Numbers of a level that have a meaning only where its cells drift with log t."""


def drift_coefficients(ages: Floats, conductance: Floats) -> Floats:
    """Return each cell's slope (cells,) of conductance (reads, cells), S, against log10 of its age, S a decade.

    `ages` (reads, cells): s; reads at an age that is not above 0 are left out.
    """
    known = (ages > 0.0) & np.isfinite(conductance)
    x = np.where(known, np.log10(np.where(known, ages, 1.0)), 0.0)
    count = known.sum(axis=0)
    x = np.where(known, x - x.sum(axis=0) / np.maximum(count, 1), 0.0)
    spread = (x * x).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes: Floats = (x * np.where(known, conductance, 0.0)).sum(axis=0) / spread
    return np.where(spread > 0.0, slopes, np.nan)


def line(x: Floats, y: Floats) -> tuple[float, float]:
    """Return a and b of ``y = a + b x`` by least squares; NaN for fewer than two places."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) < 2 or not np.ptp(x) > 0.0:
        return math.nan, math.nan
    offset = x - x.mean()
    slope = float(offset @ y / (offset @ offset))
    return float(y.mean()) - slope * float(x.mean()), slope


def curvature_p(ages: Floats, conductance: Floats) -> float:
    """Return how likely cells that drift with log10 of their age would bend away from a line as these do.

    Each cell's changes are projected on what a line over log10 t leaves of (log10 t)^2 and of t, a loss; over cells,
    the mean of either has to be 0 within Student's t (two looks, Bonferroni). Cells are independent, reads of one are
    not. `ages` (reads, cells): s; `conductance` (reads, cells): S. NaN for fewer than three cells, or four reads at
    an age above 0.
    """
    from scipy.stats import t as student  # loads slowly

    times = np.median(ages, axis=1)
    later = times > 0.0
    cells = conductance.shape[1]
    if later.sum() < FEWEST_LATER or cells < FEWEST_CELLS:
        return math.nan
    x = np.log10(times[later])
    line_of = np.linalg.qr(np.stack((np.ones(len(x)), x), axis=1))[0]
    chances = []
    for bent in (x * x, times[later] / times[-1]):
        rest = bent - line_of @ (line_of.T @ bent)
        size = float(rest @ rest)
        if not size > 1e-12 * float(bent @ bent):
            continue
        curvatures = rest @ conductance[later]
        error = float(curvatures.std(ddof=1)) / math.sqrt(cells)
        mean = abs(float(curvatures.mean()))
        if mean <= ROUNDING * math.sqrt(size) * float(np.abs(conductance).max()):
            chances.append(1.0)
        else:
            chances.append(2.0 * float(student.sf(mean / error, cells - 1)) if error > 0.0 else 0.0)
    return min(1.0, len(chances) * min(chances)) if chances else math.nan


def without_misfits(
    fits: dict[str, dict[str, Any]], ages: Floats, conductance: Floats, digits: Integers
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return the numbers of `by_level` without those of levels whose cells do not drift with log t, and why by name.

    Each level gets ``drift_fit_p``, the p value of its fit: `curvature_p`.
    """
    plausible: dict[str, dict[str, Any]] = {}
    missing: dict[str, str] = {}
    for name, numbers in fits.items():
        of = digits == int(name.removeprefix("level_"))
        p = curvature_p(ages[:, of], conductance[:, of])
        plausible[name] = numbers | {"drift_fit_p": finite(p)}
        if p < REJECTED / len(fits):
            why = (
                f"the cells of {name.replace('_', ' ')} do not drift along a line over log10 of time (p = {p:.1e}): their "
                "drift a decade is no number"
            )
            names = [f"{one}{end}" for one in OF_LINE for end in ("", "_low", "_high")]
            plausible[name] |= dict.fromkeys(names)
            missing |= {f"{name}.{one}": why for one in OF_LINE}
    return plausible, missing


def loss_rate(elapsed: Floats, conductance: Floats, *, strict: bool = True) -> float | None:
    """Return the rate at which cells lose their conductance, 1/s; None where it does not stand out of their drift.

    The median over the cells is fitted by least squares as

        ln(G(t) / G(0)) = a + b log10 t - k t

    for relaxation goes with log t and retention is exponential. k follows Arrhenius' law over temperature. `elapsed`
    (reads,): s since the first read; `conductance` (reads, cells): S, of cells that conduct; `strict`: whether the
    loss has to stand out for the few reads that there are (Student's t), not by three errors.
    """
    from scipy.stats import t as student  # loads slowly

    later = elapsed > 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(conductance[later] / conductance[0])
    known = np.isfinite(logs).all(axis=0)
    if later.sum() < FEWEST_READS or not known.any():
        return None
    time = elapsed[later]
    curve = np.median(logs[:, known], axis=1)
    terms = np.stack((np.ones(len(time)), np.log10(time), time / time[-1]), axis=1)
    coefficients, _, rank, _ = np.linalg.lstsq(terms, curve, rcond=None)
    if rank < terms.shape[1]:
        return None
    rest = curve - terms @ coefficients
    variance = rest @ rest / (len(time) - terms.shape[1])
    error = math.sqrt(variance * np.linalg.inv(terms.T @ terms)[2, 2])
    lost = -float(coefficients[2])
    certain = float(student.isf(REJECTED, len(time) - terms.shape[1])) if strict else CERTAIN
    return lost / float(time[-1]) if lost > certain * error and lost > 0.0 else None


def level_rows(
    elapsed: Floats, conductance: Floats, digits: Integers, inside: Booleans
) -> dict[str, NDArray[Any]]:
    """Return rows for a table: of each level at each read the change since the first one, and the share inside.

    Parameters
    ----------
    elapsed : (reads,) array
        s since the first read.
    conductance : (reads, cells) array
        S.
    digits : (cells,) array
        Level of each cell at the first read; `UNKNOWN` is left out.
    inside : (reads, cells) array
        Whether each read lies in the window of that level.
    """
    rows: dict[str, list[float]] = {
        name: [] for name in ("elapsed", "level", "change", "deviation", "robust_deviation", "inside")
    }
    for digit in np.unique(digits[digits != UNKNOWN]).tolist():
        of = digits == digit
        change = conductance[:, of] - conductance[0, of]
        for number, seconds in enumerate(elapsed.tolist()):
            some = change[number]
            rows["elapsed"].append(seconds)
            rows["level"].append(digit)
            rows["change"].append(float(some.mean()))
            rows["deviation"].append(float(some.std(ddof=1)) if len(some) > 1 else math.nan)
            rows["robust_deviation"].append(robust_deviation(some))
            rows["inside"].append(float(inside[number, of].mean()))
    return {
        name: np.array(values, dtype=np.int64 if name == "level" else np.float64)
        for name, values in rows.items()
    }


def by_level(
    ages: Floats, conductance: Floats, digits: Integers, inside: Booleans
) -> dict[str, dict[str, Any]]:
    """Return for each level, as ``level_K``, the drift of its cells, with 95 % intervals, cells being independent.

    Parameters are those of `level_rows`, with the age of each read (reads, cells), s. Returns ``cells``; ``start``,
    their median conductance at the first read, S; ``drift``, the mean drift coefficient, and ``drift_deviation`` from
    cell to cell, S a decade; ``spread`` and ``spread_per_decade``, the deviation of the change at the last read, and
    how it grows, S; ``inside_at_start`` and ``inside``, shares in the window.
    """
    by_digit: dict[str, dict[str, Any]] = {}
    for digit in np.unique(digits[digits != UNKNOWN]).tolist():
        of = digits == digit
        slopes = drift_coefficients(ages[:, of], conductance[:, of])
        change = (conductance[:, of] - conductance[0, of]).T
        logs = np.log10(np.maximum(np.median(ages[:, of], axis=1), 1e-12))

        def growth(cells: Floats, logs: Floats = logs) -> dict[str, float]:
            return {"spread_per_decade": line(logs[1:], _deviation(cells)[1:])[1]}  # the first change is 0

        cells, still = int(of.sum()), int(inside[-1, of].sum())
        numbers = {
            "drift": (float(slopes.mean()), mean_interval(slopes)),
            "drift_deviation": (float(_deviation(slopes)), deviation_interval(slopes)),
            "spread": (float(_deviation(change)[-1]), deviation_interval(change[:, -1])),
            "spread_per_decade": (growth(change)["spread_per_decade"], _growth_interval(change, growth)),
            "inside": (still / cells, binomial_interval(still, cells)),
        }
        by_digit[f"level_{digit}"] = {
            "cells": cells,
            "start": finite(np.median(conductance[0, of])),
            "inside_at_start": float(inside[0, of].mean()),
        }
        for name, (value, ends) in numbers.items():
            by_digit[f"level_{digit}"] |= with_interval(name, value, ends)
    return by_digit


def _growth_interval(change: Floats, growth: Callable[[Floats], dict[str, float]]) -> tuple[float, float]:
    """Return the interval of the growth of the spread of changes (cells, reads), the wider of two on either side.

    That which leaving out cells gives says too little where a few cells have long tails; that of the spread itself, as
    cells that each change in proportion to log t have it, too little where the spread does not grow.
    """
    left = jackknife(change, growth, {"spread_per_decade": "linear"})["spread_per_decade"]
    last = float(_deviation(change)[-1])
    value = growth(change)["spread_per_decade"]
    if not last > 0.0 or math.isnan(left[0]):
        return left
    spread = sorted(value * float(end) / last for end in deviation_interval(change[:, -1]))
    return min(left[0], spread[0]), max(left[1], spread[1])


def _deviation(cells: Floats) -> Floats:
    """Return the standard deviations among cells, along the first axis; NaN of a single one."""
    return cells.std(axis=0, ddof=1) if len(cells) > 1 else np.full(cells.shape[1:], math.nan)
