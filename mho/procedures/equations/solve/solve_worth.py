"""What a run's result says of the chip's worth, and the curve of the same solve without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mho.procedures.equations.solve.answers import Answer
from mho.procedures.equations.solve.prepared_solve import PreparedSolve
from mho.procedures.equations.solve.programmed_matrix import MatrixOnChip
from mho.procedures.equations.worth.work import Work
from mho.procedures.equations.worth.worth import Worth
from mho.procedures.stream import Stream


def record_worth(
    plan: PreparedSolve, matrix: MatrixOnChip, answers: Sequence[Answer], refining: Work, stream: Stream
) -> dict[str, Any]:
    """Solve sampled right-hand sides without the chip, record their curves, and return what the chip was worth beside them.

    Empty where the chip refined nothing, as of an earlier run's answers and right-hand sides of zeros.

    Parameters
    ----------
    refining : Work
        Of the refinements, beside the matrix's own.
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
    cycles = [answers[column].cycles if answers[column].converged else None for column in columns]
    worth = Worth.of(
        baseline,
        cycles,
        work,
        most=plan.most_unaided,
        allowed=plan.most,
        digital_without=round(baseline.digital_each * len(refined)) + certificate,
        nothing=matrix.loops_lost or not _contracts(answers),
    )
    told = worth.plain()
    result["without_chip"] = told | {"in_words": worth.in_words()}
    return result | {"cycles_saved": told["saved"], "digital_ratio": told["digital_ratio"]}


def _contracts(answers: Sequence[Answer]) -> bool:
    """Return whether the loop, by itself, reduces an error of every right-hand side."""
    return all(answer.rho < 1.0 for answer in answers if answer.rho is not None)
