"""Enclosure: intervals that hold the exact solution x* of A x = b, A and b taken as exact, proved in float64.

With an approximate inverse R and d = x* - x:

    d = R (b - A x) + (I - R A) d,   |I - R A| <= G,   G v <= q v < v
    =>   |d - R (b - A x)| <= G v max|R (b - A x) / v| / (1 - q)

(Krawczyk, Computing 4, 187 (1969); Oishi & Rump, Numer. Math. 90, 755 (2002); Rump, Acta Numerica 19, 287 (2010)).
The correction R (b - A x) is carried beside x as a second double, and corrected itself from the residual of the sum, so
that the intervals are about as narrow as x errs. Everything is scaled by powers of two; whatever rounds or is lost is
bounded and added.

    A d = b - A x,   d = x* - x

is solved in balls that hold the truth (Arb: Johansson, IEEE Trans. Comput. 66, 1281 (2017)), with twice the bits again
and again until they are narrow. python-flint is of the extra ``certify``.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import operator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats, Integers
from mho.errors import InputError, needing
from mho.procedures.equations.certificates.certificate import exact_residual
from mho.procedures.equations.certificates.verified_inverse import (
    ROUNDOFF,
    UP,
    VerifiedInverse,
    bounded_product,
    power_scaling,
    scaled,
)

FLOOR = 2.0**-480  # smaller entries are set to zero; products of two larger ones are split without underflow
RHS_FLOOR = 2.0**-1000
SUBNORMAL = 2.0**-1073  # more than rounding to subnormal numbers loses of correction and radius
PASSES = 6  # corrections at most
NARROW = 2.0**-10  # radius that ends them, relative to the correction or half a unit in the last place of x


@dataclass(frozen=True)
class Enclosure:
    """Intervals around the exact solution x* of A x = b.

    Attributes
    ----------
    solution : (n,) or (n, k) array
        x as given.
    correction, radius : same shape
        \\|x* - x - correction\\| <= radius, element by element. Not certified: 0 and infinite.
    lower, upper : same shape
        lower <= x* <= upper, rounded outward to doubles. Not certified: infinite.
    certified : bool
        Whether A is proved to be regular and x* to be enclosed.
    contraction : float
        Upper bound that was reached of the weighted norm of I - R A; below 1 it proves that A is regular. Infinite where
        no approximate inverse was found.
    reason : str
        Why nothing is certified, and what would help; empty where it is.
    method : str
        ``float64``, or ``arb`` for intervals of arbitrary precision.
    """

    solution: Floats
    correction: Floats
    radius: Floats
    lower: Floats
    upper: Floats
    certified: bool
    contraction: float
    reason: str = ""
    method: str = "float64"

    @property
    def error(self) -> Floats:
        """Upper bound of |x - x*|, element by element."""
        with np.errstate(over="ignore"):
            bound: Floats = (np.abs(self.correction) + self.radius) * UP
            return np.where(bound > 0.0, np.nextafter(bound, np.inf), 0.0)

    @property
    def relative_error(self) -> float:
        """Upper bound of max|x - x*| / max|x*|, the largest of the right-hand sides'; infinite where x* may be zero."""
        errors, smallest = self.error, _smallest(self.lower, self.upper)
        return _largest_ratio(errors.max(axis=0), smallest.max(axis=0))

    @property
    def componentwise_error(self) -> float:
        """Upper bound of |x - x*| / |x*|, the largest of all elements'; infinite where one of x* may be zero."""
        return _largest_ratio(self.error, _smallest(self.lower, self.upper))


def enclose(matrix: ArrayLike, rhs: ArrayLike, solution: ArrayLike) -> Enclosure:
    """Enclose the exact solution of A x = b near a given x, with proof, in float64.

    `matrix` (n, n): A, real; `rhs` (n,) or (n, k): b, one right-hand side or k of them; `solution`: x, however found
    and however accurate. Not certified where A is singular, or too near to a singular matrix for float64. Raises
    `InputError`: shapes that do not fit, complex numbers, NaN or infinite values.
    """
    a, b, x = checked(matrix, rhs, solution)
    exponents = power_scaling(a)
    if exponents is None:
        return nothing(
            x, math.inf, "the matrix is singular: zeros leave no choice of one entry in each row and column"
        )
    rows, columns = exponents
    inverse = VerifiedInverse(*scaled(a, -rows[:, None] - columns, FLOOR))
    if not inverse.contraction < 1.0:
        return nothing(x, inverse.contraction, _uncertified(inverse.contraction))
    parts = [
        _one(inverse, rows, columns, right, given)
        for right, given in zip(b.reshape(len(b), -1).T, x.reshape(len(x), -1).T, strict=True)
    ]
    correction, radius = (np.stack(part, axis=-1).reshape(x.shape) for part in zip(*parts, strict=True))
    return enclosed(x, correction, radius, inverse.contraction)


