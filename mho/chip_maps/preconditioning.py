"""The form in which a chip holds a matrix: rows and columns scaled by powers of two, rows reordered and negated.

The chip solves S y = P R b with S = P R A C, and x = C y. Powers of two, orders and signs are exact in float64, so that
nothing but the digits differs from the matrix as given. Entries of like size use the digits of a cell well, and a loop
settles when the eigenvalues of D^-1 G have positive real parts, which depends on the order and the signs of the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import InputError, MhoError

SWEEPS = 20  # most sweeps of equilibration; Ruiz's converges in a few, and powers of two stop changing before


@dataclass(frozen=True)
class Preconditioning:
    """An exact change of a system's equations and unknowns.

    Attributes
    ----------
    order : (n,) array of int64
        Row i of S comes from row ``order[i]`` of A.
    row_factors : (n,) array
        Signed power of two by which it is multiplied.
    column_factors : (n,) array
        Power of two by which each column is multiplied.

    Examples
    --------
    >>> swapped = mho.Preconditioning(np.array([1, 0]), np.ones(2), np.ones(2))
    >>> swapped.matrix(np.array([[0.0, 1.0], [2.0, 0.0]])).tolist()
    [[2.0, 0.0], [0.0, 1.0]]
    """

    order: NDArray[np.int64]
    row_factors: Floats
    column_factors: Floats

    @classmethod
    def none(cls, n: int) -> Self:
        """Leave a matrix of n rows as it is."""
        return cls(np.arange(n), np.ones(n), np.ones(n))

    @classmethod
    def exchanging(cls, matrix: Floats) -> Self:
        """Maximise the product of the diagonal over all orders of rows, and make each of its entries positive.

        Maximum product transversal (Duff and Koster, SIAM J. Matrix Anal. Appl. 22, 973 (2001), option 5 without scaling).

        Parameters
        ----------
        matrix : (n, n) array
            Regular.
        """
        order, n = _transversal(np.abs(matrix)), len(matrix)
        return cls(order, np.sign(matrix[order, np.arange(n)]), np.ones(n))

    @classmethod
    def equilibrating(cls, matrix: Floats) -> Self:
        """Scale rows and columns until the largest entry of each is near 1, then as `exchanging`.

        The scaling is that of Ruiz (RAL-TR-2001-034), rounded to powers of two. It keeps a symmetric matrix symmetric.

        Parameters
        ----------
        matrix : (n, n) array
            Regular.
        """
        rows, columns = _equilibrium(np.abs(matrix))
        exchanged = cls.exchanging(rows[:, None] * matrix * columns)
        return cls(exchanged.order, exchanged.row_factors * rows[exchanged.order], columns)

    @property
    def signs(self) -> Floats:
        """-1 for each row that is negated, else 1."""
        return np.sign(self.row_factors)

    @property
    def exchanges(self) -> bool:
        """Whether any row moves or changes its sign."""
        return bool((self.order != np.arange(len(self.order))).any() or (self.row_factors < 0.0).any())

    @property
    def scales(self) -> bool:
        """Whether any row or column is scaled."""
        return bool((np.abs(self.row_factors) != 1.0).any() or (self.column_factors != 1.0).any())

    @property
    def name(self) -> str:
        """The form in words, for messages."""
        changes = (("rows exchanged", self.exchanges), ("rows and columns scaled", self.scales))
        return ", ".join(words for words, changed in changes if changed) or "as given"

    def equations(self, rows: Floats) -> Floats:
        """Return P R b of a right-hand side or a residual (n,), or of many, (n, k)."""
        return np.asarray((self.row_factors * rows[self.order].T).T)

    def given_equations(self, rows: Floats) -> Floats:
        """Return the residual (n,) or (n, k) of the equations as given: the inverse of `equations`."""
        given = np.empty_like(rows)
        given[self.order] = (rows.T / self.row_factors).T
        return given

    def matrix(self, given: Floats) -> Floats:
        """Return S of a matrix (n, n) as given."""
        return np.asarray(self.equations(given) * self.column_factors)

    def given_matrix(self, scaled_matrix: Floats) -> Floats:
        """Return the matrix as given of a held one (n, n): the inverse of `matrix`."""
        return np.asarray(self.given_equations(scaled_matrix) / self.column_factors)

    def solution(self, unknowns: Floats) -> Floats:
        """Return x = C y, (n,) or (n, k), of the unknowns y of the held system."""
        return np.asarray((self.column_factors * unknowns.T).T)


class OwnPreconditioning(Protocol):
    """A preconditioning of one's own: in which forms the loop may hold a matrix.

    Its name stands where a preconditioning's does: ``preconditioning="mine.py:Reversed"``, or the class itself. Each form
    is an exact change of equations and unknowns, so that nothing of the solution hangs on it.

    Examples
    --------
    >>> class AsGiven:
    ...     def forms(self, matrix):
    ...         yield mho.Preconditioning.none(len(matrix))
    >>> [form.name for form in AsGiven().forms(np.eye(2))]
    ['as given']
    """

    def forms(self, matrix: Floats) -> Iterable[Preconditioning]:
        """Return the forms to try of a regular matrix (n, n)."""
        ...


def own_forms(own: type[OwnPreconditioning], matrix: Floats) -> list[Preconditioning]:
    """Return the forms that a class of a user's own gives for a matrix (n, n), checked.

    Raises `InputError` for one that is no exact change: no order of all rows, or factors that are no powers of two.
    """

    def error(what: str) -> InputError:
        return InputError(f"the preconditioning {own.__name__} cannot be used: {what}")

    try:
        forms = list(own().forms(matrix.copy()))
    except (TypeError, ValueError, AttributeError) as fault:
        if isinstance(fault, MhoError):
            raise
        raise error(f"its forms(matrix) failed ({type(fault).__name__}: {fault})") from fault
    n = len(matrix)
    if not forms:
        raise error("it gave no form")
    for form in forms:
        if not isinstance(form, Preconditioning):
            raise error(f"it returned {type(form).__name__}; return mho.Preconditioning")
        if not np.array_equal(np.sort(form.order), np.arange(n)):
            raise error(f"its order is no order of the {n} rows")
        for what, factors in (("row", form.row_factors), ("column", form.column_factors)):
            factors = np.asarray(factors, dtype=float)
            mantissas = np.abs(np.frexp(factors)[0])
            if factors.shape != (n,) or not (np.isfinite(factors).all() and (mantissas == 0.5).all()):
                raise error(f"its {what} factors must be {n} powers of two, which may be negative for rows")
        if (np.asarray(form.column_factors) < 0.0).any():
            raise error("a column factor is negative")
    return forms


def _transversal(sizes: Floats) -> NDArray[np.int64]:
    """Return the order of rows with the largest product of the diagonal; as they are where no other has a larger one."""
    order = np.arange(len(sizes))
    if (np.diag(sizes) >= sizes.max(axis=1)).all():
        return order
    from scipy.optimize import linear_sum_assignment  # loads slowly

    with np.errstate(divide="ignore"):
        costs = -np.log(sizes)
    rows, columns = linear_sum_assignment(costs)
    permutation: NDArray[np.int64] = rows[np.argsort(columns)]
    # Of equal products the order as given is kept: it moves nothing.
    return permutation if costs[permutation, order].sum() < np.trace(costs) * (1.0 - 1e-12) - 1e-12 else order


def _equilibrium(sizes: Floats) -> tuple[Floats, Floats]:
    """Return powers of two for rows and columns with which the largest entry of each lies between 1/2 and 2."""
    rows, columns = np.ones(len(sizes)), np.ones(len(sizes))
    for _ in range(SWEEPS):
        scaled = rows[:, None] * sizes * columns
        change_rows, change_columns = (_root(scaled.max(axis=axis)) for axis in (1, 0))
        if (change_rows == 1.0).all() and (change_columns == 1.0).all():
            break
        rows, columns = rows * change_rows, columns * change_columns
    return rows, columns


def _root(peaks: Floats) -> Floats:
    """Return the power of two next to 1 / sqrt(peak); 1 where the peak is between 1/2 and 2."""
    return np.exp2(-np.rint(np.log2(peaks) / 2.0))
