"""Windows that fail, and Weibull's distribution of lifetimes that were seen between looks, or not seen to end."""

from __future__ import annotations

import numpy as np
import pytest

from mho.procedures.cells.extraction.lifetimes import (
    GOOD,
    NARROW,
    REASONS,
    STUCK_HRS,
    STUCK_LRS,
    fit_weibull,
    judge,
)
from mho.procedures.cells.log_spacing import log_counts

SCALE, SHAPE = 1e5, 1.5
LOOKS = np.concatenate([[0], log_counts(10**6, 4)]).astype(float)


@pytest.mark.parametrize(
    ("lrs", "hrs", "verdict"),
    [
        (35e-6, 0.4e-6, GOOD),
        (35e-6, -1e-9, GOOD),
        (35e-6, 8e-6, NARROW),
        (33e-6, 32e-6, STUCK_LRS),
        (0.4e-6, 0.39e-6, STUCK_HRS),
        (2e-9, -1e-8, STUCK_HRS),  # an open cell, read below zero
        (0.3e-6, 33e-6, STUCK_LRS),  # turned round
    ],
)
def test_a_window_is_good_or_has_a_reason(lrs, hrs, verdict):
    assert judge(lrs, hrs, 5.0, 17.5e-6, 0.1e-6) == verdict
    assert REASONS[verdict]


def seen(lives: np.ndarray, last: float = np.inf) -> tuple[np.ndarray, np.ndarray]:
    """Return the last good look and the first bad one, of looks up to `last`."""
    looks = LOOKS[last >= LOOKS]
    place = np.searchsorted(looks, lives)
    return looks[place - 1], np.append(looks, np.inf)[place]


@pytest.mark.thorough
def test_the_distribution_is_found_from_looks_and_its_intervals_hold():
    held = []
    for seed in range(60):
        fit = fit_weibull(*seen(SCALE * np.random.default_rng(seed).weibull(SHAPE, 30)))
        held.append(
            [
                low <= true <= high
                for true, (low, high) in ((SCALE, fit.scale_interval), (SHAPE, fit.shape_interval))
            ]
        )
    assert (np.sum(held, axis=0) >= 52).all()  # 57 expected; 52 are two standard errors of 60 less


def test_cells_that_did_not_fail_count():
    lives = SCALE * np.random.default_rng(4).weibull(SHAPE, 2000)
    good, bad = seen(lives, last=6e4)
    assert 0.5 < np.isinf(bad).mean() < 0.8
    fit = fit_weibull(good, bad)
    assert fit.scale == pytest.approx(SCALE, rel=0.1)
    assert fit.shape == pytest.approx(SHAPE, rel=0.1)
    ended = np.isfinite(bad)
    assert fit_weibull(good[ended], bad[ended]).scale < 0.6 * SCALE  # what leaving them out would claim


def test_a_single_exponential_has_a_closed_form():
    # With looks that are close, the scale for shape 1 is the total time over failures.
    lives = np.random.default_rng(5).exponential(1e4, 3000)
    fit = fit_weibull(0.999 * lives, 1.001 * lives)
    assert fit.shape == pytest.approx(1.0, abs=0.04)
    assert fit.scale == pytest.approx(lives.mean(), rel=0.03)


def test_too_few_failures_tell_nothing_and_those_between_the_same_looks_no_shape():
    assert fit_weibull(np.array([10.0, 100.0]), np.array([20.0, np.inf])) is None
    fit = fit_weibull(np.array([100.0, 100.0, 90.0]), np.array([200.0, 200.0, np.inf]))
    assert 100.0 <= fit.scale <= 210.0
    assert 50.0 < fit.scale_interval[0] < 80.0  # of two failures it is wide
    assert 600.0 < fit.scale_interval[1] < 1200.0
    assert np.isnan([fit.shape, fit.shape_interval[1]]).all()
