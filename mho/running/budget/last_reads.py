"""The last verify read of every cell of a chip, from the table of pulses as a run writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class LastReads:
    """When cells were last verified, and what they were read as.

    Parameters
    ----------
    shapes : mapping
        Rows and columns of each array, in the order of their numbers in the table.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, int]]) -> None:
        self._times = {name: np.full(shape, np.nan) for name, shape in shapes.items()}
        self._reads = {name: np.full(shape, np.nan) for name, shape in shapes.items()}

    def take(self, rows: Mapping[str, Any]) -> None:
        """Take rows of the table, or one; later rows of a cell replace earlier ones."""
        array, row, column, time, read = (
            np.atleast_1d(rows[name]) for name in ("array", "row", "column", "time", "conductance")
        )
        for number, name in enumerate(self._times):
            some = np.flatnonzero((array == number) & np.isfinite(read))
            order = some[np.argsort(time[some], kind="stable")]  # of equal places the last one stays
            place = row[order], column[order]
            self._times[name][place], self._reads[name][place] = time[order], read[order]

    def of(self, array: str, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return the times (R, C), s of bench time, and conductances (R, C), S, of a block; NaN where none was read."""
        block = np.ix_(rows, columns)
        return self._times[array][block], self._reads[array][block]
