"""Answers of a chip beside the digital ones: how far apart, and what is said where a chip's did not converge."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.procedures import HeldAnswers, Stream


def digital_solution(matrix: Floats, rhs: Floats) -> Floats:
    """Return A^-1 B of (n,) or (n, k) right-hand sides by LAPACK in float64: the answer to compare with."""
    return np.asarray(np.linalg.solve(matrix, rhs), dtype=np.float64)


def relative_error(found: NDArray[Any], exact: NDArray[Any]) -> float:
    """Return |found - exact| / |exact| of all entries together; the difference itself where `exact` is zero."""
    return float(np.linalg.norm(found - exact) / (np.linalg.norm(exact) or 1.0))


def worst_error(found: NDArray[Any], exact: NDArray[Any]) -> float:
    """Return the largest |found - exact| of an entry over its own size; entries of zero count as they are."""
    sizes = np.abs(exact)
    return float(np.max(np.abs(found - exact) / np.where(sizes > 0.0, sizes, 1.0)))


def say_unconverged(stream: Stream, answers: HeldAnswers, bits: int, what: str) -> None:
    """Warn where answers did not come to their bits."""
    count = int((~answers.converged).sum())
    if count:
        stream.say(
            f"{what}: {count} of {answers.converged.size} solutions did not come to {bits} bits within "
            f"{int(answers.cycles.max())} cycles; the largest residual is {answers.residuals.max():.2g} ({answers.reason})",
            "WARNING",
        )
