"""HP-INV: iterative refinement around a one-step inverse and an exact product, as a plain loop.

    x = 0, r = b;  repeat: dx = INV(r);  x += dx;  r -= A dx;  until ||r|| <= tolerance ||b||

(Zuo et al. 2025, Methods). It knows no instrument: `invert` and `multiply` are
passed in, and the same loop runs on arrays in a test and on silicon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chip_maps.fixed_point import FixedPoint, to_fixed_point

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cycle:
    """State after one cycle.

    Attributes
    ----------
    number : int
        Counts from 1.
    solution : (n,) array
        x so far.
    residual : (n,) array
        b - A x, by recursion.
    relative_residual : float
        ||r|| / ||b||.
    step : float
        Length of the step along dx: 1, or what the line search chose.
    """

    number: int
    solution: Floats
    residual: Floats
    relative_residual: float
    step: float


def refine(
    rhs: Floats,
    invert: Callable[[Floats], Floats],
    multiply: Callable[[FixedPoint], Floats],
    *,
    correction_bits: int = 12,
    line_search: bool = False,
) -> Iterator[Cycle]:
    """Refine without end; the caller stops when a cycle satisfies.

    Parameters
    ----------
    rhs : (n,) array
        b.
    invert : callable
        r -> about A^-1 r. Converges when rho(I - A A0^-1) < 1.
    multiply : callable
        dx in fixed point -> A dx, exactly.
    correction_bits : int
        Bits of dx that are multiplied: about what an INV is good for. x takes the same rounded dx, so
        rounding costs convergence only, never precision.
    line_search : bool
        Scale dx to minimise ||r||, which then cannot grow whatever the inverse (arXiv 2309.07865).

    Yields
    ------
    Cycle
        After each correction.
    """
    norm = float(np.linalg.norm(rhs))
    solution, residual = np.zeros_like(rhs), rhs.copy()
    number = 0
    while True:
        number += 1
        correction = invert(residual)
        step = 0.0
        if np.any(correction):
            fixed = to_fixed_point(correction, correction_bits)
            product = multiply(fixed)
            step = 1.0
            if line_search:
                energy = float(product @ product)
                step = float(residual @ product) / energy if energy > 0.0 else 0.0
            solution = solution + step * fixed.values
            residual = residual - step * product
        yield Cycle(number, solution, residual, float(np.linalg.norm(residual)) / norm, step)
