"""The Kalman filter: against the Riccati equation, an independent recursion and the chi-square law of its errors."""

from __future__ import annotations

import numpy as np
import pytest

from mho.extensions.applications.control.kalman import (
    TrackModel,
    consistency_interval,
    kalman,
    measure,
    nees,
    push,
    truth,
)

MODEL = TrackModel(1.0, 2.0, np.array([10.0, 20.0, 15.0, 30.0]), shared=0.2)
START = np.diag([1e-2, 1e-2, 2500.0, 2500.0])


def tracked(steady: bool = False, count: int = 40):
    rng = np.random.default_rng(3)
    states = truth("random", MODEL, 50, count, rng)
    first = np.zeros((count, 4))
    covariance = START
    if steady:
        covariance = MODEL.steady_covariance()
        first = states[0] + rng.multivariate_normal(np.zeros(4), covariance, count)
    measured = measure(states, MODEL, rng)
    return states, measured, list(kalman(MODEL, measured, first, covariance, np.linalg.solve, steady=steady))


@pytest.mark.parametrize("steady", [False, True])
def test_errors_and_innovations_are_as_large_as_the_filter_says(steady: bool) -> None:
    states, _, steps = tracked(steady)
    low, high = consistency_interval(8, 50 * 40)
    assert low < np.mean([step.nis for step in steps]) < high
    if not steady:
        found = np.mean(
            [nees(step.estimates - x, step.covariance) for step, x in zip(steps, states, strict=True)]
        )
        assert (
            3.2 < found < 4.8
        )  # in time errors are correlated, so that the interval of independent ones does not hold


def test_an_overconfident_filter_is_found_out() -> None:
    _, measured, _ = tracked()
    sure = TrackModel(1.0, 2.0, MODEL.noise / 2.0, shared=0.2)
    steps = list(kalman(sure, measured, np.zeros((40, 4)), START, np.linalg.solve))
    assert np.mean([step.nis for step in steps]) > consistency_interval(8, 50 * 40)[1]


def test_covariance_settles_where_the_riccati_equation_has_it() -> None:
    _, _, steps = tracked()
    prior = MODEL.transition @ steps[-1].covariance @ MODEL.transition.T + MODEL.drive
    np.testing.assert_allclose(prior, MODEL.steady_covariance(), rtol=1e-6)


def test_filter_is_the_least_squares_of_all_measurements() -> None:
    rng = np.random.default_rng(0)
    still = TrackModel(1.0, 1e-9, np.array([1.0, 2.0]))
    states = truth("random", still, 6, 1, rng)
    measured = measure(states, still, rng)
    wide = 1e4 * np.eye(4)
    last = list(kalman(still, measured, np.zeros((1, 4)), wide, np.linalg.solve))[-1].estimates[0]
    # The state at the end explains every measurement through the inverse of the motion.
    rows = [
        still.observation @ np.linalg.matrix_power(np.linalg.inv(still.transition), 5 - k) for k in range(6)
    ]
    weight = np.tile(np.repeat([1.0, 0.5], 2), 6)
    expected = np.linalg.lstsq(np.vstack(rows) * weight[:, None], measured.ravel() * weight, rcond=None)[0]
    np.testing.assert_allclose(last, expected, rtol=1e-2, atol=1e-2)


def test_gaps_are_predicted_through() -> None:
    _, measured, whole = tracked()
    measured[20:25] = np.nan
    steps = list(kalman(MODEL, measured, np.zeros((40, 4)), START, np.linalg.solve))
    assert np.isnan(steps[22].nis).all()
    assert np.trace(steps[24].covariance) > 3.0 * np.trace(whole[24].covariance)
    np.testing.assert_allclose(steps[22].estimates, steps[21].estimates @ MODEL.transition.T)
    np.testing.assert_allclose(steps[-1].covariance, whole[-1].covariance, rtol=1e-3)


def test_solver_gets_every_column_at_once() -> None:
    shapes = []

    def solve(s: np.ndarray, columns: np.ndarray) -> np.ndarray:
        shapes.append((s.shape, columns.shape))
        return np.linalg.solve(s, columns)

    _, measured, _ = tracked()
    list(kalman(MODEL, measured[:2], np.zeros((40, 4)), START, solve))
    assert shapes == [((8, 8), (8, 44))] * 2


def test_interval_of_many_errors_is_narrow_about_their_freedom() -> None:
    low, high = consistency_interval(4, 1)
    assert (low, high) == (
        pytest.approx(0.4844, abs=1e-3),
        pytest.approx(11.143, abs=1e-3),
    )  # tables of chi^2
    low, high = consistency_interval(4, 10_000)
    assert 3.9 < low < 4.0 < high < 4.1


def test_aircraft_moves_as_its_velocities_say() -> None:
    states = truth("turn", MODEL, 80, 2, np.random.default_rng(0))
    moved = np.diff(states[:, 0, :2], axis=0)
    np.testing.assert_allclose(moved, (states[1:, 0, 2:] + states[:-1, 0, 2:]) / 2.0, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(np.hypot(*states[:, 0, 2:].T), 100.0)
    assert np.array_equal(states[:, 0], states[:, 1])


def test_rocket_falls_with_gravity_and_comes_down() -> None:
    still = TrackModel(1.0, 0.0, MODEL.noise)
    states = truth("rocket", still, 61, 1, np.random.default_rng(0))[:, 0]
    np.testing.assert_allclose(np.diff(states[:, 3]), -9.81)
    assert states[-1, 1] == pytest.approx(0.0, abs=1e-6)
    assert states[30, 1] == pytest.approx(9.81 * 30.0**2 / 2.0)


def test_filter_that_knows_gravity_is_consistent_with_a_rocket() -> None:
    rng = np.random.default_rng(4)
    states = truth("rocket", MODEL, 40, 30, rng)
    measured = measure(states, MODEL, rng)
    first = states[0] + rng.multivariate_normal(np.zeros(4), START, 30)
    low, high = consistency_interval(8, 40 * 30)
    nis = {
        knows: np.mean(
            [
                step.nis
                for step in kalman(
                    MODEL,
                    measured,
                    first,
                    START,
                    np.linalg.solve,
                    push=push("rocket", MODEL) if knows else None,
                )
            ]
        )
        for knows in (True, False)
    }
    assert low < nis[True] < high < nis[False]
