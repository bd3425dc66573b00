"""The conductance error of programmed cells, cause by cause: what a read says less the target is a sum of parts.

    read - target = (after the last pulse - target) + (at the read - after the last pulse) + (read - at the read)

each as it is read through the wires of its cell: programming, relaxation, and read noise with the meter's errors. The mean
square of a sum has its shares in closed form (`additive_values`); intervals are those of cells drawn anew (bootstrap).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.instruments.arrays import Cause, held_history
from mho.running.budget.last_reads import LastReads
from mho.running.budget.shapley import additive_values
from mho.running.budget.shares import Decomposition
from mho.runs import RunFile, Status

Floats = NDArray[np.float64]

PARTS: tuple[Cause, ...] = ("programming", "relaxation", "read noise")


@dataclass(frozen=True)
class CellErrors:
    """Errors of cells relative to the root mean square of their targets.

    Attributes
    ----------
    parts : (3, cells) array
        By `PARTS`.
    measured : float
        Mean square, as the run file has it.
    """

    parts: Floats
    measured: float

    @property
    def cells(self) -> int:
        """Number of cells."""
        return int(self.parts.shape[1])

    def decomposed(self) -> Decomposition:
        """Return the shares, in closed form."""
        whole = self.parts.sum(axis=0)
        return Decomposition(
            PARTS,
            additive_values(self.parts),
            np.zeros(len(PARTS)),
            np.mean(self.parts**2, axis=1),
            np.mean((whole - self.parts) ** 2, axis=1),
            float(np.mean(whole**2)),
            0.0,
            0,
        )

    def redrawn(self, draws: int, rng: np.random.Generator) -> Floats:
        """Return the values (draws, 3) of cells drawn anew from these, relative to their own error as this one's are."""
        found = np.empty((draws, len(PARTS)))
        own = float(np.mean(self.parts.sum(axis=0) ** 2))
        for number in range(draws):
            some = self.parts[:, rng.integers(0, self.cells, self.cells)]
            error = float(np.mean(some.sum(axis=0) ** 2))
            found[number] = additive_values(some) * (own / error if error > 0.0 else 1.0)
        return found


def cell_errors(file: RunFile, plan: Any, bench: Any, reads: LastReads) -> CellErrors:
    """Return the errors of the cells that `Program` programmed, on the bench that repeated it.

    Raises
    ------
    InputError
        When the run was cut short: what a cell holds is known at the end only.
    """
    if file.status is not Status.FINISHED:
        raise InputError(
            f"{file.path} is {file.status}, and was repeated to its end: what its cells held when it stopped is not known; "
            "give a finished run"
        )
    place = plan.placement
    target = plan.levels.conductance(plan.digits)
    times, read = reads.of(place.array, place.rows, place.columns)
    first, verified, series = held_history(bench, place.array, place.rows, place.columns, times)
    known = np.isfinite(read)
    if not known.any():
        raise InputError(f"{file.path} holds no verify read of a cell")
    first, verified = (one / (1.0 + one * series) for one in (first, verified))
    scale = float(np.sqrt(np.mean(target[known] ** 2)))
    parts = np.stack([(first - target)[known], (verified - first)[known], (read - verified)[known]]) / scale
    achieved = file.map(f"{place.array}_conductance")
    rows, columns = file.map_axes(f"{place.array}_conductance")
    image = achieved[np.ix_(np.searchsorted(rows, place.rows), np.searchsorted(columns, place.columns))]
    measured = float(np.mean((image - target)[known] ** 2)) / scale**2
    return CellErrors(parts, measured)
