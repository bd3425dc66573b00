"""Every interval of 95 % that mho prints holds the truth in 93 to 97 %, or more often where exactness is not to be had.

The cases, with the laws that their values have, are those of ``python -m benchmarks intervals``, whose table is in
``docs/intervals.md``. A few draws tell an interval of 85 %; the slow test draws enough to tell one of 92.
"""

from __future__ import annotations

import numpy as np
import pytest
from daily import daily
from scipy.stats import binom

from benchmarks._coverage import CASES, SIZES, Case, held

UNLIKELY = 1e-4
LEAST, MOST = 0.93, 0.97
SLOW = daily(
    [one for one in CASES if one.slow],
    [one for one in CASES if one.slow and one.name in (
        "difference of medians, log-normal, 0.5", "growth of a spread, Tukey's h 0.12",
        "forming: deviation, normal, brackets of 0.1 V",
        "prediction of a run: success, 256 cells, chips that differ", "figure: slope, normal errors",
        "noise: slope of a cell, 1/f, n series",
    )],
)  # fmt: skip


def check(case: Case, size: int, draws: int) -> None:
    holds = case.holds(np.random.default_rng([CASES.index(case), size]), draws, size)
    assert holds.size > 0.6 * draws
    count = int(holds.sum())
    assert binom.cdf(count, holds.size, LEAST) > UNLIKELY, f"holds the truth in {count} of {holds.size} only"
    if not case.wide:
        assert binom.sf(count - 1, holds.size, MOST) > UNLIKELY, f"holds it in {count} of {holds.size}"


@pytest.mark.parametrize("case", [one for one in CASES if not one.slow], ids=lambda case: case.name)
def test_an_interval_holds_as_often_as_it_says(case: Case) -> None:
    for size in SIZES:
        check(case, size, 2000)


@pytest.mark.parametrize("case", SLOW, ids=lambda case: case.name)
def test_an_interval_of_a_fit_or_of_a_run_holds_about_as_often_as_it_says(case: Case) -> None:
    check(case, max(8, case.fewest), 30)


@pytest.mark.thorough
def test_a_worst_window_of_cells_with_a_tail_holds_with_both_ends() -> None:
    case = next(one for one in CASES if one.name.startswith("switching: worst window, HRS with a tail"))
    samples, truth = case.draw(np.random.default_rng(1), 60, 64)
    ends = np.array(case.interval(samples))
    assert np.isfinite(ends).all(axis=0).mean() > 0.9
    assert binom.cdf(held(ends, truth).sum(), 60, LEAST) > UNLIKELY


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_interval_holds_as_often_as_it_says_at_every_size(case: Case) -> None:
    for size in SIZES:
        if size >= case.fewest:
            check(case, size, 400 if case.slow else 20_000)


def test_the_percentiles_that_were_printed_before_would_not_pass() -> None:
    spread = next(one for one in CASES if one.name == "spread among cells, normal")
    assert spread.percentiles_hold(np.random.default_rng(1), 200, 8) < 0.82
    share = next(one for one in CASES if one.name == "share, binomial, 0.9")
    assert share.percentiles_hold(np.random.default_rng(1), 200, 8) < 0.7


def test_an_open_end_holds_and_no_interval_does_not_count() -> None:
    low, high = np.array([0.0, np.nan, np.nan, 2.0]), np.array([1.0, 1.0, np.nan, np.nan])
    assert held((low, high), 0.5).tolist() == [True, True, False]
