"""A system on one bench, as `Solve` takes it up: its matrix's encoding and places, and what the slices leave of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.procedures.equations.algorithms.directions import Method
from mho.procedures.equations.planning.block_solve_plan import BlockSolvePlan
from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.procedures.equations.planning.solve_plan import SolvePlan
from mho.procedures.equations.worth import UnaidedBaseline, UnaidedSolve, sampled_columns, solve_unaided

MOST_UNAIDED = 200
"""Cycles without the chip beyond which it is only said that they were more."""


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
    most : int
        Cycles allowed for each right-hand side.
    unaided : dict
        Solves without the chip so far, by column and method: they are the same on every chip.
    """

    system: LinearSystem
    on_chip: SolvePlan | BlockSolvePlan
    sliced: Floats
    slices_wanted: int
    settings: WriteVerifySettings
    leaf: int
    rng: np.random.Generator
    most: int
    unaided: dict[tuple[int, Method], UnaidedSolve] = field(default_factory=dict)

    @property
    def most_unaided(self) -> int:
        """Cycles allowed without the chip: as many as there are unknowns do in exact arithmetic."""
        return max(self.most, min(self.system.size, MOST_UNAIDED))

    def without_chip(self, method: Method) -> UnaidedBaseline | None:
        """Return the sampled right-hand sides solved without the chip, by this method or GCR; None of zeros alone."""
        columns = sampled_columns(np.flatnonzero(~self.system.zeros).tolist())
        form = self.on_chip.preconditioning
        held = form.matrix(self.system.matrix)

        def unaided(column: int, method: Method) -> UnaidedSolve:
            key = column, method
            if key not in self.unaided:
                self.unaided[key] = solve_unaided(self.system, form, held, column, method, self.most_unaided)
            return self.unaided[key]

        return UnaidedBaseline.of(method, unaided, columns) if columns else None


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
