"""The simulated chip: its arrays of cells and what the lines of a block of them do together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from instruments.simulated.physics.cells import CellArray
from instruments.simulated.clock import VirtualClock
from instruments.simulated.physics.presets import CellPreset
from instruments.simulated.physics.wires import port_matrix, series_resistance

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

KEPT = 512  # blocks whose ports are remembered, oldest dropped first
STALE = 0.01  # relaxation goes with log time: a hundredth of the age changes nothing that matters


@dataclass(frozen=True)
class ArrayGeometry:
    """Size and wires of one array, as the chip map gives them."""

    name: str
    rows: int
    columns: int
    wire_resistance: float


@dataclass(frozen=True)
class _Ports:
    version: int
    at: float
    matrix: Floats


class SimulatedChip:
    """All arrays of a chip on one clock and one random generator."""

    def __init__(
        self,
        arrays: tuple[ArrayGeometry, ...],
        preset: CellPreset,
        clock: VirtualClock,
        rng: np.random.Generator,
    ) -> None:
        self._clock, self._rng = clock, rng
        self.geometry = {array.name: array for array in arrays}
        self.cells = {
            array.name: CellArray(array.rows, array.columns, preset, clock, rng) for array in arrays
        }
        self._ports: dict[tuple[str, bytes, bytes], _Ports] = {}

    def read(self, array: str, row: int, column: int) -> float:
        """Conductance (S) of one cell addressed alone, through its wires, with read noise."""
        g = float(self.cells[array].read((row, column)))
        return g / (1.0 + g * series_resistance(row, column, self.geometry[array].wire_resistance))

    def ports(self, array: str, rows: Index, columns: Index) -> Floats:
        """Row-to-column transfer conductances (S) of a block; kept until its cells change."""
        cells = self.cells[array]
        key = (array, rows.tobytes(), columns.tobytes())
        kept = self._ports.get(key)
        if kept is not None and kept.version == cells.version:
            age = self._clock.now - cells.changed_at
            if abs(self._clock.now - kept.at) <= STALE * age:
                return kept.matrix
        wires = self.geometry[array].wire_resistance
        matrix = port_matrix(cells.conductance((rows[:, None], columns[None, :])), rows, columns, wires)
        self._ports.pop(key, None)
        self._ports[key] = _Ports(cells.version, self._clock.now, matrix)
        if len(self._ports) > KEPT:
            del self._ports[next(iter(self._ports))]
        return matrix

    def read_spread(self, array: str, ports: Floats) -> Floats:
        """Standard deviation (S) of the read noise of a block's transfer conductances."""
        return self.cells[array].read_spread(ports)
