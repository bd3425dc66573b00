"""Intervals of what is computed from several cells: by drawing cells with replacement, as a cell is the unit that repeats.

Percentile intervals of Efron, Ann. Statist. 7, 1 (1979). Reads of one cell are not independent of each other, so that reads
are never drawn.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float | None, float | None]

LEVEL = 0.95
DRAWS, FEWEST_DRAWS = 400, 100
MOST_VALUES = 40_000_000
"""Values in all draws; of a large array fewer are drawn."""

FEWEST = 5
"""Cells below which an interval would say more than they do."""


def bootstrap(
    values: Floats,
    statistic: Callable[[Floats], dict[str, float]],
    rng: np.random.Generator,
    *,
    level: float = LEVEL,
) -> dict[str, Interval]:
    """Return the interval of each number that `statistic` computes, ``(None, None)`` with fewer than five cells.

    Parameters
    ----------
    values : (cells, ...) array
        Whatever belongs to a cell.
    statistic : callable
        Of such an array; NaN where it cannot be told.
    """
    count = len(values)
    if count < FEWEST:
        return dict.fromkeys(statistic(values), (None, None))
    draws = int(np.clip(MOST_VALUES // max(values.size, 1), FEWEST_DRAWS, DRAWS))
    found = [statistic(values[rng.integers(0, count, count)]) for _ in range(draws)]
    return {name: _percentiles(np.array([one[name] for one in found]), level) for name in found[0]}


def _percentiles(values: Floats, level: float) -> Interval:
    known = values[np.isfinite(values)]
    if len(known) < len(values) // 2:
        return None, None
    low, high = np.quantile(known, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def with_intervals(
    values: Floats, statistic: Callable[[Floats], dict[str, float]], rng: np.random.Generator
) -> dict[str, float | None]:
    """Return a result's numbers, each NAME with its interval, NAME_low to NAME_high; None for what is not known."""
    found: dict[str, float | None] = {}
    intervals = bootstrap(values, statistic, rng)
    for name, value in statistic(values).items():
        found[name] = told(value)
        found[f"{name}_low"], found[f"{name}_high"] = intervals[name]
    return found


def told(value: float) -> float | None:
    """Return a number for a run's result: None for one that is not finite."""
    return float(value) if np.isfinite(value) else None
