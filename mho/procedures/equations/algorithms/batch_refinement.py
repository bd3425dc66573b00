"""Refinement of many right-hand sides together: the published loop, a cycle of all columns at once.

    x = 0, r = b;  repeat: dx = INV(r);  x += s dx;  r -= s MVM(dx)

with s = 1 (Zuo et al. 2025, Methods), or the s of each column that minimises its residual (arXiv 2309.07865). The loop
decides nothing: who calls it looks at the residuals, which are as accurate as the products. `refine` is for one column with
all precautions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BatchMethod = Literal["plain", "line search"]

METHODS: tuple[BatchMethod, ...] = ("plain", "line search")


class Columns(NamedTuple):
    """Solutions and carried residuals (n, k) after a cycle."""

    solutions: Floats
    residuals: Floats


def refine_columns(
    rhs: Floats,
    invert: Callable[[Floats], Floats],
    multiply: Callable[[Floats], tuple[Floats, Floats]],
    method: BatchMethod = "plain",
    start: Columns | None = None,
) -> Iterator[Columns]:
    """Yield solutions and residuals after each cycle, without end.

    Parameters
    ----------
    rhs : (n, k) array
        B.
    invert : callable
        R (n, k) -> about A^-1 R.
    multiply : callable
        Z (n, k) -> what the products take Z for, and its product with A, both (n, k).
    method : str
        "plain" or "line search".
    start : Columns, optional
        To go on from; zeros and B where left out.
    """
    solutions, residuals = (np.zeros_like(rhs), rhs) if start is None else start
    while True:
        taken, products = multiply(invert(residuals))
        steps = np.ones(rhs.shape[1])
        if method == "line search":
            lengths = np.square(products).sum(axis=0)
            along = (products * residuals).sum(axis=0)
            steps = np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0.0)
        solutions, residuals = solutions + steps * taken, residuals - steps * products
        yield Columns(solutions, residuals)
