"""The virtual bench: one chip, one clock, one seed, and the wires between them and the simulated instruments.

The twins describe the outputs at their terminals (`running_waveforms`). As the clock advances, the cell that the board
has connected to one of them is exposed to the part of its waveform that falls into the elapsed time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from weakref import proxy

import numpy as np

from mho.array_types import Floats
from mho.instruments.bench_file.bench_file import BenchSource, load_bench_file
from mho.instruments.bench_file.chip_requirements import read_chip_text
from mho.instruments.laboratory.bench_twins import BenchTwins, SelectingWires
from mho.instruments.laboratory.block_circuits import BlockCircuits, ConnectedBlock
from mho.instruments.laboratory.board_switches import BoardSwitches
from mho.instruments.laboratory.chip_basis import ChipBasis, read_geometry
from mho.instruments.laboratory.chip_lines import PATHS, REST, Carrier, ChipLines, VectorLines
from mho.instruments.laboratory.crossbar_wires import CrossbarWires
from mho.instruments.laboratory.monitor import Incident, Monitor, over_voltages
from mho.instruments.laboratory.observed_lines import ObservedLines
from mho.instruments.laboratory.probes import ALWAYS_ON, Probes
from mho.instruments.laboratory.row_wires import RowWires
from mho.instruments.laboratory.tester_wires import TesterWires
from mho.instruments.simulated.array_board import SimulatedArrayBoard
from mho.instruments.simulated.faults import DaqFault, Fault
from mho.instruments.simulated.generators import Playing, Resting, Train, Waveform
from mho.instruments.simulated.physics.cells.presets import Cells
from mho.instruments.simulated.physics.cells.pulse_trains import Level, pulse_train
from mho.instruments.simulated.physics.cells.switching import LASTING
from mho.instruments.simulated.physics.chip import SimulatedChip
from mho.instruments.simulated.ports import Traffic


class RunningSources:
    """Applies the sources of one laboratory as its clock advances.

    `playing`: functions that return a generator's waveform, by line, or by name in front of a switch matrix.
    `generator`: whether none of them has one.
    `reached`: returns the lines to which a source is connected.
    """

    def __init__(
        self, lines: ChipLines, vectors: VectorLines, playing: Mapping[str, Playing], generator: Resting,
        reached: Callable[[str], Iterable[str]],
    ) -> None:  # fmt: skip
        self._lines, self._vectors, self._reached = lines, vectors, reached
        self._playing, self._generator, self._board = tuple(playing.items()), generator, lines.board
        self._levels, self._disturbing = lines.held, lines.chip.preset.disturb_voltage
        self._began: dict[str, tuple[Waveform, float]] = {}
        self._last_incident: dict[
            str, tuple[object, ...]
        ] = {}  # the last incident of a source: each is recorded once
        self._floating: tuple[object, float] | None = None  # the last recorded level on a floating gate

    def __call__(self, start: float, end: float) -> None:
        """Apply all sources for the time from `start` to `end` (s)."""
        generator = self._generator
        if self._began or not (generator.at_rest or generator.rests()):
            for source, playing in self._playing:
                waveform = playing()
                if waveform is not None:
                    self._play(source, waveform, start, end)
                elif source in self._began:
                    del self._began[source]
                    self._last_incident.pop(source, None)
        bit_line = self._levels.get("bit line", 0.0)
        if bit_line > self._disturbing or -bit_line > self._disturbing:
            self._hold(start, min(end, self._lines.board.goes_safe_at))
        else:
            self._floating = None
        if self._board.block is not None:  # else vectors reach no cell
            self._vectors.pass_time(end - start)

    def _play(self, source: str, waveform: Waveform, start: float, end: float) -> None:
        if source not in self._began or self._began[source][0] != waveform:
            self._began[source] = waveform, start
        began, grounded = self._began[source][1], self._lines.board.goes_safe_at
        for line in self._reached(source):
            self._watch(line, waveform, start - began, end - began)
            if start < grounded:
                trains = waveform.between(start - began, min(end, grounded) - began)
                self._reach_cell(source, line, waveform, trains, start)

    def _watch(self, line: str, waveform: Waveform, start: float, end: float) -> None:
        """Pass the monitor the levels of all cycles that begin from `start` to `end`, s since the waveform began."""
        trace = self._lines.monitor.terminals[line]
        if math.isinf(waveform.period):
            if abs(waveform.extreme) > REST:
                trace.take_endless_pulse(waveform.extreme, end)
            return
        cycles = math.ceil(end / waveform.period) - math.ceil(start / waveform.period)
        for volts, seconds, times in waveform.cycle if cycles else ():
            if abs(volts) > REST:
                trace.take_pulses(volts, seconds, self._lines.edges[line](), times * cycles)

    def _reach_cell(
        self, source: str, line: str, waveform: Waveform, trains: list[Train], start: float
    ) -> None:
        """Apply a generator's output on a line to the cell that it is connected to."""
        lines, path = self._lines, PATHS.get(line, "")
        cell = lines.board.cell
        if cell is None or not lines.closed(path) or abs(waveform.extreme) <= REST:
            self._last_incident.pop(source, None)
            lines.levels.end(f"generator {source}")
            return
        gate = lines.gate
        event = (waveform, line, cell, gate is None)
        if self._last_incident.get(source) != event:
            self._last_incident[source] = event
            array, row, column = cell
            lines.monitor.record(
                "running generator",
                f"{line}: {_waveform_text(waveform)} on {array}[{row}, {column}] without a trigger"
                + (", with nothing on the word line" if gate is None else ""),
                start,
            )
        if gate is None:
            return
        sign, at = 1.0 if path == "SET" else -1.0, start - self._began[source][1]
        array, row, column = cell
        for levels, count in trains:
            cycle = [Level(sign * volts, seconds, times) for volts, seconds, times in levels]
            if count > 1:
                lines.monitor.pulses += count * sum(level.times for level in cycle if level.volts)
                pulse_train(lines.chip.cells[array], (row, column), cycle, count, gate)
                at += count * waveform.period
                continue
            for level in cycle:  # each may be the rest of a level that began earlier, or only its beginning
                self._pass_level(source, cell, level, gate, waveform, at)
                at += level.seconds * level.times

    def _pass_level(
        self, source: str, cell: tuple[str, int, int], level: Level, gate: float, waveform: Waveform,
        at: float,
    ) -> None:  # fmt: skip
        """Apply a generator's level, or a part of it, that begins `at` seconds after the waveform began."""
        lines, (array, row, column) = self._lines, cell
        cycle, place = waveform.place(at + level.seconds * level.times / 2.0)
        lasts = waveform.cycle[place].seconds > LASTING and level.times == 1
        if lasts and abs(level.volts) >= lines.chip.preset.disturb_voltage:
            since = self._began[source], cycle, place
            lines.hold(f"generator {source}", cell, level.volts, level.seconds, gate, math.inf, *since)
            return
        lines.monitor.pulses += level.times if level.volts else 0
        pulse_train(lines.chip.cells[array], (row, column), [level], 1, gate)

    def _hold(self, start: float, end: float) -> None:
        """Apply the level of a source-measure unit while no measurement runs."""
        lines = self._lines
        volts, cell, gate = lines.held.get("bit line", 0.0), lines.board.cell, lines.gate
        if volts == lines.measured[0]:
            start = max(start, lines.measured[1])
        if end <= start or cell is None or not lines.closed("READ"):
            return
        if gate is not None:
            lines.stress(cell, volts, end - start, gate)
        elif self._floating != (cell, volts):
            self._floating = cell, volts
            lines.monitor.record(
                "floating gate", f"{volts:.3g} V held at {cell} with nothing on the word line", start
            )


