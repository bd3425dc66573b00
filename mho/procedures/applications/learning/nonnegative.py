"""Non-negative matrix factorisation by alternating least squares, of which a chip inverts the small matrices.

    V = W H,  W >= 0 (m, k),  H >= 0 (k, n):   in turn H and W are those of least squares, the other one given

Each half step is one matrix of k x k for all columns (or rows) at once:

- projected: H <- max(0, (W^T W)^-1 W^T V), one solve (Berry et al., Comput. Stat. Data Anal. 52, 155 (2007), section 4.3);
- admm: alternating direction method of multipliers for the constraint (Huang, Sidiropoulos and Liavas, IEEE Trans. Signal
  Process. 64, 5052 (2016)): solves with W^T W + I, each followed by a projection. With columns of W of length one that
  matrix has 2 on its diagonal and a condition number below k + 1.

A solve is one step of INV of what is left, its residual taken digitally: its error is a share of the change and not of the
value, so that the factors converge as in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Operator = Callable[[Floats], Floats]
Hold = Callable[[Floats], Operator]

METHODS = ("admm", "projected")

RIDGE = 1e-3
"""Added to the diagonal of a Gram matrix, whose own is one: projected columns may depend on one another."""

LEAST = 1e-12
"""Shorter rows and columns are those of a part that has died out."""


@dataclass
class Factors:
    """Factors as they are after an iteration.

    Attributes
    ----------
    left, right : (m, k) and (k, n) arrays
        W with columns of length one, and H; none of their entries is negative.
    left_dual, right_dual : arrays of the same shapes
        Multipliers of ADMM.
    """

    left: Floats
    right: Floats
    left_dual: Floats = field(init=False)
    right_dual: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.left_dual, self.right_dual = np.zeros_like(self.left), np.zeros_like(self.right)

    @property
    def product(self) -> Floats:
        """W H."""
        return self.left @ self.right


def random_factors(picture: Floats, rank: int, rng: np.random.Generator) -> Factors:
    """Return random factors whose product is as bright as the picture."""
    rows, columns = picture.shape
    left, right = rng.random((rows, rank)), rng.random((rank, columns))
    left /= np.linalg.norm(left, axis=0)
    return Factors(left, right * picture.mean() / (left @ right).mean())


def factorise(
    picture: Floats, start: Factors, iterations: int, hold: Hold, method: str = "admm", inner: int = 3
) -> Iterator[Factors]:
    """Yield the factors after each iteration, the same object each time; it begins as `start`.

    Parameters
    ----------
    picture : (m, n) array
        V; no entry is negative.
    hold : callable
        Symmetric positive definite (k, k) -> an operator r -> about its inverse times r, of (k, any) columns.
    method : str
        One of `METHODS`.
    inner : int
        Solves of each half step of ADMM.
    """
    factors = start
    for _ in range(iterations):
        _unit(factors.left, factors.right, factors.right_dual)
        factors.right, factors.right_dual = _half(
            factors.left, picture, factors.right, factors.right_dual, hold, method, inner
        )
        _unit(factors.right.T, factors.left.T, factors.left_dual.T)
        turned, dual = _half(
            factors.right.T, picture.T, factors.left.T, factors.left_dual.T, hold, method, inner
        )
        factors.left, factors.left_dual = turned.T, dual.T
        yield factors


def relative_error(picture: Floats, product: Floats) -> float:
    """Return |V - W H| / |V|, of the Frobenius norm."""
    return float(np.linalg.norm(picture - product) / np.linalg.norm(picture))


def peak_ratio(picture: Floats, product: Floats) -> float:
    """Return the peak signal-to-noise ratio, dB, the peak being 1."""
    return float(-10.0 * np.log10(max(float(np.mean((picture - product) ** 2)), np.finfo(np.float64).tiny)))


def multiplications(shape: tuple[int, int], rank: int) -> int:
    """Return those of an iteration beside its solves: W^T W, W^T V, H H^T and H V^T."""
    rows, columns = shape
    return rank * (rank * (rows + columns) + 2 * rows * columns)


def least_error(picture: Floats, rank: int) -> float:
    """Return the relative error of the best product of this rank without the constraint (Eckart and Young)."""
    singular = np.linalg.svd(picture, compute_uv=False)
    return float(np.linalg.norm(singular[rank:]) / np.linalg.norm(singular))


def _half(
    known: Floats, picture: Floats, wanted: Floats, dual: Floats, hold: Hold, method: str, inner: int
) -> tuple[Floats, Floats]:
    """Return the other factor and its multipliers; `known` (m, k) has columns of length one, `wanted` is (k, n)."""
    gram, rhs = known.T @ known, known.T @ picture
    eye = np.eye(len(gram))
    if method == "projected":
        matrix = gram + RIDGE * eye
        return np.maximum(wanted + hold(matrix)(rhs - matrix @ wanted), 0.0), dual
    matrix = gram + eye
    invert, free = hold(matrix), wanted
    for _ in range(inner):
        free = free + invert(rhs + wanted - dual - matrix @ free)
        wanted = np.maximum(free + dual, 0.0)
        dual = dual + free - wanted
    return wanted, dual


def _unit(left: Floats, right: Floats, dual: Floats) -> None:
    """Scale columns of `left` to length one, and the rows of `right` and `dual` against it, in place."""
    lengths = np.linalg.norm(left, axis=0)
    dead = lengths < LEAST
    lengths = np.where(dead, 1.0, lengths)
    left /= lengths
    right *= lengths[:, None]
    dual /= lengths[:, None]  # multipliers are slopes over `right`
    left[:, dead] = 1.0 / np.sqrt(len(left))  # a part that has died out begins anew, all grey
    right[dead], dual[dead] = 0.0, 0.0
