"""The conductance error of programmed cells, cause by cause: what a read says less the target is a sum of parts.

    read - target = (after the last pulse - target) + (at the read - after the last pulse) + (read - at the read)

each as it is read through the wires of its cell: programming (of cells that no pulse moves: stuck cells), relaxation, and
read noise with the meter's errors. Read noise misleads write-verify, so that without it the other parts are those of the
same run programmed without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.arrays import Cause, held_history, stuck_cells
from mho.running.budget.shares import Decomposition, Moments, shapley_values
from mho.runs import RunFile


class LastReads:
    """When cells were last verified, and what they were read as.

    `shapes`: rows and columns of each array, in the order of their numbers in the table.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, int]]) -> None:
        self._shapes = dict(shapes)
        self._last: dict[str, Floats] = {}  # times and conductances (2, rows, columns), of arrays in use

    def empty(self) -> LastReads:
        """Return another one of the same chip, of no reads."""
        return LastReads(self._shapes)

    def take(self, rows: Mapping[str, Any]) -> None:
        """Take rows of the table, or one; later rows of a cell replace earlier ones."""
        array, row, column, time, read = (
            np.atleast_1d(rows[name]) for name in ("array", "row", "column", "time", "conductance")
        )
        names = list(self._shapes)
        for number in np.unique(array).tolist():
            name = names[number]
            if name not in self._last:
                self._last[name] = np.full((2, *self._shapes[name]), np.nan)
            last = self._last[name]
            some = np.flatnonzero(array == number)
            order = some[np.argsort(time[some], kind="stable")]  # of equal places the last one stays
            known = np.where(np.isnan(read[order]), np.nan, time[order])
            last[:, row[order], column[order]] = known, read[order]

    def of(self, array: str, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return the times (R, C), s of bench time, and conductances (R, C), S, of a block; NaN where none was read."""
        if array not in self._last:
            return (np.full((len(rows), len(columns)), np.nan),) * 2
        times, reads = self._last[array][:, rows[:, None], columns]
        return times, reads


PARTS: tuple[Cause, ...] = ("programming", "stuck cells", "relaxation", "read noise")
NOISE = 1 << PARTS.index("read noise")

# Cells from which on others drawn from them tell how far the shares of other cells lie: of 64, a twentieth of
# them stuck, 87 % of the intervals held the shares of many cells, of 256 94 to 97 %
FEWEST_REDRAWN = 256


@dataclass(frozen=True)
class CellErrors:
    """Errors of cells relative to the root mean square of their targets."""

    parts: Floats  # (4, cells) array; by `PARTS`
    measured: float  # mean square, as the run file has it
    # (4, cells) array or None; of the same cells, programmed without read noise; None where that is not
    # known, and `parts` stand for them
    quiet: Floats | None = None

    @property
    def cells(self) -> int:
        """Number of cells."""
        return int(self.parts.shape[1])

    def decomposed(self) -> Decomposition:
        """Return the shares, of all sets of the parts."""
        result = self._squares(np.arange(self.cells))
        ones = 1 << np.arange(len(PARTS))
        return Decomposition(
            PARTS, shapley_values(result), np.zeros(len(PARTS)), result[ones], result[len(result) - 1 - ones],
            float(result[-1]), 0.0, 0,
        )  # fmt: skip

    def redrawn(self, draws: int, rng: np.random.Generator) -> Moments:
        """Return the values of cells drawn anew from these, relative to their own error as this one's are."""
        values, mended = np.empty((2, draws, len(PARTS)))
        own = float(self._squares(np.arange(self.cells))[-1])
        for number in range(draws):
            squares = self._squares(rng.integers(0, self.cells, self.cells))
            scaled = squares * (own / squares[-1] if squares[-1] > 0.0 else 1.0)
            values[number] = shapley_values(scaled)
            mended[number] = scaled[len(squares) - 1 - (1 << np.arange(len(PARTS)))]
        return Moments(values, mended)

    def _squares(self, cells: Integers) -> Floats:
        """Return the mean squares (2^parts,) over some cells, of every set of parts by its number."""
        quiet = self.parts if self.quiet is None else self.quiet
        on = (np.arange(1 << len(PARTS))[:, None] >> np.arange(len(PARTS))) & 1
        noisy = (np.arange(len(on)) & NOISE) > 0
        sums = np.where(noisy[:, None], on @ self.parts[:, cells], on @ quiet[:, cells])
        return np.asarray(np.mean(sums**2, axis=1))


def cell_errors(file: RunFile, plan: Any, bench: Bench, reads: LastReads) -> CellErrors:
    """Return the errors of the cells that `Program` programmed, on the bench that repeated it as far as it came.

    Of a run that was stopped, cells that were read after their last pulse count.

    `InputError` when there are none.
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
    stuck = stuck_cells(bench, *lines)
    missed = first - target
    each = np.where(stuck, 0.0, missed), np.where(stuck, missed, 0.0), verified - first, read - verified
    parts = np.stack([one[known] for one in each]) / scale
    measured = float(np.mean((achieved - target)[known] ** 2)) / scale**2
    return CellErrors(parts, measured)


def _achieved(file: RunFile, reads: LastReads, lines: tuple[str, Integers, Integers]) -> Floats:
    """Return what the cells were read as last, S, as the run file has it; NaN where they were not.

    An image may be older, and that of a descent has what products said of the cells.
    """
    seen = reads.empty()
    seen.take(file.table("pulses"))
    return seen.of(*lines)[1]
