"""Families of systems on which the field tries Krylov methods, and a flexible method as anybody would write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Problem:
    """A system A x = b, and whether A is Hermitian and positive definite."""

    matrix: Numbers
    rhs: Numbers
    hermitian: bool = False
    positive: bool = False


def poisson_1d(n: int) -> Numbers:
    """Return the second difference, tridiagonal (-1, 2, -1)."""
    return 2.0 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)


def poisson_2d(n: int) -> Numbers:
    """Return the five-point Laplacian of an n x n grid."""
    return np.kron(poisson_1d(n), np.eye(n)) + np.kron(np.eye(n), poisson_1d(n))


def advection(n: int, peclet: float = 0.6) -> Numbers:
    """Return diffusion and central advection in one dimension: not symmetric."""
    return poisson_1d(n) + peclet * (np.eye(n, k=1) - np.eye(n, k=-1))


def convection_2d(n: int, peclet: tuple[float, float] = (0.5, 0.3)) -> Numbers:
    """Return diffusion and central advection on an n x n grid: not symmetric."""
    return np.kron(advection(n, peclet[0]), np.eye(n)) + np.kron(np.eye(n), advection(n, peclet[1]))


def grcar(n: int) -> Numbers:
    """Return the Toeplitz matrix of Grcar (1989), whose eigenvalues move far when it changes little."""
    return sum((np.eye(n, k=k) for k in (1, 2, 3)), np.eye(n)) - np.eye(n, k=-1)


def problems(n: int = 12, grid: int = 4) -> dict[str, Problem]:
    """Return the families by name, each with a fixed right-hand side.

    Parameters
    ----------
    n : int
        Unknowns; twice as many real ones of complex matrices.
    grid : int
        Points on a side of the grids, whose matrices have grid^2 unknowns.
    """
    rng = np.random.default_rng(20)
    orthogonal = np.linalg.qr(rng.standard_normal((n, n)))[0]
    spread = np.linspace(1.0, n, n)
    signs = np.where(np.arange(n) % 3 == 0, -1.0, 1.0)
    z = rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n))
    unitary = np.linalg.qr(z)[0]
    hermitian = (unitary * np.linspace(1.0, 6.0, n)) @ unitary.conj().T
    real, on_grid = rng.standard_normal(n), rng.standard_normal(grid**2)
    complex_rhs = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    random_positive = _symmetric((orthogonal * spread) @ orthogonal.T)
    skew = np.triu(np.ones((n, n)), 1) - np.tril(np.ones((n, n)), -1)
    helmholtz = poisson_2d(grid) - 2.5 * np.eye(grid**2)
    return {
        "advection": Problem(advection(n), real),
        "advection 2D": Problem(convection_2d(grid), on_grid),
        "complex general": Problem(z / n**0.5 + 2.5 * np.eye(n), complex_rhs),
        "complex Hermitian": Problem((hermitian + hermitian.conj().T) / 2, complex_rhs, True, True),
        "complex right-hand side": Problem(random_positive, complex_rhs, True, True),
        "diagonal": Problem(np.diag(spread), real, True, True),
        "diagonal, both signs": Problem(np.diag(spread * signs), real, True),
        "Grcar": Problem(grcar(n), real),
        "Helmholtz 2D": Problem(helmholtz, on_grid, True),
        "Poisson 1D": Problem(poisson_1d(n), real, True, True),
        "Poisson 1D, negative": Problem(-poisson_1d(n), real, True),
        "Poisson 2D": Problem(poisson_2d(grid), on_grid, True, True),
        "random": Problem(rng.standard_normal((n, n)) + 1.2 * n**0.5 * np.eye(n), real),
        "random, both signs": Problem(_symmetric((orthogonal * spread * signs) @ orthogonal.T), real, True),
        "random, positive": Problem(random_positive, real, True, True),
        "skew and shift": Problem(np.eye(n) + 4.8 / n * skew, real),
    }


def _symmetric(matrix: Numbers) -> Numbers:
    """Return a matrix without the rounding that makes it not quite symmetric."""
    return (matrix + matrix.T) / 2


def fgmres(
    operator: Callable[[Numbers], Numbers],
    rhs: Numbers,
    preconditioner: Callable[[Numbers], Numbers],
    tolerance: float,
    most: int = 60,
) -> tuple[Numbers, list[float]]:
    """Solve by FGMRES without restart (Y. Saad, SIAM J. Sci. Comput. 14, 461 (1993)).

    Returns
    -------
    x : (n,) array
    residuals : list of float
        Relative, after each iteration, as the method carries them.
    """
    size = np.linalg.norm(rhs)
    basis, tried, columns, residuals = [rhs / size], [], [], []
    for number in range(1, most + 1):
        tried.append(preconditioner(basis[-1]))
        vector = operator(tried[-1])
        column = np.array([np.vdot(one, vector) for one in basis])
        vector = vector - sum(share * one for share, one in zip(column, basis, strict=True))
        columns.append(np.append(column, np.linalg.norm(vector)))
        basis.append(vector / columns[-1][-1])
        hessenberg = np.stack([np.pad(one, (0, number + 1 - len(one))) for one in columns], axis=1)
        target = size * np.eye(number + 1)[0]
        y = np.linalg.lstsq(hessenberg, target, rcond=None)[0]
        residuals.append(float(np.linalg.norm(target - hessenberg @ y) / size))
        if residuals[-1] <= tolerance:
            break
    return np.stack(tried, axis=1) @ y, residuals
