"""Solve with a matrix that is near the one on the chip: GCR around its one-step inverse, no cell written anew.

A matrix that changes a little from step to step (a Jacobian, a covariance) need not be programmed at each: M x = b with
M = A + D converges around INV of A as long as A^-1 M has its eigenvalues away from 0 (Saad, Iterative Methods for Sparse
Linear Systems, 2nd ed. 2003, section 9.3). The residual is digital, so the answer is that of M.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.algorithms.refinement import refine

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NearAnswers:
    """Solutions (n,) or (n, k) as the right-hand sides were given; of each column cycles, relative residual, whether it is enough."""

    solutions: Floats
    cycles: NDArray[np.int64]
    residuals: Floats
    converged: NDArray[np.bool_]


def solve_near(
    matrix: Floats, rhs: Floats, invert: Callable[[Floats], Floats], tolerance: float, most: int = 60
) -> NearAnswers:
    """Solve M X = B around the inverse of another matrix, column by column.

    Parameters
    ----------
    matrix : (n, n) array
        M.
    rhs : (n,) or (n, k) array
    invert : callable
        r -> about A^-1 r, (n,).
    tolerance : float
        Of |b - M x| / |b|.
    most : int
        Cycles of each column at most.
    """
    columns = np.asarray(rhs, dtype=np.float64).reshape(len(matrix), -1)
    count = columns.shape[1]
    solutions, cycles = np.zeros(columns.shape), np.zeros(count, dtype=np.int64)
    residuals, converged = np.zeros(count), np.ones(count, dtype=bool)
    for number in np.flatnonzero(columns.any(axis=0)):
        b = columns[:, number]
        enough = tolerance * float(np.linalg.norm(b))
        *_, last = refine(
            b,
            invert,
            lambda correction: matrix @ correction.values,
            lambda x, b=b: b - matrix @ x,
            lambda x, off, enough=enough: off <= enough,
            method="gcr",
            max_cycles=most,
        )
        solutions[:, number], cycles[number] = last.solution, last.number
        residuals[number], converged[number] = last.recomputed, last.end == "converged"
    return NearAnswers(solutions.reshape(np.shape(rhs)), cycles, residuals, converged)


def relative_error(found: Floats, reference: Floats) -> float:
    """Return |found - reference| / |reference|, of all elements together."""
    length = float(np.linalg.norm(reference))
    return float(np.linalg.norm(found - reference)) / (length or 1.0)
