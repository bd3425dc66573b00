"""A matrix on a chip as SciPy's `LinearOperator`: products by MVM, approximate solutions by one step of INV."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from scipy.sparse.linalg import LinearOperator

from mho.errors import InputError
from mho.linalg.arrays import Numbers

OnColumns: TypeAlias = Callable[[Numbers], Numbers]
"""Takes vectors as columns (n, k), and returns one for each."""


def chip_operator(
    size: int, kind: np.dtype[Any], apply: OnColumns, adjoint: OnColumns | None, name: str
) -> LinearOperator[Any]:
    """Return what a chip does to vectors as an operator of SciPy.

    Parameters
    ----------
    size : int
        Number of rows, n.
    kind : dtype
        float64 or complex128.
    apply : callable
    adjoint : callable or None
        The same of the adjoint; None where no chip holds it: asking for it is then refused.
    name : str
        Of the operator, in messages.
    """

    def without_adjoint(columns: Numbers) -> Numbers:
        raise InputError(
            f"{name}: the adjoint is asked for, and the matrix is not its own; a chip drives its rows alone, so give a "
            "second bench that holds the adjoint, mho.linalg.on_bench(matrix, bench, adjoint_on=other), or take a method "
            "without it (gcrotmk, lgmres, bicgstab)"
        )

    backward = adjoint or without_adjoint
    return LinearOperator(
        (size, size),
        matvec=_on_vector(apply),
        rmatvec=_on_vector(backward),
        matmat=lambda columns: apply(np.asarray(columns)),
        rmatmat=lambda columns: backward(np.asarray(columns)),
        dtype=kind,
    )


def _on_vector(apply: OnColumns) -> OnColumns:
    return lambda vector: apply(np.asarray(vector).reshape(-1, 1))
