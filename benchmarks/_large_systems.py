"""Systems larger than a loop, of any size: discretised differential equations, and matrices of a given condition."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from benchmarks._families import Matrix, System, conditioned, dominant, gram, random

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
    return across + np.kron(np.eye(rows), _line(columns, peclet))


def poisson(n: int) -> Matrix:
    """-lap u = f on a grid of n points, u = 0 around it: five points; symmetric positive definite."""
    return convection_diffusion(n, 0.0)


def _line(points: int, peclet: float) -> Matrix:
    return (2.0 + peclet) * np.eye(points) - (1.0 + peclet) * np.eye(points, k=-1) - np.eye(points, k=1)


def spd(rng: np.random.Generator, n: int, condition: float) -> Matrix:
    """Symmetric positive definite and dense, eigenvalues spaced evenly by ratio down to 1 / `condition`."""
    return conditioned(condition)(rng, n)


LARGE: dict[str, Callable[[np.random.Generator, int], Matrix]] = {
    "Gram": gram,
    "dominant": dominant,
    "Poisson": lambda _, n: poisson(n),
    "convection-diffusion": lambda _, n: convection_diffusion(n),
    "SPD 30": lambda rng, n: spd(rng, n, 30.0),
    "SPD 1e3": lambda rng, n: spd(rng, n, 1e3),
    "general": random,
}


def draw(family: str, n: int, seed: int) -> System:
    """Draw a system of a family: the same for the same seed."""
    rng = np.random.default_rng([seed, n, *family.encode()])
    return System(family, LARGE[family](rng, n), rng.standard_normal(n))
