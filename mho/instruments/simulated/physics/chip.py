"""The simulated chip: its arrays of cells, and the blocks between their lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mho.array_types import Floats, Integers
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray, Loss
from mho.instruments.simulated.physics.cells.conduction import conductance_at
from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.wires import WiredBlock, series_resistance

CACHED = 8192  # blocks whose wires are cached, oldest dropped first
STALE = 0.01  # relaxation follows log time: a hundredth of the age has no relevant effect


@dataclass(frozen=True)
class ArrayGeometry:
    """Size and wires of one array, as the chip map gives them.

    Lines that are cut into segments have switches at the ends of each: the wire in front of a cell is that of its own.
    """

    name: str
    rows: int
    columns: int
    wire_resistance: float
    segment: int | None = None

    def along(self, lines: Any) -> Any:
        """Return the places of lines along the wires that cross them, counted from 0."""
        return lines if self.segment is None else lines % self.segment

    def series_resistance(self, row: Any, column: Any) -> Any:
        """Return the wire in series with one cell addressed alone, or with each of many, ohm."""
        if self.segment is None:
            return series_resistance(row, column, self.wire_resistance)
        return series_resistance(self.along(row), self.along(column), self.wire_resistance)


@dataclass(frozen=True)
class BlockNoise:
    """Noise of a block's cells during one batch of shots, relative to their conductance, (R, C) each.

    `frozen` is the deviation that is constant for the whole batch (1/f, trapped telegraph states), `variance` that from
    shot to shot.
    """

    frozen: Floats
    variance: Floats


Draws = np.random.Generator | None  # None for the chip's own generator
OnNoiseOfBlocks = Callable[[str, Integers, Integers, BlockNoise, Draws], None]


@dataclass(frozen=True)
class _CachedBlock:
    version: int
    at: float
    block: WiredBlock


class SimulatedChip:
    """All arrays of a chip on one clock and one random generator, which must not be used elsewhere.

    Attributes
    ----------
    stale : float
        Share of a chip's age after which relaxation is evaluated anew.
    on_noise : callable
        Called with array, rows, columns and `BlockNoise` whenever the noise of a block was drawn; it must change nothing.
    on_noise_of_blocks : callable
        The same of many blocks drawn at once, (blocks, ...) each, with the generator that was given for them, or None.
    """

    stale = STALE

    def __init__(
        self,
        arrays: tuple[ArrayGeometry, ...],
        preset: CellPreset,
        clock: VirtualClock,
        rng: np.random.Generator,
    ) -> None:
        self._clock, self._rng = clock, rng
        self.preset = preset
        self.geometry = {array.name: array for array in arrays}
        self.on_noise: Callable[[str, Integers, Integers, BlockNoise], None] = _drop
        self.on_noise_of_blocks: OnNoiseOfBlocks = _drop
        self._blocks: dict[tuple[str, bytes, bytes], _CachedBlock] = {}

    @cached_property
    def cells(self) -> dict[str, CellArray]:
        """The cells of each array by its name.

        Drawing a million of them takes a tenth of a second, so all are drawn, in order, when the first one is needed.
        """
        return {
            name: CellArray(array.rows, array.columns, self.preset, self._clock, self._rng)
            for name, array in self.geometry.items()
        }

    @property
    def losses(self) -> list[tuple[str, Loss]]:
        """The cells that pulses and levels have destroyed so far, each with its array, in the order of time."""
        drawn: dict[str, CellArray] = vars(self).get("cells", {})  # cells not drawn yet have lost none
        return sorted(
            ((name, one) for name, cells in drawn.items() for one in cells.losses),
            key=lambda each: (each[1].time, each[0], each[1].row, each[1].column),
        )

    @property
    def temperature(self) -> float:
        """Of the chip, K; setting it counts from now on, for all arrays (`ValueError` unless positive)."""
        return next(iter(self.cells.values())).temperature

    @temperature.setter
    def temperature(self, kelvin: float) -> None:
        for cells in self.cells.values():
            cells.temperature = kelvin

    def at(self, array: str, rows: Integers, columns: Integers) -> tuple[CellArray, Any]:
        """Return the cells, and the index of the block (R, C) at the crossings of these lines."""
        return self.cells[array], (rows[:, None], columns[None, :])

    def read(self, array: str, row: int, column: int, aperture: float, voltage: float, gate: float) -> float:
        """Conductance (S) of one cell addressed alone, through its wires, read at `voltage` and `gate` (V)."""
        g = float(self.cells[array].read((row, column), aperture, voltage))
        wires = self.geometry[array].series_resistance(row, column)
        g = conductance_at(self.preset, g, wires, voltage, gate)
        return float(g / (1.0 + g * wires))

    def conductance(self, array: str, rows: Integers, columns: Integers) -> Floats:
        """Conductances (R, C) of a block's cells, S, without wires and noise."""
        cells, index = self.at(array, rows, columns)
        return cells.conductance(index)

    def conductance_of_blocks(self, array: str, rows: Integers, columns: Integers) -> Floats:
        """Conductances of many blocks of one shape, (blocks, R), (blocks, C), as `conductance`; (blocks, R, C), S."""
        return np.stack([self.conductance(array, *lines) for lines in zip(rows, columns, strict=True)])

    def block(self, array: str, rows: Integers, columns: Integers) -> WiredBlock:
        """A block between its wires, without noise; the same object until its array's cells change."""
        cells, index = self.at(array, rows, columns)
        key = (array, rows.tobytes(), columns.tobytes())
        cached = self._blocks.pop(key, None)
        age = self._clock.now - cells.changed_at
        if (
            cached is None
            or cached.version != cells.version
            or self._clock.now - cached.at > self.stale * age
        ):
            geometry = self.geometry[array]
            places = geometry.along(rows), geometry.along(columns)
            block = WiredBlock.from_lines(cells.conductance(index), *places, geometry.wire_resistance)
            cached = _CachedBlock(cells.version, self._clock.now, block)
        self._blocks[key] = cached
        if len(self._blocks) > CACHED:
            del self._blocks[next(iter(self._blocks))]
        return cached.block

    def transfer(self, array: str, rows: Integers, columns: Integers) -> Floats:
        """Transfer conductances (R, C) between the ends of a block's lines, S, without noise."""
        return self.block(array, rows, columns).admittance.transfer

    def transfer_of_blocks(self, array: str, rows: Integers, columns: Integers) -> Floats:
        """Transfer conductances of many blocks of one shape, (blocks, R), (blocks, C), as `transfer`; (blocks, R, C), S."""
        return np.stack([self.transfer(array, *lines) for lines in zip(rows, columns, strict=True)])

    def noise_of_blocks(
        self, array: str, rows: Integers, columns: Integers, window: float, shot: float, rng: Draws = None
    ) -> tuple[Floats, Floats]:
        """Noise of many blocks of one shape, (blocks, R), (blocks, C), as `noise`; each array is (blocks, R, C)."""
        noises = [self.noise(array, *lines, window, shot, rng) for lines in zip(rows, columns, strict=True)]
        return np.stack([one.frozen for one in noises]), np.stack([one.variance for one in noises])

    def noise(
        self, array: str, rows: Integers, columns: Integers, window: float, shot: float, rng: Draws = None
    ) -> BlockNoise:
        """Noise of a block for a batch that lasts `window` s, `shot` s a shot; slow noise has memory.

        It is drawn from `rng` in place of the chip's generator where that is given.
        Relative deviations of cells equal those of the transfer conductances between their lines' ends: the
        redistribution of a deviation of a percent by the wires is of second order.
        """
        cells, index = self.at(array, rows, columns)
        g = cells.conductance(index)
        now, variance = cells.noise_split(index, window, shot, rng)
        noise = BlockNoise(now / g - 1.0, variance / g**2)
        self.on_noise(array, rows, columns, noise)
        return noise


def _drop(*arguments: Any) -> None:
    """Do nothing."""
