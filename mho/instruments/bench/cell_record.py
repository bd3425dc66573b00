"""What the bench knows of a chip's cells: which have been formed, and which its own pulses have destroyed.

A cell that once read as formed is formed for good. A pulse beyond what a formed cell bears by the chip map goes only to one
that has read as unformed since its last pulse: what one pulse formed, the next one would destroy.

A simulated chip knows which cells were destroyed and by what. Of a real one only this is known: which cells had more
than the chip map says that a cell bears, and which of them a procedure has found stuck since.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Booleans, Floats, Integers
from mho.cell_sets import PackedCells, formed_cells_in, formed_cells_text, most_bytes
from mho.errors import BenchError, LimitError
from mho.instruments.bench.arguments import Shapes
from mho.instruments.bench.instruments import Simulated
from mho.instruments.bench_file.chip_requirements import ChipText, read_chip_text
from mho.instruments.roles import Cell, CellPositions

States = NDArray[np.int8]

# States of a cell: not read since its last pulse, read as unformed since then, formed. Only the last one lasts.
UNKNOWN, UNFORMED, FORMED = 0, 1, 2


UNREAD = 4096, 4096  # cells of an array whose size is not known: pages that no cell is in take no memory


class FormingRecord:
    """Which cells are formed, by what the list of the chip says and by every read of the bench.

    `chip_text`, `list_text`: the chip map, and the list of what is known of the chip's cells, "" for none. A list
        that does not fit is left out here; whoever uses the chip is told (`mho.procedures.chip_in_use.chip_of`).
    `insisted`: terminals at which the user consents to more than a formed cell bears.
    """

    def __init__(self, chip_text: str, list_text: str = "", insisted: Container[str] = ()) -> None:
        chip = _chip(chip_text)
        self._shapes: Shapes = (
            {} if chip is None else {one.name: (one.rows, one.columns) for one in chip.arrays}
        )
        # Conductance (S) from which a cell reads as formed
        self.formed_above = math.inf if chip is None else chip.write_verify.formed_above
        borne = {} if chip is None else chip.cells.bears_formed
        # Largest magnitude (V) at a terminal for a formed cell; infinite where the chip map does not say, or with
        # consent
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

        `BenchError` where they are of an array that the chip does not have, or that has another size.
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

        `once`: whether it is one pulse, which is over when it has formed the cell: several, or a level, go on.
        `LimitError` where it is beyond what a formed cell bears, and the cell is formed, or may be.
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


CURRENT = "current"  # the rating that is no line's


@dataclass(frozen=True)
class LostCell:
    """A cell that pulses or levels of a bench have destroyed."""

    cell: Cell
    # ``over-voltage``, ``over-current`` or ``deep RESET`` (a RESET pulse on a cell that was deep in HRS already)
    cause: str
    line: str  # where it was applied: ``bit line`` or ``source line``
    value: float  # V; A of an over-current

    @property
    def stress(self) -> str:
        """What destroyed it, as ``4.5 V on the bit line``."""
        return f"{self.value:.3g} {'A' if self.cause == 'over-current' else 'V'} on the {self.line}"

    def __str__(self) -> str:
        return f"{self.cell.array}[{self.cell.row}, {self.cell.column}] by {self.stress}"


class PulseDamage:
    """The cells that a bench's pulses and levels have destroyed since `begin`.

    `simulated`: whose chip is asked.
    `bears`: ratings of a cell by the chip map: V by line, and ``current``, A.

    `acts`: number of the times that cells got pulses or a sweep, since the bench was opened.
    """

    def __init__(self, simulated: Simulated | None, bears: Mapping[str, float]) -> None:
        self._simulated = simulated
        self._bears = dict.fromkeys(("bit line", "source line", CURRENT), math.inf)
        if simulated is None:
            self._bears |= {name.replace("_", " "): most for name, most in bears.items()}
        self.acts = 0
        self.begin()

    def begin(self) -> None:
        """Count from now on: what is destroyed already is not this run's."""
        self._first = self.acts
        self._before = frozenset(one.cell for one in self._of_chip())
        self._stressed: dict[Cell, LostCell] = {}
        self._stuck: set[Cell] = set()

    @property
    def acted(self) -> bool:
        """Whether any pulse or sweep was sent since `begin`."""
        return self.acts > self._first

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
        lost = np.zeros((len(rows), len(columns)), bool)
        for one in self.lost():
            if one.cell.array == array:
                lost |= (rows[:, None] == one.cell.row) & (columns[None, :] == one.cell.column)
        return lost

    def _of_chip(self) -> Iterable[LostCell]:
        if self._simulated is None:
            return ()
        return [
            LostCell(Cell(array, one.row, one.column), one.cause, one.line, one.voltage)
            for array, one in self._simulated.chip.losses
        ]
