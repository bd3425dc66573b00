"""Summary of a solve: what ``mho solve --json`` prints and the run file keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.planning.linear_system import LinearSystem
from mho.procedures.equations.solve.answers import (
    Answer,
    largest_error,
    plain_numbers,
    reasons,
    where_short,
)
from mho.procedures.equations.solve.programmed_matrix import COUNTS, MatrixOnChip

Floats = NDArray[np.float64]

LARGEST_JUDGED = 1024
"""Unknowns up to which the condition number is found: its time grows with their cube, a second here."""


def unconverged(answers: Sequence[Answer]) -> list[tuple[int, Answer]]:
    """Return the answers that did not converge, with their columns."""
    return [(column, answer) for column, answer in enumerate(answers) if not answer.converged]


def worst_of(answers: Sequence[Answer]) -> Answer:
    """Return the answer of which the least is proved."""
    return min(answers, key=_proof)


def _proof(answer: Answer) -> tuple[bool, float, float]:
    """Return what makes an answer the better one: the bits of a certificate end at 53, its bounds do not."""
    return answer.converged, -answer.certificate.error_bound, -answer.certificate.relative_residual


def summary_of(
    system: LinearSystem,
    matrix: MatrixOnChip,
    answers: Sequence[Answer],
    solutions: Floats,
    sliced: Floats,
    *,
    bits: int | None,
    tolerance: float | None,
    now: float,
) -> dict[str, Any]:
    """Return the summary.

    Parameters
    ----------
    solutions, sliced : (n, k) arrays
        Found, and of the matrix as the chip's products hold it.
    bits, tolerance
        What was asked for; None for what was not.
    now : float
        The bench's time, s.
    """
    on_chip, counts, worst = matrix.plan, matrix.counts, worst_of(answers)
    rows = [row for answer in answers for row in answer.rows]
    solution = system.columns_as_given(solutions)
    rhos = [answer.rho for answer in answers if answer.rho is not None]
    return {
        "converged": not unconverged(answers),
        "reason": reasons(system, unconverged(answers)),
        "bits_asked": bits,
        "tolerance": tolerance,
        "bits": worst.certificate.bits,
        "certificate": worst.certificate.plain(),
        "encoding": on_chip.encoding_name,
        "shift": on_chip.shift,
        "method": matrix.method,
        "methods_judged": [one.plain() for one in on_chip.choice.judged],
        "residual_from": "analogue" if matrix.on_chip else "float64",
        "condition": None if system.residual_only else condition_number(system.given_matrix),
        "forecast_rho": matrix.rho if np.isfinite(matrix.rho) else None,
        "forecast_bits_a_cycle": _bits(matrix.rho),
        "measured_rho": max(rhos, default=None),
        "bits_a_cycle": _bits(reduction_a_cycle(rows)),
        "loop_slowest": matrix.margin[0],
        "loop_damping": matrix.margin[1],
        "cycles_to_goal": None
        if unconverged(answers)
        else max((answer.cycles for answer in answers), default=0),
        "relative_error": None if system.residual_only else largest_error(solutions, system.reference),
        "sliced_error": None if system.residual_only else largest_error(solutions, sliced),
        **where_short("solution", plain_numbers(solution), solutions.size),
        **where_short("cycles", rows, sum(map(len, rows))),
        **{f"mvm_{name}": counts[name] for name in COUNTS},
        **matrix.operations,
        "products_off": max(answer.products_off for answer in answers),
        "inv_clamped": matrix.clamped,
        **on_chip.choices,
        "cells": sum(block.digits.size for block in on_chip.blocks()),
        "cells_failed": matrix.failed,
        "pulses": matrix.pulses,
        "reads": matrix.reads,
        "joules": matrix.joules,
        "virtual_seconds": now,
    }


def reduction_a_cycle(rows: Sequence[Mapping[str, float]]) -> float | None:
    """Return the factor by which a cycle reduced the residual, the geometric mean; of several columns the largest.

    Parameters
    ----------
    rows : sequence of mapping
        Of each cycle ``rhs``, ``cycle`` and ``residual``, relative to the right-hand side.
    """
    last: dict[float, Mapping[str, float]] = {}
    for row in rows:
        if row["residual"] > 0.0 and row["cycle"] >= last.get(row["rhs"], row)["cycle"]:
            last[row["rhs"]] = row
    found = [row["residual"] ** (1.0 / row["cycle"]) for row in last.values() if row["cycle"] > 0]
    return max(found, default=None)


def condition_number(matrix: NDArray[Any]) -> float | None:
    """Return the condition number of a matrix in the 2-norm; None where it is infinite, or would take long to find."""
    if min(matrix.shape) > LARGEST_JUDGED:
        return None
    values = np.linalg.svd(matrix, compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0.0 else None


def _bits(rho: float | None) -> float | None:
    """Return the bits that a cycle finds whose error shrinks by `rho`."""
    return -float(np.log2(rho)) if rho is not None and np.isfinite(rho) and rho > 0.0 else None
