"""Families of systems by the structure of their matrix: signs, zeros, symmetry, order and scale of the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import circulant, dft, toeplitz

Matrix = NDArray[Any]


def general(condition: float) -> Callable[[np.random.Generator, int], Matrix]:
    """U S V^T of random orthogonal U and V, singular values spaced evenly by ratio down to 1 / `condition`."""

    def draw(rng: np.random.Generator, n: int) -> Matrix:
        """U S V^T of random orthogonal U and V, singular values spaced evenly by ratio down to the inverse of it."""
        left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
        return np.asarray(left * np.geomspace(1.0, 1.0 / condition, n) @ right.T)

    return draw


def filtering(rng: np.random.Generator, n: int) -> Matrix:
    """Toeplitz, not symmetric: a filter whose coefficients fall by 0.6 each, 1 on the diagonal."""
    decay = 0.6 ** np.arange(n)
    column, row = (rng.standard_normal(n) * decay for _ in range(2))
    column[0] = row[0] = 1.0
    return np.asarray(toeplitz(column, row))


def blur(rng: np.random.Generator, n: int) -> Matrix:
    """Circulant: a Gaussian blur around a ring, of a standard deviation of 0.4 to 1 points."""
    away = np.minimum(np.arange(n), n - np.arange(n))
    kernel = np.exp(-0.5 * (away / rng.uniform(0.4, 1.0)) ** 2)
    return np.asarray(circulant(kernel / kernel.sum()))


def triangular(rng: np.random.Generator, n: int) -> Matrix:
    """Lower triangle, entries between -1 and 1 below a diagonal of 1 to 2 of either sign."""
    below = np.tril(rng.uniform(-1.0, 1.0, (n, n)), -1)
    return below + np.diag(rng.uniform(1.0, 2.0, n) * rng.choice([-1.0, 1.0], n))


def arrowhead(rng: np.random.Generator, n: int) -> Matrix:
    """A diagonal, and one unknown that meets all others: symmetric, most of them indefinite."""
    matrix = np.diag(rng.uniform(0.5, 2.0, n))
    matrix[0] = matrix[:, 0] = rng.uniform(-1.0, 1.0, n)
    return matrix


def sparse(rng: np.random.Generator, n: int) -> Matrix:
    """Two random entries a row, and one of 1 to 2 in each row and column wherever it may be."""
    matrix = rng.standard_normal((n, n)) * (rng.random((n, n)) < 2.0 / n)
    matrix[np.arange(n), rng.permutation(n)] += rng.uniform(1.0, 2.0, n)
    return matrix


def fourier(rng: np.random.Generator, n: int) -> Matrix:
    """Discrete Fourier transform, its frequencies in random order and phase; n is the size of the real system."""
    half = max(n // 2, 1)
    phases = np.exp(2j * np.pi * rng.random(half))
    return np.asarray(phases[:, None] * dft(half, scale="sqrtn")[rng.permutation(half)])


def vandermonde(rng: np.random.Generator, n: int) -> Matrix:
    """Powers of points between -1 and 1, near Chebyshev's: interpolation by a polynomial, ill-conditioned from n = 8 on."""
    angles = np.pi * (np.arange(n) + rng.uniform(0.25, 0.75, n)) / n
    return np.asarray(np.vander(np.cos(angles), increasing=True))


def permuted(rng: np.random.Generator, n: int) -> Matrix:
    """A dominant diagonal, its rows in random order: no loop of it settles as it is."""
    return _dominant(rng, n)[rng.permutation(n)]


def badly_scaled(rng: np.random.Generator, n: int) -> Matrix:
    """A dominant diagonal, each equation and each unknown in units of its own, six decades apart."""
    rows, columns = 10.0 ** rng.uniform(-3.0, 3.0, (2, n))
    return np.asarray(rows[:, None] * _dominant(rng, n) * columns)


def skew_dominant(rng: np.random.Generator, n: int) -> Matrix:
    """I + K with K = -K^T of normal entries: eigenvalues far from the real axis, so that loops ring."""
    skew = np.triu(rng.standard_normal((n, n)), 1)
    return np.eye(n) + skew - skew.T


def saddle_point(rng: np.random.Generator, n: int) -> Matrix:
    """A, B^T over B, 0 with A positive definite: a third of the unknowns are multipliers of constraints."""
    constraints = n // 3
    inner = n - constraints
    draws = rng.standard_normal((2 * inner, inner)) / np.sqrt(2 * inner)
    sides = rng.standard_normal((constraints, inner)) / np.sqrt(inner)
    return np.block([[draws.T @ draws, sides.T], [sides, np.zeros((constraints, constraints))]])


def _dominant(rng: np.random.Generator, n: int) -> Matrix:
    """Return entries between -1 and 1 beside a diagonal a little larger than their sums."""
    matrix = rng.uniform(-1.0, 1.0, (n, n))
    np.fill_diagonal(matrix, 0.0)
    return matrix + np.diag(np.abs(matrix).sum(axis=1) + rng.uniform(0.1, 1.0, n))


STRUCTURED: dict[str, Callable[[np.random.Generator, int], Matrix]] = {
    "general 100": general(100.0),
    "general 1e3": general(1e3),
    "Toeplitz": filtering,
    "circulant": blur,
    "triangular": triangular,
    "arrowhead": arrowhead,
    "sparse": sparse,
    "Fourier": fourier,
    "Vandermonde": vandermonde,
    "permuted": permuted,
    "badly scaled": badly_scaled,
    "skew dominant": skew_dominant,
    "saddle point": saddle_point,
}
