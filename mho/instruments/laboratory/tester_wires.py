"""The lines of a simulated chip at a tester: one that addresses cells by itself, with amplifiers of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mho.array_types import Floats
from mho.instruments.laboratory.block_circuits import BlockCircuits, ConnectedBlock
from mho.instruments.laboratory.chip_lines import ChipLines
from mho.instruments.laboratory.probes import Probes
from mho.instruments.simulated.excursions import Excursion


class TesterWires:
    """The lines of all arrays at a tester (a `CellsPort`).

    `block`, `circuits`: the amplifiers at the columns of a product, and what is connected to them.
    """

    def __init__(
        self, lines: ChipLines, probes: Probes, block: ConnectedBlock, circuits: BlockCircuits
    ) -> None:
        self._lines, self._probes, self._block, self._circuits = lines, probes, block, circuits

    def array_size(self, array: str) -> tuple[int, int] | None:
        """Return rows and columns of an array, or None."""
        geometry = self._lines.chip.geometry.get(array)
        return None if geometry is None else (geometry.rows, geometry.columns)

    def gate(self, volts: float) -> None:
        """Hold the word line."""
        self._lines.drive("word line", volts, True)

    def read(self, cell: tuple[str, int, int], volts: float, aperture: float) -> float:
        """Return the current (A) of a cell."""
        self._probes.cell = cell
        return self._lines.current("bit line", volts, aperture)

    def pulse(self, cell: tuple[str, int, int], volts: float, width: float, count: int) -> None:
        """Apply pulses to a cell."""
        self._probes.cell = cell
        self._lines.train("bit line", [Excursion(volts, width)], count)

    def multiply(
        self, array: str, rows: Sequence[int], columns: Sequence[int], volts: Floats, period: float
    ) -> Floats:
        """Return the currents (samples, columns), A."""
        self._lines.monitor.terminals["vector"].take_samples(volts, period)
        self._block.mode, self._block.block = "MULT", (array, tuple(rows), tuple(columns))
        answer = self._circuits.answer(volts, len(columns), period)
        return np.asarray(answer / -self._block.transimpedance)
