"""Solutions of a held matrix cycle by cycle, so that a run can show how they converge."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.algorithms.refinement import CORRECTION_BITS, refine
from mho.procedures.equations.held.held_matrix import HeldMatrix

Floats = NDArray[np.float64]


def published_cycles(held: HeldMatrix, rhs: Floats, cycles: int) -> Iterator[Floats]:
    """Yield the solutions (n,) of the published loop, with a line search, so that the residual never grows."""
    yield from held.solve(rhs, cycles=cycles, method="line search").each[:, :, 0]


def gcr_cycles(held: HeldMatrix, rhs: Floats, cycles: int, bits: int) -> Iterator[Floats]:
    """Yield the solutions (n,) of GCR around the same INV and MVM, until the residual is below 2^-bits of `rhs`.

    The way that `HeldMatrix.solve` takes where the published loop is slow.
    """
    matrix = np.asarray(held.matrix, dtype=np.float64)
    goal = 2.0**-bits * float(np.linalg.norm(rhs))
    for cycle in refine(
        rhs,
        held.invert,
        lambda correction: held.multiply(correction.values, CORRECTION_BITS),
        lambda solution: rhs - matrix @ solution,
        lambda solution, size: size <= goal,
        method="gcr",
        max_cycles=cycles,
    ):
        yield cycle.solution
