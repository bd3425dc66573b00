"""Pulses as a table has them, sorted by cell and time, each with the read before it; which of them met a virgin cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Booleans, Floats

Columns = dict[str, Floats]  # of a table of pulses, SI

READ, SET, RESET = range(3)  # codes of the column `kind`
FORMED = 0.2  # of the floor: a cell that was never read above is unformed, however far off zero its meter is


def formed_above(base: Mapping[str, float]) -> float:
    """Return the conductance (S) between cells that were never formed and any state of others.

    A meter's offset on the range for formed cells may be tens of nS, so that it lies well above what virgin cells conduct.
    """
    return float((base["unformed"] * base["floor"]) ** 0.5)


def by_cell(columns: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.int64], Booleans, NDArray[np.int64]]:
    """Return the order of a table's rows by cell and time, and of the rows in it which are the first of a cell, and whose.

    Cells are numbered in the order of array, row and column.
    """
    place = np.stack([np.asarray(columns[name], dtype=np.int64) for name in ("array", "row", "column")])
    order = np.lexsort((np.asarray(columns["time"]), *place[::-1]))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(place[:, order], axis=1) != 0).any(axis=0)
    return order, first, np.cumsum(first) - 1


@dataclass(frozen=True)
class PulsesByCell:
    """Pulses and reads of a table, (rows,) but for what is said of `young`."""

    cell: NDArray[np.int64]  # number of the cell, in the order of array, row and column
    first: Booleans  # the first row of its cell
    time: Floats  # s
    kind: Floats  # a code
    voltage: Floats  # V
    width: Floats  # s
    gate: Floats  # V
    before: Floats  # conductance read, S, at least what a virgin cell conducts; NaN where there is none
    after: Floats  # likewise
    pulse: Booleans  # pulses with reads before and after them
    virgin: Booleans  # those whose cell had not been formed
    young: Booleans  # (cells,): cells that were virgin when they were first read

    @property
    def count(self) -> int:
        """Number of cells."""
        return len(self.young)

    @property
    def formed(self) -> Booleans:
        """Pulses on cells that were formed."""
        return self.pulse & ~self.virgin


def pulses_by_cell(columns: Mapping[str, NDArray[Any]], base: Mapping[str, float]) -> PulsesByCell:
    """Sort the columns of a table `pulses`, as `transitions_of` has them."""
    order, first, cell = by_cell(columns)
    time, kind, voltage, width, gate, conductance = (
        np.asarray(columns[name], dtype=float)[order]
        for name in ("time", "kind", "voltage", "width", "gate", "conductance")
    )
    read = np.maximum(conductance, base["unformed"])
    before = np.concatenate([[np.nan], read[:-1]])[: len(read)]
    before[first] = np.nan

    virgin_below = formed_above(base)
    conducts = max(FORMED * base["floor"], virgin_below)
    high_so_far = np.cumsum(read > conducts) - (read > conducts)  # reads before this one
    never = high_so_far == high_so_far[first][cell] if len(cell) else np.zeros(0, bool)
    return PulsesByCell(
        cell, first, time, kind, voltage, width, gate, before, read,
        pulse=(kind != READ) & np.isfinite(before) & np.isfinite(conductance),
        virgin=(before < virgin_below) | (never & (before < conducts)),
        young=read[first] < conducts,
    )  # fmt: skip
