"""Linear and ridge regression: against certified values, closed forms, and fits without a row."""

from __future__ import annotations

import numpy as np
import pytest

from mho.extensions.applications.learning.linear_model import (
    augmented_system,
    best_scale,
    digital_answers,
    fit_of,
    normal_matrix,
    normal_rhs,
    standardised,
)
from mho.extensions.applications.learning.tables import load_regressors

LONGLEY = load_regressors("longley")
CERTIFIED = [  # NIST StRD, Longley: estimate and standard deviation of the intercept and of the six columns
    (-3482258.63459582, 890420.383607373),
    (15.0618722713733, 84.9149257747669),
    (-0.0358191792925910, 0.0334910077722432),
    (-2.02022980381683, 0.488399681651699),
    (-1.03322686717359, 0.214274163161675),
    (-0.0511041056535807, 0.226073200069370),
    (1829.15146461355, 455.478499142212),
]


def design_of(table=LONGLEY):
    return standardised(table.values, table.observed)


def test_the_digital_answer_has_the_certified_values():
    fit = fit_of(design_of(), digital_answers(design_of(), 0.0), 0.0)
    np.testing.assert_allclose(fit.coefficients, [one for one, _ in CERTIFIED], rtol=1e-9)
    np.testing.assert_allclose(fit.errors, [one for _, one in CERTIFIED], rtol=1e-9)
    assert fit.deviation == pytest.approx(304.854073561965, rel=1e-9)
    assert fit.determination == pytest.approx(0.995479004577296, rel=1e-12)


@pytest.mark.parametrize("penalty", [0.0, 0.7])
def test_normal_equations_and_augmented_system_have_the_same_answers(penalty):
    design = design_of()
    digital = digital_answers(design, penalty)
    by_square = np.linalg.solve(normal_matrix(design, penalty), normal_rhs(design))
    np.testing.assert_allclose(by_square, digital, rtol=1e-8)
    for scale in (1.0, best_scale(design)):
        matrix, rhs = augmented_system(design, penalty, scale)
        np.testing.assert_allclose(np.linalg.solve(matrix, rhs)[16:], digital, rtol=1e-7)
        assert np.linalg.eigvals(matrix).real.min() > 0.0  # one loop holds it stably
    matrix, _ = augmented_system(design, 0.0, best_scale(design))
    assert np.linalg.cond(matrix) < 2.0 * design.condition < np.linalg.cond(normal_matrix(design, 0.0)) / 50


@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_a_row_left_out_is_predicted_as_by_a_fit_without_it(penalty):
    rng = np.random.default_rng(3)
    values, target = rng.standard_normal((12, 2)), rng.standard_normal(12)
    design = standardised(values, target)
    whole = fit_of(design, digital_answers(design, penalty), penalty)
    for row in (0, 7):
        kept = np.arange(12) != row
        # The same standardised columns, so that the penalty weighs the same.
        columns = np.column_stack([np.ones(11), design.columns[kept]])
        square = columns.T @ columns + penalty * np.diag([0.0, 1.0, 1.0])
        weights = np.linalg.solve(square, columns.T @ target[kept])
        assert whole.left_out[row] == pytest.approx(np.array([1.0, *design.columns[row]]) @ weights, rel=1e-9)


def test_a_ridge_shrinks_and_has_the_closed_form_of_orthogonal_columns():
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(np.column_stack([np.ones(20), rng.standard_normal((20, 3))]))[0][:, 1:]
    target = basis @ [3.0, -2.0, 1.0] + 0.1 * rng.standard_normal(20)
    design = standardised(basis, target)
    plain = fit_of(design, digital_answers(design, 0.0), 0.0)
    ridge = fit_of(design, digital_answers(design, 5.0), 5.0)
    np.testing.assert_allclose(ridge.weights, plain.weights * 20 / 25, rtol=1e-12)
    np.testing.assert_allclose(
        ridge.errors[1:] / ridge.deviation, plain.errors[1:] / plain.deviation * 0.8, rtol=1e-12
    )


def test_as_many_columns_as_rows_leave_no_deviation_and_are_not_hidden():
    rng = np.random.default_rng(7)
    design = standardised(rng.standard_normal((4, 3)), rng.standard_normal(4))
    fit = fit_of(design, digital_answers(design, 0.0), 0.0)
    assert fit.determination == pytest.approx(1.0)
    assert np.isnan(fit.deviation)
    assert np.isnan(fit.errors).all()
