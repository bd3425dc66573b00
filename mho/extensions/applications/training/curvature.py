"""Kronecker-factored curvature (K-FAC): the Fisher information of a layer as a Kronecker product of two small matrices.

Martens and Grosse (ICML 2015, arXiv 1503.05671): for a layer fed with ``(a, 1)``, whose sums have the derivatives g,

    F  is about  A x G,   A = E[(a, 1) (a, 1)^T],   G = E[g g^T],      F^-1 vec(V) = vec(G^-1 V A^-1).

With the mean m and the covariance C of the inputs, A is ``[[C + m m^T, m], [m^T, 1]]``, and its inverse takes that of C
alone (section 10 there: K-FAC of a network is the natural gradient in centred, whitened activations):

    U_W = G^-1 (V_W - v_b m^T) C^-1,      u_b = G^-1 v_b - U_W m.

So a layer of n inputs takes a loop of n lines and not n + 1, and the large eigenvalue of a mean is gone before the matrix
comes onto a chip, where a condition number costs bits. Both factors are damped, each by a share of its mean eigenvalue:

    C + d (tr C / n) I,      G + d (tr G / m) I,      both traces those of the first time.

That is the factored damping of section 6.3 there, with pi as there, for ``l = d^2 (tr C / n) (tr G / m)``. No condition
number is then above ``1 + n / d`` at first, nor later unless the curvature grows; and the C of the first layer, that of the
data, stays as it is: on a chip it is programmed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.extensions.applications.training.network import Passed, Weights, derivatives, fisher_roots

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
    found = []
    samples = passed.logits.shape[-2]
    for given, of_sums in zip(passed.inputs, derivatives(weights, passed, fisher_roots(passed)), strict=True):
        mean = given.mean(axis=-2)
        centred = given - mean[..., None, :]
        of_classes = np.swapaxes(of_sums, -1, -2) @ of_sums
        found.append(
            KroneckerFactors(mean, np.asarray(np.swapaxes(centred, -1, -2) @ centred / samples),
                             np.asarray(of_classes.sum(axis=0) / samples)),
        )  # fmt: skip
    return tuple(found)


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