def _uncertified(contraction: float) -> str:
    reason = (
        f"float64 bounds the norm of I - R A by {contraction:.3g} only, and it must be below 1"
        if contraction < math.inf
        else "float64 finds no approximate inverse"
    )
    return f"{reason}: the matrix is singular, or nearly so; arbitrary precision may tell (pip install python-flint)"


def _one(
    inverse: VerifiedInverse, rows: Integers, columns: Integers, rhs: Floats, solution: Floats
) -> tuple[Floats, Floats]:
    """Return correction and radius for one right-hand side."""
    shift = _exponent((rhs, -rows), (solution, columns))
    if shift is None:
        return np.zeros_like(solution), np.zeros_like(solution)
    b, b_lost = scaled(rhs, -rows - shift, RHS_FLOOR)
    x, x_lost = scaled(solution, columns - shift, FLOOR)
    correction, radius = _corrected(inverse, b, b_lost, x)
    radius = (radius + x_lost) * UP
    with np.errstate(over="ignore", under="ignore"):
        back, wide = np.ldexp(correction, shift - columns), np.ldexp(radius, shift - columns)
        lost = (np.ldexp(back, columns - shift) != correction) | (np.ldexp(wide, columns - shift) != radius)
    return back, np.where(lost, np.nextafter(wide + SUBNORMAL, np.inf), wide)


def _corrected(
    inverse: VerifiedInverse, rhs: Floats, rhs_lost: Floats, solution: Floats
) -> tuple[Floats, Floats]:
    """Return correction and radius of the scaled system; the correction is carried as a sum of two doubles."""
    high, low = np.zeros_like(solution), np.zeros_like(solution)
    best: tuple[Floats, Floats] | None = None
    residual = exact_residual(inverse.matrix, solution, rhs)
    for _ in range(PASSES):
        sums = _exact_sum(high, low + inverse.inverse @ residual)
        high, low = (np.where(np.abs(part) < FLOOR, 0.0, part) for part in sums)
        parts = [solution, *(part for part in (high, low) if part.any())]
        residual = exact_residual(np.hstack([inverse.matrix] * len(parts)), np.concatenate(parts), rhs)
        rounding = ROUNDOFF * np.abs(residual) * UP + rhs_lost
        if inverse.unknown.any():
            size = functools.reduce(operator.add, map(np.abs, parts))
            rounding = (rounding + bounded_product(inverse.unknown, size)) * UP
        radius = (inverse.largest(residual, rounding) + np.abs(low)) * UP
        if best is not None and not (radius < 0.5 * best[1]).any():
            return best
        best = high, radius
        if (radius <= NARROW * (np.abs(high) + ROUNDOFF * np.abs(solution))).all():
            return best
    return high, radius


def _exponent(*scaled_by: tuple[Floats, Integers]) -> int | None:
    """Return the power of two above all values, each times two to its exponent; None where all are zero."""
    powers = [
        int((np.frexp(values)[1] + exponents)[values != 0.0].max())
        for values, exponents in scaled_by
        if values.any()
    ]
    return max(powers, default=None)


