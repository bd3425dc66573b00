"""Families of systems by where they come from: fields, networks, statistics, chains of states, radio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.running.reach.grids import convection_diffusion, diffusion, grid_sides, poisson

Matrix = NDArray[Any]

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
    "Poisson 1-D": poisson_line,
    "Poisson 2-D": poisson_grid,
    "convection-diffusion": convection,
    "Helmholtz": helmholtz,
    "graph Laplacian": graph_laplacian,
    "kriging": kriging,
    "ridge regression": ridge_regression,
    "PageRank": pagerank,
    "Markov": markov,
    "MMSE": mmse,
    "square channel": square_channel,
}
