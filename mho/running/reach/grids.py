"""Differential equations on a grid of points: five-point stencils, with u = 0 around the grid."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

PECLET = 1.0  # of a grid cell, along the lines of the grid; half of it across them


def grid_sides(n: int) -> tuple[int, int]:
    """Return the sides of the squarest grid of n points, the longer one last; of a prime number of points it is a line."""
    side = next(side for side in range(math.isqrt(n), 0, -1) if n % side == 0)
    return side, n // side


def convection_diffusion(n: int, peclet: float = PECLET) -> Matrix:
    """-lap u + v . grad u = f on a grid of n points, u = 0 around it: five points, upwind, times the square of the step.

    `peclet` is |v_x| h over the diffusivity; v_y = v_x / 2.
    """
    rows, columns = grid_sides(n)
    across = np.kron(_line(rows, 0.5 * peclet), np.eye(columns))
    return np.asarray(across + np.kron(np.eye(rows), _line(columns, peclet)))


def poisson(n: int) -> Matrix:
    """-lap u = f on a grid of n points, u = 0 around it: five points; symmetric positive definite."""
    return convection_diffusion(n, 0.0)


def diffusion(rng: np.random.Generator, rows: int, columns: int, spread: float) -> Matrix:
    """-div(k grad u) = f on a grid: a lognormal conductivity k, of this spread of ln k, on each edge between points."""
    across = np.kron(_differences(rows), np.eye(columns))
    along = np.kron(np.eye(rows), _differences(columns))
    edges = np.concatenate([across, along]) if rows > 1 else along
    return np.asarray(edges.T @ (rng.lognormal(0.0, spread, len(edges))[:, None] * edges))


def _line(points: int, peclet: float) -> Matrix:
    return (2.0 + peclet) * np.eye(points) - (1.0 + peclet) * np.eye(points, k=-1) - np.eye(points, k=1)


def _differences(points: int) -> Matrix:
    """Return the differences (points + 1, points) along a line of points with zeros at its ends."""
    return np.eye(points + 1, points) - np.eye(points + 1, points, k=-1)
