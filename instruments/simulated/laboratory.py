"""The virtual bench: one chip, one clock, one seed, and the wires between them and the simulated instruments."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from instruments.bench_file import BenchFile, BenchSource, load_bench_file
from instruments.models import PULSE_GENERATORS, SOURCE_METERS
from instruments.simulated.array_board import SimulatedArrayBoard
from instruments.simulated.clock import VirtualClock
from instruments.simulated.faults import Fault
from instruments.simulated.physics.amplifiers import CLAMP, AmplifierBank, amplifier_preset
from instruments.simulated.physics.chip import ArrayGeometry, SimulatedChip
from instruments.simulated.physics.converters import Converter
from instruments.simulated.physics.inverse_circuit import InverseCircuit
from instruments.simulated.physics.loop_network import LoopNetwork
from instruments.simulated.physics.multiply_circuit import MultiplyCircuit
from instruments.simulated.physics.presets import cell_preset
from mho_errors import BenchError

if TYPE_CHECKING:
    from instruments.simulated.ni_daqmx import DaqSystem

Floats = NDArray[np.float64]

HOT = 5e-3  # V: what counts as a live source when a switch moves
CONVERSION_DELAY = 20e-6  # s between an update and its conversion, as the DAQ's driver sets it
BANDWIDTH = 1e6  # Hz, noise bandwidth of the board's amplifiers behind their filters
LEAKAGE = 1e-12  # S, an open path
LINES = 4096  # amplifiers on the board: more than any block has lines


@dataclass(frozen=True)
class Incident:
    """Something that would have hurt on a real bench."""

    time: float
    kind: str
    detail: str


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
    chip : SimulatedChip
    devices : dict
        Simulated instrument by VISA address: what the PyVISA backend opens.
    daq : DaqSystem
        The simulated NI-DAQmx system.
    incidents : list of Incident
        Contention, hot switching, a floating gate: recorded, never raised, as on a bench.
    faults : list of Fault
        Faults to inject on the bus; put some in, and the PyVISA backend lets them happen.
    """

    def __init__(self, source: BenchSource, *, preset: str | None = None, seed: int | None = None) -> None:
        bench = source.bench
        if bench.simulation is None:
            raise BenchError(
                f"bench {bench.name!r} has no [simulation] section: it stands for real instruments"
            )
        cells = cell_preset(preset or bench.simulation.preset)
        amplifier = amplifier_preset(bench.simulation.amplifier)
        self.clock = VirtualClock()
        self.incidents: list[Incident] = []
        self.faults: list[Fault] = []
        seeds = np.random.SeedSequence(bench.simulation.seed if seed is None else seed).spawn(6)
        chip_rng, board_rng, *device_rngs = (np.random.default_rng(s) for s in seeds)
        self.chip = SimulatedChip(read_geometry(source.chip_text), cells, self.clock, chip_rng)
        self._rng = board_rng
        self._live: dict[str, float] = {}
        self._inverters = AmplifierBank.draw(amplifier, LINES, board_rng)
        self._loop = AmplifierBank.draw(amplifier, LINES, board_rng)
        self._transimpedance = AmplifierBank.draw(amplifier, LINES, board_rng)
        self._diagonal_errors = 1e-3 * board_rng.standard_normal(LINES)
        bits = bench.simulation.inverse_bits
        self._inverse_adc = Converter.ideal(bits, -CLAMP, CLAMP) if bits else None
        self.devices = self._build(bench, device_rngs)
        self.daq = self._build_daq(bench, device_rngs[3])

    def _build(self, bench: BenchFile, rngs: list[np.random.Generator]) -> dict[str, Any]:
        entries = bench.instruments
        self.board = SimulatedArrayBoard(self.clock, rngs[2], _Carrier(self), serial="SIM00004")
        outputs: dict[str, dict[int, _SourcePort]] = {}
        for entry in (entries.smu, entries.gate):
            outputs.setdefault(entry.address, {})[entry.channel] = _SourcePort(self, entry.terminal)
        devices: dict[str, Any] = {}
        for number, (address, ports) in enumerate(outputs.items(), 1):
            driver = entries.smu.driver if address == entries.smu.address else entries.gate.driver
            model = SOURCE_METERS[driver]
            wired = ports if model.channels > 1 else ports[1]
            devices[address] = model.load_twin()(
                self.clock, rngs[number - 1], wired, serial=f"SIM{number:05}"
            )
        pulser = PULSE_GENERATORS[entries.pulser.driver].load_twin()
        lines = {channel: _PulsePort(self, line) for channel, line in entries.pulser.channels.items()}
        devices[entries.pulser.address] = pulser(self.clock, rngs[2], lines, serial="SIM00003")
        devices[entries.board.address] = self.board
        return devices

    def _build_daq(self, bench: BenchFile, rng: np.random.Generator) -> DaqSystem:
        from instruments.simulated.ni_daqmx import DaqSystem

        entry = bench.instruments.daq
        return DaqSystem(
            entry.products, self.clock, rng, _Converters(self), outputs=[entry.outputs], inputs=[entry.inputs]
        )

    def daq_session(self) -> AbstractContextManager[Any]:
        """Within it, `nidaqmx` talks to this laboratory's simulated devices."""
        return self.daq.selected()

    def record(self, kind: str, detail: str) -> None:
        """Note an incident."""
        self.incidents.append(Incident(self.clock.now, kind, detail))

    # --- what the wires do ---

    @property
    def gate(self) -> float | None:
        """Word-line voltage, or None when nothing drives it."""
        return self._live.get("word line")

    def drive(self, terminal: str, volts: float, connected: bool) -> None:
        """A DC source took a new level."""
        if connected:
            self._live[terminal] = volts
        else:
            self._live.pop(terminal, None)

    def current(self, terminal: str, volts: float, aperture: float) -> float:
        """Current (A) into the cell that the board has routed to `terminal`."""
        self.board.watch()
        cell = self.board.cell
        if terminal != "bit line" or self.board.path != "READ" or cell is None:
            return volts * LEAKAGE
        gate = self.gate
        if gate is None:
            self.record("floating gate", f"read of {cell} with nothing on the word line")
            return volts * LEAKAGE
        array, row, column = cell
        cells = self.chip.cells[array]
        if gate <= cells.preset.gate_threshold:
            return volts * LEAKAGE
        if abs(volts) > cells.preset.disturb_voltage:
            act = cells.set if volts > 0 else cells.reset
            act((row, column), abs(volts), aperture, gate)
        return volts * self.chip.read(array, row, column, aperture, volts)

    def pulse(self, terminal: str, volts: float, width: float, count: int) -> None:
        """Pulses left a generator's channel; they reach the cell only where the board routes them."""
        self.board.watch()
        path, cell = self.board.path, self.board.cell
        wanted = {"SET": "bit line", "RES": "source line"}.get(path)
        if wanted != terminal or cell is None:
            return
        if self.gate is None:
            self.record("floating gate", f"pulse of {volts:.3g} V on {cell} with nothing on the word line")
            return
        array, row, column = cell
        cells = self.chip.cells[array]
        act = cells.set if path == "SET" else cells.reset
        for _ in range(count):
            act((row, column), volts, width, self.gate)

    def switching(self, what: str) -> None:
        """A switch is about to move: every DC source on the chip's lines must be at 0 V."""
        bit = self._live.get("bit line", 0.0)
        if abs(bit) > HOT and self.board.path == "READ":
            self.record("hot switch", f"{what} changed with {bit:.3g} V on the bit line")

    def vectors(self, volts: Floats, input_count: int, period: float) -> Floats:
        """Answer of the connected block to a batch of input vectors, (samples, inputs), V."""
        self.board.watch()
        block = self.board.block
        answer = np.zeros((len(volts), input_count))
        if block is None:
            return answer
        driven = volts[:, : len(block[1])]
        window = len(volts) * period
        if self.board.mode == "MULT":
            outputs = self._multiply_circuit(*block, window).outputs(driven, self._rng)
        else:
            currents = driven * self.board.input_conductance
            circuit = self._inverse_circuit(*block, window)
            outputs = circuit.sampled(currents, CONVERSION_DELAY, period, self._rng)
        answer[:, : outputs.shape[1]] = outputs[:, :input_count]
        return answer

    def _multiply_circuit(
        self, array: str, rows: tuple[int, ...], columns: tuple[int, ...], window: float
    ) -> MultiplyCircuit:
        lines = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        transfer = self.chip.block(array, *lines).admittance.transfer
        noise = self.chip.noise(array, *lines, window, 1.0 / BANDWIDTH)
        ports = transfer * (1.0 + noise.frozen)
        return MultiplyCircuit(
            ports, transfer**2 * noise.variance, self._transimpedance, self.board.transimpedance, BANDWIDTH
        )

    def _inverse_circuit(
        self, array: str, rows: tuple[int, ...], columns: tuple[int, ...], window: float
    ) -> InverseCircuit:
        """The connected loop, wires included, with this moment's noise."""
        board, n = self.board, len(rows)
        lines = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        names = [array] if board.negative is None else [array, board.negative]
        blocks = [self.chip.block(name, *lines) for name in names]
        count = min(int(board.diagonal_count), n)
        diagonal = np.zeros(n)
        diagonal[:count] = board.diagonal * (1.0 + self._diagonal_errors[:count])
        loop = LoopNetwork(
            blocks[0],
            *blocks[1:],
            input_conductance=board.input_conductance,
            diagonal=diagonal,
            inverter_gain_errors=self._inverters.gain_errors[:n],
        )
        network, variance = loop.matrix(), np.zeros((n, n))
        for name, block, sign in zip(names, blocks, (1.0, -1.0), strict=False):
            transfer = block.admittance.transfer
            noise = self.chip.noise(name, *lines, window, 1.0 / BANDWIDTH)
            network += sign * transfer * noise.frozen
            variance += transfer**2 * noise.variance
        return InverseCircuit(network, loop.load(), variance, self._loop, BANDWIDTH, self._inverse_adc)


