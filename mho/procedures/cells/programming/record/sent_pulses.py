"""Pulses written to the run file before they are sent: none is lost where a process ends between pulse and record.

A row of the table of pulses is written after its verify read. What is killed before it has written one has sent a pulse,
or has not: on real instruments nobody knows. So the pulses of a cell, or of a group, stand in an array of their own,
numbered, while they are sent; those whose number the table has not reached are taken over as sent and not confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.procedures.cells.programming.product_descent import batch_of
from mho.procedures.cells.programming.strategy import Pulses, Strategy
from mho.procedures.stream import Stream
from mho.runs import Array, RunFile

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Rows = Mapping[str, NDArray[Any]]

SENT = "pulses_sent"
COLUMNS = ("number", "time", "array", "row", "column", "kind", "voltage", "width", "gate")


def most_at_once(settings: WriteVerifySettings, strategy: type[Strategy], placement: Placement) -> int:
    """Return how many pulses are sent at most before the next verify read, or the next products of a descent."""
    rows, columns = len(placement.rows), len(placement.columns)
    verified = 1 if settings.verify == "cell" else max(rows, columns)
    return max(verified, batch_of(rows * columns)) if strategy.descends else verified


def sent_pulses(most: int) -> Array:
    """Return the declaration of the array, for `most` pulses between two verify reads."""
    return Array(
        SENT,
        np.zeros((most, len(COLUMNS))),
        description=f"pulses that were sent last, written before: {', '.join(COLUMNS)} as in the table; 0 is none",
    )


class SentPulses:
    """Writes pulses to the run file before they are sent.

    Parameters
    ----------
    most : int
        As the array was declared for.
    number : int
        Pulses that the table holds so far.
    """

    def __init__(self, stream: Stream, most: int, number: int) -> None:
        self._stream, self._most, self._number = stream, most, number

    def announce(self, time: float, array: int, rows: Numbers, columns: Numbers, pulses: Pulses) -> None:
        """Write pulses that are sent next, from `time` (s) on, to these cells, and flush them to the disk."""
        count = len(rows)
        announced = np.zeros((self._most, len(COLUMNS)))
        number = self._number + 1 + np.arange(count)
        values = (number, time, array, rows, columns, *pulses)
        for place, column in enumerate(values):
            announced[:count, place] = column
        self._number += count
        self._stream.set_array(SENT, announced)
        self._stream.flush()


def not_confirmed(run: RunFile, rows: Rows) -> dict[str, NDArray[Any]]:
    """Return the pulses that a run announced and that are not among its rows, as rows without a verify read."""
    nothing: dict[str, NDArray[Any]] = {name: values[:0] for name, values in rows.items()}
    if SENT not in run.arrays:
        return nothing
    announced = run.array(SENT)
    lost = announced[announced[:, 0] > np.count_nonzero(rows["kind"])]
    found = dict(zip(COLUMNS[1:], lost[:, 1:].T, strict=True)) | {"conductance": np.full(len(lost), np.nan)}
    return {name: found[name].astype(values.dtype) for name, values in rows.items()}
