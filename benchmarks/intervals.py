"""How often intervals of 95 % hold the truth, at 5, 8, 16 and 64 values, beside the percentiles of a bootstrap.

Samples of known truth are drawn from the laws that the numbers have: log-normal conductances, relaxation with long tails,
Weibull lifetimes that are looked at from time to time and censored, counts. ``--repeat N`` draws N times 800 samples, of
what is evaluated one by one N times 80.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks._coverage import CASES, SIZES, Case
from benchmarks.registry import Figure

DRAWS, SLOW_DRAWS, COMPARED = 800, 80, 300
BETWEEN = 0.93, 0.97


def run(repeat: int) -> list[Figure]:
    """Return the coverage of every interval at every size."""
    return [
        _figure(number, case, size, repeat)
        for number, case in enumerate(CASES)
        for size in SIZES
        if size >= case.fewest
    ]


def _figure(number: int, case: Case, size: int, repeat: int) -> Figure:
    rng = np.random.default_rng([number, size])
    holds = case.holds(rng, repeat * (SLOW_DRAWS if case.slow else DRAWS), size)
    coverage = float(holds.mean()) if holds.size else math.nan
    before = case.percentiles_hold(rng, COMPARED, size)
    error = math.sqrt(0.05 * 0.95 / max(holds.size, 1))
    high = 1.0 if case.wide else BETWEEN[1] + 2.0 * error
    return Figure(
        f"{case.name}, {size} values",
        coverage,
        "",
        None if math.isnan(before) else "percentiles",
        None if math.isnan(before) else before,
        target="0.93 or more" if case.wide else "0.93 to 0.97",
        met=bool(BETWEEN[0] - 2.0 * error <= coverage <= high),
        detail={"of": case.method, "samples": int(holds.size)},
    )
