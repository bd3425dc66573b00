"""The multiplications of a direct digital solve, by the factorisation that takes fewest: what a chip must be held against.

Column k of a triangle has c_k entries beside its diagonal. A factorisation L L^T (or L D L^T) takes c + c (c + 1) / 2
multiplications and divisions a column, L U takes c + c c'; a right-hand side takes two triangular solves (Golub and Van
Loan, sections 3.2, 4.2; of sparse matrices Davis, Direct Methods for Sparse Linear Systems, section 4). A product of two
complex numbers is four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

SPARSE = 0.5
"""Share of entries up to which a sparse factorisation is tried."""


@dataclass(frozen=True)
class DirectSolve:
    """A factorisation.

    Attributes
    ----------
    method : str
        "Cholesky", "LDL" or "LU", behind "sparse" where entries of zero are left out.
    once, each : int
        Multiplications of the factorisation, and of a right-hand side.
    """

    method: str
    once: int
    each: int

    def work(self, count: int) -> int:
        """Return the multiplications of so many right-hand sides."""
        return self.once + count * self.each


def direct_solve(matrix: NDArray[Any]) -> DirectSolve:
    """Return the factorisation of a regular matrix (n, n) that takes the fewest multiplications for one right-hand side."""
    symmetric = np.array_equal(matrix, matrix.conj().T)
    name = ("Cholesky" if _positive(matrix) else "LDL") if symmetric else "LU"
    dense = np.arange(len(matrix))
    ways = [_counted(name, dense, dense, matrix, symmetric)]
    if np.count_nonzero(matrix) <= SPARSE * matrix.size and name != "LDL":
        lower, upper = _sparse_triangles(matrix, symmetric)
        ways.append(_counted(f"sparse {name}", lower, upper, matrix, symmetric))
    return min(ways, key=lambda one: one.work(1))


def _counted(
    method: str, lower: NDArray[np.int64], upper: NDArray[np.int64], matrix: NDArray[Any], symmetric: bool
) -> DirectSolve:
    """Return the count of a factorisation with so many entries beside the diagonal in each column of L and row of U."""
    product = 4 if np.iscomplexobj(matrix) else 1
    update = lower * (lower + 1) // 2 if symmetric else lower * upper
    each = int(lower.sum() + (lower if symmetric else upper).sum()) + len(matrix) * (1 + symmetric)
    return DirectSolve(method, product * int((lower + update).sum()), product * each)


def _sparse_triangles(matrix: NDArray[Any], symmetric: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the entries beside the diagonal in each column of L and row of U, ordered for little fill-in."""
    if symmetric:  # without exchanges of rows, which a positive definite matrix does not need
        factors = splu(
            csc_array(matrix),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
    else:
        factors = splu(csc_array(matrix))
    below = np.diff(factors.L.tocsc().indptr) - 1
    beside = np.diff(factors.U.tocsr().indptr) - 1
    return below.astype(np.int64), beside.astype(np.int64)


def _positive(matrix: NDArray[Any]) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True
