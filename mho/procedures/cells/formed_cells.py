"""Which cells have been formed: a virgin one conducts far less than any other in its deepest RESET."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.instruments import Bench
from mho.procedures.cells.cell_visits import CellSurvey, Measured, VisitedCells
from mho.procedures.stream import Stream

VIRGIN_SHARE = 0.05
"""Of what write-verify takes as formed: 5 nS on the reference chip, above a virgin cell and below a deep RESET."""

RANGE, NPLC = 1e-7, 0.1  # A and power line cycles: a reading scatters by some picoamperes


def formed_cells(
    bench: Bench,
    stream: Stream,
    array: str,
    cells: tuple[NDArray[np.int64], NDArray[np.int64]],
    formed_above: float,
) -> NDArray[np.bool_]:
    """Return which cells, given by rows and columns, have been formed; each is read once, and nothing is recorded.

    Parameters
    ----------
    formed_above : float
        Conductance (S) of a formed cell as write-verify takes it.
    """

    def read(visited: VisitedCells) -> Measured:
        return visited.read(np.arange(visited.count), bench.file.read.voltage)

    formed = np.zeros(len(cells[0]), dtype=bool)
    span = min(RANGE, bench.file.read.current_range)
    with bench.metering(current_limit=span, current_range=span, nplc=NPLC):
        for part, found in CellSurvey(bench, stream, array, cells, "").visit("reading", read):
            formed[part] = found.limited | ~(found.conductance < VIRGIN_SHARE * formed_above)
    return formed


def form_first(array: str, rows: str, columns: str) -> str:
    """Return what to do about virgin cells, for a message."""
    return f"form them first: mho run form --array {array} --rows {rows} --columns {columns}"
