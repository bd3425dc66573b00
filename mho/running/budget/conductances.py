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
from mho.instruments import Bench
from mho.instruments.arrays import Cause, held_history
from mho.running.budget.last_reads import LastReads
from mho.running.budget.shapley import additive_values
from mho.running.budget.shares import Decomposition
from mho.runs import RunFile, Status

Floats = NDArray[np.float64]
Lines = NDArray[np.int64]

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


def cell_errors(file: RunFile, plan: Any, bench: Bench, reads: LastReads) -> CellErrors:
    """Return the errors of the cells that `Program` programmed, on the bench that repeated it as far as it came.

    Of a run that was stopped, cells that were read after their last pulse count.

    Raises
    ------
    InputError
        When there are none.
    """
    place = plan.placement
    lines = place.array, place.rows, place.columns
    target = plan.levels.conductance(plan.digits)
    times, read = reads.of(*lines)
    first, verified, series = held_history(bench, *lines, times)
    achieved = _achieved(file, reads, lines)
    known = np.isfinite(read) & np.isfinite(achieved)
    if not known.any():
        raise InputError(f"{file.path} holds no verify read of a cell after its last pulse ({file.status})")
    first, verified = (one / (1.0 + one * series) for one in (first, verified))
    scale = float(np.sqrt(np.mean(target[known] ** 2)))
    parts = np.stack([(first - target)[known], (verified - first)[known], (read - verified)[known]]) / scale
    measured = float(np.mean((achieved - target)[known] ** 2)) / scale**2
    return CellErrors(parts, measured)


def _achieved(file: RunFile, reads: LastReads, lines: tuple[str, Lines, Lines]) -> Floats:
    """Return what the cells were read as last, S, as the run file has it; NaN where they were not."""
    array, down, across = lines
    if file.status is not Status.FINISHED:  # its last image may be older
        seen = reads.empty()
        seen.take(file.table("pulses"))
        return seen.of(*lines)[1]
    rows, columns = file.map_axes(f"{array}_conductance")
    image = file.map(f"{array}_conductance")
    return np.asarray(image[np.ix_(np.searchsorted(rows, down), np.searchsorted(columns, across))])
