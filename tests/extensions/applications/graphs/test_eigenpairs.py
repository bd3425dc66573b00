"""Eigenpairs by power, inverse and Davidson's iteration, with inverses as good and as poor as those of a chip."""

from __future__ import annotations

import numpy as np
import pytest

from mho.extensions.applications.graphs.eigenvector import (
    angle,
    davidson,
    eigen_step,
    inverse_iteration,
    power_iteration,
)
from mho.extensions.applications.graphs.graph_files import load_graph

A = load_graph("karate").weights
VALUES, VECTORS = np.linalg.eigh(A)
LARGEST, VECTOR = VALUES[-1], VECTORS[:, -1]
START = np.ones(len(A))


def noisy(operate, share, seed=1):
    """Stand in for a chip: every result is wrong by `share` of its length."""
    rng = np.random.default_rng(seed)

    def operated(vector):
        exact = operate(vector)
        wrong = rng.standard_normal(exact.shape)
        return exact + share * np.linalg.norm(exact) * wrong / np.linalg.norm(wrong)

    return operated


def solver(shift):
    return lambda rhs: np.linalg.solve(A - shift * np.eye(len(A)), rhs)


def test_power_iteration_converges_as_the_ratio_of_eigenvalues():
    steps = power_iteration(A, A.__matmul__, VECTOR + VECTORS[:, -2] + VECTORS[:, 0], 60, 0.0)
    ratio = steps[60].residual / steps[59].residual
    assert ratio == pytest.approx(VALUES[-2] / LARGEST, rel=0.02)


def test_inverse_iteration_converges_as_the_distances_to_the_shift():
    steps = inverse_iteration(A, solver(7.0), VECTOR + VECTORS[:, -2] + VECTORS[:, 0], 8, 0.0)
    assert steps[5].residual / steps[4].residual == pytest.approx(
        (7.0 - LARGEST) / (7.0 - VALUES[-2]), rel=0.02
    )


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3])
def test_davidson_reaches_float64_with_an_inverse_of_few_bits(share):
    steps = davidson(A, noisy(solver(7.0), share), START, 34, 1e-12, 7.0)
    assert steps[-1].residual <= 1e-12
    assert steps[-1].value == pytest.approx(LARGEST, rel=1e-12)
    assert angle(steps[-1].vector, VECTOR) < 1e-10
    assert len(steps) <= 25


def test_noisy_inverse_iteration_stops_at_its_noise_where_davidson_does_not():
    plain = inverse_iteration(A, noisy(solver(7.0), 0.1), START, 34, 1e-12)
    assert 1e-3 < min(step.residual for step in plain) < 0.2


def test_davidson_finds_an_inner_eigenvalue_near_its_shift_and_that_of_a_matrix_that_is_not_symmetric():
    inner = davidson(A, noisy(solver(-2.0), 0.05), START + np.arange(34), 34, 1e-11, -2.0)[-1]
    assert abs(inner.value - -2.0) == pytest.approx(np.abs(VALUES + 2.0).min(), rel=1e-8)
    skewed = np.triu(np.ones((6, 6))) + np.diag(np.arange(6.0))
    steps = davidson(
        skewed, lambda r: np.linalg.solve(skewed - 6.2 * np.eye(6), r), np.ones(6), 6, 1e-13, 6.2
    )
    assert steps[-1].value == pytest.approx(6.0, rel=1e-9)


def test_the_angle_is_exact_where_it_is_small_and_has_no_sign():
    other = VECTOR + 1e-10 * VECTORS[:, 0]
    assert angle(-3.0 * other, VECTOR) == pytest.approx(1e-10, rel=1e-4)
    assert angle(VECTORS[:, 0], VECTOR) == pytest.approx(np.pi / 2, rel=1e-12)


def test_an_eigenvector_is_recognised_at_once():
    assert eigen_step(A, VECTOR, LARGEST).residual < 1e-14
    assert len(power_iteration(A, A.__matmul__, VECTOR, 10, 1e-12)) == 1
    assert (
        len(power_iteration(np.zeros((2, 2)) + np.diag([0.0, 1.0]), lambda v: 0 * v, np.ones(2), 10, 0.0))
        == 1
    )
