"""The virtual bench: one chip, one clock, one seed, and the wires between them and the simulated instruments."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, cast
from weakref import proxy

import numpy as np
from numpy.typing import NDArray

from mho.errors import BenchError
from mho.instruments.bench_file.bench_file import BenchSource, load_bench_file
from mho.instruments.bench_file.chip_requirements import read_chip_text
from mho.instruments.laboratory.bench_twins import BenchTwins
from mho.instruments.laboratory.block_circuits import BlockCircuits
from mho.instruments.laboratory.chip_lines import REST, ChipLines
from mho.instruments.laboratory.monitor import Incident, Monitor, over_voltages
from mho.instruments.laboratory.running_sources import RunningSources
from mho.instruments.laboratory.vector_lines import VectorLines
from mho.instruments.laboratory.wiring import Carrier
from mho.instruments.simulated.array_board.instrument import SimulatedArrayBoard
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.devices import Traffic
from mho.instruments.simulated.faults import DaqFault, Fault
from mho.instruments.simulated.physics.cells.preset_files import cell_preset
from mho.instruments.simulated.physics.chip import ArrayGeometry, SimulatedChip
from mho.instruments.simulated.physics.circuits.amplifiers import AmplifierPreset
from mho.instruments.simulated.physics.circuits.step_response import StepResponse

Floats = NDArray[np.float64]


class Laboratory:
    """The simulated chip, instruments and wires of one bench.

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
        Seed of everything random here; drawn when none was given.
    chip : SimulatedChip
    devices : dict
        Simulated instrument by VISA address, as the PyVISA backend opens it.
    daq : DaqSystem
        The simulated NI-DAQmx system.
    monitor : Monitor
        Records extremes, incidents and traffic on the wires.
    board : SimulatedArrayBoard
    lines : ChipLines
        Levels of the sources on the lines of a cell.
    circuits : BlockCircuits
        The board's amplifiers and the chip between them.
    vectors : VectorLines
        Vectors played into a block.
    faults : list of Fault or DaqFault
        Faults to inject; the PyVISA backend and NI-DAQmx's interpreter apply those in this list.
    """

    def __init__(self, source: BenchSource, *, preset: str | None = None, seed: int | None = None) -> None:
        bench = source.bench
        if bench.simulation is None:
            raise BenchError(
                f"bench {bench.name!r} has no [simulation] section: it stands for real instruments"
            )
        cells = cell_preset(
            preset or bench.simulation.preset, bench.simulation.stuck, bench.simulation.nonlinearity
        )
        self.clock = VirtualClock()
        self.monitor = Monitor(self.clock, bench.terminal_limits())
        self.faults: list[Fault | DaqFault] = []
        sequence = np.random.SeedSequence(bench.simulation.seed if seed is None else seed)
        self.seed = int(cast(int, sequence.entropy))
        chip_rng, board_rng, *device_rngs = (np.random.default_rng(s) for s in sequence.spawn(9))
        self.chip = SimulatedChip(read_geometry(source.chip_text), cells, self.clock, chip_rng)
        carrier = Carrier()
        self.board = SimulatedArrayBoard(
            self.clock,
            device_rngs[2],
            carrier,
            serial="SIM00004",
            channels=bench.simulation.converters,
            slice_ratio=bench.simulation.slice_ratio,
        )
        self.lines = ChipLines(self.chip, self.board, self.clock, self.monitor)
        self.circuits = BlockCircuits.drawn(
            self.chip, self.board, bench.simulation, board_rng, bench.read.gate, self.monitor.report_amplifier
        )
        if noise := bench.simulation.readout_noise:
            readout = board_rng.spawn(1)[0]
            self.lines.readout = lambda: noise * float(readout.standard_normal())
        self.vectors = VectorLines(self.lines, self.circuits, bench.read.gate)
        # The laboratory owns the lines; what is wired to them refers to them weakly, lest lines and instruments keep each
        # other, and the chip, until the collector runs.
        lines, vectors = proxy(self.lines), proxy(self.vectors)
        carrier.connect(lines, vectors)
        twins = BenchTwins(lines, vectors, bench.instruments, device_rngs, self.faults)
        self.devices, self.daq, self._matrix = twins.devices, twins.daq, twins.matrix
        self._generators = tuple(twins.generators.values())
        self._outputs = bench.instruments.daq.outputs
        reached = (lambda line: [line]) if self._matrix is None else self._matrix.terminals
        self.clock.follow(RunningSources(lines, vectors, twins.generators, twins.generator, reached))

    def daq_session(self) -> AbstractContextManager[Any]:
        """Context in which `nidaqmx` talks to this laboratory's simulated devices."""
        return self.daq.selected()

    @property
    def amplifier(self) -> AmplifierPreset:
        """The type of the INV loop's amplifiers, and the capacitances around them."""
        return self.circuits.loop.preset

    def step_response(self, volts: Floats, duration: float | None = None, points: int = 2000) -> StepResponse:
        """Return the waveforms of the connected INV loop after a step to `volts`, as `BlockCircuits.step_response`."""
        return self.circuits.step_response(volts, duration, points)

    @property
    def incidents(self) -> list[Incident]:
        """Incidents (contention, hot switching, a destroyed cell…): recorded but never raised, as on a real bench."""
        destroyed = over_voltages(self.chip)
        if not destroyed:
            return self.monitor.incidents
        return sorted([*self.monitor.incidents, *destroyed], key=lambda one: one.time)

    @property
    def traffic(self) -> dict[str, Traffic]:
        """Number of messages by VISA address, counted by the transports."""
        return self.monitor.traffic

    @property
    def held(self) -> dict[str, float]:
        """Levels that source-measure units hold, V, by line, or by role in front of a switch matrix.

        A unit that is off and grounds its output holds 0 V exactly; one with an open relay is missing.
        """
        return dict(self.lines.held if self._matrix is None else self._matrix.held)

    def live(self) -> tuple[str, ...]:
        """Return the roles that drive the chip now, as a probe at the wires would find them, whatever drivers say."""
        roles = {"bit line": "smu", "word line": "gate"}
        found = {roles.get(line, line) for line, volts in self.held.items() if abs(volts) > REST}
        waveforms = [playing() for playing in self._generators]
        if any(waveform is not None and abs(waveform.extreme) > REST for waveform in waveforms):
            found.add("pulser")
        if np.abs(self.held_vector()).max(initial=0.0) > REST:
            found.add("daq")
        if self.board.mode != "SAFE":
            found.add("board")
        return tuple(sorted(found))

    def held_vector(self) -> Floats:
        """Present levels of an NI DAQ's outputs, V; the board's own converters hold none."""
        return self.daq.levels(self._outputs) if self._outputs else np.zeros(0)


def read_geometry(chip_text: str) -> tuple[ArrayGeometry, ...]:
    """Read the geometry of the chip from a chip map: array names, sizes and wires; raises `BenchError`."""
    arrays = read_chip_text(chip_text).arrays
    return tuple(ArrayGeometry(a.name, a.rows, a.columns, a.wire_resistance, a.segment) for a in arrays)


def build_rack(argument: str) -> Laboratory:
    """Build the instruments behind `pyvisa.ResourceManager("ARGUMENT@mho")`; "" is the packaged simulated bench."""
    return Laboratory(load_bench_file(argument or "simulated"))
