"""Forecasts before the first cycle: the contraction of the refinement, and the stability of the INV loop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats

POLE_RATIO = (
    4.0  # unity-gain frequency over second pole, amplifier and row together; the reference board has about 2
)


def contraction(matrix: Floats, inverse_of: Floats) -> Floats:
    """Return the spectral radius of I - A A0^-1, the factor by which a cycle reduces the error.

    Refinement converges exactly when it is below 1 (Zuo 2025, Methods).

    Parameters
    ----------
    matrix : (n, n) array
        A, as the multiplying array holds it.
    inverse_of : (..., n, n) array
        A0, as the inverting array achieved it; leading axes are draws.

    Returns
    -------
    (...) array; infinite where A0 is singular.
    """
    draws = inverse_of.shape[:-2]
    with np.errstate(all="ignore"):
        try:
            product = np.linalg.solve(np.swapaxes(inverse_of, -1, -2), np.swapaxes(matrix, -1, -2))
        except np.linalg.LinAlgError:  # at least one draw is singular: evaluate each separately
            if not draws:
                return np.asarray(np.inf)
            return np.array([contraction(matrix, one) for one in inverse_of])
    iteration = np.eye(matrix.shape[-1]) - np.swapaxes(product, -1, -2)
    finite = np.isfinite(iteration).all(axis=(-2, -1))
    rho = np.full(draws, np.inf)
    rho[finite] = np.abs(np.linalg.eigvals(iteration[finite])).max(axis=-1)
    return rho


def loop_eigenvalues(network: Floats, row_load: Floats) -> NDArray[Any]:
    """Return the eigenvalues of D^-1 G, which determine settling (dx/dt = -w_u D^-1 (G x + i)).

    Parameters
    ----------
    network : (..., n, n) array
        G, signed: the current (S per volt of output) into each amplifier's input.
    row_load : (..., n) array
        D, the sum of all conductances on each row, S.

    Returns
    -------
    (..., n) array, complex where some are.
    """
    return np.asarray(np.linalg.eigvals(network / row_load[..., None]))


def slowest_eigenvalue(eigenvalues: NDArray[Any]) -> complex:
    """Return a loop's eigenvalue with the smallest real part; unless it is positive, the loop rails."""
    return complex(eigenvalues[np.argmin(eigenvalues.real)])


def damping(eigenvalues: NDArray[Any], ratio: float = POLE_RATIO) -> Floats:
    """Return the least Re l - ratio (Im l)^2 over a loop's eigenvalues l (..., n); unless positive, the loop may oscillate.

    An amplifier with a second pole w_2 turns each eigenvalue into s (1 + s / w_2) + w_u l = 0, whose roots lie in the
    left half plane exactly when Re l > (w_u / w_2) (Im l)^2.
    """
    return np.asarray((eigenvalues.real - ratio * eigenvalues.imag**2).min(axis=-1))
