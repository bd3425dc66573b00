"""The ports of the simulated instruments, each a wire into the laboratory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.array_types import Floats
from mho.instruments.laboratory.chip_lines import ChipLines
from mho.instruments.laboratory.monitor import Monitor
from mho.instruments.laboratory.vector_lines import VectorLines
from mho.instruments.simulated.generators import Excursion

PULSE_EDGE = 10e-9  # s, for a generator whose twin does not provide it


@dataclass(frozen=True)
class SourceWire:
    """Wire from a source-measure unit's output to its terminal."""

    lines: ChipLines
    terminal: str

    def drive(self, volts: float, *, connected: bool) -> None:
        """Hold `volts` (V), or float."""
        self.lines.drive(self.terminal, volts, connected)

    def current(self, volts: float, aperture: float) -> float:
        """Return the current (A) that flows at `volts`."""
        return self.lines.current(self.terminal, volts, aperture)


@dataclass(frozen=True)
class PulseWire:
    """Wire from a pulse generator's channel to its terminal."""

    lines: ChipLines
    terminal: str

    def pulse(self, volts: float, width: float, period: float, count: int) -> None:
        """Put out `count` pulses."""
        self.lines.pulse(self.terminal, volts, width, count)

    def train(self, cycle: Sequence[Excursion], count: int) -> None:
        """Put out `count` cycles of levels (V, s, times)."""
        self.lines.train(self.terminal, cycle, count)


@dataclass(frozen=True)
class ConverterWires:
    """Wires from a DAQ's outputs through the connected block to its inputs; `key` names its traffic."""

    vectors: VectorLines
    monitor: Monitor
    key: str
    input_count: int

    def exchange(self, volts: Floats, period: float) -> Floats:
        """Play samples and return the answers, (samples, inputs), V."""
        answer = self.vectors.answer(volts, self.input_count, period)
        traffic = self.monitor.traffic[self.key]
        traffic.messages += 1
        traffic.bytes_sent += volts.nbytes
        traffic.replies += 1
        traffic.bytes_received += answer.nbytes
        return answer

    def hold(self, volts: Floats, period: float) -> None:
        """Hold outputs at a level, or repeat samples, while no measurement runs."""
        self.vectors.hold(volts, period)


@dataclass(frozen=True)
class InputWire:
    """Wire from a column's amplifier to one input of a scanning voltmeter, while a DAQ holds a vector (V, by output)."""

    lines: ChipLines
    vectors: VectorLines
    held: Callable[[], Floats]
    number: int
    count: int

    def __call__(self, aperture: float) -> float:
        """Return the voltage, averaged over `aperture` seconds."""
        block = self.lines.board.block
        if block is None or self.number >= len(block[2]):
            return 0.0
        return float(self.vectors.answer(self.held()[None], self.count, aperture)[0, self.number])


class Carrier:
    """The array board's sockets: empty while the board is built and grounds itself, then holding the chip."""

    def __init__(self) -> None:
        self._lines: ChipLines | None = None
        self._vectors: VectorLines | None = None

    def connect(self, lines: ChipLines, vectors: VectorLines) -> None:
        """Connect the chip to the board."""
        self._lines, self._vectors = lines, vectors

    def array_size(self, array: str) -> tuple[int, int] | None:
        """Return rows and columns of an array, or None."""
        geometry = None if self._lines is None else self._lines.chip.geometry.get(array)
        return None if geometry is None else (geometry.rows, geometry.columns)

    def switching(self, what: str) -> None:
        """Notify the chip's lines before switches move."""
        if self._lines is not None:
            self._lines.switching(what)

    def exchange(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Play samples of the board's own converters into the connected block."""
        if self._vectors is None:
            return np.zeros((len(volts), input_count))
        return self._vectors.answer(volts, input_count, period)


def compliance_of(twin: Any, channel: int) -> Callable[[], float]:
    """Return a function that gives the current limit (A) of a source-measure unit; infinite when its twin has none."""
    # A TSP instrument keeps it in its Lua tables, a B1500 in each of its modules.
    units = list((getattr(twin, "units", None) or getattr(twin, "smus", {})).values())
    if units:
        return lambda: float(units[channel - 1].limit)

    def compliance() -> float:
        limit = getattr(twin, "limit", math.inf)
        return float(limit[channel] if isinstance(limit, Mapping) else limit)

    return compliance


def edge_of(twin: Any, channel: int) -> Callable[[], float]:
    """Return a function that gives the faster edge (s, 10 to 90 %) of a pulse generator's channel."""
    leading, trailing = getattr(twin, "leading", None), getattr(twin, "trailing", None)
    if leading is None or trailing is None:
        return lambda: PULSE_EDGE
    return lambda: float(min(leading[channel], trailing[channel]))
