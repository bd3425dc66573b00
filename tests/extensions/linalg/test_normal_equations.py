"""Ridge regression on arrays: closed forms, weights as repeated samples, and the dual as the primal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.extensions.linalg.ridge import CentredData, ridge_coefficients, unit_diagonal


def fit(x, y, alpha, weights=None, intercept=True):
    """Return coefficients (targets, features) and intercepts in float64."""
    data = CentredData.of(x, y, weights, intercept)
    found = ridge_coefficients(data, np.broadcast_to(np.asarray(alpha, float), y.shape[1]), np.linalg.solve)
    return found, data.intercepts(found)


def test_one_feature_is_shrunk_by_its_penalty():
    x, y = np.array([[-1.0], [0.0], [1.0]]), np.array([[1.0], [3.0], [5.0]])
    found, intercept = fit(x, y, 2.0)
    assert found.tolist() == [[2.0 * 2.0 / (2.0 + 2.0)]]  # slope 2, sum of squares 2, penalty 2
    assert intercept.tolist() == [3.0]


def test_orthonormal_features_are_all_shrunk_alike():
    rng = np.random.default_rng(1)
    x = np.linalg.qr(rng.standard_normal((20, 5)))[0]
    y = rng.standard_normal((20, 2))
    np.testing.assert_allclose(fit(x, y, 3.0, intercept=False)[0], (x.T @ y).T / 4.0, rtol=1e-12)


def test_the_singular_values_filter():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((15, 6)), rng.standard_normal((15, 3))
    left, sizes, right = np.linalg.svd(x, full_matrices=False)
    penalties = np.array([0.1, 1.0, 10.0])
    expected = [
        right.T @ (sizes / (sizes**2 + a) * (left.T @ column))
        for a, column in zip(penalties, y.T, strict=True)
    ]
    np.testing.assert_allclose(fit(x, y, penalties, intercept=False)[0], expected, rtol=1e-10)


@given(
    samples=st.integers(2, 9),
    features=st.integers(1, 9),
    alpha=st.floats(1e-3, 1e3),
    intercept=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_gradient_is_zero(samples, features, alpha, intercept, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((samples, features)), rng.standard_normal((samples, 2))
    weights = rng.uniform(0.1, 2.0, samples)
    found, offset = fit(x, y, alpha, weights, intercept)
    off = weights[:, None] * (y - x @ found.T - (offset if intercept else 0.0))
    scale = np.abs(weights[:, None] * y).sum() * max(np.abs(x).max(), 1.0)
    np.testing.assert_allclose(x.T @ off, alpha * found.T, atol=1e-9 * scale)
    if intercept:
        np.testing.assert_allclose(off.sum(axis=0), 0.0, atol=1e-9 * scale)


@pytest.mark.parametrize("features", [3, 12])
def test_weights_are_repeated_samples(features):
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((8, features)), rng.standard_normal((8, 2))
    times = np.array([1, 3, 0, 2, 1, 1, 4, 2])
    weighted = fit(x, y, 0.7, times.astype(float))
    repeated = fit(np.repeat(x, times, axis=0), np.repeat(y, times, axis=0), 0.7)
    for one, other in zip(weighted, repeated, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_fewer_samples_than_features_take_the_dual():
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((4, 30)), rng.standard_normal((4, 1))
    sizes = []

    def solve(matrix, rhs):
        sizes.append(len(matrix))
        return np.linalg.solve(matrix, rhs)

    found = ridge_coefficients(CentredData.of(x, y, None, False), np.array([0.5]), solve)
    assert sizes == [4]
    np.testing.assert_allclose(found.T, np.linalg.solve(x.T @ x + 0.5 * np.eye(30), x.T @ y), rtol=1e-10)


def test_targets_of_one_penalty_are_solved_together():
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((9, 3)), rng.standard_normal((9, 4))
    asked = []

    def solve(matrix, rhs):
        asked.append(rhs.shape)
        return np.linalg.solve(matrix, rhs)

    ridge_coefficients(CentredData.of(x, y, None, True), np.array([1.0, 2.0, 1.0, 1.0]), solve)
    assert asked == [(3, 3), (3, 1)]


def test_features_of_all_units_come_to_the_chip_alike():
    rng = np.random.default_rng(6)
    units = 10.0 ** np.array([-6, -2, 0, 3, 5])
    x, y = rng.standard_normal((40, 5)), rng.standard_normal((40, 1))
    seen = []

    def solve(matrix, rhs):
        seen.append(matrix)
        return np.linalg.solve(matrix, rhs)

    found = ridge_coefficients(CentredData.of(x * units, y, None, True), np.array([0.0]), solve)
    assert np.linalg.cond(seen[0]) < 20.0
    np.testing.assert_allclose(
        found * units, ridge_coefficients(CentredData.of(x, y, None, True), np.array([0.0]), solve)
    )


@given(st.lists(st.floats(1e-200, 1e200), min_size=1, max_size=6))
def test_scales_are_powers_of_two(diagonal):
    scale = unit_diagonal(np.diag(diagonal))
    assert (np.frexp(scale)[0] == 0.5).all()
    scaled = scale**2 * diagonal
    assert ((scaled >= 0.5) & (scaled <= 2.0)).all()
