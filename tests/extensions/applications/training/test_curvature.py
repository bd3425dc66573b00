"""Kronecker factors: where they are exact, what centring and damping do, and what is solved with them."""

import numpy as np
import pytest

from mho.extensions.applications.training.network import derivatives, fisher_roots, forward, initial_weights
from mho.extensions.applications.training.optimisers import (
    KroneckerFactors,
    factors_of,
    hold_digitally,
    preconditioned,
)


def symmetric(n, rng):
    root = rng.normal(size=(n, n))
    return root @ root.T + np.eye(n)


def test_centred_inverse_is_that_of_the_factor_with_its_bias():
    rng = np.random.default_rng(0)
    covariance, sums, mean = symmetric(4, rng), symmetric(3, rng), rng.normal(size=4)
    layer = rng.normal(size=(3, 5))
    with_bias = np.block(
        [[covariance + np.outer(mean, mean), mean[:, None]], [mean[None, :], np.ones((1, 1))]]
    )
    wanted = np.linalg.solve(sums, layer) @ np.linalg.inv(with_bias)
    found = preconditioned(layer, mean, *hold_digitally((covariance, sums)))
    np.testing.assert_allclose(found, wanted, atol=1e-10)


def test_factors_of_one_sample_give_the_fisher_information_of_a_layer_exactly():
    # With one sample A and G have no expectation that could fail to be the product's: F = (a a^T) x G.
    rng = np.random.default_rng(1)
    weights = initial_weights((4, 3, 3), rng)
    passed = forward(weights, rng.normal(size=(1, 4)))
    for given, of_sums, one in zip(
        passed.inputs,
        derivatives(weights, passed, fisher_roots(passed)),
        factors_of(weights, passed),
        strict=True,
    ):
        inputs = np.append(given[0], 1.0)
        fisher = sum(np.outer(v := np.kron(inputs, g[0]), v) for g in of_sums)
        second = one.covariance + np.outer(one.mean, one.mean)
        a = np.block([[second, one.mean[:, None]], [one.mean[None, :], np.ones((1, 1))]])
        np.testing.assert_allclose(np.kron(a, one.derivatives), fisher, atol=1e-12)


def test_factor_of_the_last_layer_is_the_mean_covariance_of_drawn_labels():
    rng = np.random.default_rng(2)
    weights = initial_weights((4, 3), rng)
    passed = forward(weights, rng.normal(size=(50, 4)))
    p = passed.probabilities
    (factors,) = factors_of(weights, passed)
    np.testing.assert_allclose(factors.derivatives, np.diag(p.mean(axis=0)) - p.T @ p / 50, atol=1e-12)
    np.testing.assert_allclose(factors.covariance, np.cov(passed.inputs[0].T, bias=True), atol=1e-12)


@pytest.mark.parametrize("damping", [0.01, 1.0])
def test_damping_bounds_the_condition_number_whatever_the_size_of_a_factor(damping):
    rng = np.random.default_rng(3)
    flat = np.outer(ones := np.ones(6), ones)  # of rank one: the worst there is
    for size in (1e-9, 1.0, 1e6):
        factors = KroneckerFactors(np.zeros(6), size * flat, symmetric(3, rng))
        inputs, sums = factors.damped(factors.shifts(damping))
        assert np.linalg.cond(inputs) == pytest.approx(1 + 6 / damping)
        assert np.linalg.cond(sums) < 1 + 3 / damping


def test_factors_that_have_vanished_leave_matrices_that_can_be_inverted():
    factors = KroneckerFactors(np.zeros(2), np.eye(2), np.zeros((3, 3)))
    inputs, sums = factors.damped(factors.shifts(0.5))
    np.testing.assert_allclose(inputs, 1.5 * np.eye(2))
    np.testing.assert_allclose(sums, np.eye(3))
