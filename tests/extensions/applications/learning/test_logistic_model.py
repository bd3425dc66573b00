"""Logistic regression by Newton's method: against a general minimiser, with inverses as poor as a chip's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from mho.extensions.applications.learning.linear_model import standardised
from mho.extensions.applications.learning.logistic_model import (
    fit_of,
    gradient,
    hessian,
    loss,
    newton,
    preconditioned_step,
    probabilities,
    separating,
    with_ones,
)
from mho.extensions.applications.learning.tables import load_regressors

IRIS = load_regressors("iris", classes=True)
DESIGN = standardised(IRIS.values, IRIS.observed)
COLUMNS, CLASS = with_ones(DESIGN), IRIS.observed


def fitted(penalty, solve=np.linalg.solve, most=50):
    return newton(COLUMNS, CLASS, penalty, solve, 1e-10, most)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_newton_finds_the_minimum_that_a_general_minimiser_finds(penalty):
    found = minimize(
        lambda w: loss(COLUMNS, CLASS, w, penalty),
        np.zeros(5),
        jac=lambda w: -gradient(COLUMNS, CLASS, w, penalty),
        method="BFGS",
        options={"gtol": 1e-9, "maxiter": 2000},
    )
    steps = fitted(penalty)
    np.testing.assert_allclose(steps[-1].weights, found.x, rtol=1e-4)
    assert steps[-1].gradient <= 1e-10
    assert len(steps) < 15
    losses = [step.loss for step in steps]
    assert losses == sorted(losses, reverse=True) or max(np.diff(losses)) < 1e-15


def test_gradient_and_hessian_are_those_of_the_loss():
    weights, step = np.array([0.3, -1.0, 0.5, 2.0, -0.7]), 1e-5
    slopes = [
        (loss(COLUMNS, CLASS, weights + step * unit, 0.4) - loss(COLUMNS, CLASS, weights - step * unit, 0.4))
        / (2 * step)
        for unit in np.eye(5)
    ]
    np.testing.assert_allclose(-gradient(COLUMNS, CLASS, weights, 0.4), slopes, atol=1e-9)
    bends = [
        (
            gradient(COLUMNS, CLASS, weights - step * unit, 0.4)
            - gradient(COLUMNS, CLASS, weights + step * unit, 0.4)
        )
        / (2 * step)
        for unit in np.eye(5)
    ]
    np.testing.assert_allclose(hessian(COLUMNS, weights, 0.4), bends, atol=1e-9)


def test_the_first_hessian_bounds_all_others():
    first = hessian(COLUMNS, np.zeros(5), 0.0)
    for step in fitted(0.0):
        assert np.linalg.eigvalsh(first - hessian(COLUMNS, step.weights, 0.0)).min() > -1e-12


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_the_first_hessian_with_noise_preconditions_the_others_and_ends_at_the_same_place(share):
    rng = np.random.default_rng(1)
    first = np.linalg.inv(hessian(COLUMNS, np.zeros(5), 0.1) * (1.0 + share * rng.standard_normal((5, 5))))
    calls, residuals = 0, []

    def solve(matrix, rhs):
        def noisy(residual):
            nonlocal calls
            calls += 1
            answer = first @ residual
            return answer + 0.05 * np.linalg.norm(answer) * rng.standard_normal(5) / np.sqrt(5)

        before = calls
        step, left, cycles = preconditioned_step(matrix, rhs, noisy, 1e-6, 100)
        assert cycles == calls - before
        assert left == pytest.approx(
            np.linalg.norm(rhs - matrix @ step) / np.linalg.norm(rhs), rel=0.1, abs=1e-8
        )
        residuals.append(left)
        return step

    noisy, exact = fitted(0.1, solve), fitted(0.1)
    assert max(residuals) <= 1e-6
    assert noisy[-1].gradient <= 1e-10
    np.testing.assert_allclose(noisy[-1].weights, exact[-1].weights, rtol=1e-8)
    assert len(noisy) <= calls < 50 * len(noisy)


def test_a_step_that_no_share_of_makes_better_ends_the_iteration():
    steps = fitted(0.0, lambda matrix, rhs: -rhs)
    assert len(steps) == 1
    assert steps[0].length == 0.0
    assert not steps[0].weights.any()


def test_the_fit_is_in_the_units_of_the_table():
    weights = fitted(0.0)[-1].weights
    fit = fit_of(DESIGN, CLASS, weights, np.linalg.inv(hessian(COLUMNS, weights, 0.0)))
    np.testing.assert_allclose(
        fit.coefficients[0] + IRIS.values @ fit.coefficients[1:], COLUMNS @ weights, rtol=1e-9
    )
    # The information of the columns as given, with ones.
    raw = np.column_stack([np.ones(100), IRIS.values])
    information = raw.T @ ((fit.probabilities * (1 - fit.probabilities))[:, None] * raw)
    np.testing.assert_allclose(fit.errors, np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-7)
    assert fit.accuracy == 0.98
    assert fit.deviance == pytest.approx(2 * 100 * loss(COLUMNS, CLASS, weights, 0.0))


def test_classes_that_can_be_separated_have_no_estimate_and_that_is_seen():
    assert not separating(COLUMNS, CLASS)
    assert separating(COLUMNS, (IRIS.values[:, 2] > 4.85).astype(float))
    x = np.array([-2.0, -1.0, 0.0, 0.0, 1.0, 2.0])
    ones = np.column_stack([np.ones(6), x])
    assert separating(ones, np.array([0, 0, 0, 1, 1, 1.0]))  # they touch at 0: separated, if only weakly
    assert not separating(ones, np.array([0, 1, 0, 1, 0, 1.0]))


def test_probabilities_do_not_overflow():
    np.testing.assert_array_equal(probabilities(np.array([-1e4, 0.0, 1e4])), [0.0, 0.5, 1.0])