@dataclass(frozen=True)
class _SourcePort:
    lab: Laboratory
    terminal: str

    def drive(self, volts: float, *, connected: bool) -> None:
        self.lab.drive(self.terminal, volts, connected)

    def current(self, volts: float, aperture: float) -> float:
        return self.lab.current(self.terminal, volts, aperture)


@dataclass(frozen=True)
class _PulsePort:
    lab: Laboratory
    terminal: str

    def pulse(self, volts: float, width: float, period: float, count: int) -> None:
        self.lab.pulse(self.terminal, volts, width, count)


@dataclass(frozen=True)
class _Converters:
    lab: Laboratory

    def exchange(self, volts: Floats, period: float) -> Floats:
        return self.lab.vectors(volts, self.lab.daq.input_count, period)


@dataclass(frozen=True)
class _Carrier:
    lab: Laboratory

    def array_size(self, array: str) -> tuple[int, int] | None:
        geometry = self.lab.chip.geometry.get(array)
        return None if geometry is None else (geometry.rows, geometry.columns)

    def switching(self, what: str) -> None:
        if hasattr(self.lab, "board"):
            self.lab.switching(what)


def read_geometry(chip_text: str) -> tuple[ArrayGeometry, ...]:
    """Take from a chip map what the silicon is: array names, sizes and wires.

    The full check of a chip map is `chip_maps.chip`'s; this floor does not know that one.
    """
    try:
        arrays: list[Mapping[str, Any]] = tomllib.loads(chip_text)["arrays"]
        return tuple(
            ArrayGeometry(a["name"], int(a["rows"]), int(a["columns"]), float(a["wire_resistance"]))
            for a in arrays
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise BenchError(f"the chip map does not describe its arrays: {error}") from None


def build_rack(argument: str) -> Laboratory:
    """Build what `pyvisa.ResourceManager("ARGUMENT@mho")` talks to; "" is the packaged simulated bench."""
    return Laboratory(load_bench_file(argument or "simulated"))
