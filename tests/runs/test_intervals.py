"""Prediction intervals hold another draw as often as they say, of numbers and of counts, whatever the distribution is."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from daily import daily
from hypothesis import given
from hypothesis import strategies as st

from mho.runs.intervals import LEAST_DRAWS, Interval, prediction_interval

REPEATS = 4000


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, count: rng.standard_normal(count),
        lambda rng, count: rng.standard_cauchy(count),
        lambda rng, count: rng.poisson(1.5, count).astype(float),
        lambda rng, count: np.where(rng.random(count) < 0.3, np.inf, rng.poisson(4.0, count)),
        lambda rng, count: np.full(count, 6.0),
    ],
    ids=["normal", "Cauchy", "counts", "counts with some out of reach", "always the same"],
)
@pytest.mark.parametrize("draws", daily([19, 39], [19]))
def test_another_draw_is_held_with_ninety_per_cent(
    draw: Callable[[np.random.Generator, int], np.ndarray], draws: int
) -> None:
    rng = np.random.default_rng(0)
    held = 0.0
    for _ in range(REPEATS):
        *others, one = draw(rng, draws + 1).tolist()
        interval = prediction_interval(others)
        assert interval is not None
        held += interval.share(one)
    assert held / REPEATS == pytest.approx(0.9, abs=3.5 * math.sqrt(0.09 / REPEATS))


def test_nineteen_draws_are_bounded_by_their_extremes_and_fewer_by_nothing():
    values = [float(number) for number in range(LEAST_DRAWS)]
    assert prediction_interval(values) == Interval(0.0, 9.0, 18.0, 0.5, 0.5)
    for count, ends in ((38, (0.0, 37.0)), (39, (1.0, 37.0)), (59, (2.0, 56.0))):
        found = prediction_interval([float(number) for number in range(count)])
        assert (found.low, found.high) == ends
    assert prediction_interval(values[:-1]) is None
    assert prediction_interval([*values[:-1], math.nan]) is None
    assert prediction_interval([*values, math.nan]) == prediction_interval(values)


def test_ends_of_which_nothing_is_said_count_as_inside():
    assert [Interval(1.0, 2.0, 3.0).share(outcome) for outcome in (0.9, 1.0, 2.5, 3.0, 3.1)] == [
        0,
        1,
        1,
        1,
        0,
    ]


@given(st.lists(st.floats(allow_nan=False) | st.just(math.inf), min_size=LEAST_DRAWS, max_size=80))
def test_ends_ascend_shares_are_shares_and_a_file_keeps_all_of_it(values: list[float]) -> None:
    interval = prediction_interval([abs(value) for value in values])
    assert interval is not None
    assert interval.low <= interval.median <= interval.high
    assert 0.0 < interval.at_low <= 1.0
    assert 0.0 < interval.at_high <= 1.0
    assert Interval.from_plain(interval.plain()) == interval


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"low": 1.0},
        {"low": 2.0, "median": 1.0, "high": 3.0, "at_low": 1.0, "at_high": 1.0},
        {"low": 1.0, "median": 1.0, "high": 1.0, "at_low": 1.5, "at_high": 1.0},
        {"low": "x", "median": 1.0, "high": 1.0, "at_low": 1.0, "at_high": 1.0},
        {"low": [], "median": 1.0, "high": 1.0, "at_low": 1.0, "at_high": 1.0},
    ],
)
def test_what_is_no_interval_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Interval.from_plain(wrong)
