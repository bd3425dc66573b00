"""The virtual bench: one chip, one clock, one seed, and the wires between them and the simulated instruments."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mho.errors import BenchError
from mho.instruments.bench_file.bench_file import BenchSource, load_bench_file
from mho.instruments.bench_file.chip_requirements import read_chip_text
from mho.instruments.laboratory.bench_twins import BenchTwins
from mho.instruments.laboratory.block_circuits import BlockCircuits
from mho.instruments.laboratory.monitor import Incident, Monitor
from mho.instruments.laboratory.running_sources import PATHS, REST, RunningSources
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.devices import Traffic
from mho.instruments.simulated.faults import DaqFault, Fault
from mho.instruments.simulated.physics.cells.held_levels import HeldLevels
from mho.instruments.simulated.physics.cells.presets import cell_preset
from mho.instruments.simulated.physics.cells.pulse_trains import MOST, Level, pulse_train
from mho.instruments.simulated.physics.chip import ArrayGeometry, SimulatedChip

Floats = NDArray[np.float64]

HOT = REST  # what counts as a live source when a switch moves, or as two sources that disagree
LEAKAGE = 1e-12  # S, an open path
SIGNS = 1.0, -1.0  # of voltages that SET, that RESET
GENERATOR_RESISTANCE = 50.0  # ohm, behind a pulse generator's output


class Laboratory:
    """Everything behind the wires of one simulated bench.

    Parameters
    ----------
    source : BenchSource
        The bench file; its instruments' addresses become simulated instruments.
    preset : str or None
        Cell preset, instead of the bench file's.
    seed : int or None
        Seed of everything random here, instead of the bench file's.

    Attributes
    ----------
    clock : VirtualClock
    seed : int
        Of everything random here; drawn when none was given.
    chip : SimulatedChip
    devices : dict
        Simulated instrument by VISA address: what the PyVISA backend opens.
    daq : DaqSystem
        The simulated NI-DAQmx system.
    monitor : Monitor
        What the wires have seen.
    levels : HeldLevels
        What sources hold at cells.
    faults : list of Fault or DaqFault
        Faults to inject; put some in, and the PyVISA backend and NI-DAQmx's interpreter let them happen.
    welded : set of str
        Switches of the board that do not open any more though it says so, by their path (``"READ"``, ``"SET"``).
    """

    def __init__(self, source: BenchSource, *, preset: str | None = None, seed: int | None = None) -> None:
        bench = source.bench
        if bench.simulation is None:
            raise BenchError(
                f"bench {bench.name!r} has no [simulation] section: it stands for real instruments"
            )
        cells = cell_preset(preset or bench.simulation.preset, bench.simulation.stuck)
        self.clock = VirtualClock()
        self.monitor = Monitor(self.clock, bench.terminal_limits())
        self.levels = HeldLevels()
        self.faults: list[Fault | DaqFault] = []
        self.welded: set[str] = set()
        sequence = np.random.SeedSequence(bench.simulation.seed if seed is None else seed)
        self.seed = int(cast(int, sequence.entropy))
        chip_rng, board_rng, *device_rngs = (np.random.default_rng(s) for s in sequence.spawn(8))
        self.chip = SimulatedChip(read_geometry(source.chip_text), cells, self.clock, chip_rng)
        self._live: dict[str, float] = {}
        self._outputs = bench.instruments.daq.outputs
        self._block_gate = bench.read.gate
        self._held_vectors: Floats = np.zeros((1, 0))  # what a DAQ plays over and over; one sample is a level
        self._disturbed: dict[float, object] = {}  # the block that was told of last, by sign
        twins = BenchTwins(self, bench.instruments, device_rngs)
        self.devices, self.board, self.daq = twins.devices, twins.board, twins.daq
        self._matrix = twins.matrix
        self._compliance, self._edges, self._playing = twins.compliance, twins.edges, twins.playing
        self._circuits = BlockCircuits.drawn(self.chip, self.board, bench.simulation, board_rng)
        reached = (lambda line: [line]) if self._matrix is None else self._matrix.terminals
        self._running = RunningSources(self, twins.generators, reached)
        self.clock.follow(self._running)

    def daq_session(self) -> AbstractContextManager[Any]:
        """Within it, `nidaqmx` talks to this laboratory's simulated devices."""
        return self.daq.selected()

    @property
    def incidents(self) -> list[Incident]:
        """Contention, hot switching, a floating gate…: recorded, never raised, as on a bench."""
        return self.monitor.incidents

    @property
    def traffic(self) -> dict[str, Traffic]:
        """Messages by VISA address, counted by the transports."""
        return self.monitor.traffic

    # --- what the wires do ---

    @property
    def gate(self) -> float | None:
        """Word-line voltage, or None when nothing drives it."""
        return self._live.get("word line")

    @property
    def held(self) -> dict[str, float]:
        """What source-measure units hold their outputs at, V, by line, or by role before a switch matrix.

        One that is off and grounds its output holds 0 V exactly; one with an open relay is missing.
        """
        return dict(self._live if self._matrix is None else self._matrix.held)

    def closed(self, path: str) -> bool:
        """Whether the board's switch of a path is closed, wanted or welded."""
        return self.board.path == path or path in self.welded

    def drive(self, terminal: str, volts: float, connected: bool) -> None:
        """A DC source took a new level."""
        if not connected or volts != self._live.get(terminal):
            self.levels.end(terminal)
        if connected:
            self._live[terminal] = volts
            self.monitor.terminals[terminal].take_level(volts)
        else:
            self._live.pop(terminal, None)
            self.monitor.terminals[terminal].take_level(0.0)

    def current(self, terminal: str, volts: float, aperture: float) -> float:
        """Current (A) into the cell that the board has routed to `terminal`."""
        self.board.watch()
        self.monitor.terminals[terminal].take_held(volts)  # on a current source's way to its current, too
        cell = self.board.cell
        if terminal != "bit line" or cell is None or not self.closed("READ"):
            return volts * LEAKAGE
        self._running.measure(volts, aperture)
        amperes = self._cell_current(cell, volts, aperture)
        if "SET" in self.welded:
            waveform = self._playing["bit line"]()
            extreme, mean = (0.0, 0.0) if waveform is None else (waveform.extreme, waveform.mean)
            if abs(volts - extreme) > HOT:
                self.monitor.record(
                    "contention",
                    f"bit line: {volts:.3g} V against a generator at {extreme:.3g} V; the SET switch is welded",
                )
            amperes += (volts - mean) / GENERATOR_RESISTANCE
        self.monitor.terminals[terminal].take_current(amperes, self._compliance[terminal])
        return amperes

    def _cell_current(self, cell: tuple[str, int, int], volts: float, aperture: float) -> float:
        gate = self.gate
        if gate is None:
            self.monitor.record("floating gate", f"read of {cell} with nothing on the word line")
            return volts * LEAKAGE
        array, row, column = cell
        if gate <= self.chip.preset.gate_threshold:
            return volts * LEAKAGE
        if abs(volts) > self.chip.preset.disturb_voltage:
            self.stress(cell, volts, aperture, gate)
        return volts * self.chip.read(array, row, column, aperture, volts)

    def stress(self, cell: tuple[str, int, int], volts: float, seconds: float, gate: float) -> None:
        """Let the bit line's source-measure unit hold `volts` at a cell for `seconds`, within its current limit."""
        self.hold("bit line", cell, volts, seconds, gate, self._compliance["bit line"]())

    def hold(
        self,
        source: str,
        cell: tuple[str, int, int],
        volts: float,
        seconds: float,
        gate: float,
        current: float,
        *since: object,
    ) -> None:
        """Let a level of `volts` at a cell, positive where it SETs, go on for `seconds`.

        Parameters
        ----------
        source : str
            What holds it; each has one level at a time.
        current : float
            What its source gives at most, A.
        since : object
            Whatever else tells the level from the one before.
        """
        array, row, column = cell
        cells = self.chip.cells[array]
        act = cells.set if volts > 0 else cells.reset
        level = self.levels.of(source, cell, volts, gate, current, *since)
        act((row, column), abs(volts), seconds, gate, current=current, level=level)

    def held_line(self, line: str) -> float:
        """What a source-measure unit holds a line at, V; 0 where none does."""
        return self._live.get(line, 0.0)

    def edge(self, line: str) -> float:
        """The faster edge of the pulse generator on a line, s."""
        return self._edges[line]()

    def pulse(self, terminal: str, volts: float, width: float, count: int) -> None:
        """Pulses left a generator's channel; they reach the cell only where the board routes them."""
        self.monitor.terminals[terminal].take_pulses(volts, width, self._edges[terminal](), count)
        self.board.watch()
        path, cell = self.board.path, self.board.cell
        if PATHS.get(terminal) != path or cell is None:
            return
        held = self._live.get("bit line")
        # A source at rest at 0 V stands behind its open switch, as the bench leaves it.
        reaches = "READ" in self.welded or (held is not None and abs(held) > HOT)
        if path == "SET" and reaches and held is not None and abs(held - volts) > HOT:
            welded = "; the READ switch is welded" if "READ" in self.welded else ""
            self.monitor.record(
                "contention", f"bit line: a pulse of {volts:.3g} V against a source at {held:.3g} V{welded}"
            )
        if self.gate is None:
            self.monitor.record(
                "floating gate", f"pulse of {volts:.3g} V on {cell} with nothing on the word line"
            )
            return
        array, row, column = cell
        self.monitor.pulses += count
        pulse = Level(volts if path == "SET" else -volts, width)
        pulse_train(self.chip.cells[array], (row, column), [pulse], count, self.gate, single=MOST)

    def switching(self, what: str) -> None:
        """A switch is about to move: every source on the chip's lines must be at 0 V."""
        self.levels.end()
        path = self.board.path
        if path == "READ":
            line, volts = "bit line", self._live.get("bit line", 0.0)
        elif path in ("SET", "RES"):
            line = "bit line" if path == "SET" else "source line"
            waveform = self._playing[line]()
            volts = 0.0 if waveform is None else waveform.extreme
        elif self.board.block is not None:
            reached = self.daq.reach(self._outputs) if self._outputs else np.zeros(0)
            line, volts = "vector", float(reached.max(initial=0.0))
        else:
            return
        if abs(volts) > HOT:
            name = "the vector's lines" if line == "vector" else f"the {line}"
            self.monitor.record("hot switch", f"{what} changed with {volts:.3g} V on {name}")

    def held_vector(self) -> Floats:
        """What the outputs of an NI DAQ hold now, V; the board's own converters hold nothing."""
        return self.daq.levels(self._outputs) if self._outputs else np.zeros(0)

    def hold_vectors(self, volts: Floats, period: float) -> None:
        """A DAQ's outputs stay at their levels, or play samples over and over, (samples, outputs), V."""
        self.monitor.terminals["vector"].take_samples(volts, period)
        self._held_vectors = volts if self._switches(volts) else np.zeros((1, 0))
        for sign in SIGNS:
            self.levels.end(f"vector {sign}")

    def pass_vectors(self, seconds: float) -> None:
        """Let what a DAQ's outputs do without a measurement act for so long."""
        if self._held_vectors.size:
            self._disturb_block(self._held_vectors, seconds / len(self._held_vectors), self.levels)

    def _switches(self, volts: Floats) -> bool:
        return bool(volts.size and np.abs(volts).max() > self.chip.preset.disturb_voltage)

    def vectors(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Answer of the connected block to a batch of input vectors, (samples, inputs), V."""
        self.monitor.terminals["vector"].take_samples(volts, period)
        self.board.watch()
        if self._switches(volts):
            self._disturb_block(volts, period, HeldLevels())
        return self._circuits.answer(volts, input_count, period)

    def _disturb_block(self, volts: Floats, period: float, levels: HeldLevels) -> None:
        """Let vectors that are too high for a read act on the cells of a block whose columns are at virtual ground.

        The board opens all transistors of a block as far as for a read. In a loop the amplifiers hold the rows.
        """
        block = self.board.block
        if block is None or self.board.mode != "MULT":
            return
        array, rows, columns = block
        cells, least = self.chip.cells[array], self.chip.preset.disturb_voltage
        for sign, act in zip(SIGNS, (cells.set_cells, cells.reset_cells), strict=True):
            driven = sign * volts[:, : len(rows)]
            times, peaks = (driven > least).sum(axis=0), driven.max(axis=0)
            hot = np.flatnonzero(times)
            if hot.size:
                index = (np.asarray(rows)[hot][:, None], np.asarray(columns)[None, :])
                level = levels.of(f"vector {sign}", block)
                act(index, peaks[hot][:, None], (times[hot] * period)[:, None], self._block_gate, level)
                if self._disturbed.get(sign) != block:
                    self._disturbed[sign] = block
                    told = f"vector: {sign * peaks.max():.3g} V, at which cells of {array} switch"
                    self.monitor.record("disturb", told)


def read_geometry(chip_text: str) -> tuple[ArrayGeometry, ...]:
    """Take from a chip map what the silicon is: array names, sizes and wires; raises `BenchError`."""
    arrays = read_chip_text(chip_text).arrays
    return tuple(ArrayGeometry(a.name, a.rows, a.columns, a.wire_resistance) for a in arrays)


def build_rack(argument: str) -> Laboratory:
    """Build what `pyvisa.ResourceManager("ARGUMENT@mho")` talks to; "" is the packaged simulated bench."""
    return Laboratory(load_bench_file(argument or "simulated"))
