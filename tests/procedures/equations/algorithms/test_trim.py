"""Calibration of a tile: the variance of single cells from few repeats."""

from __future__ import annotations

import numpy as np
import pytest

from mho.procedures.equations.circuits.tiles import fit_trim, fit_trims

STEP, READING = 5e-6, 0.02
REPEATS = 4


def test_the_variance_of_cells_is_found_without_that_of_the_reading_and_restless_ones_stand_out():
    rng = np.random.default_rng(1)
    digits = rng.integers(0, 8, (32, 32))
    own = 0.004 * digits
    own[3, 5] = 0.4
    draws = rng.standard_normal((2, REPEATS, 32, 32))
    response = STEP * (digits + own * draws[0] + READING * draws[1])
    variance = fit_trim(response, digits, STEP, READING * STEP).own_variance(digits, REPEATS)
    for digit in (1, 4, 7):
        usual = (digits == digit) & (own < 0.1)
        assert variance[usual].mean() == pytest.approx((0.004 * digit) ** 2, abs=2e-4)
    restless = variance[3, 5]
    variance[3, 5] = 0.0
    assert restless > 3.0 * variance.max()


def test_many_tiles_are_fitted_as_each_is_alone():
    rng = np.random.default_rng(2)
    digits = rng.integers(0, 8, (5, 32, 20))
    line, column = rng.uniform(0.9, 1.1, (5, 1, 32, 1)), rng.uniform(0.9, 1.1, (5, 1, 1, 20))
    held = digits + 4.0 * (rng.random((5, 32, 20)) < 0.02)
    response = STEP * (held[:, None] * line * column + READING * rng.standard_normal((5, REPEATS, 32, 20)))
    readings = STEP * READING * np.arange(1.0, 6.0)
    together = fit_trims(response, digits, STEP, readings)
    for trim, one, mine, reading in zip(together, response, digits, readings, strict=True):
        alone = fit_trim(one, mine, STEP, reading)
        for name in ("drive", "gain", "errors", "noise", "reading"):
            np.testing.assert_allclose(getattr(trim, name), getattr(alone, name), rtol=1e-12, atol=1e-13)
        assert np.abs(trim.errors).max() > 3.0  # the cells that hold another digit


def test_without_a_reading_and_without_noise_nothing_varies():
    digits = np.arange(64).reshape(8, 8) % 8
    response = np.broadcast_to(STEP * digits, (REPEATS, 8, 8))
    np.testing.assert_allclose(
        fit_trim(response, digits, STEP).own_variance(digits, REPEATS), 0.0, atol=1e-20
    )
