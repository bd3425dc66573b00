"""The lines of the chip: the levels on them, their effect on the connected cells, and the wires to the instruments."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from mho.array_types import Floats
from mho.instruments.laboratory.block_circuits import BlockCircuits
from mho.instruments.laboratory.monitor import Monitor
from mho.instruments.laboratory.probes import Probes
from mho.instruments.simulated.array_board import SimulatedArrayBoard
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.excursions import Excursion
from mho.instruments.simulated.generators import Playing
from mho.instruments.simulated.physics.cells.pulse_trains import Level, pulse_train
from mho.instruments.simulated.physics.cells.switching import HeldLevels
from mho.instruments.simulated.physics.chip import SimulatedChip
from mho.instruments.simulated.physics.circuits.own_elements import CircuitElements

REST = 5e-3  # V: allowed deviation of a source at rest from 0 V
HOT = REST  # V: from here on a source is live when a switch moves, or two sources disagree
LEAKAGE = 1e-12  # S, an open path
GENERATOR_RESISTANCE = 50.0  # ohm, behind a pulse generator's output
PULSE_EDGE = 10e-9  # s, for a generator whose twin does not provide it
PATHS = {"bit line": "SET", "source line": "RES"}  # the board's path to a generator's line


class ChipLines:
    """Bit line, source line and word line of the cell that the board has selected; `monitor` records what is on them."""

    def __init__(
        self, chip: SimulatedChip, board: SimulatedArrayBoard | Probes, clock: VirtualClock, monitor: Monitor
    ) -> None:
        self.chip, self.board, self.clock, self.monitor = chip, board, clock, monitor
        self.levels = HeldLevels()  # levels that sources hold at cells
        # Switches that no longer open although the board reports them open, by their path (``"READ"``, ``"SET"``)
        self.welded: set[str] = set()
        # Levels at which sources hold lines, V; a line that nothing drives is missing
        self.held: dict[str, float] = {}
        # Level (V) and end (s) of the last measurement, whose effect on the cell is already applied
        self.measured = 0.0, 0.0
        # By line, filled in when the instruments are wired: the current limit (A) of its source-measure unit; the faster
        # edge (s) of its pulse generator's channel, and its output without a trigger
        self.compliance: dict[str, Callable[[], float]] = defaultdict(lambda: lambda: math.inf)
        self.edges: dict[str, Callable[[], float]] = defaultdict(lambda: lambda: PULSE_EDGE)
        self.playing: dict[str, Playing] = {line: lambda: None for line in PATHS}
        # Level of a word line that nothing drives, V; None: it floats
        self.ungated: float | None = None
        # Returns the noise of one reading of a cell's current beyond the meter's own, A
        self.readout: Callable[[], float] = lambda: 0.0
        # Returns the voltage magnitudes at the outputs of a DAQ, V; empty before one is wired
        self.reach: Callable[[], Floats] = lambda: np.zeros(0)
        # By cell, what its select transistor conducts while it is off, S; nothing where it is missing
        self.leaks: dict[tuple[str, int, int], float] = {}
        # Lines that are broken before a cell, as ``(array, "row" or "column", number, first crossing line behind
        # it)``
        self.broken: set[tuple[str, Literal["row", "column"], int, int]] = set()

    @property
    def gate(self) -> float | None:
        """Word-line voltage, or None when nothing drives it."""
        return self.held.get("word line", self.ungated)

    def closed(self, path: str) -> bool:
        """Return whether the board's switch of a path is closed, commanded or welded."""
        return self.board.closes(path) or path in self.welded

    def drive(self, terminal: str, volts: float, connected: bool) -> None:
        """Apply a new level of a DC source."""
        if connected:
            if volts != self.held.get(terminal):
                if self.levels.known:
                    self.levels.end(terminal)
                self.held[terminal] = volts
            self.monitor.terminals[terminal].take_level(volts)
        else:
            self.levels.end(terminal)
            self.held.pop(terminal, None)
            self.monitor.terminals[terminal].take_level(0.0)

    def current(self, terminal: str, volts: float, aperture: float) -> float:
        """Return the current (A) into the cell that the board has routed to `terminal`."""
        self.board.watch()
        self.monitor.terminals[terminal].take_held(volts)  # also for a current source's transient
        cell = self.board.cell
        if terminal != "bit line" or cell is None or not self.closed("READ"):
            return volts * LEAKAGE
        self.measured = volts, self.clock.now + aperture
        amperes = self._cell_current(cell, volts, aperture) + self.readout()
        if "SET" in self.welded:
            waveform = self.playing["bit line"]()
            extreme, mean = (0.0, 0.0) if waveform is None else (waveform.extreme, waveform.mean)
            if abs(volts - extreme) > HOT:
                self.monitor.record(
                    "contention",
                    f"bit line: {volts:.3g} V against a generator at {extreme:.3g} V; the SET switch is welded",
                )
            amperes += (volts - mean) / GENERATOR_RESISTANCE
        self.monitor.terminals[terminal].take_current(amperes, self.compliance[terminal])
        return amperes

    def _cell_current(self, cell: tuple[str, int, int], volts: float, aperture: float) -> float:
        gate = self.gate
        if gate is None:
            self.monitor.record("floating gate", f"read of {cell} with nothing on the word line")
            return volts * LEAKAGE
        array, row, column = cell
        if self.broken and self._cut_off(cell):
            return volts * LEAKAGE
        if gate <= self.chip.preset.gate_threshold:
            return volts * self.leaks.get(cell, LEAKAGE)
        if abs(volts) > self.chip.preset.disturb_voltage:
            self.stress(cell, volts, aperture, gate)
        return volts * self.chip.read(array, row, column, aperture, volts, gate)

    def _cut_off(self, cell: tuple[str, int, int]) -> bool:
        """Return whether a cell lies behind the break of a line."""
        array, row, column = cell
        for name, kind, line, first in self.broken:
            own, crossing = (row, column) if kind == "row" else (column, row)
            if name == array and own == line and crossing >= first:
                return True
        return False

    def stress(self, cell: tuple[str, int, int], volts: float, seconds: float, gate: float) -> None:
        """Apply `volts` of the bit line's source-measure unit to a cell for `seconds`, within its current limit."""
        self.hold("bit line", cell, volts, seconds, gate, self.compliance["bit line"]())

    def hold(
        self, source: str, cell: tuple[str, int, int], volts: float, seconds: float, gate: float,
        current: float, *since: object,
    ) -> None:  # fmt: skip
        """Apply a level of `volts` to a cell for `seconds`; a positive level SETs.

        `source`: name of the source; each has one level at a time.
        `current`: current limit of the source, A.
        `since`: further identification that distinguishes the level from the previous one.
        """
        array, row, column = cell
        cells = self.chip.cells[array]
        act = cells.set if volts > 0 else cells.reset
        level = self.levels.of(source, cell, volts, gate, current, *since)
        act((row, column), abs(volts), seconds, gate, current=current, level=level)

    def train(self, terminal: str, cycle: Sequence[Excursion], count: int) -> None:
        """Apply cycles of levels of a generator's channel; they reach a cell only if the board routes them there."""
        pulses, highest = 0, 0.0
        for volts, width, times in cycle:
            self.monitor.terminals[terminal].take_pulses(volts, width, self.edges[terminal](), times * count)
            pulses += count * times
            if abs(volts) > abs(highest):
                highest = volts
        volts = highest
        self.board.watch()
        path, cell = PATHS.get(terminal, ""), self.board.cell
        if not (path and self.board.closes(path)) or cell is None or (self.broken and self._cut_off(cell)):
            return
        bit_line = self.held.get("bit line")
        # The bench leaves a source at rest at 0 V behind an open switch.
        reaches = "READ" in self.welded or (bit_line is not None and abs(bit_line) > HOT)
        if path == "SET" and reaches and bit_line is not None and abs(bit_line - volts) > HOT:
            welded = "; the READ switch is welded" if "READ" in self.welded else ""
            self.monitor.record(
                "contention",
                f"bit line: a pulse of {volts:.3g} V against a source at {bit_line:.3g} V{welded}",
            )
        gate = self.gate
        if gate is None:
            self.monitor.record(
                "floating gate", f"pulse of {volts:.3g} V on {cell} with nothing on the word line"
            )
            return
        array, row, column = cell
        self.monitor.pulses += pulses
        sign = 1.0 if path == "SET" else -1.0
        seen = [Level(sign * level, seconds, times) for level, seconds, times in cycle]
        pulse_train(self.chip.cells[array], (row, column), seen, count, gate)

    def switching(self, what: str) -> None:
        """Check, before a switch moves, that every source on the chip's lines is at 0 V."""
        if self.levels.known:
            self.levels.end()
        path = self.board.path
        if path == "READ":
            line, volts = "bit line", self.held.get("bit line", 0.0)
        elif path in ("SET", "RES"):
            line = "bit line" if path == "SET" else "source line"
            waveform = self.playing[line]()
            volts = 0.0 if waveform is None else waveform.extreme
        elif self.board.block is not None:
            line, volts = "vector", float(self.reach().max(initial=0.0))
        else:
            return
        if abs(volts) > HOT:
            name = "the vector's lines" if line == "vector" else f"the {line}"
            self.monitor.record("hot switch", f"{what} changed with {volts:.3g} V on {name}")