def checked(matrix: ArrayLike, rhs: ArrayLike, solution: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return the three as float64, or raise `InputError` where they are no real, finite system of equations."""
    arrays = {
        "matrix": np.asarray(matrix),
        "right-hand side": np.asarray(rhs),
        "solution": np.asarray(solution),
    }
    for name, array in arrays.items():
        if np.iscomplexobj(array):
            raise InputError(f"the {name} is complex; enclose the real form [[Re, -Im], [Im, Re]] instead")
        whole = array.dtype.kind in "iu" and array.size and max(abs(int(array.max())), abs(int(array.min())))
        if not np.can_cast(array.dtype, np.float64) or whole > 2**53:
            raise InputError(
                f"the {name} has type {array.dtype}, which float64 does not hold; convert it first"
            )
        if not np.isfinite(array).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise InputError(f"the {name} is {array[where]} at {where}; only finite values can be enclosed")
    a, b, x = (array.astype(np.float64) for array in arrays.values())
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not a.size:
        raise InputError(f"the matrix has shape {a.shape}; a square one is needed")
    if b.ndim not in (1, 2) or len(b) != len(a) or not b.size:
        raise InputError(
            f"the right-hand side has shape {b.shape}; the matrix needs ({len(a)},) or ({len(a)}, k)"
        )
    if x.shape != b.shape:
        raise InputError(
            f"the solution has shape {x.shape}; it must have that of the right-hand side, {b.shape}"
        )
    return a, b, x


def nothing(solution: Floats, contraction: float, reason: str, method: str = "float64") -> Enclosure:
    """Return the enclosure that proves nothing: all numbers."""
    wide = np.full_like(solution, np.inf)
    return Enclosure(solution, np.zeros_like(solution), wide, -wide, wide, False, contraction, reason, method)


def enclosed(
    solution: Floats, correction: Floats, radius: Floats, contraction: float, method: str = "float64"
) -> Enclosure:
    """Return the enclosure with its ends, rounded outward."""
    if not (np.isfinite(correction).all() and np.isfinite(radius).all()):
        return nothing(
            solution, contraction, "the exact solution leaves the range of float64; scale the system", method
        )
    lower = -_sum_up(-solution, _sum_up(-correction, radius))
    upper = _sum_up(solution, _sum_up(correction, radius))
    return Enclosure(solution, correction, radius, lower, upper, True, contraction, "", method)


def _sum_up(a: Floats, b: Floats) -> Floats:
    """Return a + b rounded up."""
    with np.errstate(over="ignore", invalid="ignore"):
        total, error = _exact_sum(a, b)
        return np.where(error <= 0.0, total, np.nextafter(total, np.inf))


def _exact_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return a + b rounded, and its rounding error, which is a double (Knuth, TAOCP 2, section 4.2.2)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _smallest(lower: Floats, upper: Floats) -> Floats:
    """Return the smallest magnitude in each interval."""
    return np.maximum(np.maximum(lower, -upper), 0.0)


def _largest_ratio(error: Floats, size: Floats) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error > 0.0, error / size, 0.0)
    return float(np.max(ratio)) * UP


FIRST_PRECISION = 256  # bits; exact for b - A x of numbers of a common range
MOST_PRECISION = 4096  # bits
NARROW_BALL = 2.0**-30  # radius relative to the largest correction that is narrow enough


def arbitrary_precision_installed() -> bool:
    """Tell whether python-flint is there, without importing it."""
    return importlib.util.find_spec("flint") is not None


def best_enclosure(matrix: ArrayLike, rhs: ArrayLike, solution: ArrayLike) -> Enclosure:
    """Enclose in float64, or, where that certifies nothing and python-flint is installed, in arbitrary precision.

    Parameters and errors are those of `enclose`. The contraction is in any case what float64 reached.
    """
    enclosure = enclose(matrix, rhs, solution)
    if enclosure.certified or not arbitrary_precision_installed():
        return enclosure
    return replace(enclose_arb(matrix, rhs, solution), contraction=enclosure.contraction)


def enclose_arb(
    matrix: ArrayLike, rhs: ArrayLike, solution: ArrayLike, most_precision: int = MOST_PRECISION
) -> Enclosure:
    """Enclose the exact solution of A x = b near a given x, with proof, in arbitrary precision.

    `matrix` (n, n): A, real; `rhs` (n,) or (n, k): b, one right-hand side or k of them; `solution`: x;
    `most_precision`: bits at which to give up. The result's contraction is infinite, since none is computed. Raises
    `InputError`: shapes that do not fit, complex numbers, NaN or infinite values; python-flint is not installed.
    """
    a, b, x = checked(matrix, rhs, solution)
    precision = min(FIRST_PRECISION, most_precision)
    while precision <= most_precision:
        balls = _difference(a, b.reshape(len(b), -1), x.reshape(len(x), -1), precision)
        if balls is not None:
            correction, radius = (part.reshape(x.shape) for part in balls)
            if np.all(radius <= NARROW_BALL * np.abs(correction).max(axis=0)):
                return enclosed(x, correction, radius, math.inf, "arb")
        precision *= 2
    return nothing(
        x,
        math.inf,
        f"{most_precision} bits do not prove that the matrix is regular, or where the solution is: the matrix is singular, "
        "or all but so",
        "arb",
    )


def _difference(
    matrix: Floats, rhs: Floats, solution: Floats, precision: int
) -> tuple[Floats, Floats] | None:
    """Return x* - x and its radius, (n, k) each; None where the balls of this precision may hold a singular matrix."""
    with needing("arbitrary precision", "python-flint"):
        import flint

    with flint.ctx.workprec(precision):
        a, b, x = (flint.arb_mat(values.tolist()) for values in (matrix, rhs, solution))
        try:
            balls = a.solve(b - a * x).entries()
        except ZeroDivisionError:
            return None
        pairs = [_pair(ball) for ball in balls]
    correction, radius = (np.array(values).reshape(rhs.shape) for values in zip(*pairs, strict=True))
    return correction, radius


def _pair(ball: Any) -> tuple[float, float]:
    """Return the middle of a ball as a double, and a radius about that which holds the ball."""
    if not ball.is_finite():
        return 0.0, math.inf
    middle, radius = (_fraction(part) for part in (ball.mid(), ball.rad()))
    try:
        centre = float(middle)
        wide = radius + abs(middle - Fraction(centre))
        bound = float(wide)
    except OverflowError:
        return math.inf, math.inf
    return centre, bound if Fraction(bound) >= wide else math.nextafter(bound, math.inf)


def _fraction(number: Any) -> Fraction:
    """Return a ball without radius as a fraction."""
    mantissa, exponent = (int(part) for part in number.man_exp())
    return Fraction(mantissa * 2 ** max(exponent, 0), 2 ** max(-exponent, 0))
