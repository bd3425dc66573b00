"""An approximate inverse R of a matrix A in float64, and a proved bound of I - R A.

    |I - R A| <= G,   G v <= q v < v with v > 0   =>   A is regular, and   |d - R A d| <= G v max|d / v|   for every d

(Rump, Acta Numerica 19, 287 (2010), sections 10 and 13; v is near the Perron vector of G.) Of R A the leading parts are
products of matrices cut to so few bits that no sum of them rounds (Ozaki, Ogita, Oishi & Rump, Numer. Algorithms 59, 95
(2012)). They are the same numbers in any order of summation, with or without fused multiplication and addition. The
rounding of the small rest is bounded as for any order, |fl(x y) - x y| <= gamma_n |x| |y| (Higham, Accuracy and Stability
of Numerical Algorithms, section 3.1).

Assumed: IEEE 754 doubles, rounded to nearest, and products of matrices that are sums of n products (no Strassen).

    |a_ij| <= 2^(u_i + v_j),   with equality of the exponents on a permutation

u and v are the dual variables of the assignment of largest product (Duff & Koster, SIAM J. Matrix Anal. Appl. 22, 973
(2001)), so rows and columns that were multiplied by any factors come out alike.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable

import numpy as np

from mho.array_types import Floats, Integers


def power_scaling(matrix: Floats) -> tuple[Integers, Integers] | None:
    """Return the exponents u of the rows and v of the columns, (n,) each.

    `matrix` (n, n): finite. None where every permutation meets a zero: such a matrix is singular, whatever its other
    entries are.
    """
    from scipy.optimize import linear_sum_assignment  # loads slowly

    exponents = np.where(matrix != 0.0, np.frexp(matrix)[1], -np.inf)
    try:
        _, columns = linear_sum_assignment(exponents, maximize=True)
    except ValueError:  # scipy's word for no permutation without a zero
        return None
    order = np.argsort(columns)  # the row that each column is assigned
    assigned = exponents[order]
    gains = assigned - np.diag(assigned)[:, None]
    column = (exponents - exponents.max(axis=1, keepdims=True)).max(axis=0)
    for _ in range(len(matrix)):  # longest paths; the assignment is the best, so no cycle gains
        higher = np.maximum(column, (column[:, None] + gains).max(axis=0))
        if np.array_equal(higher, column):
            break
        column = higher
    row = np.empty_like(column)
    row[order] = np.diag(assigned) - column
    return row.astype(np.int64), column.astype(np.int64)


def scaled(values: Floats, exponents: Integers, floor: float) -> tuple[Floats, Floats]:
    """Return values times 2^exponents, and a bound of what is lost by setting those below `floor` to zero.

    `values`: finite; `exponents`: such that nothing overflows; `floor`: large enough for the rest to be exact: above
    the smallest normal double.
    """
    product = np.ldexp(values, exponents)
    small = (np.abs(product) < floor) & (values != 0.0)
    return np.where(small, 0.0, product), np.where(small, floor, 0.0)


MANTISSA = 53  # bits of a double
ROUNDOFF = 2.0**-MANTISSA  # largest relative error of one operation
UP = 1.0 + 2.0**-48  # more than the rounding of some ten operations on numbers of one sign
UNDERFLOW = 2.0**-990  # more than the underflows of one bound lose
GOOD = 0.5  # contraction that needs no better weights
SWEEPS = 10  # of the power iteration for them
REFINEMENTS = 30  # of a bound by itself
DEFECT_PRODUCTS, ROUGH_PRODUCTS = 9, 2  # products of matrices that a bound of I - R A takes


def gamma(n: int) -> float:
    """Return a bound of the relative error of a sum of n products, in any order: above n u / (1 - n u)."""
    return 2.0 * (n + 2) * ROUNDOFF


def bounded_product(matrix: Floats, vector: Floats) -> Floats:
    """Return an upper bound of a product of a matrix and a vector without negative entries, but for underflow."""
    return np.asarray((matrix @ vector) * (1.0 + gamma(matrix.shape[1])) * UP)


class VerifiedInverse:
    """Approximate inverse with the proof that it is one.

    `matrix` (n, n): A, entries below 1 in magnitude, in each row and column one not below 1/2; `unknown` (n, n):
    bound of what the true matrix differs from `matrix`; `bounded`: R, A -> upper bound of \\|I - R A\\|: `defect`, or
    `rough_defect`, which is cheaper. `inverse`, `magnitude` (n, n): R and \\|R\\|; of no use where `contraction` is
    infinite. `bound` (n, n): G. `weights` (n,): v. `contraction`: q, an upper bound of the weighted norm of I - R A;
    infinite where no inverse was found. Below 1 proves that A is regular.
    """

    def __init__(
        self, matrix: Floats, unknown: Floats, bounded: Callable[[Floats, Floats], Floats] | None = None
    ) -> None:
        self.matrix, self.unknown = matrix, unknown
        self.weights = np.ones(len(matrix))
        self.contraction = math.inf
        self.inverse = _inverse(matrix)
        self.magnitude = np.abs(self.inverse)
        self.bound = np.full_like(matrix, np.inf)
        if np.isfinite(self.inverse).all() and (self.magnitude.max(axis=1) > 2.0**-100).all():
            with np.errstate(all="ignore"):  # a NaN or an infinite value proves nothing
                self.bound = (bounded or defect)(self.inverse, matrix)
                if unknown.any():
                    self.bound = (self.bound + self.magnitude @ unknown * (1.0 + gamma(len(matrix)))) * UP
                self._weigh()

    def _weigh(self) -> None:
        """Find weights for which the bound contracts, the equal ones first."""
        weights = self.weights
        for _ in range(SWEEPS):
            growth = bounded_product(self.bound, weights)
            contraction = float((growth / weights).max()) * UP
            if contraction < self.contraction:
                self.weights, self.contraction = weights, contraction
            if not GOOD < contraction < math.inf:
                return
            weights = np.maximum(growth / growth.max(), 2.0**-60)

    def largest(self, residual: Floats, rounding: Floats) -> Floats:
        """Return an upper bound of \\|d\\|, (n,), for A d = r; needs a contraction below 1.

        From \\|d\\| <= \\|R r\\| + G \\|d\\| by the weights, then by itself again and again. `residual`, `rounding`
        (n,): r within \\|r - residual\\| <= rounding.
        """
        if not rounding.any() and not residual.any():
            return np.zeros_like(residual)
        slack = gamma(len(residual)) * np.abs(residual) + rounding
        step = np.abs(self.inverse @ residual) + bounded_product(self.magnitude, slack)
        step = step * UP + UNDERFLOW
        share = float((step / self.weights).max()) / (1.0 - self.contraction) * UP
        bound: Floats = self.weights * share * UP
        for _ in range(REFINEMENTS):
            better = np.minimum(bound, (step + bounded_product(self.bound, bound)) * UP)
            if np.all(better > 0.9 * bound):
                return better
            bound = better
        return bound


def _inverse(matrix: Floats) -> Floats:
    """Return an inverse from the left, so that R A is near I (LAPACK's columns make A R so); NaN where there is none."""
    try:
        with np.errstate(all="ignore"):
            inverse: Floats = np.ascontiguousarray(np.linalg.inv(matrix.T).T)
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.nan)
    return inverse


