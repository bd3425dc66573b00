"""Ridge regression as square systems: centred and weighted data, and the normal equations or their dual.

Of weights s and penalty a, ridge regression minimises  sum_i s_i (y_i - x_i w - c)^2 + a |w|^2.  With data centred on their
weighted means and rows scaled by sqrt(s_i), the coefficients are

    w = (X^T X + a I)^-1 X^T y           (features x features), or, of fewer samples than features,
    w = X^T (X X^T + a I)^-1 y           (samples x samples),

and the intercept is c = mean(y) - mean(x) w (Hoerl and Kennard, Technometrics 12, 55 (1970); Saunders, Gammerman and Vovk,
ICML 1998, for the dual). Whoever solves these systems is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SolveSymmetric = Callable[[Floats, Floats], Floats]
"""Symmetric positive matrix (n, n) and right-hand sides (n, k) -> solutions (n, k)."""


@dataclass(frozen=True)
class CentredData:
    """Data ready for the normal equations.

    Attributes
    ----------
    x : (samples, features) array
        Centred where there is an intercept, rows scaled by the square roots of the weights.
    y : (samples, targets) array
        Likewise.
    x_means : (features,) array
        What was subtracted; zeros without an intercept.
    y_means : (targets,) array
        Likewise.
    """

    x: Floats
    y: Floats
    x_means: Floats
    y_means: Floats

    @classmethod
    def of(cls, x: Floats, y: Floats, weights: Floats | None, intercept: bool) -> CentredData:
        """Centre and weight (samples, features) and (samples, targets); `weights` (samples,), 1 each where left out."""
        x_means, y_means = np.zeros(x.shape[1]), np.zeros(y.shape[1])
        if intercept:
            x_means, y_means = np.average(x, axis=0, weights=weights), np.average(y, axis=0, weights=weights)
        x, y = x - x_means, y - y_means
        if weights is not None:
            scale = np.sqrt(weights)[:, None]
            x, y = x * scale, y * scale
        return cls(x, y, x_means, y_means)

    def intercepts(self, coefficients: Floats) -> Floats:
        """Return the intercepts (targets,) that belong to coefficients (targets, features)."""
        return self.y_means - coefficients @ self.x_means


def ridge_coefficients(data: CentredData, penalties: Floats, solve: SolveSymmetric) -> Floats:
    """Return the coefficients (targets, features) of ridge regression.

    Parameters
    ----------
    data : CentredData
    penalties : (targets,) array
        Not negative. Targets of one penalty share a matrix, which is solved for all of them together.
    solve : callable

    Returns
    -------
    (targets, features) array
    """
    x, y = data.x, data.y
    dual = x.shape[0] < x.shape[1]
    gram = x @ x.T if dual else x.T @ x
    rhs = y if dual else x.T @ y
    found = np.zeros((len(gram), y.shape[1]))
    for penalty in np.unique(penalties):
        same = penalties == penalty
        matrix = gram + penalty * np.eye(len(gram))
        scale = unit_diagonal(matrix)
        found[:, same] = scale[:, None] * solve(
            scale[:, None] * matrix * scale, scale[:, None] * rhs[:, same]
        )
    return (x.T @ found).T if dual else found.T


def unit_diagonal(matrix: Floats) -> Floats:
    """Return the powers of two (n,) that bring a symmetric matrix (n, n) nearest to a diagonal of ones, on both sides.

    Features of different units then have the same weight on the chip, and the condition number is within n times the least
    that any scales reach (A. van der Sluis, Numerische Mathematik 14, 14 (1969)). Powers of two round nothing.
    """
    diagonal = np.diagonal(matrix)
    return np.exp2(-np.rint(0.5 * np.log2(np.where(diagonal > 0.0, diagonal, 1.0))))
