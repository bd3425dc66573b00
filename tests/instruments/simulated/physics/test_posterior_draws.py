"""Cells drawn from a preset file's posterior: mean, spread and correlation as given, bounds kept, flaws named."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import BenchError
from mho.instruments.simulated import CELL_PRESETS, cell_preset
from mho.instruments.simulated.physics.cells.posterior_draws import PosteriorDraws

HEAD = 'name = "mychip"\nbase = "stanford"\n[parameters]\ngate_threshold = 1.6\n[posterior]\n'
NAMES = 'parameters = ["gate_threshold", "gate_spread"]\n'


def drawn(section: str, count: int = 400) -> np.ndarray:
    draws = PosteriorDraws(HEAD + NAMES + section)
    presets = [cell_preset(draws.text(seed)) for seed in range(count)]
    assert {one.reset_slope for one in presets} == {CELL_PRESETS["stanford"].reset_slope}
    return np.array([[one.gate_threshold, one.gate_spread] for one in presets])


def test_a_covariance_gives_spread_and_correlation():
    found = drawn("mean = [1.55, 0.04]\ncovariance = [[4e-4, 6e-5], [6e-5, 2.5e-5]]\n")
    assert found.mean(axis=0) == pytest.approx([1.55, 0.04], rel=0.01)
    assert found.std(axis=0) == pytest.approx([0.02, 0.005], rel=0.12)
    assert np.corrcoef(found.T)[0, 1] == pytest.approx(0.6, abs=0.1)


def test_intervals_may_be_lopsided_and_the_mean_is_the_parameters_own():
    found = drawn(
        "interval_low = { gate_threshold = 1.58, gate_spread = 0.03 }\n"
        "interval_high = { gate_threshold = 1.66, gate_spread = 0.04 }\n",
        200,
    )
    inside = (found[:, 0] > 1.58) & (found[:, 0] < 1.66)
    assert inside.mean() == pytest.approx(0.95, abs=0.04)
    assert np.median(found[:, 0]) == pytest.approx(1.6, abs=0.006)


def test_draws_keep_the_bounds_of_a_parameter():
    found = drawn("mean = [1.6, 0.002]\ncovariance = [[1e-6, 0.0], [0.0, 1e-4]]\n", 100)
    assert found[:, 1].min() >= 0.0
    assert len(np.unique(found[:, 1])) == 100


def test_without_a_posterior_every_draw_is_the_preset():
    draws = PosteriorDraws("stanford")
    assert draws.names == ()
    assert draws.text(1) == draws.text(2) == "stanford"


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ('parameters = ["gate_treshold"]\nmean = [1.5]\n', "did you mean gate_threshold"),
        (NAMES + "mean = [1.5]\ncovariance = [[1.0, 0.0], [0.0, 1.0]]\n", "`mean` must be 2 numbers"),
        (NAMES, "covariance"),
        (NAMES + "covariance = [[1.0, 0.5], [0.1, 1.0]]\n", "not symmetric"),
        (NAMES + "covariance = [[1.0, 2.0], [2.0, 1.0]]\n", "negative eigenvalue"),
        (NAMES + "interval_low = [1.7, 0.0]\ninterval_high = [1.8, 1.0]\n", "interval of gate_threshold"),
        ("mean = [1.5]\n", "parameters"),
    ],
)
def test_a_flaw_is_named(section, words):
    with pytest.raises(BenchError, match=words):
        PosteriorDraws(HEAD + section)