def defect(inverse: Floats, matrix: Floats) -> Floats:
    """Return an upper bound of \\|I - R A\\|, element by element, (n, n)."""
    n = len(matrix)
    bits = (MANTISSA - math.ceil(math.log2(n))) // 2  # n products of integers of so many bits stay below 2^53
    r_unit, a_unit = _unit(inverse, 1, bits), _unit(matrix, 0, bits)
    r1, r_rest = _cut(inverse, r_unit)
    a1, a_rest = _cut(matrix, a_unit)
    r2, r3 = _cut(r_rest, r_unit * 2.0**-bits)
    a2, a3 = _cut(a_rest, a_unit * 2.0**-bits)
    sums = [np.eye(n) - r1 @ a1]  # these three products are exact
    sums.append(sums[-1] - r1 @ a2)
    sums.append(sums[-1] - r2 @ a1)
    small = ((r1, a3), (r2, a_rest), (r3, matrix))
    sums.append(sums[-1] - _sum(left @ right for left, right in small))
    most = _sum(np.abs(left) @ np.abs(right) for left, right in small)
    rounding = ROUNDOFF * _sum(np.abs(each) for each in sums) + gamma(n + 4) * most
    return np.asarray((np.abs(sums[-1]) + rounding) * UP + UNDERFLOW)


def rough_defect(inverse: Floats, matrix: Floats) -> Floats:
    """Return an upper bound of \\|I - R A\\| from one product, (n, n); useful up to condition numbers of some 1e12."""
    n = len(matrix)
    rounding = gamma(n + 2) * (np.abs(inverse) @ np.abs(matrix))
    return np.asarray((np.abs(np.eye(n) - inverse @ matrix) * UP + rounding) * UP + UNDERFLOW)


def _unit(matrix: Floats, axis: int, bits: int) -> Floats:
    """Return the power of two in which each row's or column's largest entry has at most `bits` bits."""
    return np.asarray(np.ldexp(1.0, np.frexp(np.abs(matrix).max(axis=axis, keepdims=True))[1] - bits))


def _cut(matrix: Floats, unit: Floats) -> tuple[Floats, Floats]:
    """Return multiples of the unit, and the rest, which is exact."""
    head: Floats = np.rint(matrix / unit) * unit
    return head, matrix - head


def _sum(arrays: Iterable[Floats]) -> Floats:
    return np.asarray(functools.reduce(operator.add, arrays))
