"""Scaling of rows and columns by powers of two, which rounds nothing: every entry below 1, one in each row and column not.

    |a_ij| <= 2^(u_i + v_j),   with equality of the exponents on a permutation

u and v are the dual variables of the assignment of largest product (Duff & Koster, SIAM J. Matrix Anal. Appl. 22, 973
(2001)), so rows and columns that were multiplied by any factors come out alike.
"""

from __future__ import annotations

import numpy as np

from mho.array_types import Floats, Integers


def power_scaling(matrix: Floats) -> tuple[Integers, Integers] | None:
    """Return the exponents u of the rows and v of the columns, (n,) each.

    Parameters
    ----------
    matrix : (n, n) array
        Finite.

    Returns
    -------
    tuple or None
        None where every permutation meets a zero: such a matrix is singular, whatever its other entries are.
    """
    from scipy.optimize import linear_sum_assignment  # loads slowly

    exponents = np.where(matrix != 0.0, np.frexp(matrix)[1], -np.inf)
    try:
        _, columns = linear_sum_assignment(exponents, maximize=True)
    except ValueError:  # scipy's word for no permutation without a zero
        return None
    order = np.argsort(columns)  # the row that each column is assigned
    assigned = exponents[order]
    gains = assigned - np.diag(assigned)[:, None]
    column = (exponents - exponents.max(axis=1, keepdims=True)).max(axis=0)
    for _ in range(len(matrix)):  # longest paths; the assignment is the best, so no cycle gains
        higher = np.maximum(column, (column[:, None] + gains).max(axis=0))
        if np.array_equal(higher, column):
            break
        column = higher
    row = np.empty_like(column)
    row[order] = np.diag(assigned) - column
    return row.astype(np.int64), column.astype(np.int64)


def scaled(values: Floats, exponents: Integers, floor: float) -> tuple[Floats, Floats]:
    """Return values times 2^exponents, and a bound of what is lost by setting those below `floor` to zero.

    Parameters
    ----------
    values : array
        Finite.
    exponents : array
        Such that nothing overflows.
    floor : float
        Large enough for the rest to be exact: above the smallest normal double.
    """
    product = np.ldexp(values, exponents)
    small = (np.abs(product) < floor) & (values != 0.0)
    return np.where(small, 0.0, product), np.where(small, floor, 0.0)
