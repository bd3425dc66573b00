"""Families of systems that the field solves, drawn by seed: what verdicts and reach are counted over."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import circulant, dft, toeplitz

from mho.array_types import Floats

PECLET = 1.0  # of a grid cell, along the lines of the grid; half of it across them


def grid_sides(n: int) -> tuple[int, int]:
    """Return the sides of the squarest grid of n points, the longer one last; of a prime number of points it is a line."""
    side = next(side for side in range(math.isqrt(n), 0, -1) if n % side == 0)
    return side, n // side


def convection_diffusion(n: int, peclet: float = PECLET) -> Floats:
    """-lap u + v . grad u = f on a grid of n points, u = 0 around it: five points, upwind, times the square of the step.

    `peclet` is |v_x| h over the diffusivity; v_y = v_x / 2.
    """
    rows, columns = grid_sides(n)
    across = np.kron(_line(rows, 0.5 * peclet), np.eye(columns))
    return np.asarray(across + np.kron(np.eye(rows), _line(columns, peclet)))


def poisson(n: int) -> Floats:
    """-lap u = f on a grid of n points, u = 0 around it: five points; symmetric positive definite."""
    return convection_diffusion(n, 0.0)


def diffusion(rng: np.random.Generator, rows: int, columns: int, spread: float) -> Floats:
    """-div(k grad u) = f on a grid: a lognormal conductivity k, of this spread of ln k, on each edge between points."""
    across = np.kron(_differences(rows), np.eye(columns))
    along = np.kron(np.eye(rows), _differences(columns))
    edges = np.concatenate([across, along]) if rows > 1 else along
    return np.asarray(edges.T @ (rng.lognormal(0.0, spread, len(edges))[:, None] * edges))


def _line(points: int, peclet: float) -> Floats:
    return (2.0 + peclet) * np.eye(points) - (1.0 + peclet) * np.eye(points, k=-1) - np.eye(points, k=1)


def _differences(points: int) -> Floats:
    """Return the differences (points + 1, points) along a line of points with zeros at its ends."""
    return np.eye(points + 1, points) - np.eye(points + 1, points, k=-1)


SPREAD = 0.5  # of the logarithm of a conductivity
RIDGE = 0.1  # added to the diagonal of a graph's Laplacian
NUGGET = 0.01  # variance of a measurement beside that of the field
FOLLOW = 0.85  # probability of following a link (Page and Brin)


def poisson_line(rng: np.random.Generator, n: int) -> Matrix:
    """-(k u')' = f on a line of n points, of random conductivity."""
    return diffusion(rng, 1, n, SPREAD)


def poisson_grid(rng: np.random.Generator, n: int) -> Matrix:
    """-div(k grad u) = f on the squarest grid of n points, of random conductivity."""
    return diffusion(rng, *grid_sides(n), SPREAD)


def convection(rng: np.random.Generator, n: int) -> Matrix:
    """Upwind convection and diffusion on a grid, of a cell Peclet number of 0.5 to 4."""
    return convection_diffusion(n, rng.uniform(0.5, 4.0))


def helmholtz(rng: np.random.Generator, n: int) -> Matrix:
    """-lap u - k^2 u = f on a grid: symmetric and, from some points on, indefinite."""
    return poisson(n) - rng.uniform(0.5, 3.0) * np.eye(n)


def graph_laplacian(rng: np.random.Generator, n: int) -> Matrix:
    """Laplacian of a random graph of weighted links, four a node, plus a ridge."""
    weights = np.triu(rng.uniform(0.2, 1.0, (n, n)) * (rng.random((n, n)) < 4.0 / n), 1)
    weights = weights + weights.T
    return np.diag(weights.sum(axis=1) + RIDGE) - weights


def kriging(rng: np.random.Generator, n: int) -> Matrix:
    """Covariance of a field at n points of the unit square, exponential with a length of 1/2, with a nugget."""
    points = rng.random((n, 2))
    apart = np.linalg.norm(points[:, None] - points, axis=-1)
    return np.asarray(np.exp(-apart / 0.5) + NUGGET * np.eye(n))


def ridge_regression(rng: np.random.Generator, n: int) -> Matrix:
    """X^T X / m + 0.01 I of m = 3 n samples of n features, each correlated by 0.8 with the next."""
    correlation = 0.8 ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    samples = rng.standard_normal((3 * n, n)) @ np.linalg.cholesky(correlation).T
    return np.asarray(samples.T @ samples / (3 * n) + 0.01 * np.eye(n))


def pagerank(rng: np.random.Generator, n: int) -> Matrix:
    """I - 0.85 P of random links between n pages, the columns of P summing to 1."""
    return np.eye(n) - FOLLOW * _links(rng, n)


def markov(rng: np.random.Generator, n: int) -> Matrix:
    """Steady state of a chain: I - P, one of its equations replaced by the sum of the probabilities."""
    matrix = np.eye(n) - _links(rng, n)
    matrix[-1] = 1.0
    return matrix


def mmse(rng: np.random.Generator, n: int) -> Matrix:
    """H^H H + 0.1 I of a complex channel with as many antennas as users; n is the size of the real system."""
    channel = square_channel(rng, n)
    return channel.conj().T @ channel + 0.1 * np.eye(len(channel))


def square_channel(rng: np.random.Generator, n: int) -> Matrix:
    """A complex channel with as many antennas as users; n is the size of the real system."""
    half = max(n // 2, 1)
    both = rng.standard_normal((2, half, half)) / np.sqrt(2 * half)
    return np.asarray(both[0] + 1j * both[1])


def _links(rng: np.random.Generator, n: int) -> Matrix:
    """Return probabilities (n, n) of going from the column's state to the row's, about four a state and a way round."""
    links = rng.random((n, n)) * (rng.random((n, n)) < 4.0 / n)
    links[(np.arange(n) + 1) % n, np.arange(n)] += 0.2
    return np.asarray(links / links.sum(axis=0))


APPLIED: dict[str, Callable[[np.random.Generator, int], Matrix]] = {
    "Poisson 1-D": poisson_line, "Poisson 2-D": poisson_grid, "convection-diffusion": convection,
    "Helmholtz": helmholtz, "graph Laplacian": graph_laplacian, "kriging": kriging,
    "ridge regression": ridge_regression, "PageRank": pagerank, "Markov": markov, "MMSE": mmse,
    "square channel": square_channel,
}  # fmt: skip


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
    return dominant(rng, n)[rng.permutation(n)]


def badly_scaled(rng: np.random.Generator, n: int) -> Matrix:
    """A dominant diagonal, each equation and each unknown in units of its own, six decades apart."""
    rows, columns = 10.0 ** rng.uniform(-3.0, 3.0, (2, n))
    return np.asarray(rows[:, None] * dominant(rng, n) * columns)


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


STRUCTURED: dict[str, Callable[[np.random.Generator, int], Matrix]] = {
    "general 100": general(100.0), "general 1e3": general(1e3), "Toeplitz": filtering, "circulant": blur,
    "triangular": triangular, "arrowhead": arrowhead, "sparse": sparse, "Fourier": fourier,
    "Vandermonde": vandermonde, "permuted": permuted, "badly scaled": badly_scaled,
    "skew dominant": skew_dominant, "saddle point": saddle_point,
}  # fmt: skip


Matrix = NDArray[Any]


@dataclass(frozen=True)
class DrawnSystem:
    """A family's name, and one draw of it: matrix and right-hand side, real or complex."""

    family: str
    matrix: Matrix
    rhs: Matrix

    @property
    def condition(self) -> float:
        """Condition number of the matrix."""
        return float(np.linalg.cond(self.matrix))


def dominant(rng: np.random.Generator, n: int) -> Matrix:
    """Random signs and sizes, each diagonal entry as large as its row's others together."""
    matrix = rng.uniform(-1.0, 1.0, (n, n))
    np.fill_diagonal(matrix, 0.0)
    return matrix + np.diag(np.abs(matrix).sum(axis=1) + rng.uniform(0.1, 1.0, n))


def gram(rng: np.random.Generator, n: int) -> Matrix:
    """H^H H of a channel with eight times as many antennas as users, scaled to 1 on the diagonal."""
    channel = rng.standard_normal((8 * n, n)) / np.sqrt(8 * n)
    return np.asarray(channel.T @ channel)


def random(rng: np.random.Generator, n: int) -> Matrix:
    """Independent normal entries; most have no stable loop until their rows are exchanged."""
    return rng.standard_normal((n, n))


def random_positive(rng: np.random.Generator, n: int) -> Matrix:
    """Independent entries, uniform between 0 and 1."""
    return rng.uniform(0.0, 1.0, (n, n))


def conditioned(condition: float) -> Callable[[np.random.Generator, int], Matrix]:
    """Symmetric positive definite, eigenvalues spaced evenly by ratio down to 1 / `condition`."""

    def draw(rng: np.random.Generator, n: int) -> Matrix:
        """Symmetric positive definite, eigenvalues spaced evenly by ratio down to the inverse of this number."""
        turn = np.linalg.qr(rng.standard_normal((n, n)))[0]
        return np.asarray(turn @ np.diag(np.geomspace(1.0, 1.0 / condition, n)) @ turn.T)

    return draw


def complex_gram(rng: np.random.Generator, n: int) -> Matrix:
    """As `gram`, of a complex channel; n is the size of the real system."""
    half = max(n // 2, 1)
    shape = (8 * half, half)
    channel = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(16 * half)
    return np.asarray(channel.conj().T @ channel)


def complex_dominant(rng: np.random.Generator, n: int) -> Matrix:
    """Complex entries beside a dominant real diagonal; n is the size of the real system."""
    half = max(n // 2, 1)
    matrix = rng.standard_normal((half, half)) + 1j * rng.standard_normal((half, half))
    np.fill_diagonal(matrix, 0.0)
    return matrix + np.diag(np.abs(matrix).sum(axis=1) + 0.5)


# The twelve that verdicts are counted over
BASIC: dict[str, Callable[[np.random.Generator, int], Matrix]] = {
    "dominant": dominant, "Gram": gram, "random": random, "random positive": random_positive,
    "condition 1": conditioned(1.0), "condition 3": conditioned(3.0), "condition 10": conditioned(10.0),
    "condition 100": conditioned(100.0), "condition 1e3": conditioned(1e3), "condition 1e4": conditioned(1e4),
    "complex Gram": complex_gram, "complex dominant": complex_dominant,
}  # fmt: skip
FAMILIES = BASIC | STRUCTURED | APPLIED


def draw(family: str, n: int, seed: int) -> DrawnSystem:
    """Draw a system of a family: the same for the same seed."""
    rng = np.random.default_rng([seed, n, *family.encode()])
    matrix = FAMILIES[family](rng, n)
    rhs = rng.standard_normal(len(matrix))
    return DrawnSystem(
        family, matrix, rhs + 1j * rng.standard_normal(len(matrix)) if np.iscomplexobj(matrix) else rhs
    )
