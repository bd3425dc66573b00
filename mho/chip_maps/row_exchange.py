"""Reordering and negation of a matrix's rows: with large positive diagonal entries its INV loop settles.

Exchanging or negating equations is exact and does not change the solution. A loop settles when the eigenvalues of
D^-1 G have positive real parts, which depends on the order and the signs of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RowExchange:
    """The new place and the sign of each row of a matrix.

    Attributes
    ----------
    order : (n,) array of int64
        Row i of the exchanged matrix is row ``order[i]`` of the given one, times ``signs[i]``.
    signs : (n,) array
        1 or -1.
    """

    order: NDArray[np.int64]
    signs: Floats

    @classmethod
    def none(cls, n: int) -> RowExchange:
        """Leave n rows as they are."""
        return cls(np.arange(n), np.ones(n))

    @classmethod
    def to_diagonal(cls, matrix: Floats) -> RowExchange:
        """Maximise the product of the diagonal over all orders of rows, and make each of its entries positive.

        Maximum product transversal (Duff and Koster, SIAM J. Matrix Anal. Appl. 22, 973 (2001), option 5 without scaling).

        Parameters
        ----------
        matrix : (n, n) array
            Regular.
        """
        size, order = np.abs(matrix), np.arange(len(matrix))
        if (np.diag(size) < size.max(axis=1)).any():  # otherwise no order has a larger product
            from scipy.optimize import linear_sum_assignment  # loads slowly

            with np.errstate(divide="ignore"):
                rows, columns = linear_sum_assignment(-np.log(size))
            order = rows[np.argsort(columns)]
        return cls(order, np.sign(matrix[order, np.arange(len(matrix))]))

    @property
    def changes(self) -> bool:
        """Whether any row moves or changes its sign."""
        return bool((self.order != np.arange(len(self.order))).any() or (self.signs < 0.0).any())

    def of(self, rows: Floats) -> Floats:
        """Exchange the rows of a matrix (n, ...), or the entries of a right-hand side (n,)."""
        return np.asarray((self.signs * rows[self.order].T).T)

    def undone(self, rows: Floats) -> Floats:
        """Restore the order and signs of exchanged rows."""
        given = np.empty_like(rows)
        given[self.order] = (self.signs * rows.T).T
        return given
