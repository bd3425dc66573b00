"""A system on one bench, as `Solve` takes it up: how its matrix is held, and what the chip is worth for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.instruments import Bench
from mho.procedures.equations.algorithms.refinement import Method
from mho.procedures.equations.planning.block_solve_plan import BlockSolvePlan
from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.procedures.equations.planning.solve_plan import SolvePlan
from mho.procedures.equations.solve.answers import ColumnAnswer
from mho.procedures.equations.solve.programmed_block_matrix import MatrixOnChip, ProgrammedBlockMatrix
from mho.procedures.equations.solve.programmed_matrix import ProgrammedMatrix
from mho.procedures.equations.solve.solve_messages import (
    say_blocks,
    say_encoding,
    say_method,
    say_what_slices_hold,
)
from mho.procedures.equations.worth import (
    SampledWorth,
    UnaidedBaseline,
    UnaidedSolve,
    Work,
    mean_digital,
    sampled_columns,
    solve_unaided,
)
from mho.procedures.stream import Stream

MOST_UNAIDED = 200  # cycles without the chip beyond which it is only said that they were more


@dataclass(frozen=True)
class PreparedSolve:
    """A system on one bench.

    Attributes
    ----------
    on_chip : SolvePlan or BlockSolvePlan
        Encoding and placement of the matrix.
    sliced : (n, k) array
        The solutions of the matrix as the slices hold it; NaN where only residuals are asked for.
    slices_wanted : int
        Number of slices required by the bits; the chip may have room for fewer. 0 for products in float64.
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

    def matrix_on(self, bench: Bench, stream: Stream) -> MatrixOnChip:
        """Return the matrix on a bench, not programmed yet, and say how it is held."""
        on_chip = self.on_chip
        if isinstance(on_chip, BlockSolvePlan):
            say_blocks(on_chip, stream)
            return ProgrammedBlockMatrix(bench, stream, on_chip, self.settings, self.rng)
        say_what_slices_hold(self.system, on_chip, self.slices_wanted, stream)
        say_encoding(on_chip, stream)
        say_method(on_chip.choice, stream)
        return ProgrammedMatrix(bench, stream, on_chip, self.settings, self.rng)

    def without_chip(self, method: Method) -> UnaidedBaseline | None:
        """Return the sampled right-hand sides solved without the chip, by this method or GCR; None of zeros alone."""
        columns = sampled_columns(np.flatnonzero(~self.system.zeros).tolist())
        form = self.on_chip.preconditioning
        matrix = form.matrix(self.system.matrix)

        def unaided(column: int, method: Method) -> UnaidedSolve:
            key = column, method
            if key not in self.unaided:
                self.unaided[key] = solve_unaided(
                    self.system, form, matrix, column, method, self.most_unaided
                )
            return self.unaided[key]

        return UnaidedBaseline.of(method, unaided, columns) if columns else None


def solutions_as_sliced(plan: SolvePlan, system: LinearSystem) -> Floats:
    """Return the solutions (n, k) of the matrix as the chip's products hold it; NaN where only residuals count."""
    form = plan.preconditioning
    if system.residual_only:
        return system.reference
    try:
        solution = np.linalg.solve(plan.held, form.equations(system.rhs))
    except np.linalg.LinAlgError:
        bits = 0 if plan.multiply is None else plan.multiply.fixed.bits
        raise InputError(f"the matrix is singular to {bits} bits; use more bits or another matrix") from None
    return system.unknowns(form.solution(np.asarray(solution, dtype=np.float64)))


def record_worth(
    plan: PreparedSolve, matrix: MatrixOnChip, answers: Sequence[ColumnAnswer], refining: Work, stream: Stream
) -> dict[str, Any]:
    """Solve sampled right-hand sides without the chip, record their curves, and return what the chip was worth beside them.

    Empty where the chip refined nothing, as of an earlier run's answers and right-hand sides of zeros. `refining`: of
    the refinements, beside the matrix's own.
    """
    system = plan.system
    refined = [column for column, answer in enumerate(answers) if answer.rows]
    certifier = system.certifier
    certificate = certifier.once + certifier.each * len(refined)
    work = matrix.work + refining
    work.digital["certificate"] = certificate
    result: dict[str, Any] = {"multiplications": work.plain()}
    baseline = plan.without_chip(matrix.method) if refined else None
    if baseline is None:
        return result
    columns = [one.column for one in baseline.solves]
    for one in baseline.solves:
        for point in one.curve:
            bits = float(-np.log2(max(point["relative_error"], 1e-300)))
            stream.record("without_chip", **point, bits=bits)
    cycles = (answers[column].cycles if answers[column].converged else None for column in columns)
    worth = SampledWorth(
        baseline.solves, tuple(cycles), work, round(mean_digital(baseline.solves) * len(refined)) + certificate,
        plan.most_unaided, plan.most,
        matrix.loops_lost or any(answer.rho is not None and answer.rho >= 1.0 for answer in answers),
        baseline.method, baseline.same_method,
    )  # fmt: skip
    numbers = worth.plain()
    result["without_chip"] = numbers | {"in_words": worth.in_words()}
    return result | {"cycles_saved": numbers["saved"], "digital_ratio": numbers["digital_ratio"]}
