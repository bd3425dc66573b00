"""A system on one bench, as `Solve` takes it up: its matrix's encoding and places, and what the slices leave of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.procedures.equations.planning.block_solve_plan import BlockSolvePlan
from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.procedures.equations.planning.solve_plan import SolvePlan

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PreparedSolve:
    """A system on one bench.

    Attributes
    ----------
    system : LinearSystem
    on_chip : SolvePlan or BlockSolvePlan
        Encoding and placement of the matrix.
    sliced : (n, k) array
        The solutions of the matrix as the slices hold it; NaN where only residuals are asked for.
    slices_wanted : int
        Number of slices required by the bits; the chip may have room for fewer. 0 for products in float64.
    settings : WriteVerifySettings
    leaf : int
        The largest matrix of a loop.
    rng : numpy.random.Generator
        Of the forecasts, where a loop that does not settle is replaced.
    """

    system: LinearSystem
    on_chip: SolvePlan | BlockSolvePlan
    sliced: Floats
    slices_wanted: int
    settings: WriteVerifySettings
    leaf: int
    rng: np.random.Generator


def solutions_as_sliced(plan: SolvePlan, system: LinearSystem) -> Floats:
    """Return the solutions (n, k) of the matrix as the chip's products hold it; NaN where only residuals count."""
    form = plan.preconditioning
    if system.residual_only:
        return system.reference
    try:
        held = np.linalg.solve(plan.held, form.equations(system.rhs))
    except np.linalg.LinAlgError:
        bits = 0 if plan.multiply is None else plan.multiply.fixed.bits
        raise InputError(f"the matrix is singular to {bits} bits; use more bits or another matrix") from None
    return system.unknowns(form.solution(np.asarray(held, dtype=np.float64)))
