"""Systems to be inverted, and the inverting loop of one matrix: encoding, placement, forecast from the cells,
inversions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.inverse_encoding import EncodingForecast, InverseEncoding, contraction
from mho.errors import ChipMapError, InputError
from mho.instruments import Bench
from mho.procedures.equations.circuits.loop_on_cells import AchievedLoop, LoopOnCells, loop_inputs
from mho.procedures.equations.planning.loop_choice import LoopSetup

Numbers = NDArray[np.float64] | NDArray[np.complex128]

# Condition number from which float64 holds no digit of a solution
MOST_SINGULAR = 1.0 / np.finfo(np.float64).eps


@dataclass(frozen=True)
class Systems:
    """Matrices (count, n, n) with their condition numbers (count,), right-hand sides (vectors, n), and the solutions."""

    matrices: Floats
    conditions: Floats
    rhs: Floats
    solutions: Floats  # (count, vectors, n): of A x = b, in float64
    # (n, n), optional: the one matrix as it was given, which may be complex; None for matrices that were made
    given: Numbers | None = None

    @classmethod
    def of(
        cls, matrices: Floats, rhs: Floats, conditions: Floats | None = None, given: Numbers | None = None
    ) -> Systems:
        """Solve all systems; condition numbers that are not given are computed.

        Raises `InputError` for a singular matrix or a zero right-hand side, to whose solution no error could be
        relative.
        """
        if conditions is None:
            conditions = np.linalg.cond(matrices) if matrices.any() else np.full(len(matrices), np.inf)
        for condition in conditions.tolist():
            if not condition < MOST_SINGULAR:
                raise InputError(
                    f"the matrix is singular in float64 (condition number {condition:.3g}), so there is no solution to "
                    "compare with; give a regular one"
                )
        zero = np.flatnonzero(~rhs.any(axis=1))
        if zero.size:
            raise InputError(
                f"right-hand side {zero[0]}, counted from 0, is zero everywhere, and so is its solution; leave it out"
            )
        solutions = np.swapaxes(np.linalg.solve(matrices, rhs.T[None]), 1, 2)
        return cls(matrices, np.asarray(conditions, dtype=np.float64), rhs, solutions, given)


@dataclass(frozen=True)
class InverseLoop:
    """A matrix on the inverting arrays."""

    matrix: Floats  # (n, n): A
    candidate: EncodingForecast  # the encoding chosen, with its forecast before programming
    cells: LoopOnCells

    @property
    def encoding(self) -> InverseEncoding:
        """The encoding."""
        return self.candidate.encoding

    def invert(self, bench: Bench, volts: Floats) -> Floats:
        """Return settled outputs (samples, order), V, for `volts` (samples, n) at the inputs of the matrix's rows.

        The first n are those of the solution. Errors and clamped outputs as `Bench.invert`; the loop is closed.
        """
        return bench.invert(self.inputs(volts))

    def inputs(self, volts: Floats) -> Floats:
        """Return the loop's inputs (..., order), V, for `volts` (..., n) at the inputs of the matrix's rows."""
        return loop_inputs(self.encoding, volts)

    def volts_per_unit(self, input_conductance: float, volts: Floats) -> Floats:
        """Return the outputs (V) that stand for minus 1 in the solution where `volts` at an input stand for 1 in b."""
        return input_conductance * volts * self.encoding.unit / self.cells.step


@dataclass(frozen=True)
class ProgrammedLoop:
    """A loop whose cells are programmed."""

    loop: InverseLoop
    achieved: AchievedLoop  # what its cells came to hold
    cells_failed: int  # cells outside their window

    @property
    def rho(self) -> float:
        """rho(I - A A0^-1), by which a cycle of refinement would reduce an error."""
        return float(contraction(self.loop.matrix, self.achieved.matrix))


def plan_loop(setup: LoopSetup, matrix: Floats, rng: np.random.Generator) -> InverseLoop:
    """Choose a matrix's encoding by its forecast, and place it on good cells.

    Raises `ChipMapError` when the matrix does not fit, with the size that would, or there is no second slice;
    `ConvergenceError` when no encoding gives a stable loop.
    """
    if not setup.arrays:
        raise ChipMapError(
            f"chip {setup.chip.name!r} has no inverting array; choose a bench whose chip has one"
        )
    candidate = setup.rank(matrix, setup.fitting_kinds(matrix), rng)[0]
    return InverseLoop(matrix, candidate, setup.cells(candidate.encoding))
