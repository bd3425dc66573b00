"""The multiplications of a direct digital solve, by the factorisation that takes fewest: what a chip must be held against.

Column k of a triangle has c_k entries beside its diagonal. A factorisation L L^T (or L D L^T) takes c + c (c + 1) / 2
multiplications and divisions a column, L U takes c + c c'; a right-hand side takes two triangular solves (Golub and Van
Loan, sections 3.2, 4.2; of sparse matrices Davis, Direct Methods for Sparse Linear Systems, section 4). A product of two
complex numbers is four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.certificates.certificate import is_positive_definite
from mho.procedures.equations.worth import SampledWorth, Work

SPARSE = 0.5  # share of entries up to which a sparse factorisation is tried

Order = Literal["COLAMD", "MMD_AT_PLUS_A"]
ORDERS: tuple[Order, ...] = ("COLAMD", "MMD_AT_PLUS_A")
"""Orders of columns that SuperLU finds, the second for matrices of a symmetric pattern."""

MANY = 99.5  # ratio from which on it is written out in whole numbers


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


@dataclass(frozen=True)
class DirectWork:
    """Direct digital solves of all that a chip solved.

    Attributes
    ----------
    methods : tuple of str
        Of the factorisations, each once.
    """

    methods: tuple[str, ...] = ()
    multiplications: int = 0

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self.multiplications)

    def plus(self, way: DirectSolve, count: int) -> DirectWork:
        """Return it with a factorisation and so many right-hand sides more; nothing where there is none."""
        if not count:
            return self
        return DirectWork(
            tuple(dict.fromkeys((*self.methods, way.method))), self.multiplications + way.work(count)
        )

    def plain(self, beside: int, with_chip: int) -> dict[str, Any]:
        """Return the numbers by name, for a run's result.

        Parameters
        ----------
        beside, with_chip : int
            Digital multiplications that it takes as well, and those with the chip; of either without the certificate.
        """
        method, every = " and ".join(self.methods), self.multiplications + beside
        ratio = with_chip / every
        times = f"{ratio:.2g}" if ratio < MANY else f"{ratio:,.0f}"
        return {
            "method": method, "digital": every, "digital_with": with_chip, "digital_ratio": ratio,
            "in_words": f"{times} times the digital multiplications of {method}",
        }  # fmt: skip


def solve_directly(matrix: NDArray[Any]) -> DirectSolve:
    """Return the factorisation of a regular matrix (n, n) that takes the fewest multiplications for one right-hand side."""
    symmetric = np.array_equal(matrix, matrix.conj().T)
    name = ("Cholesky" if is_positive_definite(matrix) else "LDL") if symmetric else "LU"
    dense = np.arange(len(matrix))
    ways = [_counted(name, dense, dense, matrix, symmetric)]
    if np.count_nonzero(matrix) <= SPARSE * matrix.size and name != "LDL":
        ways += [
            _counted(f"sparse {name}", *_sparse_triangles(matrix, symmetric, order), matrix, symmetric)
            for order in ORDERS[symmetric:]
        ]
    return min(ways, key=lambda one: one.work(1))


def _counted(
    method: str, lower: NDArray[np.int64], upper: NDArray[np.int64], matrix: NDArray[Any], symmetric: bool
) -> DirectSolve:
    """Return the count of a factorisation with so many entries beside the diagonal in each column of L and row of U."""
    product = 4 if np.iscomplexobj(matrix) else 1
    update = lower * (lower + 1) // 2 if symmetric else lower * upper
    each = int(lower.sum() + (lower if symmetric else upper).sum()) + len(matrix) * (1 + symmetric)
    return DirectSolve(method, product * int((lower + update).sum()), product * each)


def _sparse_triangles(
    matrix: NDArray[Any], symmetric: bool, order: Order
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the entries beside the diagonal in each column of L and row of U, columns in an order of little fill-in."""
    from scipy.sparse import csc_array  # takes a tenth of a second to import
    from scipy.sparse.linalg import splu

    # A positive definite matrix needs no exchange of rows, which would leave its symmetry.
    plain: dict[str, Any] = {"diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    factors = splu(csc_array(matrix), permc_spec=order, **(plain if symmetric else {}))
    below = np.diff(factors.L.tocsc().indptr) - 1
    beside = np.diff(factors.U.tocsr().indptr) - 1
    return below.astype(np.int64), beside.astype(np.int64)


def worth_in_numbers(total: SampledWorth, direct: DirectWork, beside: Work) -> dict[str, Any]:
    """Return the multiplications, and what the chip was worth beside the same solves without it and direct ones, by name.

    Parameters
    ----------
    beside : Work
        What there is beside the solves, with a chip and without it.
    """
    work, extra = total.work + beside, beside.digital.total()
    found: dict[str, Any] = {"multiplications": work.plain()}
    if (worth := total.worth(extra)) is not None:
        found["without_chip"] = worth.plain() | {"in_words": worth.in_words()}
    if direct:
        found["direct"] = direct.plain(extra, work.digital.total() - work.digital["certificate"])
    return found
