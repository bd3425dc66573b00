"""Answers of a solve to its right-hand sides: what a solve returns, and what one comes to in the run file and the summary.

Of many right-hand sides those that an earlier run answered need not be solved again. Nothing that its file says of a
solution is believed: the residual is taken again, from matrix and right-hand side as given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.errors import InputError
from mho.procedures.base import ProcedureResult
from mho.procedures.equations.algorithms.refinement import Cycle
from mho.procedures.equations.certificates.certificate import Certificate, norm
from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.procedures.stream import Stream
from mho.runs import Column, Table


@dataclass(frozen=True, eq=False, repr=False)
class Solution(ProcedureResult):
    """Result of a solve; `units` are those of the summary.

    Attributes
    ----------
    solution : (n,) or (n, k) array
        X, in the shape of the right-hand sides; complex when A or B is.
    converged : bool
        Whether the certificates prove the requested bits of every column, or the tolerance of the residual where one
        was given.
    certificate : Certificate
        Error bound from the residual, recomputed in float64 from the matrix as given and the solution as returned; of
        several columns the one with the fewest bits.
    cycles : list of dict
        Per cycle: rhs (the column, from 0), cycle, residual (relative to b, as updated from the products,
        and with scaled rows where the certificate scales them),
        relative_error (to a float64 solve of the matrix as given), sliced_error (to the solution of the matrix as
        held), bits = -log2 relative_error.

    Examples
    --------
    >>> with mho.open_bench("arrays", seed=1) as bench:
    ...     answer = mho.run(mho.Solve(matrix=np.eye(2) + 0.2, rhs=np.ones(2)), bench, seed=1)
    >>> answer.converged, answer.solution.shape, answer.certificate.bits > 24
    (True, (2,), True)
    """

    solution: NDArray[Any]
    converged: bool
    certificate: Certificate
    cycles: list[dict[str, float]]
    units: ClassVar[Mapping[str, str]] = {
        "bits_a_cycle": "bit", "forecast_bits_a_cycle": "bit", "virtual_seconds": "s", "solve_seconds": "s",
        "joules": "J",
    }  # fmt: skip
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {"solution": ("unknown", "rhs")}


def answers_table(system: LinearSystem) -> Table:
    """Return the table of answers, one a right-hand side, written when it is found."""
    return Table(
        "answers",
        (
            Column("rhs", dtype="u4", description="right-hand side, counted from 0"),
            Column("time", "s", description="bench time"),
            Column("converged", dtype="u1", description="1 where the goal was met"),
            Column("bits", description="proved by the certificate", digital=0.01),
            Column("cycles", dtype="u4"),
            Column("residual", description="recomputed, relative to the right-hand side", digital=1e-11),
            Column("taken_over", dtype="u1", description="1 where it is an earlier run's"),
            Column(
                "solution", shape=(system.size,),
                description="of the square system: x, or of augmented least squares the scaled residual and x",
                digital=1e-9,
            ),
        ),
        signal="bits", axis="rhs", title="answers", rows=system.count,
    )  # fmt: skip


def earlier_answers(path: Path, system: LinearSystem) -> Mapping[int, ColumnAnswer]:
    """Return the answers in the run file at `path` of which the residual, taken now, meets the goal, by right-hand side.

    Raises `RunFileError` when the file cannot be read; `InputError` for a run of another matrix or other right-hand
    sides, or of no solve.
    """
    from mho.runs import RunFile  # HDF5 loads slowly

    with RunFile(path) as run:
        for name, values in (("matrix", system.given_matrix), ("rhs", system.given_rhs)):
            before = run.array(name) if name in run.arrays else None
            if before is None or before.dtype != values.dtype or not np.array_equal(before, values):
                what = "it solves nothing" if before is None else f"its {name} is another one"
                raise InputError(f"{path} cannot be taken up: {what}; take the same, or begin anew")
        if "answers" not in run.tables or not run.length("answers"):
            return {}
        rows = run.table("answers")
    if rows["solution"].shape[1] != system.size:  # the other form of least squares
        return {}
    answers = {}
    for column, solution, cycles in zip(rows["rhs"].tolist(), rows["solution"], rows["cycles"], strict=False):
        solution = solution.astype(float)
        if column >= system.count or not np.isfinite(solution).all():
            continue
        certificate = system.certify(solution, system.residual(solution, column), column)
        if system.goal.met(certificate):
            answers[column] = ColumnAnswer([], 0.0, solution, certificate, True, "", int(cycles), True)
    return answers


MOST_NUMBERS = 1024  # of a list in the summary


@dataclass(frozen=True)
class ColumnAnswer:
    """Result of the refinement of one right-hand side."""

    rows: list[dict[str, float]]  # as `Solution.cycles`
    products_off: float  # largest relative error of a carried residual that was found
    solution: Floats  # (N,): of the square system, in its form as given
    certificate: Certificate
    converged: bool
    reason: str  # why it did not
    cycles: int  # that it took, also those of an earlier run
    taken_over: bool = False  # whether it is an earlier run's
    # Contraction of the loop on the residuals that it inverted, as `contraction_of`; None without any
    rho: float | None = None


def record_answer(answer: ColumnAnswer, column: int, now: float, stream: Stream) -> None:
    """Write an answer into the run file at once, so that a later run can go on after it."""
    stream.record(
        "answers", rhs=column, time=now, converged=answer.converged, bits=answer.certificate.bits,
        cycles=answer.cycles, residual=answer.certificate.relative_residual, taken_over=answer.taken_over,
        solution=answer.solution,
    )  # fmt: skip


def cycle_row(
    cycle: Cycle, solution: Floats, column: int, reference: Floats, sliced: Floats
) -> dict[str, float]:
    """Return a cycle's values in the table of cycles."""
    error = _relative(solution, reference)
    return {
        "rhs": column, "cycle": cycle.number, "residual": cycle.carried, "relative_error": error,
        "sliced_error": _relative(solution, sliced), "bits": float(-np.log2(max(error, 1e-300))),
    }  # fmt: skip


def largest_error(solutions: Floats, references: Floats) -> float:
    """Return the largest relative error of the columns; of a solution of zeros, or beside zeros, there is none."""
    pairs = zip(solutions.T, references.T, strict=True)
    return max((_relative(one, other) for one, other in pairs if one.any() and other.any()), default=0.0)


def where_short(name: str, values: list[Any], numbers: int) -> dict[str, Any]:
    """Return a list for the summary, which holds 64 KiB; long ones are in the arrays and tables of the run file alone."""
    return {name: values} if numbers <= MOST_NUMBERS else {}


def reasons(system: LinearSystem, short: list[tuple[int, ColumnAnswer]]) -> str:
    """Return why the columns in `short` did not converge."""
    if not short or system.single:
        return "".join(answer.reason for _, answer in short)
    column, answer = short[0]
    return f"{len(short)} of {system.count} right-hand sides; number {column}: {answer.reason}"


def plain_numbers(values: NDArray[Any]) -> list[Any]:
    """Convert a vector, or columns, for JSON: complex numbers as [real, imaginary]."""
    parts = np.stack([values.real, values.imag], axis=-1) if np.iscomplexobj(values) else values
    plain: list[Any] = parts.tolist()
    return plain


def _relative(value: Floats, reference: Floats) -> float:
    """Return the relative error; NaN beside zeros, as rounding may leave of a least-squares solution."""
    size = norm(reference)
    return norm(value - reference) / size if size else math.nan
