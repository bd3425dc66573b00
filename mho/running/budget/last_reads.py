"""The last verify read of every cell of a chip, from the table of pulses as a run writes it.

A pulse without a read, as that at which a run was stopped, leaves the cell unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats


class LastReads:
    """When cells were last verified, and what they were read as.

    Parameters
    ----------
    shapes : mapping
        Rows and columns of each array, in the order of their numbers in the table.
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
