"""A programmed loop that does not settle, shifted by its diagonal resistors around the cells as they came out.

What the cells hold is known once they are programmed, and D^-1 (G + s I) tends to the identity as s grows. So some s
settles whatever the cells hold, and no cell is programmed again for it. Of those that settle, the one is taken around
whose inverse the refinement is expected to take the fewest cycles.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mho.array_types import Floats
from mho.errors import ConvergenceError
from mho.procedures.equations.circuits.loop_on_cells import AchievedLoop, LoopOnCells
from mho.procedures.equations.planning.drawn_loops import DrawnLoops
from mho.procedures.equations.planning.loop_choice import Loop

FIRST, RATIO, STEPS = 0.1, 1.5, 36
"""Smallest of the shifts that are tried, in units of the matrix's largest eigenvalue; from one to the next; how many."""

COMPARED = 5
"""Shifts that settle, of which the best is taken: those beyond only make the loop more like a unit matrix."""


def shifted_in_resistors(
    loop: Loop, cells: LoopOnCells, input_conductance: float, rng: np.random.Generator
) -> tuple[Loop, LoopOnCells]:
    """Return the loop on the same cells as achieved with larger diagonal resistors, with which it settles.

    Parameters
    ----------
    loop : Loop
        As planned, or as shifted before.
    cells : LoopOnCells
        That hold it.
    input_conductance : float
        g_in, S.
    rng : numpy.random.Generator
        Of the right-hand side by which shifts are compared.

    Raises
    ------
    ConvergenceError
        When none settles: a row of the loop has lost its cells.
    """
    rhs = rng.standard_normal(len(loop.matrix))
    radius = float(np.abs(np.linalg.eigvals(loop.matrix)).max())
    # A loop that rails although it should have settled is shifted by a multiple of its shift, lest there be no end.
    first = max(FIRST * radius, (RATIO - 1.0) * loop.candidate.shift)
    found: list[tuple[Loop, LoopOnCells]] = []
    for step in range(STEPS):
        shifted = _with(cells, first * RATIO**step)
        achieved = shifted.achieved(input_conductance)
        if not achieved.unstable and achieved.damping > 0.0:
            found.append((_judged(loop, shifted, achieved, rhs), shifted))
        if len(found) == COMPARED:
            break
    if not found:
        raise ConvergenceError(
            "no INV loop settles, however far its diagonal resistors shift it: a row has lost its cells; check the "
            "programmed cells"
        )
    return min(found, key=lambda one: one[0].cycles)


def _with(cells: LoopOnCells, further: float) -> LoopOnCells:
    """Return the same cells beside diagonal resistors that are larger by `further`, in the matrix's units."""
    encoding = cells.encoding
    return replace(cells, encoding=replace(encoding, diagonal=encoding.diagonal + further))


def _judged(loop: Loop, cells: LoopOnCells, achieved: AchievedLoop, rhs: Floats) -> Loop:
    """Return the loop that these cells are, with the cycles that are expected around it."""
    before = loop.candidate
    further = cells.encoding.diagonal - before.encoding.diagonal
    candidate = replace(
        before,
        encoding=cells.encoding,
        slowest=achieved.slowest,
        damping=achieved.damping,
        shift=before.shift + further,
    )
    drawn = DrawnLoops.programmed(loop.matrix, achieved.matrix, rhs)
    return replace(loop, candidate=candidate, cycles=float(np.median(drawn.cycles("gcr"))), drawn=drawn)
