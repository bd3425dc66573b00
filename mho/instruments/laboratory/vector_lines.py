"""The lines of a whole block: the vectors that a DAQ plays into it, its answer, and their effect on its cells."""

from __future__ import annotations

import numpy as np

from mho.array_types import Floats
from mho.instruments.laboratory.block_circuits import BlockCircuits
from mho.instruments.laboratory.chip_lines import ChipLines
from mho.instruments.simulated.physics.cells.switching import HeldLevels

SIGNS = 1.0, -1.0  # of voltages that SET, that RESET


class VectorLines:
    """Plays vectors into the block that the board has connected.

    Parameters
    ----------
    lines : ChipLines
        Chip, board, monitor, and the levels held at cells.
    circuits : BlockCircuits
        The block's circuits.
    gate : float
        Volts on the word lines of a connected block.
    """

    def __init__(self, lines: ChipLines, circuits: BlockCircuits, gate: float) -> None:
        self._chip, self._board, self._monitor = lines.chip, lines.board, lines.monitor
        self._levels, self._circuits, self._gate = lines.levels, circuits, gate
        self._held: Floats = np.zeros((1, 0))  # samples that a DAQ repeats; one sample is a level
        self._disturbed: dict[float, object] = {}  # the last block recorded as disturbed, by sign

    def answer(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Return the answer of the connected block to input vectors, (samples, inputs), V."""
        self._monitor.terminals["vector"].take_samples(volts, period)
        self._board.watch()
        if self._switches(volts):
            self._disturb(volts, period, HeldLevels())
        return self._circuits.answer(volts, input_count, period)

    def hold(self, volts: Floats, period: float) -> None:
        """Hold a DAQ's outputs at their levels, or repeat samples, (samples, outputs), V."""
        self._monitor.terminals["vector"].take_samples(volts, period)
        self._held = volts if self._switches(volts) else np.zeros((1, 0))
        for sign in SIGNS:
            self._levels.end(f"vector {sign}")

    def pass_time(self, seconds: float) -> None:
        """Apply a DAQ's outputs without a measurement for a time."""
        if self._held.size:
            self._disturb(self._held, seconds / len(self._held), self._levels)

    def _switches(self, volts: Floats) -> bool:
        return bool(volts.size and np.abs(volts).max() > self._chip.preset.disturb_voltage)

    def _disturb(self, volts: Floats, period: float, levels: HeldLevels) -> None:
        """Apply vectors beyond read voltages to the cells of a block whose columns are at virtual ground.

        The board turns on all transistors of a block as for a read. In a loop the amplifiers hold the rows.
        """
        block = self._board.block
        if block is None or self._board.mode != "MULT":
            return
        array, rows, columns = block
        cells, least = self._chip.cells[array], self._chip.preset.disturb_voltage
        for sign, act in zip(SIGNS, (cells.set_cells, cells.reset_cells), strict=True):
            driven = sign * volts[:, : len(rows)]
            times, peaks = (driven > least).sum(axis=0), driven.max(axis=0)
            hot = np.flatnonzero(times)
            if hot.size:
                index = (np.asarray(rows)[hot][:, None], np.asarray(columns)[None, :])
                level = levels.of(f"vector {sign}", block)
                act(index, peaks[hot][:, None], (times[hot] * period)[:, None], self._gate, level)
                if self._disturbed.get(sign) != block:
                    self._disturbed[sign] = block
                    told = f"vector: {sign * peaks.max():.3g} V, at which cells of {array} switch"
                    self._monitor.record("disturb", told)
