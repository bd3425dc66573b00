"""Answers that an earlier run of the same solve has in its file, so that one of many right-hand sides goes on after a kill.

Nothing that the file says of a solution is believed: its residual is taken again, from matrix and right-hand side as given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mho.array_types import Floats
from mho.errors import InputError
from mho.procedures.equations.certificates.certificate import Certificate
from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.runs import Column, RunFile, Table


@dataclass(frozen=True)
class EarlierAnswer:
    """A solution in an earlier run's file that meets the goal.

    Attributes
    ----------
    solution : (N,) array
        Of the square system.
    certificate : Certificate
        Taken now.
    cycles : int
        That it took then.
    """

    solution: Floats
    certificate: Certificate
    cycles: int


def answers_table(system: LinearSystem) -> Table:
    """Return the table of answers, one a right-hand side, written when it is found."""
    return Table(
        "answers",
        (
            Column("rhs", dtype="u4", description="right-hand side, counted from 0"),
            Column("time", "s", description="bench time"),
            Column("converged", dtype="u1", description="1 where the goal was met"),
            Column("bits", description="proved by the certificate", digital=1e-2),
            Column("cycles", dtype="u4"),
            Column("residual", description="recomputed, relative to the right-hand side", digital=1e-11),
            Column("taken_over", dtype="u1", description="1 where it is an earlier run's"),
            Column(
                "solution",
                shape=(system.size,),
                description="of the square system: x, or of augmented least squares the scaled residual and x",
                digital=1e-9,
            ),
        ),
        signal="bits",
        axis="rhs",
        title="answers",
        rows=system.count,
    )


def earlier_answers(path: Path, system: LinearSystem) -> Mapping[int, EarlierAnswer]:
    """Return the answers in the run file at `path` that meet the goal of `system`, by right-hand side.

    Raises
    ------
    RunFileError
        When the file cannot be read.
    InputError
        For a run of another matrix or other right-hand sides, or of no solve.
    """
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
    found = {}
    for column, solution, cycles in zip(rows["rhs"], rows["solution"], rows["cycles"], strict=False):
        answer = _examined(solution.astype(float), int(column), int(cycles), system)
        if answer is not None:
            found[int(column)] = answer
    return found


def _examined(solution: Floats, column: int, cycles: int, system: LinearSystem) -> EarlierAnswer | None:
    """Return an answer of which the residual, taken now, meets the goal; else None."""
    if column >= system.count or not np.isfinite(solution).all():
        return None
    certificate = system.certify(solution, system.residual(solution, column), column)
    return EarlierAnswer(solution, certificate, cycles) if system.goal.met(certificate) else None
