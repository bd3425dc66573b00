"""What can be known before the first cycle: contraction of the refinement, stability of the loop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POLE_RATIO = (
    4.0  # unity-gain frequency over second pole, amplifier and row together; the reference board has about 2
)


def contraction(matrix: Floats, inverse_of: Floats) -> Floats:
    """Spectral radius of I - A A0^-1: the factor by which a cycle shrinks the error.

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
        except np.linalg.LinAlgError:  # of one draw at least: each by itself
            if not draws:
                return np.asarray(np.inf)
            return np.array([contraction(matrix, one) for one in inverse_of])
    iteration = np.eye(matrix.shape[-1]) - np.swapaxes(product, -1, -2)
    finite = np.isfinite(iteration).all(axis=(-2, -1))
    rho = np.full(draws, np.inf)
    rho[finite] = np.abs(np.linalg.eigvals(iteration[finite])).max(axis=-1)
    return rho


def slowest_eigenvalue(network: Floats, row_load: Floats) -> complex:
    """Eigenvalue of D^-1 G with the smallest real part: not positive means the loop rails.

    Parameters
    ----------
    network : (n, n) array
        G, signed: the current (S per volt of output) into each amplifier's input.
    row_load : (n,) array
        D, the sum of all conductances on each row, S (physics: dx/dt = -w_u D^-1 (G x + i)).
    """
    values = np.linalg.eigvals(network / row_load[:, None])
    return complex(values[np.argmin(values.real)])


def damping(network: Floats, row_load: Floats, ratio: float = POLE_RATIO) -> float:
    """Least of Re l - ratio (Im l)^2 over the eigenvalues l of D^-1 G: where it is not positive, the loop may oscillate.

    An amplifier with a second pole w_2 turns each eigenvalue into s (1 + s / w_2) + w_u l = 0, whose roots lie in the
    left half plane exactly when Re l > (w_u / w_2) (Im l)^2. Parameters as for `slowest_eigenvalue`.
    """
    values = np.linalg.eigvals(network / row_load[:, None])
    return float((values.real - ratio * values.imag**2).min())
