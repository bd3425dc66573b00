"""Polar factors of a matrix: a loop of the definite factor settles whatever the matrix is.

    A = Q P,   Q^T Q = I,   P = (A^T A)^(1/2):   A^-1 r = P^-1 (Q^T r)

The eigenvalues of P are A's singular values, so P is as well conditioned as A. Its loop is stable: D^-1 (P + E) is similar
to D^-1/2 (P + E) D^-1/2, whose symmetric part is positive definite as long as the cells' errors E have norms below
sigma_min(A). Q^T r is one MVM; refinement absorbs its error as it does the cells', so few bits are enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def polar_factors(matrix: Floats) -> tuple[Floats, Floats]:
    """Return Q and P of a real matrix (n, n), from its singular value decomposition; P is exactly symmetric.

    P is positive definite for a regular matrix. Of all orthogonal matrices Q is the nearest to A (Higham, SIAM J. Sci.
    Stat. Comput. 7, 1160 (1986)); a symmetric positive definite A has Q = I and P = A.
    """
    left, values, right = np.linalg.svd(matrix)
    definite = (right.T * values) @ right
    return np.asarray(left @ right), np.asarray(0.5 * (definite + definite.T))
