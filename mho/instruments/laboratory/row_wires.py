"""The lines of a simulated chip at a DAQ without a board: outputs at the rows, amplifiers at the columns, to the inputs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mho.array_types import Floats
from mho.instruments.laboratory.block_circuits import BlockCircuits, ConnectedBlock
from mho.instruments.laboratory.chip_lines import REST, ChipLines
from mho.instruments.laboratory.probes import Probes
from mho.instruments.simulated.excursions import Excursion


class RowWires:
    """An array at a DAQ: what it plays reaches every cell of a row, for the amplifiers hold all columns at 0 V.

    Levels at which cells switch do so, stretch by stretch, before the answer to that stretch is taken. A level that is
    held while no waveform runs is seen by the monitor, and switches nothing.

    `gated`: whether the last output is at the word lines.
    `full_scale`: where the amplifiers end, V.
    """

    def __init__(
        self, lines: ChipLines, probes: Probes, amplified: ConnectedBlock, circuits: BlockCircuits, *,
        gated: bool, full_scale: float,
    ) -> None:  # fmt: skip
        self._lines, self._probes, self._circuits = lines, probes, circuits
        self._gated, self._full_scale = gated, full_scale
        self._array, geometry = next(iter(lines.chip.geometry.items()))
        self._columns = range(geometry.columns)
        amplified.mode = "MULT"
        amplified.block = self._array, tuple(range(geometry.rows)), tuple(self._columns)

    def answer(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Return the amplifiers' outputs (samples, inputs), V, for the levels (samples, outputs) of a waveform."""
        rows = self._gate(volts)
        self._watch(rows, period)
        hot = np.abs(rows).max(axis=1, initial=0.0) > self._lines.chip.preset.disturb_voltage
        if not hot.any():
            parts = [self._circuits.answer(rows, input_count, period)]
        else:
            starts = [0, *(np.flatnonzero(np.diff(rows, axis=0).any(axis=1)) + 1), len(rows)]
            parts = []
            for start, end in pairwise(starts):
                if hot[start]:
                    self._strike(rows[start], (end - start) * period)
                parts.append(self._circuits.answer(rows[start:end], input_count, period))
        return np.clip(np.concatenate(parts), -self._full_scale, self._full_scale)

    def hold(self, volts: Floats, period: float) -> None:
        """Take levels that are held while no waveform runs."""
        self._watch(self._gate(volts), period)

    def _gate(self, volts: Floats) -> Floats:
        """Take the level of the word lines; return those of the rows as the cells feel them: 0 V while these are off."""
        if not self._gated:
            return volts
        rows, gate = volts[:, :-1], volts[:, -1]
        self._lines.drive("word line", float(gate[np.abs(gate).argmax()]), True)
        return np.where(gate[:, None] > self._lines.chip.preset.gate_threshold, rows, 0.0)

    def _watch(self, rows: Floats, period: float) -> None:
        """Let the monitor see the levels: of single rows as at the bit line, of several at once as a vector."""
        traces = self._lines.monitor.terminals
        several = (np.abs(rows) > REST).sum(axis=1) > 1
        traces["vector"].take_samples(rows[several], period)
        for extreme in (rows[~several].max(initial=0.0), rows[~several].min(initial=0.0)):
            traces["bit line"].take_held(float(extreme))

    def _strike(self, levels: Floats, seconds: float) -> None:
        """Apply levels of the rows to their cells for a time."""
        for row in np.flatnonzero(np.abs(levels) > self._lines.chip.preset.disturb_voltage):
            for column in self._columns:
                self._probes.cell = self._array, int(row), column
                self._lines.train("bit line", [Excursion(float(levels[row]), seconds)], 1)
