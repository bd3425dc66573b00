"""Systems to be inverted: matrices, right-hand sides, and their solutions in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import InputError

Numbers = NDArray[np.float64] | NDArray[np.complex128]

MOST_SINGULAR = (
    1.0 / np.finfo(np.float64).eps
)  # condition number from which float64 holds no digit of a solution


@dataclass(frozen=True)
class Systems:
    """Matrices (count, n, n) with their condition numbers (count,), right-hand sides (vectors, n), and the solutions.

    Attributes
    ----------
    solutions : (count, vectors, n) array
        Of A x = b, in float64.
    given : (n, n) array, optional
        The one matrix as it was given, which may be complex; None for matrices that were made.
    """

    matrices: Floats
    conditions: Floats
    rhs: Floats
    solutions: Floats
    given: Numbers | None = None

    @classmethod
    def of(
        cls,
        matrices: Floats,
        rhs: Floats,
        conditions: Floats | None = None,
        given: Numbers | None = None,
    ) -> Systems:
        """Solve all systems; condition numbers that are not given are computed.

        Raises
        ------
        InputError
            For a singular matrix or a zero right-hand side, to whose solution no error could be relative.
        """
        if conditions is None:
            conditions = np.linalg.cond(matrices) if matrices.any() else np.full(len(matrices), np.inf)
        for condition in conditions.tolist():
            if not condition < MOST_SINGULAR:
                raise InputError(
                    f"the matrix is singular in float64 (condition number {condition:.3g}), so there is no solution to "
                    "compare with; give a regular one"
                )
        zero = np.flatnonzero(~rhs.any(axis=1))
        if zero.size:
            raise InputError(
                f"right-hand side {zero[0]}, counted from 0, is zero everywhere, and so is its solution; leave it out"
            )
        solutions = np.swapaxes(np.linalg.solve(matrices, rhs.T[None]), 1, 2)
        return cls(matrices, np.asarray(conditions, dtype=np.float64), rhs, solutions, given)
