"""The history of one cell in a run: read from its tables backwards, block by block, and followed live."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.gui.chip.cell_updates import CellTable
from mho.runs import RunFile

BLOCK = 131_072
"""Rows looked through at once."""

COLUMNS = ("time", "conductance", "kind", "voltage", "width", "gate")
RECORD = np.dtype([(name, np.float64) for name in COLUMNS])
NOTHING = np.rec.array(np.empty(0, RECORD))
"""The history of a cell that was left alone: a record for each pulse and read, oldest first.

`time` is bench time, s, or the row's number in a table without times; `conductance` what was read, S; `kind` 0 for a read
only, 1 SET or forming, 2 RESET (`mho.procedures.cells.programming.programmer.KINDS`); `voltage` and `gate` V, `width` s,
NaN where the table does not tell.
"""

KIND_NAMES = ("read", "SET", "RESET")


def describe(one: np.record) -> str:
    """Describe a pulse or read, with units."""
    kind = int(one.kind)
    text = f"{one.time:.6g} s: {KIND_NAMES[kind] if kind < len(KIND_NAMES) else 'pulse'}"
    if np.isfinite(one.voltage):
        text += f" {one.voltage:.3g} V"
    if one.width > 0:
        text += f", {1e9 * one.width:.4g} ns"
    if np.isfinite(one.gate):
        text += f", gate {one.gate:.3g} V"
    return f"{text} → {1e6 * one.conductance:.4g} µS"


class HistoryReader:
    """Reads the `history` of a cell from a table, the newest rows first; `look` raises RunFileError for a damaged file."""

    def __init__(self, run: RunFile, table: CellTable, code: int, cell: tuple[int, int]) -> None:
        self.cell = cell
        self.history = NOTHING
        self._run, self._table, self._code = run, table, code
        self._next = self._before = run.length(table.name)
        self._end = max(self._before, 1)

    @property
    def complete(self) -> bool:
        """Whether the table was searched to its beginning."""
        return self._before == 0

    @property
    def share(self) -> float:
        """Share of the table that was searched."""
        return 1.0 - self._before / self._end

    def look(self) -> bool:
        """Search new rows, else a block of earlier ones; return whether any is about the cell."""
        length = self._run.length(self._table.name)
        if length > self._next:
            start, self._next = self._next, min(length, self._next + BLOCK)
            found = self._read(start, self._next)
            self.history = _joined(self.history, found)
        elif self.complete:
            return False
        else:
            stop, self._before = self._before, max(0, self._before - BLOCK)
            found = self._read(self._before, stop)
            self.history = _joined(found, self.history)
        return len(found) > 0

    def _read(self, start: int, stop: int) -> Any:
        name, run = self._table.name, self._run
        mine = np.ones(stop - start, dtype=bool)
        wanted = {"row": self.cell[0], "column": self.cell[1]}
        if not self._table.array:
            wanted["array"] = self._code
        for column, value in wanted.items():
            mine &= run.column(name, column, start, stop) == value
        places = np.flatnonzero(mine)
        if not len(places):
            return NOTHING
        first, last = start + int(places[0]), start + int(places[-1]) + 1

        def values(column: str) -> Floats:
            if column in self._table.columns:
                return np.asarray(run.column(name, column, first, last)[places - places[0]], np.float64)
            if column == "time":
                return np.asarray(start + places, np.float64)
            return np.full(len(places), 0.0 if column == "kind" else np.nan)

        return np.rec.fromarrays([values(column) for column in COLUMNS], RECORD)


def _joined(*histories: Any) -> Any:
    return np.concatenate(histories).view(np.recarray)
