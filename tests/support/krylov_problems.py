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


def problems() -> dict[str, Problem]:
    """Return the families by name, each with a fixed right-hand side."""
    rng = np.random.default_rng(20)
    n = 12
    orthogonal = np.linalg.qr(rng.standard_normal((n, n)))[0]
    spread = np.linspace(1.0, 12.0, n)
    signs = np.where(np.arange(n) % 3 == 0, -1.0, 1.0)
    z = rng.standard_normal((n, n)) + 1j * rng.standard_normal((n, n))
    unitary = np.linalg.qr(z)[0]
    hermitian = (unitary * np.linspace(1.0, 6.0, n)) @ unitary.conj().T
    real = rng.standard_normal(n)
    complex_rhs = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    random_spd = (orthogonal * spread) @ orthogonal.T
    return {
        "advection": Problem(advection(n), real),
        "complex general": Problem(z / n**0.5 + 2.5 * np.eye(n), complex_rhs),
        "complex Hermitian": Problem((hermitian + hermitian.conj().T) / 2, complex_rhs, True, True),
        "complex right-hand side": Problem(random_spd, complex_rhs, True, True),
        "diagonal": Problem(np.diag(spread), real, True, True),
        "diagonal, both signs": Problem(np.diag(spread * signs), real, True),
        "Poisson 1D": Problem(poisson_1d(n), real, True, True),
        "Poisson 1D, negative": Problem(-poisson_1d(n), real, True),
        "Poisson 2D": Problem(poisson_2d(4), rng.standard_normal(16), True, True),
        "random": Problem(rng.standard_normal((n, n)) + 4.0 * np.eye(n), real),
        "random, both signs": Problem((orthogonal * spread * signs) @ orthogonal.T, real, True),
        "random, positive": Problem((random_spd + random_spd.T) / 2, real, True, True),
        "skew and shift": Problem(
            np.eye(n) + np.triu(np.ones((n, n)), 1) * 0.4 - np.tril(np.ones((n, n)), -1) * 0.4, real
        ),
    }


def fgmres(
    operator: Callable[[Numbers], Numbers],
    rhs: Numbers,
    preconditioner: Callable[[Numbers], Numbers],
    tolerance: float,
    most: int = 60,
) -> tuple[Numbers, int]:
    """Return x and the iterations of FGMRES without restart (Y. Saad, SIAM J. Sci. Comput. 14, 461 (1993))."""
    size = np.linalg.norm(rhs)
    basis, tried, columns = [rhs / size], [], []
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
        if np.linalg.norm(target - hessenberg @ y) <= tolerance * size:
            break
    return np.stack(tried, axis=1) @ y, number
