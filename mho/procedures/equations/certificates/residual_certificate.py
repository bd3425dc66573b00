"""Certificates that take nothing of order n^3: the residual, and an error bound where comparisons of entries prove one.

With <A> the comparison matrix, |a_ii| on the diagonal and -|a_ij| beside it, any v > 0 with <A> v > 0 proves A regular, and

    |A^-1| <= <A>^-1,   <A>^-1 1 <= v / min(<A> v)
    =>   ||A^-1||_inf <= max(v) / min(<A> v),   ||A^-1 r||_2 <= ||v||_2 max|r| / min(<A> v)

(Ostrowski, Comment. Math. Helv. 10, 69 (1937); Varah, Linear Algebra Appl. 11, 3 (1975)). With v = 1 that is strict
diagonal dominance; Jacobi's sweeps of <A> v = 1 find v for other matrices. Columns do as well as rows, by the transposed
matrix, and both together prove ||A^-1||_2 <= sqrt(||A^-1||_1 ||A^-1||_inf). The magnitudes of a solution are tried for v,
too: of an M-matrix and a positive right-hand side they are one, so that there the chip has found what proves the bound.
"""

from __future__ import annotations

import copy
import math

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.certificates.certificate import Certificate, Certifier, norm
from mho.procedures.equations.certificates.verified_inverse import ROUNDOFF, UP, gamma

Floats = NDArray[np.float64]

SWEEPS = 16  # of Jacobi's method, at most
ENOUGH = 0.99  # share of its bound to which a sweep must come for another one
BY_DOMINANCE, BY_SOLUTION = "diagonal dominance", "diagonal dominance with the solution's weights"
BY_NOTHING = "residual only"


class ResidualCertifier(Certifier):
    """Tells residuals, and bounds errors where n^2 operations find weights with which A is diagonally dominant.

    Parameters
    ----------
    matrix : (n, n) array
        A as given, real.

    Attributes
    ----------
    inverse_norm, condition : float
        Infinite where nothing is proved, which says nothing of A.
    """

    def __init__(self, matrix: Floats) -> None:
        n, self._matrix = len(matrix), matrix
        self.row_factors = np.ones(n)
        by_rows, of_rows = _by_sweeps(matrix)
        by_columns, of_columns = _by_sweeps(matrix.T)
        self.inverse_norm = self._scaled_inverse_norm = _least(by_rows, by_columns)
        sizes = np.abs(matrix)
        with np.errstate(over="ignore"):
            by_both = float(sizes.sum(axis=0).max()), float(sizes.sum(axis=1).max())
        self._norm = math.sqrt(by_both[0]) * math.sqrt(by_both[1])
        self.once, self.each = (of_rows + of_columns) * n**2, 2 * n**2 + n
        self.condition = self.condition_as_given = self._norm * self.inverse_norm
        self.by = BY_DOMINANCE if self.inverse_norm < math.inf else BY_NOTHING

    def require(self, bits: float, solutions: Floats | None = None) -> None:
        """Refuse nothing, as no bits are promised."""

    def certify(
        self, solution: Floats, residual: float, rhs_norm: float, measured: float | None = None
    ) -> Certificate:
        """Return the certificate of a solution, which also serves as weights; parameters as those of `Certifier`."""
        weights = np.abs(solution)
        by_solution = _least(*(dominance_norms(one, weights) for one in (self._matrix, self._matrix.T)))
        if not by_solution < self.inverse_norm:
            return super().certify(solution, residual, rhs_norm, measured)
        better = copy.copy(self)
        better.inverse_norm = better._scaled_inverse_norm = by_solution
        better.by = BY_SOLUTION
        return super(ResidualCertifier, better).certify(solution, residual, rhs_norm, measured)


def dominance_norms(matrix: Floats, weights: Floats) -> tuple[float, float]:
    """Return upper bounds of ||A^-1||_2 and ||A^-1||_inf by weights v >= 0, (n,); infinite where these prove nothing."""
    if not (weights > 0.0).all():
        return math.inf, math.inf
    sizes, n = np.abs(matrix), len(matrix)
    diagonal = np.diag(sizes) * weights
    np.fill_diagonal(sizes, 0.0)
    with np.errstate(all="ignore"):
        beside = (sizes @ weights) * (1.0 + gamma(n)) * UP
        least = float((diagonal - beside - 4.0 * ROUNDOFF * (diagonal + beside)).min())
        if not 2.0**-900 < least < math.inf:
            return math.inf, math.inf
        return norm(weights) / least * (1.0 + gamma(n)) * UP, float(weights.max()) / least * UP


def _least(by_rows: tuple[float, float], by_columns: tuple[float, float]) -> float:
    """Return the least bound of ||A^-1||_2 of what `dominance_norms` returns of A and of its transpose."""
    return min(by_rows[0], by_columns[0], math.sqrt(by_rows[1]) * math.sqrt(by_columns[1]) * UP)


def _by_sweeps(matrix: Floats) -> tuple[tuple[float, float], int]:
    """Return the least of `dominance_norms` that Jacobi's sweeps of <A> v = 1 come to, and the products that they took."""
    sizes = np.abs(matrix)
    diagonal = np.diag(sizes).copy()
    np.fill_diagonal(sizes, 0.0)
    best, weights, spent = (math.inf, math.inf), np.ones(len(matrix)), 0
    for _ in range(SWEEPS if diagonal.all() else 0):
        found, spent = dominance_norms(matrix, weights), spent + 2
        last, best = best, min(best, found)
        if found[0] > ENOUGH * last[0]:
            break
        with np.errstate(over="ignore"):
            weights = (1.0 + sizes @ weights) / diagonal
    return best, spent
