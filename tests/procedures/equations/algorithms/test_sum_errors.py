"""Errors of digit sums: summaries against closed forms, and forecasts against sums that are drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.procedures.equations.algorithms.sum_errors import (
    ErrorsByActive,
    StraightLine,
    exact_up_to,
    forecast_sd,
)
from mho.procedures.equations.circuits.tiles import random_patterns


def drawn(active: int, cells: np.ndarray, noise: float, shots: int = 20_000) -> ErrorsByActive:
    """Sums of cells whose errors are known, each line noisy from shot to shot."""
    rng = np.random.default_rng(5)
    patterns = random_patterns(len(cells), active, shots, rng)
    scatter = rng.standard_normal((shots, cells.shape[1])) * noise * np.sqrt(active)
    return ErrorsByActive.of(active, np.zeros((shots, cells.shape[1]), dtype=int), patterns @ cells + scatter)


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("active", [1, 4, 16, 31, 32])
def test_the_error_of_random_patterns_is_what_single_lines_forecast(active, noise):
    cells = 0.1 * np.random.default_rng(2).standard_normal((32, 5)) + 0.02
    seen = drawn(active, cells, noise)
    assert seen.sd_error == pytest.approx(forecast_sd(active, cells, np.full(cells.shape, noise)), rel=0.03)
    assert seen.mean_error == pytest.approx(active * cells.mean(), abs=0.01)


def test_without_bias_the_error_grows_as_the_root_of_the_active_lines():
    cells = 0.1 * np.random.default_rng(2).standard_normal((1000, 3))
    cells -= cells.mean(axis=0)
    one, nine = (forecast_sd(active, cells, np.zeros(cells.shape)) for active in (1, 9))
    assert nine / one == pytest.approx(3.0, rel=0.01)


def test_what_differs_from_column_to_column_is_in_the_one_deviation_and_not_in_the_other():
    seen = ErrorsByActive.of(3, np.zeros((2, 2), dtype=int), np.array([[0.1, 0.5], [0.3, 0.7]]))
    assert (seen.outputs, seen.wrong) == (4, 1)  # 0.5 is rounded to 0
    assert seen.mean_error == pytest.approx(0.4)
    assert seen.sd_error == pytest.approx(np.sqrt(0.05))
    assert seen.sd_in_column == pytest.approx(0.1)
    assert seen.wrong_rate == 0.25


@pytest.mark.parametrize(
    ("wrong", "largest"), [({1: 0, 2: 0, 4: 0}, 4), ({1: 0, 2: 3, 4: 0}, 1), ({1: 1, 2: 0}, 0)]
)
def test_the_integers_are_exact_up_to_the_first_wrong_one(wrong, largest):
    errors = [ErrorsByActive(active, 10, count, 0.0, 0.0, 0.0) for active, count in wrong.items()]
    assert exact_up_to(reversed(errors)) == largest


@given(st.floats(0.5, 2.0), st.floats(-3.0, 3.0), st.integers(0, 100))
def test_a_line_is_found_again(gain, offset, seed):
    expected = np.random.default_rng(seed).integers(0, 100, (7, 3))
    measured = offset + gain * expected
    line = StraightLine.through(expected, np.where(expected == expected.max(), np.nan, measured))
    assert line.gain == pytest.approx(gain, rel=1e-9)
    assert line.offset == pytest.approx(offset, abs=1e-9)
    assert line.residual == pytest.approx(0.0, abs=1e-9)


def test_the_residual_is_the_root_mean_square_distance():
    line = StraightLine.through(np.array([0.0, 0.0, 1.0, 1.0]), np.array([-0.1, 0.1, 0.9, 1.1]))
    assert (line.gain, line.offset) == (pytest.approx(1.0), pytest.approx(0.0))
    assert line.residual == pytest.approx(0.1)


@pytest.mark.parametrize("expected", [[], [3.0], [3.0, 3.0]])
def test_points_through_which_there_is_no_line_give_none(expected):
    values = np.array(expected)
    assert np.isnan(StraightLine.through(values, values + 1.0).gain)
