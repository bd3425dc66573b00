"""Forming voltages out of a ramp: brackets, quantiles, fitted distributions, with cells that the ramp does not reach."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mho.procedures.cells.extraction.forming_extraction import (
    NEVER,
    fit_normal,
    fit_weibull,
    normal_share,
    quantile,
    shares,
    weibull_share,
)

RAMP = np.round(np.arange(2.0, 4.5, 0.05), 2)


def brackets(volts: np.ndarray, ramp: np.ndarray = RAMP) -> np.ndarray:
    """Number of the first pulse of a ramp that forms each cell."""
    number = np.searchsorted(ramp, volts)
    return np.where(number < len(ramp), number, NEVER)


def test_shares_and_quantiles_are_those_of_the_brackets():
    volts, formed_by = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 1, 2, 3, NEVER])
    share, low, high = shares(formed_by, 4)
    assert share.tolist() == [0.0, 0.4, 0.6, 0.8]
    assert (low <= share).all()
    assert (share <= high).all()
    assert quantile(0.5, formed_by, volts).value == pytest.approx(2.5)  # half way from 0.4 to 0.6
    assert quantile(0.4, formed_by, volts).value == pytest.approx(2.0)
    beyond = quantile(0.9, formed_by, volts)
    assert math.isnan(beyond.value)
    assert beyond.high == math.inf
    first = quantile(0.5, np.array([0, 0, 0, 1]), volts)
    assert math.isnan(first.value)  # below the ramp, and nothing says how far
    assert first.low == -math.inf


def test_the_interval_of_a_median_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        found = quantile(0.5, brackets(rng.normal(3.15, 0.25, 40)), RAMP)
        held += found.low <= 3.15 <= found.high
    assert held >= 186  # 95 % of 200, less twice the standard deviation; brackets are at the safe side


@pytest.mark.thorough
@pytest.mark.parametrize("stop", [4.5, 3.3])
def test_a_normal_distribution_is_found_also_where_the_ramp_ends_too_early(stop):
    ramp = RAMP[: np.searchsorted(RAMP, stop, side="right")]
    rng = np.random.default_rng(2)
    means, held = [], np.zeros(2)
    for _ in range(60):
        found = fit_normal(brackets(rng.normal(3.15, 0.25, 60), ramp), ramp)
        means.append(found.first.value)
        held += found.first.low <= 3.15 <= found.first.high, found.second.low <= 0.25 <= found.second.high
    assert np.mean(means) == pytest.approx(3.15, abs=0.02)
    assert (held >= 52).all()  # 57 are expected of 60


def test_weibull_s_distribution_is_found_and_fits_its_own_data_better():
    rng = np.random.default_rng(3)
    formed_by = brackets(3.2 * rng.weibull(8.0, 400))
    normal, weibull = fit_normal(formed_by, RAMP), fit_weibull(formed_by, RAMP)
    assert weibull.first.low <= 3.2 <= weibull.first.high
    assert weibull.second.low <= 8.0 <= weibull.second.high
    assert weibull.likelihood > normal.likelihood
    assert weibull_share(np.array([weibull.first.value]), weibull)[0] == pytest.approx(1.0 - math.exp(-1.0))
    assert normal_share(np.array([normal.first.value]), normal)[0] == pytest.approx(0.5)


@pytest.mark.parametrize("formed_by", [[], [NEVER] * 20, [3, 4, 5, 6], [7] * 30])
def test_nothing_is_fitted_to_what_tells_nothing(formed_by):
    assert fit_normal(np.array(formed_by, dtype=int), RAMP) is None
    assert fit_weibull(np.array(formed_by, dtype=int), RAMP) is None
