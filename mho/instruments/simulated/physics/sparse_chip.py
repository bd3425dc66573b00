"""A simulated chip that stores only the cells in use: drawn when first needed, in one list for all arrays.

A million cells take a tenth of a second to draw and most runs use a hundred; in one list, cells of several arrays are
read and pulsed together.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.errors import BenchError
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.chip import ArrayGeometry, BlockNoise, Floats, Index, SimulatedChip

Slots = NDArray[np.int32]


class SparseChip(SimulatedChip):
    """All arrays of a chip, their cells as rows of one `CellArray`, drawn in the order of their first use.

    Attributes
    ----------
    population : CellArray
        The cells so far, (count, 1).
    """

    stale = 0.05

    def __init__(
        self,
        arrays: tuple[ArrayGeometry, ...],
        preset: CellPreset,
        clock: VirtualClock,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(arrays, preset, clock, rng)
        self.population = CellArray(0, 1, preset, clock, rng)
        self._found: dict[tuple[str, bytes, bytes], Slots] = {}
        # Numbers from 1, 0 where no cell is drawn; pages of zeros are allocated when first written.
        self._numbers = {array.name: np.zeros((array.rows, array.columns), np.int32) for array in arrays}

    @cached_property
    def cells(self) -> dict[str, CellArray]:
        """The population, for every array."""
        return dict.fromkeys(self.geometry, self.population)

    def slots(self, array: str, rows: Index, columns: Index) -> Slots:
        """Rows of the population where these cells are, in the shape to which `rows` and `columns` broadcast.

        Raises
        ------
        BenchError
            When the chip has no such array, or the array no such line.
        """
        numbers = self._numbers.get(array)
        if numbers is None:
            raise BenchError(f"the chip has no array {array!r}; it has {', '.join(self.geometry)}")
        for name, lines, count in zip(("row", "column"), (rows, columns), numbers.shape, strict=True):
            if lines.size and not 0 <= lines.min() <= lines.max() < count:
                wrong = int(lines.max() if lines.max() >= count else lines.min())
                raise BenchError(f"array {array} has no {name} {wrong}; it has 0 to {count - 1}")
        found = numbers[rows, columns]
        missing = found == 0
        if missing.any():
            across = np.broadcast_arrays(rows, columns)
            new = tuple(lines[missing] for lines in across)
            first = self.population.shape[0] + 1
            self.population.extend(new[0].size)
            numbers[new] = np.arange(first, first + new[0].size)
            found = numbers[rows, columns]
        return found - 1

    def at(self, array: str, rows: Index, columns: Index) -> tuple[CellArray, Any]:
        """Return the population, and the index of a block (R, C) of it."""
        key = (array, rows.tobytes(), columns.tobytes())
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self.slots(array, rows[:, None], columns)
        return self.population, (found, 0)

    def transfer(self, array: str, rows: Index, columns: Index) -> Floats:
        """Transfer conductances (R, C) between the ends of a block's lines, S, found the cheaper way round."""
        return self.block(array, rows, columns).transfer

    def noise(self, array: str, rows: Index, columns: Index, window: float, shot: float) -> BlockNoise:
        """Noise of a block for a batch, as `SimulatedChip.noise`, without the conductances that cancel."""
        cells, index = self.at(array, rows, columns)
        return BlockNoise(*cells.relative_noise(index, window, shot))

    def noise_of_blocks(
        self, array: str, rows: Index, columns: Index, window: float, shot: float
    ) -> tuple[Floats, Floats]:
        """Noise of many blocks, (blocks, R, C), evaluated at once: all cells are of one population."""
        slots = self.slots(array, rows[:, :, None], columns[:, None, :])
        return self.population.relative_noise((slots, 0), window, shot)

    def one(self, array: str, row: int, column: int) -> tuple[int, int]:
        """Return the index of one cell in the population."""
        return int(self.slots(array, np.array([row]), np.array([column]))[0]), 0
