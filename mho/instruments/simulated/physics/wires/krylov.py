"""GMRES (Saad & Schultz 1986) for operators given as functions, without a threaded BLAS.

SciPy's GMRES uses BLAS for inner products, whose second thread makes a product of two vectors of 10^4 numbers a hundred
times slower on a busy machine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def dot(a: Floats, b: Floats) -> float:
    """Return the inner product of two arrays of the same shape, on this thread."""
    return float(np.einsum("i,i->", a.reshape(-1), b.reshape(-1)))


def gmres(
    apply: Callable[[Floats], Floats], right: Floats, tolerance: float, max_iterations: int
) -> Floats | None:
    """Solve apply(x) = right.

    Parameters
    ----------
    apply : callable
        The operator on vectors (n,); what it returns is overwritten.
    right : (n,) array
    tolerance : float
        Of the residual, relative to `right`.
    max_iterations : int

    Returns
    -------
    (n,) array or None
        None when `max_iterations` did not suffice.
    """
    size = np.sqrt(dot(right, right))
    if size == 0.0:
        return np.zeros_like(right)
    basis = [right / size]
    projected = np.zeros((max_iterations + 1, max_iterations))
    target = np.zeros(max_iterations + 1)
    target[0] = size
    for k in range(max_iterations):
        vector = apply(basis[k])
        for j, member in enumerate(basis):
            projected[j, k] = dot(member, vector)
            vector -= projected[j, k] * member
        projected[k + 1, k] = np.sqrt(dot(vector, vector))
        small = projected[: k + 2, : k + 1]
        weights = np.linalg.lstsq(small, target[: k + 2], rcond=None)[0]
        if np.linalg.norm(small @ weights - target[: k + 2]) <= tolerance * size:
            return np.asarray(sum(weight * member for weight, member in zip(weights, basis, strict=True)))
        vector /= projected[k + 1, k]
        basis.append(vector)
    return None