def _waveform_text(waveform: Waveform) -> str:
    if math.isinf(waveform.period):
        return f"{waveform.extreme:.3g} V"
    return f"up to {waveform.extreme:.3g} V every {waveform.period:.3g} s"


class Laboratory(ChipBasis):
    """The simulated chip, instruments and wires of one bench.

    `source`: the bench file; its instruments' addresses become simulated instruments.
    `preset`: cells, as `cell_preset` takes them, instead of the bench file's.
    `seed`: of everything random here, instead of the bench file's; as an attribute the one that was drawn without it.

    `devices`: simulated instrument by VISA address, as the PyVISA backend opens it.
    `libraries`: what stands for the library of a vendor, by the address of the instrument whose driver calls it.
    `daq`: the simulated NI-DAQmx system.
    `monitor`: records extremes, incidents and traffic on the wires.
    `lines`: levels of the sources on the lines of a cell.
    `matrix`: the wires behind a switch matrix; None without one.
    `circuits`: the board's amplifiers and the chip between them.
    `vectors`: vectors played into a block.
    `faults`: faults to inject; the PyVISA backend and NI-DAQmx's interpreter apply those in this list.
    """

    def __init__(self, source: BenchSource, *, preset: Cells | None = None, seed: int | None = None) -> None:
        super().__init__(source, preset, seed, 9)
        bench, simulation = source.bench, self._simulation
        self.monitor = Monitor(self.clock, bench.terminal_limits())
        self.faults: list[Fault | DaqFault] = []
        chip_rng, board_rng, *device_rngs = self._rngs
        self.chip = SimulatedChip(read_geometry(source.chip_text), self._cells, self.clock, chip_rng)
        self._wire(self.chip)
        carrier = Carrier()
        self.board: Any  # a SimulatedArrayBoard, or what stands for it
        daq = bench.instruments.lines
        amplified: Any = ConnectedBlock()  # what is connected to the amplifiers of the columns
        if daq is not None:
            amplified.transimpedance = daq.transimpedance
        if bench.instruments.board is None:
            self.board = Probes((next(iter(self.chip.geometry)), 0, 0))
        elif bench.instruments.board.is_own:
            self.board = amplified = BoardSwitches(carrier)
        else:
            self.board = SimulatedArrayBoard(
                self.clock, device_rngs[2], carrier, serial="SIM00004", channels=simulation.converters,
                slice_ratio=simulation.slice_ratio,
            )  # fmt: skip
            amplified = self.board
        kind = ChipLines if bench.instruments.scope is None else ObservedLines
        self.lines = kind(self.chip, self.board, self.clock, self.monitor)
        if not bench.instruments.serves("gate"):
            self.lines.ungated = ALWAYS_ON
        self.circuits = BlockCircuits.drawn(
            self.chip, amplified, simulation, board_rng, bench.read.gate or ALWAYS_ON, self.monitor.report_amplifier,
            (self.elements, self._element_rng),
        )  # fmt: skip
        if noise := simulation.readout_noise:
            readout = board_rng.spawn(1)[0]
            self.lines.readout = lambda: noise * float(readout.standard_normal())
        self.vectors = VectorLines(
            self.lines, self.circuits, bench.read.gate, self.elements, self._element_rng
        )
        # The laboratory owns the lines; what is wired to them refers to them weakly, lest lines and instruments keep each
        # other, and the chip, until the collector runs.
        lines, vectors = proxy(self.lines), proxy(self.vectors)
        carrier.connect(lines, vectors)
        wires: TesterWires | RowWires = TesterWires(lines, self.board, amplified, self.circuits)
        if daq is not None:
            wires = RowWires(
                lines, self.board, amplified, self.circuits, gated=bool(daq.gate), full_scale=daq.full_scale
            )
        selecting = CrossbarWires if read_chip_text(source.chip_text).passive else SelectingWires
        twins = BenchTwins(lines, vectors, bench.instruments, device_rngs, self.faults, wires, selecting)
        self.devices, self.libraries = twins.devices, twins.libraries
        self.daq, self.matrix = twins.daq, twins.matrix
        self._generators = tuple(twins.generators.values())
        wired = bench.instruments
        self._gate = "tester" if wired.by_tester("gate") or wired.by_tester("program") else "gate"
        self._contacts = tuple(bench.instruments.contacts)
        self._outputs = "" if bench.instruments.daq is None else bench.instruments.daq.outputs
        self._vector = "daq"  # the role whose outputs these are
        if daq is not None:
            self._vector, self._outputs = "tester", daq.driven
        reached = (lambda line: [line]) if self.matrix is None else self.matrix.terminals
        self.clock.follow(RunningSources(lines, vectors, twins.generators, twins.generator, reached))
        if (pass_time := getattr(twins.matrix, "pass_time", None)) is not None:
            self.clock.follow(pass_time)

    def daq_session(self) -> AbstractContextManager[Any]:
        """Context in which `nidaqmx` talks to this laboratory's simulated devices."""
        return self.daq.selected()

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
        if self.matrix is None:
            return dict(self.lines.held)
        return self.matrix.held | {
            line: self.lines.held[line] for line in self._contacts if line in self.lines.held
        }

    def live(self) -> tuple[str, ...]:
        """Return the roles that drive the chip now, as a probe at the wires would find them, whatever drivers say."""
        roles = {"bit line": "smu", "word line": self._gate}
        names = {roles.get(line, line) for line, volts in self.held.items() if abs(volts) > REST}
        waveforms = [playing() for playing in self._generators]
        if any(waveform is not None and abs(waveform.extreme) > REST for waveform in waveforms):
            names.add("pulser")
        if np.abs(self.held_vector()).max(initial=0.0) > REST:
            names.add(self._vector)
        if self.board.mode != "SAFE":
            names.add("board")
        return tuple(sorted(names))

    def held_vector(self) -> Floats:
        """Present levels of an NI DAQ's outputs, V; the board's own converters hold none."""
        return self.daq.levels(self._outputs) if self._outputs else np.zeros(0)


def build_rack(argument: str) -> Laboratory:
    """Build the instruments behind `pyvisa.ResourceManager("ARGUMENT@mho")`; "" is the packaged simulated bench."""
    return Laboratory(load_bench_file(argument or "simulated"))
