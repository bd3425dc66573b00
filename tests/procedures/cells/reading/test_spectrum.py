"""Spectrum, slope and Allan deviation: closed forms of white noise, and the twin's own 1/f noise."""

from __future__ import annotations

import numpy as np
import pytest
from telegraph_cells import INTERVAL, read_in_a_row

from mho.procedures.cells.reading.spectrum import allan_deviation, density_at_1_hz, slope, spectrum

DEVIATION, MEAN = 3e-8, 2e-5


def white(samples: int = 20_000) -> np.ndarray:
    return MEAN + np.random.default_rng(1).normal(0.0, DEVIATION, (1, samples))


def test_white_noise_has_its_variance_over_half_the_sampling_rate_everywhere():
    frequency, density = spectrum(white(), 1e-3)
    assert frequency[-1] <= 500.0
    np.testing.assert_allclose(density[-10:], (DEVIATION / MEAN) ** 2 / 500.0, rtol=0.2)
    assert density[-10:].mean() == pytest.approx((DEVIATION / MEAN) ** 2 / 500.0, rel=0.05)


def test_the_allan_deviation_of_white_noise_falls_with_the_root_of_the_time():
    averaging, deviation = allan_deviation(white(), 1e-3)
    assert averaging[0] == pytest.approx(1e-3)
    few = averaging < 0.1
    np.testing.assert_allclose(deviation[few], DEVIATION / MEAN * np.sqrt(1e-3 / averaging[few]), rtol=0.06)


def test_the_allan_deviation_of_a_ramp_is_its_rise_over_root_two():
    ramp = MEAN * (1.0 + 1e-6 * (np.arange(1000.0) - 499.5))[None]
    averaging, deviation = allan_deviation(ramp, 1.0)
    np.testing.assert_allclose(deviation, 1e-6 * averaging / np.sqrt(2.0), rtol=1e-6)


@pytest.mark.parametrize("power", [-1.5, -1.0, -0.5])
def test_a_power_law_over_a_white_floor_is_told_from_the_floor(power):
    rng = np.random.default_rng(5)
    frequency = np.geomspace(1.0, 1e3, 25)
    scatter = rng.normal(1.0, 0.2 / np.sqrt(frequency))
    found = slope(frequency, (frequency**power + 10.0 ** (2.0 * power)) * scatter)
    assert found.value == pytest.approx(power, abs=0.12)
    assert found.low < power < found.high


@pytest.mark.thorough
def test_the_twin_s_noise_has_a_slope_of_minus_one_and_intervals_that_hold_it():
    series, traps = read_in_a_row("pku", seed=3)
    slopes = [slope(*spectrum(series[:, [cell]].T, INTERVAL)) for cell in np.flatnonzero(traps.number == 0)]
    assert len(slopes) > 40
    assert np.mean([one.value for one in slopes]) == pytest.approx(-1.0, abs=0.06)
    assert np.mean([one.low < -1.0 < one.high for one in slopes]) > 0.8


def test_what_is_too_short_or_silent_tells_nothing():
    assert spectrum(np.ones((1, 4)), 1.0)[0].size == 0
    assert allan_deviation(np.zeros((1, 100)), 1.0)[0].size == 0
    assert np.isnan(slope(np.array([1.0, 2.0]), np.array([1.0, 0.5])).value)


def test_the_density_at_one_hertz_is_that_of_the_nearest_one_over_f():
    frequency = np.geomspace(3.0, 3e3, 25)
    assert density_at_1_hz(frequency, 2e-5 / frequency) == pytest.approx(2e-5)
    scattered = 2e-5 / frequency * np.where(np.arange(25) % 2, 3.0, 1.0 / 3.0)
    assert density_at_1_hz(frequency[:24], scattered[:24]) == pytest.approx(2e-5)
    assert np.isnan(density_at_1_hz(np.empty(0), np.empty(0)))
