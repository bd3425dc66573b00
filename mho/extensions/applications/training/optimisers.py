"""Optimisers: SGD with momentum, Adam, and the natural gradient by Kronecker factors, behind one protocol.

Rates may have one value a network, so that a whole grid of settings is trained at once.

Kronecker-factored curvature (K-FAC) takes the Fisher information of a layer as a Kronecker product of two small matrices
(Martens and Grosse, ICML 2015, arXiv 1503.05671): for a layer fed with ``(a, 1)``, whose sums have the derivatives g,

    F  is about  A x G,   A = E[(a, 1) (a, 1)^T],   G = E[g g^T],      F^-1 vec(V) = vec(G^-1 V A^-1).

With the mean m and the covariance C of the inputs, A is ``[[C + m m^T, m], [m^T, 1]]``, and its inverse takes that of C
alone (section 10 there: K-FAC of a network is the natural gradient in centred, whitened activations):

    U_W = G^-1 (V_W - v_b m^T) C^-1,      u_b = G^-1 v_b - U_W m.

So a layer of n inputs takes a loop of n lines and not n + 1, and the large eigenvalue of a mean is gone before the matrix
comes onto a chip, where a condition number costs bits. Both factors are damped, each by a share of its mean eigenvalue:

    C + d (tr C / n) I,      G + d (tr G / m) I,      both traces those of the first time.

That is the factored damping of section 6.3 there, with pi as there, for ``l = d^2 (tr C / n) (tr G / m)``. No condition
number is then above ``1 + n / d`` at first, nor later unless the curvature grows; and the C of the first layer, that of
the data, stays as it is: on a chip it is programmed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.array_types import Floats, Integers
from mho.extensions.applications.training.network import (
    Passed,
    Weights,
    derivatives,
    fisher_roots,
    forward,
    gradient,
)

Solve = Callable[[Floats], Floats]  # takes right-hand sides (..., n, k) and returns about ``M^-1 rhs``

# Takes matrices, of each layer C and then G, and returns a `Solve` for each: on a chip it programs them
Hold = Callable[[Sequence[Floats]], Sequence[Solve]]
# Mean eigenvalue of a factor up to which it counts as none, and is shifted by 1: every output is certain
VANISHED = 1e-30


@dataclass(frozen=True)
class KroneckerFactors:
    """Kronecker factors of one layer."""

    mean: Floats  # (..., n): m, of the inputs
    covariance: Floats  # (..., n, n): C, of the inputs
    derivatives: Floats  # (..., m, m): G, of the derivatives by the sums

    def shifts(self, damping: ArrayLike) -> tuple[Floats, Floats]:
        """Return shares of the mean eigenvalues of C and G, by which they are to be shifted; `damping` is d."""
        return _share(damping, self.covariance), _share(damping, self.derivatives)

    def damped(self, shifts: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        """Return C and G with these shifts on their diagonals."""
        return _shifted(self.covariance, shifts[0]), _shifted(self.derivatives, shifts[1])


def factors_of(weights: Weights, passed: Passed) -> tuple[KroneckerFactors, ...]:
    """Return the factors of every layer at these weights, over the samples of a pass.

    The expectation over labels is that of the network's own outputs, exactly: no label is drawn.
    """
    factors = []
    samples = passed.logits.shape[-2]
    for given, of_sums in zip(passed.inputs, derivatives(weights, passed, fisher_roots(passed)), strict=True):
        mean = given.mean(axis=-2)
        centred = given - mean[..., None, :]
        of_classes = np.swapaxes(of_sums, -1, -2) @ of_sums
        factors.append(
            KroneckerFactors(mean, np.asarray(np.swapaxes(centred, -1, -2) @ centred / samples),
                             np.asarray(of_classes.sum(axis=0) / samples)),
        )  # fmt: skip
    return tuple(factors)


def preconditioned(layer: Floats, mean: Floats, solve_inputs: Solve, solve_sums: Solve) -> Floats:
    """Return the natural gradient of one layer from its gradient (..., m, n + 1), shaped alike.

    `solve_inputs` solves with the damped C, `solve_sums` with the damped G: n + 1 right-hand sides of m, then m of n.
    """
    of_bias = layer[..., -1:]
    of_weights = layer[..., :-1] - of_bias * mean[..., None, :]
    by_sums = solve_sums(np.concatenate((of_weights, of_bias), axis=-1))
    by_both = np.swapaxes(solve_inputs(np.swapaxes(by_sums[..., :-1], -1, -2)), -1, -2)
    bias = by_sums[..., -1:] - by_both @ mean[..., :, None]
    return np.concatenate((by_both, bias), axis=-1)


def hold_digitally(matrices: Sequence[Floats]) -> list[Solve]:
    """Return solves with the float64 inverses of symmetric matrices: the digital reference."""
    return [np.linalg.inv(matrix).__matmul__ for matrix in matrices]


def _share(share: ArrayLike, matrix: Floats) -> Floats:
    mean = np.trace(matrix, axis1=-2, axis2=-1) / matrix.shape[-1]
    return np.asarray(np.where(mean > VANISHED, np.asarray(share) * mean, 1.0))


def _shifted(matrix: Floats, shift: Floats) -> Floats:
    return np.asarray(matrix + shift[..., None, None] * np.eye(matrix.shape[-1]))


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
        gradients = gradient(weights, forward(weights, x), labels)
        if not self._steps:
            self._means, self._squares = ([np.zeros_like(one) for one in gradients] for _ in range(2))
        self._steps += 1
        moved = []
        for number, (one, new) in enumerate(zip(weights, gradients, strict=True)):
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
        gradients = gradient(weights, passed, labels)
        natural = tuple(
            preconditioned(one, mean, *self._solves[2 * number : 2 * number + 2])
            for number, (one, mean) in enumerate(zip(gradients, self._means, strict=True))
        )
        return self._momentum.move(weights, self._trusted(natural, gradients))

    def _hold_factors(self, weights: Weights, passed: Passed) -> None:
        factors = factors_of(weights, passed)
        self._means = [one.mean for one in factors]
        if not self._shifts:
            self._shifts = [one.shifts(self._damping) for one in factors]
        damped = [one.damped(shifts) for one, shifts in zip(factors, self._shifts, strict=True)]
        self._solves = self._hold([matrix for pair in damped for matrix in pair])
        self.refreshes += 1

    def _trusted(self, natural: Weights, gradients: Weights) -> Weights:
        """Return the direction, no longer than trusted; the gradient where it leads uphill."""
        slope = np.sum([_inner(u, v) for u, v in zip(natural, gradients, strict=True)], axis=0)
        downhill = slope > 0.0
        self.uphill += int(not np.all(downhill))
        steepest = np.sum([_inner(v, v) for v in gradients], axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            shorter = np.minimum(1.0, np.sqrt(self._trust / np.where(downhill, slope, steepest)))
        down, factor = downhill[..., None, None], shorter[..., None, None]
        return tuple(factor * np.where(down, u, v) for u, v in zip(natural, gradients, strict=True))


def _of_networks(value: ArrayLike) -> Floats:
    """Return one number, or one a network, so that it multiplies weights (networks, m, n)."""
    return np.asarray(value, dtype=np.float64)[..., None, None]


def _inner(u: Floats, v: Floats) -> NDArray[np.float64]:
    return np.asarray((u * v).sum(axis=(-1, -2)))
