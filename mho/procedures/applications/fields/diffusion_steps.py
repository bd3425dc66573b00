"""Diffusion on a square or a line by implicit steps: one matrix for all of them, and closed forms to compare with.

    du/dt = D lap u,   u = 0 on the walls:   (1 + theta r L) u' = (1 - (1 - theta) r L) u,   r = D dt / h^2

L is h^2 times the Laplacian's negative, by finite volumes (`electrostatics.system`). theta = 1 is implicit Euler, 1/2
Crank and Nicolson (Proc. Cambridge Phil. Soc. 43, 50 (1947)). Only the left side is a system; it is the same in all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from mho.procedures.applications.fields.electrostatics import grounded, system

Floats = NDArray[np.float64]
Bumps = tuple[tuple[float, float, float], ...]

SCHEMES = {"Euler": 1.0, "Crank-Nicolson": 0.5}
WIDTH = 0.08
"""Standard deviation of a bump at first, in sides."""

IMAGES = 4
"""Images of a bump on either side; those further away are below 1e-30 while the bump is narrower than the square."""

BUMPS: dict[str, Bumps] = {
    "gaussian": ((0.5, 0.5, 1.0),),
    "spots": ((0.3, 0.3, 1.0), (0.65, 0.7, 0.7), (0.75, 0.25, 0.5)),
}
"""Row, column and height of each bump."""

STARTS = (*BUMPS, "sine")


def laplacian(n: int) -> Floats:
    """Return L of an n x n grid of cells with walls at zero, (n^2, n^2)."""
    return system(grounded(np.ones((n, n))))[0]


def implicit_matrix(n: int, ratio: float, theta: float) -> Floats:
    """Return 1 + theta r L, symmetric positive definite and diagonally dominant."""
    return np.eye(n * n) + theta * ratio * laplacian(n)


def march(
    start: Floats,
    ratio: float,
    theta: float,
    steps: int,
    solve: Callable[[Floats], Floats],
) -> Iterator[Floats]:
    """Yield u after each step, (n, n).

    Parameters
    ----------
    start : (n, n) array
    ratio, theta : float
        r and theta.
    solve : callable
        (n^2,) right-hand side -> solution of the implicit matrix.
    """
    n = len(start)
    explicit = (1.0 - theta) * ratio
    u = start
    for _ in range(steps):
        rhs = u - explicit * _apply(u) if explicit else u
        u = np.asarray(solve(rhs.ravel())).reshape(n, n)
        yield u


def _apply(u: Floats) -> Floats:
    """Return L u without a matrix: the ghost cell beyond a wall is minus the cell at it."""
    padded = np.pad(u, 1)
    padded[0, 1:-1], padded[-1, 1:-1] = -u[0], -u[-1]
    padded[1:-1, 0], padded[1:-1, -1] = -u[:, 0], -u[:, -1]
    return np.asarray(4.0 * u - padded[:-2, 1:-1] - padded[2:, 1:-1] - padded[1:-1, :-2] - padded[1:-1, 2:])


def closed_form(start: str, n: int, spread: float) -> Floats:
    """Return the exact solution at the centres of the cells, (n, n).

    The heat kernel with its images, or the decay of a sine mode (Carslaw and Jaeger, Conduction of Heat in Solids, 1959,
    10.3).

    Parameters
    ----------
    start : str
        One of `STARTS`.
    spread : float
        D t, in squares of the side.
    """
    x = (np.arange(n) + 0.5) / n
    if start == "sine":
        one = np.sin(np.pi * x)
        return np.asarray(np.exp(-2.0 * np.pi**2 * spread) * np.outer(one, one))
    total = np.zeros((n, n))
    for row, column, height in BUMPS[start]:
        total += height * np.outer(_kernel(x, row, spread), _kernel(x, column, spread))
    return total


def _kernel(x: Floats, centre: float, spread: float) -> Floats:
    """Return a bump of height 1 at first, after D t, between walls at 0 and 1 that hold zero."""
    variance = WIDTH**2 + 2.0 * spread
    shift = 2.0 * np.arange(-IMAGES, IMAGES + 1)[:, None]
    bumps = np.exp(-((x - centre - shift) ** 2) / (2.0 * variance))
    bumps -= np.exp(-((x + centre - shift) ** 2) / (2.0 * variance))
    return np.asarray(WIDTH / np.sqrt(variance) * bumps.sum(axis=0))


def mode_factor(n: int, ratio: float, theta: float) -> float:
    """Return the factor by which one step shrinks the slowest sine mode, exactly, on the grid."""
    eigenvalue = 8.0 * np.sin(np.pi / (2.0 * n)) ** 2
    return float((1.0 - (1.0 - theta) * ratio * eigenvalue) / (1.0 + theta * ratio * eigenvalue))
