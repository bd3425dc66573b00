"""Leaves refined before they are used: a few steps of GCR around a loop's own INV, with products by the leaf's matrix.

Every stage passes the errors of its leaves on, so a second inversion of each leaf may save more cycles of the whole than
it costs. A step minimises the residual (Eisenstat, Elman and Schultz, SIAM J. Numer. Anal. 20, 345 (1983)): with exact
products it never does harm. How far it gets depends on the right-hand side, so the operator is no longer linear, and the
solver around it must be a flexible one (GCR, FGMRES).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError

Operation = Callable[[int, Floats], Floats]


class RefinedLeaves:
    """(k, r) -> the inverse of leaf k times r, more accurate than `invert_leaf` gives it.

    Parameters
    ----------
    invert_leaf : callable
        (k, r) -> about the inverse of leaf k times r; r is (..., m).
    multiply_leaf : callable
        (k, v) -> about leaf k times v; v is (..., m).
    steps : int
        Largest number of inversions a call, at least 1; each takes a product.
    tolerance : float
        Norm of a leaf's residual, relative to its right-hand side, that is small enough: from 0, which takes all steps, to
        below 1. In a batch the largest counts.

    Attributes
    ----------
    inversions, products : int
        INV and MVM so far; a batch counts each of its vectors.
    """

    def __init__(
        self, invert_leaf: Operation, multiply_leaf: Operation, steps: int, *, tolerance: float = 0.0
    ) -> None:
        if steps < 1 or not 0.0 <= tolerance < 1.0:
            raise InputError(
                f"{steps} steps of leaf refinement to a tolerance of {tolerance:g}: give at least 1 step, and a tolerance "
                "from 0 to below 1"
            )
        self._invert, self._multiply = invert_leaf, multiply_leaf
        self._steps, self._tolerance = steps, tolerance
        self.inversions = self.products = 0

    def __call__(self, number: int, rhs: Floats) -> Floats:
        """Return about the inverse of leaf `number` times r, (..., m)."""
        solution, residual = np.zeros_like(rhs), rhs
        enough = self._tolerance**2 * _inner(rhs, rhs)
        directions: list[tuple[Floats, Floats]] = []
        for _ in range(self._steps):
            if (_inner(residual, residual) <= enough).all():
                break
            direction = self._invert(number, residual)
            product = self._multiply(number, direction)
            self.inversions += rhs.size // rhs.shape[-1]
            self.products += rhs.size // rhs.shape[-1]
            for earlier, its_product in directions:
                share = _inner(its_product, product)
                direction, product = direction - share * earlier, product - share * its_product
            length = np.sqrt(_inner(product, product))
            scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0.0)
            direction, product = direction * scale, product * scale
            directions.append((direction, product))
            share = _inner(product, residual)
            solution, residual = solution + share * direction, residual - share * product
        return solution


def _inner(one: Floats, other: Floats) -> Floats:
    return np.asarray((one * other).sum(axis=-1, keepdims=True))
