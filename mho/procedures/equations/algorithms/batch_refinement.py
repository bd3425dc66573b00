"""Refinement of many right-hand sides together: the published loop, a cycle of all columns at once.

    x = 0, r = b;  repeat: dx = INV(r);  x += s dx;  r -= s MVM(dx)

with s = 1 (Zuo et al. 2025, Methods), or the s of each column that minimises its residual (arXiv 2309.07865); by GCR dx is
made orthogonal, by its product, to the column's earlier ones first. The loop decides nothing: who calls it looks at the
residuals, which are as accurate as the products. `refine` is for one column with all precautions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats

BatchMethod = Literal["plain", "line search", "gcr"]

MEMORY = 50
"""Directions that GCR keeps of each column."""

METHODS: tuple[BatchMethod, ...] = ("plain", "line search", "gcr")


class Columns(NamedTuple):
    """Solutions and carried residuals (n, k) after a cycle; by GCR with the directions and products (n, k) so far."""

    solutions: Floats
    residuals: Floats
    directions: tuple[tuple[Floats, Floats], ...] = ()

    def of(self, chosen: NDArray[np.bool_]) -> Columns:
        """Return some of the columns."""
        kept = tuple((one[:, chosen], product[:, chosen]) for one, product in self.directions)
        return Columns(self.solutions[:, chosen], self.residuals[:, chosen], kept)


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
        One of `METHODS`.
    start : Columns, optional
        To go on from; zeros and B where left out.
    """
    now = Columns(np.zeros_like(rhs), rhs) if start is None else start
    while True:
        taken, products = multiply(invert(now.residuals))
        steps, directions = np.ones(rhs.shape[1]), now.directions
        if method == "gcr":
            taken, products = _orthogonal(taken, products, directions)
            directions = (*directions[-MEMORY + 1 :], (taken, products))
        if method != "plain":
            lengths = np.square(products).sum(axis=0)
            along = (products * now.residuals).sum(axis=0)
            steps = np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0.0)
        now = Columns(now.solutions + steps * taken, now.residuals - steps * products, directions)
        yield now


def _orthogonal(
    taken: Floats, products: Floats, directions: tuple[tuple[Floats, Floats], ...]
) -> tuple[Floats, Floats]:
    """Return corrections whose products have length 1 and are orthogonal to the earlier ones of their columns."""
    for direction, product in directions:
        share = (product * products).sum(axis=0)
        taken, products = taken - share * direction, products - share * product
    lengths = np.sqrt(np.square(products).sum(axis=0))
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
    return taken * scale, products * scale
