"""Enclosure in arbitrary precision, of matrices that float64 cannot certify: ball arithmetic of python-flint.

    A d = b - A x,   d = x* - x

is solved in balls that hold the truth (Arb: Johansson, IEEE Trans. Comput. 66, 1281 (2017)), with twice the bits again
and again until they are narrow. python-flint is an optional extra, ``pip install 'mho[certify]'``.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mho.array_types import Floats
from mho.errors import InputError
from mho.procedures.equations.certificates.enclosure import Enclosure, checked, enclose, enclosed, nothing

FIRST_PRECISION = 256  # bits; exact for b - A x of numbers of a common range
MOST_PRECISION = 4096  # bits
NARROW = 2.0**-30  # radius relative to the largest correction that is narrow enough


def arbitrary_precision_installed() -> bool:
    """Tell whether python-flint is there, without importing it."""
    return importlib.util.find_spec("flint") is not None


def best_enclosure(matrix: ArrayLike, rhs: ArrayLike, solution: ArrayLike) -> Enclosure:
    """Enclose in float64, or, where that certifies nothing and python-flint is installed, in arbitrary precision.

    Parameters and errors are those of `enclose`. The contraction is in any case what float64 reached.
    """
    found = enclose(matrix, rhs, solution)
    if found.certified or not arbitrary_precision_installed():
        return found
    return replace(enclose_arb(matrix, rhs, solution), contraction=found.contraction)


def enclose_arb(
    matrix: ArrayLike, rhs: ArrayLike, solution: ArrayLike, most_precision: int = MOST_PRECISION
) -> Enclosure:
    """Enclose the exact solution of A x = b near a given x, with proof, in arbitrary precision.

    Parameters
    ----------
    matrix : (n, n) array
        A, real.
    rhs : (n,) or (n, k) array
        b, one right-hand side or k of them.
    solution : same shape as `rhs`
        x.
    most_precision : int
        Bits at which to give up.

    Returns
    -------
    Enclosure
        Its contraction is infinite, since none is computed.

    Raises
    ------
    InputError
        Shapes that do not fit, complex numbers, NaN or infinite values; python-flint is not installed.
    """
    a, b, x = checked(matrix, rhs, solution)
    if not arbitrary_precision_installed():
        raise InputError("arbitrary precision needs python-flint: pip install 'mho[certify]'")
    precision = min(FIRST_PRECISION, most_precision)
    while precision <= most_precision:
        balls = _difference(a, b.reshape(len(b), -1), x.reshape(len(x), -1), precision)
        if balls is not None:
            correction, radius = (part.reshape(x.shape) for part in balls)
            if np.all(radius <= NARROW * np.abs(correction).max(axis=0)):
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
