"""Cells that a bench's own pulses have destroyed: by the chip's own state, or on real cells by what they had and read.

A simulated chip knows which cells were destroyed and by what. Of a real one only this is known: which cells had more
than the chip map says that a cell bears, and which of them a procedure has found stuck since.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Integers
from mho.instruments.bench.instruments import Simulated
from mho.instruments.roles import Cell

CURRENT = "current"  # the rating that is no line's


@dataclass(frozen=True)
class LostCell:
    """A cell that pulses or levels of a bench have destroyed.

    Attributes
    ----------
    cause : str
        ``over-voltage``, ``over-current`` or ``deep RESET`` (a RESET pulse on a cell that was deep in HRS already).
    line : str
        Where it was applied: ``bit line`` or ``source line``.
    value : float
        V; A of an over-current.
    """

    cell: Cell
    cause: str
    line: str
    value: float

    @property
    def stress(self) -> str:
        """What destroyed it, as ``4.5 V on the bit line``."""
        return f"{self.value:.3g} {'A' if self.cause == 'over-current' else 'V'} on the {self.line}"

    def __str__(self) -> str:
        return f"{self.cell.array}[{self.cell.row}, {self.cell.column}] by {self.stress}"


class PulseDamage:
    """The cells that a bench's pulses and levels have destroyed since `begin`.

    Parameters
    ----------
    simulated : Simulated or None
        Whose chip is asked.
    bears : mapping
        Ratings of a cell by the chip map: V by line, and ``current``, A.

    Attributes
    ----------
    acted : bool
        Whether any pulse or sweep was sent since `begin`.
    """

    def __init__(self, simulated: Simulated | None, bears: Mapping[str, float]) -> None:
        self._simulated = simulated
        self._bears = dict.fromkeys(("bit line", "source line", CURRENT), math.inf)
        if simulated is None:
            self._bears |= {name.replace("_", " "): most for name, most in bears.items()}
        self.begin()

    def begin(self) -> None:
        """Count from now on: what is destroyed already is not this run's."""
        self.acted = False
        self._before = frozenset(one.cell for one in self._of_chip())
        self._stressed: dict[Cell, LostCell] = {}
        self._stuck: set[Cell] = set()

    def note_voltage(self, cell: Cell, line: str, volts: float) -> None:
        """Record that a cell gets `volts` on a line."""
        if abs(volts) > self._bears[line]:
            self._stress(LostCell(cell, "over-voltage", line, abs(volts)))

    def note_voltages(
        self, array: str, rows: Integers, columns: Integers, line: str, volts: NDArray[np.floating]
    ) -> None:
        """Record what many cells got on a line (V), as an earlier attempt's file has it."""
        for number in np.flatnonzero(np.abs(volts) > self._bears[line]).tolist():
            cell = Cell(array, int(rows[number]), int(columns[number]))
            self.note_voltage(cell, line, float(volts[number]))

    def note_current(self, cell: Cell, amperes: float) -> None:
        """Record that a cell carried `amperes` from its bit line."""
        if abs(amperes) > self._bears[CURRENT]:
            self._stress(LostCell(cell, "over-current", "bit line", abs(amperes)))

    def _stress(self, new: LostCell) -> None:
        known = self._stressed.get(new.cell)
        if known is None or (known.cause, known.value) < (new.cause, new.value):
            self._stressed[new.cell] = new

    def note_stuck(self, array: str, rows: Integers, columns: Integers) -> None:
        """Record which cells, by their rows and columns, no pulse brings to their levels any more."""
        self._stuck |= {
            Cell(array, row, column) for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        }

    def stressed(self) -> tuple[LostCell, ...]:
        """Return the real cells that had more than they bear by the chip map, destroyed or not."""
        return tuple(self._stressed.values())

    def lost(self) -> tuple[LostCell, ...]:
        """Return the cells that were destroyed since `begin`."""
        if self._simulated is None:
            return tuple(one for cell, one in self._stressed.items() if cell in self._stuck)
        new = (one for one in self._of_chip() if one.cell not in self._before)
        return tuple(sorted(new, key=lambda one: one.cell))

    def lost_among(self, array: str, rows: Integers, columns: Integers) -> NDArray[np.bool_]:
        """Return which cells of a block (R, C), at the crossings of these lines, were destroyed since `begin`."""
        found = np.zeros((len(rows), len(columns)), bool)
        for one in self.lost():
            if one.cell.array == array:
                found |= (rows[:, None] == one.cell.row) & (columns[None, :] == one.cell.column)
        return found

    def _of_chip(self) -> Iterable[LostCell]:
        if self._simulated is None:
            return ()
        return [
            LostCell(Cell(array, one.row, one.column), one.cause, one.line, one.voltage)
            for array, one in self._simulated.chip.losses
        ]
