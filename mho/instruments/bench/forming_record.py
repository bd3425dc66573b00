"""Which cells of a chip have been formed, and what a formed cell bears: kept by the bench, so that no procedure forgets it.

A cell that once read as formed is formed for good. A pulse beyond what a formed cell bears by the chip map goes only to one
that has read as unformed since its last pulse: what one pulse formed, the next one would destroy.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Booleans, Floats, Integers
from mho.cell_sets import PackedCells, formed_cells_in, formed_cells_text, most_bytes
from mho.errors import BenchError, LimitError
from mho.instruments.bench.arguments import Shapes
from mho.instruments.bench_file.chip_requirements import ChipText, read_chip_text
from mho.instruments.roles import Cell, CellPositions

States = NDArray[np.int8]

UNKNOWN, UNFORMED, FORMED = 0, 1, 2
"""States of a cell: not read since its last pulse, read as unformed since then, formed. Only the last one lasts."""


UNREAD = 4096, 4096  # cells of an array whose size is not known: pages that no cell is in take no memory


class FormingRecord:
    """Which cells are formed, by what the list of the chip says and by every read of the bench.

    Parameters
    ----------
    chip_text, list_text : str
        The chip map, and the list of what is known of the chip's cells, "" for none. A list that does not fit is left
        out here; whoever uses the chip is told (`mho.procedures.chip_in_use.chip_of`).
    insisted : collection of str
        Terminals at which the user consents to more than a formed cell bears.

    Attributes
    ----------
    formed_above : float
        Conductance (S) from which a cell reads as formed.
    bears : dict
        Largest magnitude (V) at a terminal for a formed cell; infinite where the chip map does not say, or with consent.
    """

    def __init__(self, chip_text: str, list_text: str = "", insisted: Container[str] = ()) -> None:
        chip = _chip(chip_text)
        self._shapes: Shapes = (
            {} if chip is None else {one.name: (one.rows, one.columns) for one in chip.arrays}
        )
        self.formed_above = math.inf if chip is None else chip.write_verify.formed_above
        borne = {} if chip is None else chip.cells.bears_formed
        self.bears = {
            line: math.inf if line in insisted else borne.get(line.replace(" ", "_"), math.inf)
            for line in ("bit line", "source line")
        }
        self._states: dict[str, States] = {}
        self.add(one for one in _listed(list_text) if self._shapes.get(one.array) == (one.rows, one.columns))

    # --- what is known ---

    def mask(self, array: str) -> Booleans:
        """Return which cells of an array are formed, (rows, columns)."""
        return np.asarray(self._of(array) == FORMED)

    def formed(self, array: str, rows: Integers, columns: Integers) -> Booleans:
        """Return which of the cells at these rows and columns are formed."""
        return np.asarray(self._of(array)[rows, columns] == FORMED)

    def is_formed(self, cell: Cell) -> bool:
        """Return whether a cell is formed."""
        return bool(self._of(cell.array)[cell.row, cell.column] == FORMED)

    def packed(self) -> tuple[PackedCells, ...]:
        """Return the formed cells by array, for lists and run files."""
        masks = ((name, self.mask(name)) for name in self._shapes if name in self._states)
        return tuple(PackedCells.of(name, mask) for name, mask in masks if mask.any())

    def text(self) -> str:
        """Return the formed cells as run files hold them."""
        return formed_cells_text(self.packed())

    @property
    def most_bytes(self) -> int:
        """How long `text` can become."""
        return most_bytes(self._shapes)

    def add(self, cells: Iterable[PackedCells]) -> None:
        """Add formed cells that a list, or the file of an earlier run on the chip, holds.

        Raises
        ------
        BenchError
            They are of an array that the chip does not have, or that has another size.
        """
        for one in cells:
            if self._shapes.get(one.array) != (one.rows, one.columns):
                raise BenchError(
                    f"formed cells are known of an array {one.array!r} of {one.rows} x {one.columns}, which this chip does "
                    "not have: they are of another chip"
                )
            self._of(one.array)[one.mask] = FORMED

    # --- what happens to cells ---

    def saw(self, array: str, rows: Integers, columns: Integers, conductance: Floats, above: float) -> None:
        """Take reads (S) of the cells at these rows and columns, made otherwise; from `above` (S) on they are formed."""
        states = self._of(array)
        states[rows, columns] = after_reads(states[rows, columns], conductance >= above)

    def saw_one(self, cell: Cell, conductance: float) -> None:
        """Take a read (S) of one cell."""
        states = self._of(cell.array)
        if conductance >= self.formed_above:
            states[cell.row, cell.column] = FORMED
        elif states[cell.row, cell.column] != FORMED:
            states[cell.row, cell.column] = UNFORMED

    def permit_one(self, cell: Cell, line: str, volts: float, *, once: bool = True) -> None:
        """Take a pulse, or a level, of `volts` (V) at a terminal of one cell.

        Parameters
        ----------
        once : bool
            Whether it is one pulse, which is over when it has formed the cell: several, or a level, go on.

        Raises
        ------
        LimitError
            It is beyond what a formed cell bears, and the cell is formed, or may be.
        """
        states = self._of(cell.array)
        state = int(states[cell.row, cell.column])
        if abs(volts) > self.bears[line] and not (once and state == UNFORMED):
            raise LimitError(
                f"{cell.array}[{cell.row}, {cell.column}]: {self._beyond(line, volts, state, once)}"
            )
        if state != FORMED:
            states[cell.row, cell.column] = UNKNOWN

    def check(self, line: str, volts: float) -> None:
        """Raise `LimitError` where `volts` (V) at a terminal is beyond what a formed cell bears."""
        if abs(volts) > self.bears[line]:
            raise LimitError(self._beyond(line, volts, FORMED))

    def permit(self, states: States, line: str, volts: Floats) -> None:
        """Raise `LimitError` unless cells in these `states` may have one pulse each of so many `volts` (V)."""
        beyond = np.flatnonzero((np.abs(volts) > self.bears[line]) & (states != UNFORMED))
        if beyond.size:
            first = beyond[0]
            raise LimitError(
                f"{beyond.size} cells: {self._beyond(line, float(volts[first]), int(states[first]))}"
            )

    def states(self, cells: Sequence[CellPositions]) -> States:
        """Return the states of cells that are visited together."""
        return np.concatenate([self._of(array)[rows, columns] for array, rows, columns in cells])

    def put(self, cells: Sequence[CellPositions], states: States) -> None:
        """Take the states of cells that were visited together."""
        start = 0
        for array, rows, columns in cells:
            own = states[start : start + len(rows)]
            self._of(array)[rows, columns] = own
            formed = own == FORMED  # a cell that was visited twice, too
            self._of(array)[rows[formed], columns[formed]] = FORMED
            start += len(rows)

    def _of(self, array: str) -> States:
        states = self._states.get(array)
        if states is None:
            states = self._states[array] = np.zeros(self._shapes.get(array, UNREAD), np.int8)
        return states

    def _beyond(self, line: str, volts: float, state: int, once: bool = True) -> str:
        why = (
            "it has conducted"
            if state == FORMED
            else "it was not read as unformed since its last pulse"
            if once
            else "it may be formed on the way"
        )
        return (
            f"{line}: {abs(volts):.6g} V is beyond the {self.bears[line]:.6g} V that a formed cell bears by the chip map, "
            f"and {why}; lower it, or consent with `insist = true` beside the limit of the {line} in the bench file"
        )


def after_reads(states: States, conducting: Booleans) -> States:
    """Return the states of cells after reads, of which some were `conducting`."""
    return np.where(conducting | (states == FORMED), FORMED, UNFORMED).astype(np.int8)


def _chip(text: str) -> ChipText | None:
    """Return a chip map as far as a bench reads it; None for one that cannot be read: a bench is made safe without it."""
    try:
        return read_chip_text(text)
    except BenchError:
        return None


def _listed(text: str) -> tuple[PackedCells, ...]:
    """Return the formed cells of a list; none of one that cannot be read."""
    try:
        return formed_cells_in(text, "list of defects", BenchError)
    except BenchError:
        return ()
