"""The blocks of cells to program, and how a run file holds them: the table of pulses and the maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.placement import Placement
from mho.procedures.cells.programming.strategy import Outcome
from mho.runs import Column, Map, Table

Floats = NDArray[np.float64]
Digits = NDArray[np.int64]

KINDS = {"read": 0, "set": 1, "reset": 2}  # codes of the `kind` column

PULSES_PER_CELL = 4.5  # seen on the simulated bench: 3.9 with 4 x 4 at 12 bits, 4.8 with 16 x 16 at 24

PULSES = Table(
    "pulses",
    (
        Column("time", "s", description="bench time"),
        Column("array", dtype="u1", description="index into the chip map's arrays"),
        Column("row", dtype="u2"),
        Column("column", dtype="u2"),
        Column("kind", dtype="u1", description="0 read only, 1 SET or forming, 2 RESET"),
        Column("voltage", "V", dtype="f4", description="amplitude at the driven line"),
        Column("width", "s", dtype="f4"),
        Column("gate", "V", dtype="f4", description="word-line voltage"),
        Column("conductance", "S", description="verify read after the pulse"),
    ),
    signal="conductance",
    axis="time",
    title="every pulse and every verify read",
)


@dataclass
class Block:
    """A block of cells to program, and the result.

    Attributes
    ----------
    digits : (rows, columns) array
        Target digit of each cell.
    achieved : (rows, columns) array
        Last verify read, S; NaN before.
    pulses : (rows, columns) array
        Number of pulses per cell.
    outcome : (rows, columns) array
        `Outcome` of each cell.
    """

    placement: Placement
    digits: Digits
    achieved: Floats = field(init=False)
    pulses: Digits = field(init=False)
    outcome: Digits = field(init=False)

    def __post_init__(self) -> None:
        self.achieved = np.full(self.digits.shape, np.nan)
        self.pulses = np.zeros(self.digits.shape, dtype=np.int64)
        self.outcome = np.zeros(self.digits.shape, dtype=np.int64)


@dataclass(frozen=True)
class BlockMaps:
    """The run file's images of all blocks on one array: the bounding lines of the cells in use."""

    array: str
    rows: Digits
    columns: Digits

    @classmethod
    def covering(cls, array: str, blocks: Sequence[Block]) -> BlockMaps:
        """Create the maps with the lines that the blocks on `array` use."""
        placed = [block.placement for block in blocks if block.placement.array == array]
        return cls(
            array,
            np.unique(np.concatenate([p.rows for p in placed])),
            np.unique(np.concatenate([p.columns for p in placed])),
        )

    def declared(self) -> tuple[Map, ...]:
        """Return the maps for the layout."""
        return (
            Map(f"{self.array}_conductance", "S", self.rows, self.columns, f"{self.array}: conductance"),
            Map(f"{self.array}_target", "S", self.rows, self.columns, f"{self.array}: target conductance"),
            Map(f"{self.array}_pulses", "", self.rows, self.columns, f"{self.array}: pulses per cell"),
        )

    def outcome_map(self) -> Map:
        """Return the map of how each cell ended."""
        codes = ", ".join(f"{outcome.value} {outcome.words.partition(':')[0]}" for outcome in Outcome)
        return Map(f"{self.array}_outcome", "", self.rows, self.columns, f"{self.array}: {codes}")

    def image(self, blocks: Sequence[Block], values: Sequence[Floats]) -> Floats:
        """Combine the blocks' `values` into one image, NaN where no cell is in use."""
        image = np.full((len(self.rows), len(self.columns)), np.nan)
        for block, value in zip(blocks, values, strict=True):
            if block.placement.array == self.array:
                rows = np.searchsorted(self.rows, block.placement.rows)
                columns = np.searchsorted(self.columns, block.placement.columns)
                image[np.ix_(rows, columns)] = value
        return image
