"""The network's gradient and the Fisher information of its outputs, beside finite differences and closed forms."""

import numpy as np
import pytest

from mho.extensions.applications.training.network import (
    accuracy,
    cross_entropy,
    derivatives,
    fisher_roots,
    forward,
    gradient,
    initial_weights,
)


def network(sizes=(5, 4, 3), samples=7, seed=0):
    rng = np.random.default_rng(seed)
    weights = tuple(one + 0.1 * rng.normal(size=one.shape) for one in initial_weights(sizes, rng))
    return weights, rng.normal(size=(samples, sizes[0])), rng.integers(sizes[-1], size=samples)


@pytest.mark.parametrize("sizes", [(5, 3), (5, 4, 3), (5, 4, 6, 3)])
def test_gradient_is_that_of_finite_differences(sizes):
    weights, x, labels = network(sizes)
    step = 1e-6
    for number, found in enumerate(gradient(weights, forward(weights, x), labels)):
        for index in np.ndindex(found.shape):
            losses = []
            for sign in (1.0, -1.0):
                moved = [one.copy() for one in weights]
                moved[number][index] += sign * step
                losses.append(cross_entropy(forward(tuple(moved), x), labels))
            assert found[index] == pytest.approx((losses[0] - losses[1]) / (2 * step), abs=1e-8)


def test_derivatives_by_the_sums_of_hidden_layers_are_those_of_finite_differences():
    # A bias enters its layer's sums as they are: the derivative by it is that by the sum, added over the samples.
    weights, x, _ = network((5, 4, 6, 3))
    passed = forward(weights, x)
    of_logits = np.random.default_rng(1).normal(size=passed.logits.shape)
    for number, of_sums in enumerate(derivatives(weights, passed, of_logits)):
        for line in range(of_sums.shape[-1]):
            moved = [one.copy() for one in weights]
            moved[number][line, -1] += 1e-6
            changed = ((forward(tuple(moved), x).logits - passed.logits) * of_logits).sum() / 1e-6
            assert of_sums[:, line].sum() == pytest.approx(changed, abs=1e-4)


def test_fisher_roots_sum_to_the_covariance_of_a_drawn_label():
    weights, x, _ = network()
    passed = forward(weights, x)
    roots = fisher_roots(passed)
    found = np.einsum("csi,csj->sij", roots, roots)
    p = passed.probabilities
    np.testing.assert_allclose(found, p[:, :, None] * np.eye(3) - p[:, :, None] * p[:, None, :], atol=1e-12)


def test_many_networks_at_once_are_each_as_alone():
    nets = [network(seed=seed) for seed in range(3)]
    weights = tuple(np.stack(layers) for layers in zip(*(one[0] for one in nets), strict=True))
    x, labels = np.stack([one[1] for one in nets]), np.stack([one[2] for one in nets])
    together = forward(weights, x)
    found = gradient(weights, together, labels)
    for number, (alone, own_x, own_labels) in enumerate(nets):
        passed = forward(alone, own_x)
        assert cross_entropy(together, labels)[number] == pytest.approx(cross_entropy(passed, own_labels))
        assert accuracy(together, labels)[number] == accuracy(passed, own_labels)
        for all_of, one in zip(found, gradient(alone, passed, own_labels), strict=True):
            np.testing.assert_allclose(all_of[number], one, atol=1e-12)


def test_loss_of_huge_logits_stays_finite():
    passed = forward((np.array([[1e4, 0.0], [-1e4, 0.0]]),), np.array([[1.0], [-1.0]]))
    assert cross_entropy(passed, np.array([0, 1])) == pytest.approx(0.0)
    assert cross_entropy(passed, np.array([1, 1])) == pytest.approx(1e4)


def test_loss_without_weights_is_that_of_guessing():
    passed = forward((np.zeros((3, 6)),), np.ones((4, 5)))
    assert cross_entropy(passed, np.array([0, 1, 2, 0])) == pytest.approx(np.log(3))
