"""The virtual bench: one chip, one clock, one seed, and the wires between them and the simulated instruments."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from instruments.bench_file import BenchFile, BenchSource, load_bench_file
from instruments.simulated.physics.amplifiers import AmplifierBank, loop_outputs, transimpedance_outputs
from instruments.simulated.array_board import SimulatedArrayBoard
from instruments.simulated.physics.chip import ArrayGeometry, SimulatedChip
from instruments.simulated.clock import VirtualClock
from instruments.simulated.keithley2450 import SimulatedKeithley2450
from instruments.simulated.keysight33522b import SimulatedKeysight33522B
from instruments.simulated.physics.presets import AMPLIFIER_PRESETS, cell_preset
from mho_errors import BenchError

if TYPE_CHECKING:
    from instruments.simulated.ni_daqmx import DaqSystem

Floats = NDArray[np.float64]

HOT = 5e-3  # V: what counts as a live source when a switch moves
BANDWIDTH = 1e6  # Hz, noise bandwidth of the board's amplifiers behind their filters
LEAKAGE = 1e-12  # S, an open path


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
    """

    def __init__(self, source: BenchSource, *, preset: str | None = None, seed: int | None = None) -> None:
        bench = source.bench
        if bench.simulation is None:
            raise BenchError(
                f"bench {bench.name!r} has no [simulation] section: it stands for real instruments"
            )
        cells = cell_preset(preset or bench.simulation.preset)
        amplifier = AMPLIFIER_PRESETS.get(bench.simulation.amplifier)
        if amplifier is None:
            known = ", ".join(AMPLIFIER_PRESETS)
            raise BenchError(f"unknown amplifier {bench.simulation.amplifier!r}; there are {known}")
        self.clock = VirtualClock()
        self.incidents: list[Incident] = []
        seeds = np.random.SeedSequence(bench.simulation.seed if seed is None else seed).spawn(6)
        chip_rng, board_rng, *device_rngs = (np.random.default_rng(s) for s in seeds)
        self.chip = SimulatedChip(read_geometry(source.chip_text), cells, self.clock, chip_rng)
        self._rng = board_rng
        self._live: dict[str, float] = {}
        channels = 4096 if not bench.instruments.daq else 128
        self._inverters = AmplifierBank.draw(amplifier, channels, board_rng)
        self._loop = AmplifierBank.draw(amplifier, channels, board_rng)
        self._transimpedance = AmplifierBank.draw(amplifier, channels, board_rng)
        self._diagonal_errors = 1e-3 * board_rng.standard_normal(channels)
        self.devices = self._build(bench, device_rngs)
        self.daq = self._build_daq(bench, device_rngs[3])

    def _build(self, bench: BenchFile, rngs: list[np.random.Generator]) -> dict[str, Any]:
        entries = bench.instruments
        self.board = SimulatedArrayBoard(self.clock, rngs[2], _Carrier(self))
        devices: dict[str, Any] = {
            entry.address: SimulatedKeithley2450(self.clock, rng, output=_SourcePort(self, entry.terminal))
            for entry, rng in ((entries.smu, rngs[0]), (entries.gate, rngs[1]))
        }
        ports = {channel: _PulsePort(self, line) for channel, line in entries.pulser.channels.items()}
        devices[entries.pulser.address] = SimulatedKeysight33522B(self.clock, rngs[2], ports)
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
        return volts * self.chip.read(array, row, column)

    def pulse(self, terminal: str, volts: float, width: float, count: int) -> None:
        """Pulses left a generator's channel; they reach the cell only where the board routes them."""
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

    def vectors(self, volts: Floats, input_count: int) -> Floats:
        """Answer of the connected block to a batch of input vectors, (samples, inputs), V."""
        block = self.board.block
        answer = np.zeros((len(volts), input_count))
        if block is None:
            return answer
        array, rows, columns = block
        row_index, column_index = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
        ports = self.chip.ports(array, row_index, column_index)
        spread = self.chip.read_spread(array, ports)
        driven = volts[:, : len(rows)]
        if self.board.mode == "MULT":
            outputs = transimpedance_outputs(
                driven, ports, spread, self._transimpedance, self.board.transimpedance, BANDWIDTH, self._rng
            )
        else:
            outputs = self._invert(driven, ports, spread, row_index, column_index)
        answer[:, : outputs.shape[1]] = outputs[:, :input_count]
        return answer

    def _invert(
        self,
        volts: Floats,
        ports: Floats,
        spread: Floats,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
    ) -> Floats:
        board, k = self.board, len(rows)
        network, variance, load = ports.copy(), spread**2, ports.sum(axis=1)
        if board.negative is not None:
            negative = self.chip.ports(board.negative, rows, columns)
            gain = 1.0 + self._inverters.gain_errors[:k]
            network -= negative * gain
            variance = variance + self.chip.read_spread(board.negative, negative) ** 2
            load = load + negative.sum(axis=1)
        count = min(int(board.diagonal_count), k)
        diagonal = np.zeros(k)
        diagonal[:count] = board.diagonal * (1.0 + self._diagonal_errors[:count])
        network[np.arange(k), np.arange(k)] += diagonal
        load = load + diagonal + board.input_conductance
        currents = volts * board.input_conductance
        return loop_outputs(currents, network, load, variance, self._loop, BANDWIDTH, self._rng)


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
        return self.lab.vectors(volts, self.lab.daq.input_count)


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


_numbers = itertools.count(1)


def build_rack(argument: str) -> Laboratory:
    """Build what `pyvisa.ResourceManager("ARGUMENT@mho")` talks to; "" is the packaged simulated bench."""
    return Laboratory(load_bench_file(argument or "simulated"))
