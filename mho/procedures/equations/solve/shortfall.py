"""Why a solve ended before it converged, and what would help."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.algorithms.refinement import Cycle
from mho.procedures.equations.certificates.certificate import Certificate, norm
from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.procedures.equations.solve.programmed_matrix import MatrixOnChip

Floats = NDArray[np.float64]

NEAR_ONE = 0.95  # contraction from which refinement is too slow to be useful
ORTHOGONAL = 1e-6  # |A^T r| / (|A| |r|) down to which a residual may still fall; a singular value of A is as small then


def shortfall(
    system: LinearSystem,
    last: Cycle,
    solution: Floats,
    certificate: Certificate,
    matrix: MatrixOnChip,
) -> str:
    """Return why the solve of one right-hand side ended before it converged, with advice.

    `solution` is that of the system as given.
    """
    rho, unresolved, failed = matrix.rho, matrix.counts["unresolved"], matrix.failed
    why = {
        "cycles": f"all cycles allowed ({last.number}) are used up",
        "stalled": "the residual falls no more",
        "railed": "the INV loop rails",
    }[last.end]
    reached = system.goal.reached(certificate)
    if system.exhausted(solution, certificate.residual):
        return f"{why}, {reached}; a solution in float64 holds no smaller residual"
    if system.residual_only and _least(matrix.plan.preconditioning.matrix(system.matrix), last.residual):
        return (
            f"{why}, {reached}; no unknown changes it further, so the matrix is singular, or its condition number above "
            f"{1.0 / ORTHOGONAL:.0e}: take out columns that depend on others and solve by least squares, or ask for less"
        )
    advice = []
    if last.end == "cycles" and (not NEAR_ONE <= rho < np.inf or matrix.plan.shift):
        advice.append("allow more cycles")
    if NEAR_ONE <= rho < np.inf and not matrix.plan.shift:  # there is none of a matrix by blocks
        advice.append(f"choose another encoding or a chip with tighter cells (rho is {rho:.2f})")
    if unresolved or failed:
        advice.append(
            f"program again, or use quieter cells ({failed} cells outside their window, {unresolved} shots of products "
            "that no repeat made right)"
        )
    if matrix.on_chip and unresolved:
        advice.append("take the residual in float64 (residual = float64)")
    return f"{why}, {reached}; {', or '.join(advice or ['scale or reorder the matrix'])}"


def _least(matrix: Floats, residual: Floats) -> bool:
    """Return whether a residual is the least that there is: orthogonal to all columns of the matrix."""
    return norm(matrix.T @ residual) <= ORTHOGONAL * float(np.linalg.norm(matrix)) * norm(residual)