SIGNS = 1.0, -1.0  # of voltages that SET, that RESET


class VectorLines:
    """Plays vectors into the block that the board has connected.

    `lines`: chip, board, monitor, and the levels held at cells.
    `circuits`: the block's circuits.
    `gate`: volts on the word lines of a connected block.
    `elements`, `rng`: of a user's own in the circuits, and what they draw from.
    """

    def __init__(
        self, lines: ChipLines, circuits: BlockCircuits, gate: float,
        elements: CircuitElements | None = None, rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self.elements, self._rng = elements or CircuitElements(), rng or np.random.default_rng(0)
        self._chip, self._board, self._monitor = lines.chip, lines.board, lines.monitor
        self._levels, self._circuits, self._gate = lines.levels, circuits, gate
        self._samples: Floats = np.zeros((1, 0))  # samples that a DAQ repeats; one sample is a level
        self._disturbed: dict[float, object] = {}  # the last block recorded as disturbed, by sign

    def answer(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Return the answer of the connected block to input vectors, (samples, inputs), V."""
        self._monitor.terminals["vector"].take_samples(volts, period)
        self._board.watch()
        if self._switches(volts):
            self._disturb(volts, period, HeldLevels())
        return self._circuits.answer(volts, input_count, period)

    @property
    def _inverts(self) -> bool:
        return self._board.mode != "MULT"

    def driven(self, volts: Floats) -> Floats:
        """Return what a DAC of a user's own puts out for `volts` (samples, outputs), V; as they are without one."""
        return volts if self.elements.dac is None else self.elements.driven(volts, self._inverts)

    def sampled(self, volts: Floats) -> Floats:
        """Return what an ADC of a user's own reads of `volts` (samples, inputs), V; as they are without one."""
        return volts if self.elements.adc is None else self.elements.sampled(volts, self._inverts, self._rng)

    def hold(self, volts: Floats, period: float) -> None:
        """Hold a DAQ's outputs at their levels, or repeat samples, (samples, outputs), V."""
        self._monitor.terminals["vector"].take_samples(volts, period)
        self._samples = volts if self._switches(volts) else np.zeros((1, 0))
        for sign in SIGNS:
            self._levels.end(f"vector {sign}")

    def pass_time(self, seconds: float) -> None:
        """Apply a DAQ's outputs without a measurement for a time."""
        if self._samples.size:
            self._disturb(self._samples, seconds / len(self._samples), self._levels)

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
                    sentence = f"vector: {sign * peaks.max():.3g} V, at which cells of {array} switch"
                    self._monitor.record("disturb", sentence)


class OutputTerminals(Protocol):
    """Where instruments are wired to: the chip's lines, by terminal, or the rows of a switch matrix, by source."""

    def drive(self, name: str, volts: float, connected: bool, /) -> None:
        """Apply a new level of a source."""

    def current(self, name: str, volts: float, aperture: float, /) -> float:
        """Return the current (A) out of a source at `volts`."""

    def train(self, name: str, cycle: Sequence[Excursion], count: int, /) -> None:
        """Apply cycles of levels of a generator's channel."""


@dataclass(frozen=True)
class OutputWire:
    """Wire from an output of a source-measure unit, or a channel of a pulse generator."""

    to: OutputTerminals
    name: str

    def drive(self, volts: float, *, connected: bool) -> None:
        """Hold `volts` (V), or float."""
        self.to.drive(self.name, volts, connected)

    def current(self, volts: float, aperture: float) -> float:
        """Return the current (A) that flows at `volts`."""
        return self.to.current(self.name, volts, aperture)

    def pulse(self, volts: float, width: float, period: float, count: int) -> None:
        """Put out `count` pulses."""
        self.to.train(self.name, [Excursion(volts, width)], count)

    def train(self, cycle: Sequence[Excursion], count: int) -> None:
        """Put out `count` cycles of levels (V, s, times)."""
        self.to.train(self.name, cycle, count)


class Answering(Protocol):
    """What lies between a DAQ's outputs and its inputs."""

    def answer(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Return the answer to samples, (samples, inputs), V."""

    def hold(self, volts: Floats, period: float) -> None:
        """Hold levels, or repeat samples, (samples, outputs), V."""


@dataclass(frozen=True)
class ConverterWires:
    """Wires from a DAQ's outputs through the connected block to its inputs; `key` names its traffic."""

    vectors: Answering
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
        answer = self.vectors.answer(self.held()[None], self.count, aperture)
        return float(self.vectors.sampled(answer)[0, self.number])


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
        vectors = self._vectors
        return vectors.sampled(vectors.answer(vectors.driven(volts), input_count, period))


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
