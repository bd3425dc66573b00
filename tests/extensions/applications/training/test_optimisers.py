"""Steps of optimisers beside their closed forms, and a quadratic that one natural step solves."""

import numpy as np
import pytest

from mho.extensions.applications.training.network import cross_entropy, forward, gradient, initial_weights
from mho.extensions.applications.training.optimisers import Adam, Momentum, NaturalGradient, hold_digitally


def problem(seed=0, samples=40):
    rng = np.random.default_rng(seed)
    weights = initial_weights((4, 3, 3), rng)
    return weights, rng.normal(size=(samples, 4)), rng.integers(3, size=samples)


def constant(monkeypatch, value):
    """Let every gradient be `value`."""
    monkeypatch.setattr(
        "mho.extensions.applications.training.optimisers.gradient",
        lambda weights, passed, labels: tuple(np.full_like(one, value) for one in weights),
    )


def test_momentum_under_a_constant_gradient_is_a_geometric_sum(monkeypatch):
    weights, x, labels = problem()
    constant(monkeypatch, 2.0)
    optimiser, moved = Momentum(0.1, 0.5), weights
    for _ in range(4):
        moved = optimiser.step(moved, x, labels)
    way = 0.1 * 2.0 * sum((1 - 0.5**k) / 0.5 for k in range(1, 5))
    for one, start in zip(moved, weights, strict=True):
        np.testing.assert_allclose(start - one, way)


@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_adam_under_a_constant_gradient_moves_by_its_rate_whatever_the_size(monkeypatch, size):
    weights, x, labels = problem()
    constant(monkeypatch, -size)
    optimiser, moved = Adam(0.01), weights
    for _ in range(5):
        moved = optimiser.step(moved, x, labels)
    for one, start in zip(moved, weights, strict=True):
        np.testing.assert_allclose(one - start, 0.05, rtol=1e-4)


def test_adam_after_two_gradients_is_as_written_down(monkeypatch):
    weights, x, labels = (np.zeros((1, 2)),), np.ones((1, 1)), np.array([0])
    optimiser = Adam(0.1, 0.9, 0.99)
    constant(monkeypatch, 1.0)
    weights = optimiser.step(weights, x, labels)
    constant(monkeypatch, 3.0)
    weights = optimiser.step(weights, x, labels)
    mean, square = (0.9 * 0.1 + 0.1 * 3.0) / (1 - 0.9**2), (0.99 * 0.01 + 0.01 * 9.0) / (1 - 0.99**2)
    np.testing.assert_allclose(weights[0], -0.1 - 0.1 * mean / np.sqrt(square), rtol=1e-6)


def test_one_natural_step_solves_a_quadratic():
    # Of one layer near its optimum the loss is quadratic, with A x G as its Hessian where p is the same for all samples.
    rng = np.random.default_rng(4)
    x = rng.normal(size=(3000, 4))
    labels = np.arange(3000) % 3
    small = 1e-3 * rng.normal(size=(3, 5))
    small -= small.mean(axis=0)  # softmax does not see what is common to all classes
    for one in range(3):  # labels without any relation to the inputs: the optimum is W = 0
        x[labels == one] -= x[labels == one].mean(axis=0)
    start = (small,)
    optimiser = NaturalGradient(1e9, 1e-9, 0.0)
    (left,) = optimiser.step(start, x, labels)
    assert np.abs(left).max() < 1e-2 * np.abs(small).max()
    (moved,) = Momentum(1.0, 0.0).step(start, x, labels)
    assert np.abs(moved).max() > 0.3 * np.abs(small).max()  # the gradient is far from that


def test_a_natural_step_goes_no_further_than_trusted():
    weights, x, labels = problem()
    found = gradient(weights, forward(weights, x), labels)
    free = NaturalGradient(1e12, 1e-3, 0.0).step(weights, x, labels)
    whole = [old - new for old, new in zip(weights, free, strict=True)]
    slope = sum((v * u).sum() for v, u in zip(found, whole, strict=True))
    for trust in (1e-4 * slope, 1e4 * slope):
        moved = NaturalGradient(trust, 1e-3, 0.0).step(weights, x, labels)
        share = np.linalg.norm(weights[0] - moved[0]) / np.linalg.norm(whole[0])
        assert share**2 * slope == pytest.approx(min(trust, slope))


def test_factors_are_held_again_after_so_many_steps():
    weights, x, labels = problem()
    held = []

    def hold(matrices):
        held.append([one.shape for one in matrices])
        return hold_digitally(matrices)

    optimiser = NaturalGradient(0.1, 0.1, refresh=3, hold=hold)
    for _ in range(7):
        weights = optimiser.step(weights, x, labels)
    assert held == [[(4, 4), (3, 3), (3, 3), (3, 3)]] * 3
    assert optimiser.refreshes == 3


def test_a_solve_that_leads_uphill_is_counted_and_the_gradient_taken_instead():
    weights, x, labels = problem()
    against = NaturalGradient(
        0.1, 0.1, 0.0, hold=lambda matrices: [np.negative, np.copy] * (len(matrices) // 2)
    )
    moved = against.step(weights, x, labels)
    assert against.uphill == 1
    plain = Momentum(1.0, 0.0).step(weights, x, labels)
    for one, other in zip(moved, plain, strict=True):
        np.testing.assert_allclose(one, other)


@pytest.mark.parametrize(
    "make", [lambda rate: Momentum(rate), lambda rate: Adam(rate), lambda rate: NaturalGradient(rate, 0.1)]
)
def test_a_grid_of_rates_at_once_is_each_rate_alone(make):
    weights, x, labels = problem()
    rates = np.array([0.01, 0.1])
    many = tuple(np.stack([one, one]) for one in weights)
    optimiser, alone = make(rates), [make(rate) for rate in rates]
    singles = [weights, weights]
    for _ in range(3):
        many = optimiser.step(many, np.stack([x, x]), np.stack([labels, labels]))
        singles = [one.step(given, x, labels) for one, given in zip(alone, singles, strict=True)]
    for number, single in enumerate(singles):
        for all_of, one in zip(many, single, strict=True):
            np.testing.assert_allclose(all_of[number], one, atol=1e-12)


def test_natural_steps_reduce_a_loss_further_than_as_many_of_the_gradient():
    weights, x, _ = problem(samples=200)
    x *= np.array([3.0, 1.0, 0.3, 0.1])  # a condition number of 900, which the gradient feels
    labels = (x @ np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 9.0]])).argmax(
        axis=1
    )
    ends = []
    for optimiser in (NaturalGradient(1.0, 0.3, 0.0), Momentum(1.0, 0.0)):
        moved = weights
        for _ in range(10):
            moved = optimiser.step(moved, x, labels)
        ends.append(float(cross_entropy(forward(moved, x), labels)))
    assert ends[0] < 0.7 * ends[1]
