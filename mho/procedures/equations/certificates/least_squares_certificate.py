"""Certificates of least-squares solutions, of A as given: of the normal equations, and of the augmented system.

The solution x* of least squares has A^T (b - A x*) = 0, so that for any x, with s the smallest singular value of A,

    ||x - x*|| = ||(A^T A)^-1 A^T (b - A x)|| <= ||A^T (b - A x)|| / s^2

(Bjorck, Numerical Methods for Least Squares Problems (1996), section 1.4). A^T (b - A x) is summed exactly, from A and b
as given: that A^T A was rounded when it was formed changes nothing of what is claimed. With y beside x, as the augmented
system [[a I, A], [A^T, 0]] (y, x) = (b, 0) has it, and its residuals f = b - a y - A x and g = -A^T y,

    x* - x = A^+ (f + a y),   ||x - x*|| <= ||f|| / s + a ||g|| / s^2 <= sqrt(1 / s^2 + a^2 / s^4) ||(f, g)||
"""

from __future__ import annotations

import math

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError
from mho.procedures.equations.certificates.certificate import (
    EPSILON,
    Certifier,
    dependent_rows_in_words,
    exact_residual,
)

MOST_PARTS = 40
"""Doubles whose sum is any residual exactly: 53 bits each of the 2,098 that a double's exponents span."""

BY = "singular values"

RANGE = (1e-100, 1e100)  # of the largest singular value, so that squares of all of them are normal doubles


def exact_gradient(matrix: Floats, solution: Floats, rhs: Floats) -> Floats:
    """Return A^T (b - A x), each element rounded once.

    The residual b - A x is a sum of as many doubles as hold it exactly. `matrix` (m, n): A; `solution` (n,): x; `rhs`
    (m,): b.
    """
    parts: list[Floats] = []
    for _ in range(MOST_PARTS):
        part = exact_residual(matrix, solution, np.stack([rhs, *(-one for one in parts)], axis=1))
        if not part.any():
            break
        parts.append(part)
    if not parts:
        return np.zeros(matrix.shape[1])
    products = np.hstack([matrix.T] * len(parts))
    return -exact_residual(products, np.concatenate(parts), np.zeros(matrix.shape[1]))


def singular_value_multiplications(rows: int, columns: int) -> int:
    """Return the multiplications of a decomposition (m, n) without its vectors, m >= n.

    Half the 4 m n^2 - 4 n^3 / 3 operations of Golub & Van Loan, Matrix Computations, 4th ed., figure 8.6.1.
    """
    return 2 * rows * columns**2 - 2 * columns**3 // 3


def full_rank(matrix: Floats) -> tuple[float, float]:
    """Return the largest singular value of A (m, n), and a lower bound of the smallest.

    Raises `InputError` for columns that depend on others, to rounding; they are named. For columns of sizes too far
    apart, and for a scale whose squares leave float64's range.
    """
    values = np.linalg.svd(matrix, compute_uv=False)
    largest = float(values[0])
    if largest > 0.0 and not RANGE[0] <= largest <= RANGE[1]:
        raise InputError(
            f"the largest singular value of the matrix is {largest:.3g}, whose square leaves the range of float64; "
            f"scale the system to between {RANGE[0]:.0e} and {RANGE[1]:.0e}"
        )
    smallest = float(values[-1]) - len(matrix) * EPSILON * largest
    if not smallest > 0.0:
        sizes = np.abs(matrix).max(axis=0)
        if sizes.all() and _regular(matrix / sizes):
            raise InputError(
                f"the columns of the matrix are of sizes between {sizes.min():.3g} and {sizes.max():.3g}, too far apart "
                "for least squares in float64; scale the columns, that is the units of the unknowns, to like sizes"
            )
        columns = dependent_rows_in_words(matrix.T)
        raise InputError(
            "the matrix has less than full column rank in float64, so least squares has no unique solution; columns that "
            f"depend on others (counted from 0): {columns}; take them out"
        )
    return largest, smallest


def _regular(matrix: Floats) -> bool:
    """Return whether a matrix (m, n) has full column rank beyond rounding."""
    values = np.linalg.svd(matrix, compute_uv=False)
    return bool(values[-1] > len(matrix) * EPSILON * values[0])


class NormalCertifier(Certifier):
    """Certifies least-squares solutions by A^T (b - A x), the residual of the normal equations.

    `matrix` (m, n): A as given, real, of full column rank; `InputError` as `full_rank` otherwise.
    """

    def __init__(self, matrix: Floats) -> None:
        self._matrix = matrix
        largest, smallest = full_rank(matrix)
        self._norm = largest**2
        self.inverse_norm = self._scaled_inverse_norm = (1.0 + 4.0 * EPSILON) / smallest**2
        self.row_factors = np.ones(matrix.shape[1])
        self.condition = self.condition_as_given = self._norm * self.inverse_norm
        self.by, self.once, self.each = BY, singular_value_multiplications(*matrix.shape), matrix.shape[1]

    @property
    def residual_size(self) -> int:
        """Multiplications of A^T (b - A x): A is taken twice."""
        return 2 * self._matrix.size

    def residual(self, solution: Floats, rhs: Floats) -> Floats:
        """Return A^T (b - A x), (n,), from b, (m,)."""
        return exact_gradient(self._matrix, solution, rhs)


class AugmentedCertifier(Certifier):
    """Certifies least-squares solutions, with their residuals beside them, by the augmented system.

    Its solutions are (y, x); what is bounded is the error of x. The scale a is that of the smallest condition number,
    s / sqrt(2) (Bjorck, BIT 7, 1 (1967)), as a power of two. `matrix` (m, n): A as given, real, of full column rank;
    `InputError` as `full_rank` otherwise. `scale`: a; `augmented` (m + n, m + n): [[a I, A], [A^T, 0]].
    """

    def __init__(self, matrix: Floats) -> None:
        rows, columns = matrix.shape
        largest, smallest = full_rank(matrix)
        self.scale = 2.0 ** round(math.log2(smallest) - 0.5)
        self.augmented = np.block(
            [[self.scale * np.eye(rows), matrix], [matrix.T, np.zeros((columns, columns))]]
        )
        self._matrix, self._unknowns = self.augmented, columns
        self._norm = largest + self.scale
        self.inverse_norm = (1.0 + 4.0 * EPSILON) * math.hypot(1.0 / smallest, self.scale / smallest**2)
        self._scaled_inverse_norm, self.row_factors = self.inverse_norm, np.ones(rows + columns)
        self.condition = self.condition_as_given = self._norm * self.inverse_norm
        self.by, self.once, self.each = BY, singular_value_multiplications(rows, columns), rows + columns

    def answer(self, solution: Floats) -> Floats:
        """Return x of (y, x), or of several as columns."""
        return solution[-self._unknowns :]
