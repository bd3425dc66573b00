"""One eigenpair of a matrix by three iterations, of which an array does the work: power, inverse, and Davidson's.

All of them keep a vector and its Rayleigh quotient, and take the residual A v - lambda v in float64:

- power iteration: v <- A v, a product (MVM) a step; converges as |lambda_2 / lambda_1|;
- inverse iteration: v <- (A - s I)^-1 v, a refined solve a step; converges as |lambda_1 - s| / |lambda_2 - s|
  (Wielandt 1944; Golub and Van Loan, Matrix Computations, section 7.6.1);
- Davidson's method: the residual, through one step of INV of A - s I, widens a subspace, in which the best pair is found
  digitally (Davidson, J. Comput. Phys. 17, 87 (1975)). An inverse that is right to a few bits is all that it needs.

The circuit of Sun et al., PNAS 116, 4123 (2019), solves (A - s I) x = 0 in one step with s an eigenvalue that is known
beforehand; here s is near it, and the eigenvalue is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.held.direct_solve import DirectSolve
from mho.procedures.equations.worth.work import Work

Floats = NDArray[np.float64]
Operator = Callable[[Floats], Floats]


@dataclass(frozen=True)
class EigenStep:
    """An eigenpair as it stands after a step.

    Attributes
    ----------
    value : float
        Rayleigh quotient.
    vector : (n,) array
        Of unit length.
    residual : float
        |A v - lambda v|, relative to |A|, in float64.
    """

    value: float
    vector: Floats
    residual: float


def eigen_step(matrix: Floats, vector: Floats, scale: float) -> EigenStep:
    """Return the pair of a vector and its Rayleigh quotient, in float64; `scale` is the norm of the matrix."""
    unit = vector / np.linalg.norm(vector)
    product = matrix @ unit
    value = float(unit @ product)
    return EigenStep(value, unit, float(np.linalg.norm(product - value * unit)) / scale)


def power_iteration(
    matrix: Floats, multiply: Operator, start: Floats, steps: int, tolerance: float
) -> list[EigenStep]:
    """Return the pairs after each product; stop at `tolerance` of the residual, or where a product is zero.

    Parameters
    ----------
    multiply : callable
        v -> about A v.
    start : (n,) array
        Not orthogonal to the eigenvector.
    """
    return _iterated(matrix, multiply, start, steps, tolerance)


def inverse_iteration(
    matrix: Floats, solve: Operator, start: Floats, steps: int, tolerance: float
) -> list[EigenStep]:
    """Return the pairs after each solve; `solve` is r -> about (A - s I)^-1 r. Else as `power_iteration`."""
    return _iterated(matrix, solve, start, steps, tolerance)


def davidson(
    matrix: Floats, invert: Operator, start: Floats, steps: int, tolerance: float, near: float
) -> list[EigenStep]:
    """Return the pairs after each widening of the subspace; of its pairs the one whose value is nearest to `near`.

    Parameters
    ----------
    invert : callable
        r -> about (A - s I)^-1 r; one step of INV.
    near : float
        The eigenvalue asked for lies nearest to it.
    """
    scale = float(np.linalg.norm(matrix, 2))
    basis = (start / np.linalg.norm(start))[:, None]
    found: list[EigenStep] = []
    for _ in range(steps):
        pair = _best_pair(matrix, basis, near, scale)
        found.append(pair)
        if pair.residual <= tolerance or basis.shape[1] == len(matrix):
            break
        residual = matrix @ pair.vector - pair.value * pair.vector
        widened = _orthogonal_to(basis, invert(residual / np.linalg.norm(residual)))
        if widened is None:
            break  # the inverse adds nothing to the subspace
        basis = np.column_stack([basis, widened])
    return found


def davidson_work(size: int, steps: int) -> Work:
    """Return the digital multiplications of so many steps of `davidson` without those of its inverse.

    A step takes a product with A for the pair, and one for the newest vector of the basis; k vectors of the basis are
    projected, combined and made orthogonal to the next one twice, and the eigenvalues of k x k take 10 k^3 (Golub and Van
    Loan, section 7.5).
    """
    work = Work()
    work.digital["products"], work.digital["residual"] = size**2 * steps, size**2 * steps
    work.digital["orthogonalisation"] = sum(6 * size * k + 10 * k**3 for k in range(1, steps + 1))
    return work


def eigenvalues_by_qr(size: int, symmetric: bool) -> DirectSolve:
    """Return LAPACK's way to all eigenvalues and one vector (Golub and Van Loan, sections 7.5 and 8.3)."""
    return DirectSolve("LAPACK", 2 * size**3 // 3 if symmetric else 5 * size**3, 2 * size**2)


def angle(first: Floats, second: Floats) -> float:
    """Return the angle between the lines of two vectors, rad; exact also where it is small."""
    one, other = first / np.linalg.norm(first), second / np.linalg.norm(second)
    other = other if one @ other >= 0.0 else -other
    return float(2.0 * np.arcsin(min(1.0, float(np.linalg.norm(one - other)) / 2.0)))


def _iterated(
    matrix: Floats, operate: Operator, start: Floats, steps: int, tolerance: float
) -> list[EigenStep]:
    scale = float(np.linalg.norm(matrix, 2))
    found = [eigen_step(matrix, start, scale)]
    while len(found) <= steps and found[-1].residual > tolerance:
        moved = operate(found[-1].vector)
        if not np.linalg.norm(moved) > 0.0:
            break
        found.append(eigen_step(matrix, moved, scale))
    return found


def _best_pair(matrix: Floats, basis: Floats, near: float, scale: float) -> EigenStep:
    values, vectors = np.linalg.eig(basis.T @ matrix @ basis)
    best = int(np.argmin(np.abs(values - near)))
    return eigen_step(matrix, basis @ vectors[:, best].real, scale)


def _orthogonal_to(basis: Floats, vector: Floats) -> Floats | None:
    """Return the unit vector along what of `vector` lies outside the subspace; None where that is rounding."""
    before = float(np.linalg.norm(vector))
    for _ in range(2):  # twice is enough (Kahan and Parlett)
        vector = vector - basis @ (basis.T @ vector)
    left = float(np.linalg.norm(vector))
    return vector / left if left > 1e-12 * before else None
