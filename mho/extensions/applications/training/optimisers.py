"""Optimisers: SGD with momentum, Adam, and the natural gradient by Kronecker factors, behind one protocol.

Rates may have one value a network, so that a whole grid of settings is trained at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.array_types import Floats, Integers
from mho.extensions.applications.training.curvature import (
    Hold,
    Solve,
    factors_of,
    hold_digitally,
    preconditioned,
)
from mho.extensions.applications.training.network import Passed, Weights, forward, gradient


class Optimiser(Protocol):
    """Takes steps; it keeps what it knows of earlier ones."""

    def step(self, weights: Weights, x: Floats, labels: Integers) -> Weights:
        """Return the weights after a step on a batch x (..., samples, inputs) with its labels (..., samples)."""
        ...


class Momentum:
    """SGD with momentum: ``u = momentum u + v``, ``w = w - rate u`` (Polyak 1964, as PyTorch writes it).

    `rate`, `momentum` (networks,).
    """

    def __init__(self, rate: ArrayLike, momentum: ArrayLike = 0.9) -> None:
        self._rate, self._momentum = _of_networks(rate), _of_networks(momentum)
        self._moving: Weights = ()

    def step(self, weights: Weights, x: Floats, labels: Integers) -> Weights:
        """Take a step down the gradient."""
        return self.move(weights, gradient(weights, forward(weights, x), labels))

    def move(self, weights: Weights, direction: Weights) -> Weights:
        """Return the weights moved against a direction."""
        if not self._moving:
            self._moving = tuple(np.zeros_like(one) for one in direction)
        self._moving = tuple(
            self._momentum * old + new for old, new in zip(self._moving, direction, strict=True)
        )
        return tuple(one - self._rate * moving for one, moving in zip(weights, self._moving, strict=True))


class Adam:
    """Adam (Kingma and Ba, ICLR 2015, algorithm 1).

    `rate`, `first`, `second` (networks,): alpha, beta_1, beta_2.
    """

    epsilon = 1e-8

    def __init__(self, rate: ArrayLike, first: ArrayLike = 0.9, second: ArrayLike = 0.999) -> None:
        self._rate, self._first, self._second = map(_of_networks, (rate, first, second))
        self._means: list[Floats] = []
        self._squares: list[Floats] = []
        self._steps = 0

    def step(self, weights: Weights, x: Floats, labels: Integers) -> Weights:
        """Take a step along the mean gradient over the root of its mean square, both without the bias of their start."""
        found = gradient(weights, forward(weights, x), labels)
        if not self._steps:
            self._means, self._squares = ([np.zeros_like(one) for one in found] for _ in range(2))
        self._steps += 1
        moved = []
        for number, (one, new) in enumerate(zip(weights, found, strict=True)):
            self._means[number] = self._first * self._means[number] + (1.0 - self._first) * new
            self._squares[number] = self._second * self._squares[number] + (1.0 - self._second) * new**2
            mean = self._means[number] / (1.0 - self._first**self._steps)
            square = self._squares[number] / (1.0 - self._second**self._steps)
            moved.append(one - self._rate * mean / (np.sqrt(square) + self.epsilon))
        return tuple(moved)


class NaturalGradient:
    """Natural gradient by damped Kronecker factors, which are computed and held anew every few steps.

    A step is as long as the curvature says, unless it would change the outputs further than trusted: u is then shortened
    to ``sum(u v) = trust``, v being the gradient (Ba, Grosse and Martens, ICLR 2017, section 5).

    `trust`, `damping`, `momentum` (networks,): largest ``sum(u v)`` of a step, nat; d of `Factors.shifts`; as of
    `Momentum`. `refresh`: steps from one time that factors are held to the next. `samples` (..., samples, inputs): what
    factors are taken over; the batch of their step where left out. `hold`: takes the damped matrices, and returns what
    solves with each. `steps`: steps so far; `refreshes`: times that factors were held. `uphill`: steps whose
    preconditioned direction led up the loss of their batch; the gradient was taken there. Of many networks steps in
    which any did.
    """

    def __init__(
        self, trust: ArrayLike, damping: ArrayLike, momentum: ArrayLike = 0.5, *, refresh: int = 1,
        samples: Floats | None = None, hold: Hold = hold_digitally,
    ) -> None:  # fmt: skip
        self._trust, self._damping = np.asarray(trust, dtype=np.float64), damping
        self._momentum = Momentum(1.0, momentum)
        self._refresh, self._samples, self._hold = refresh, samples, hold
        self.steps = self.refreshes = self.uphill = 0
        self._means: list[Floats] = []
        self._shifts: list[tuple[Floats, Floats]] = []
        self._solves: Sequence[Solve] = ()

    def step(self, weights: Weights, x: Floats, labels: Integers) -> Weights:
        """Take a step down the natural gradient."""
        passed = forward(weights, x)
        if self.steps % self._refresh == 0:
            self._hold_factors(weights, passed if self._samples is None else forward(weights, self._samples))
        self.steps += 1
        found = gradient(weights, passed, labels)
        natural = tuple(
            preconditioned(one, mean, *self._solves[2 * number : 2 * number + 2])
            for number, (one, mean) in enumerate(zip(found, self._means, strict=True))
        )
        return self._momentum.move(weights, self._trusted(natural, found))

    def _hold_factors(self, weights: Weights, passed: Passed) -> None:
        factors = factors_of(weights, passed)
        self._means = [one.mean for one in factors]
        if not self._shifts:
            self._shifts = [one.shifts(self._damping) for one in factors]
        damped = [one.damped(shifts) for one, shifts in zip(factors, self._shifts, strict=True)]
        self._solves = self._hold([matrix for pair in damped for matrix in pair])
        self.refreshes += 1

    def _trusted(self, natural: Weights, found: Weights) -> Weights:
        """Return the direction, no longer than trusted; the gradient where it leads uphill."""
        slope = np.sum([_inner(u, v) for u, v in zip(natural, found, strict=True)], axis=0)
        downhill = slope > 0.0
        self.uphill += int(not np.all(downhill))
        steepest = np.sum([_inner(v, v) for v in found], axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            shorter = np.minimum(1.0, np.sqrt(self._trust / np.where(downhill, slope, steepest)))
        down, factor = downhill[..., None, None], shorter[..., None, None]
        return tuple(factor * np.where(down, u, v) for u, v in zip(natural, found, strict=True))


def _of_networks(value: ArrayLike) -> Floats:
    """Return one number, or one a network, so that it multiplies weights (networks, m, n)."""
    return np.asarray(value, dtype=np.float64)[..., None, None]


def _inner(u: Floats, v: Floats) -> NDArray[np.float64]:
    return np.asarray((u * v).sum(axis=(-1, -2)))
