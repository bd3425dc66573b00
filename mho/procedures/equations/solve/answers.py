"""What each right-hand side of a solve came to: its rows in the run file, and its part of the summary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.procedures.equations.algorithms.refinement import Cycle
from mho.procedures.equations.certificates.certificate import Certificate, norm
from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.procedures.equations.solve.earlier_answers import EarlierAnswer
from mho.procedures.stream import Stream

MOST_NUMBERS = 1024  # of a list in the summary


@dataclass(frozen=True)
class Answer:
    """Result of the refinement of one right-hand side.

    Attributes
    ----------
    rows : list of dict
        As `Solution.cycles`.
    products_off : float
        Largest relative error of a carried residual that was found.
    solution : (N,) array
        Of the square system, in its form as given.
    certificate : Certificate
    converged : bool
    reason : str
        Why it did not.
    cycles : int
        That it took, also those of an earlier run.
    taken_over : bool
        Whether it is an earlier run's.
    rho : float or None
        Contraction of the loop, measured on the residuals that it inverted, as `contraction_of`; None without any.
    """

    rows: list[dict[str, float]]
    products_off: float
    solution: Floats
    certificate: Certificate
    converged: bool
    reason: str
    cycles: int
    taken_over: bool = False
    rho: float | None = None

    @classmethod
    def earlier(cls, answer: EarlierAnswer) -> Answer:
        """Return the answer that an earlier run gave."""
        return cls([], 0.0, answer.solution, answer.certificate, True, "", answer.cycles, True)


def record_answer(answer: Answer, column: int, now: float, stream: Stream) -> None:
    """Write an answer into the run file at once, so that a later run can go on after it."""
    stream.record(
        "answers",
        rhs=column,
        time=now,
        converged=answer.converged,
        bits=answer.certificate.bits,
        cycles=answer.cycles,
        residual=answer.certificate.relative_residual,
        taken_over=answer.taken_over,
        solution=answer.solution,
    )


def cycle_row(
    cycle: Cycle, solution: Floats, column: int, reference: Floats, sliced: Floats
) -> dict[str, float]:
    """Return a cycle's values in the table of cycles."""
    error = _relative(solution, reference)
    return {
        "rhs": column,
        "cycle": cycle.number,
        "residual": cycle.carried,
        "relative_error": error,
        "sliced_error": _relative(solution, sliced),
        "bits": float(-np.log2(max(error, 1e-300))),
    }


def largest_error(solutions: Floats, references: Floats) -> float:
    """Return the largest relative error of the columns; of a solution of zeros, or beside zeros, there is none."""
    pairs = zip(solutions.T, references.T, strict=True)
    return max((_relative(one, other) for one, other in pairs if one.any() and other.any()), default=0.0)


def where_short(name: str, values: list[Any], numbers: int) -> dict[str, Any]:
    """Return a list for the summary, which holds 64 KiB; long ones are in the arrays and tables of the run file alone."""
    return {name: values} if numbers <= MOST_NUMBERS else {}


def reasons(system: LinearSystem, short: list[tuple[int, Answer]]) -> str:
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
