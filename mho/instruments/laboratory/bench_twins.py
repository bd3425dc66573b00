"""The simulated instruments of a bench file, each at its address, connected to the laboratory's wires.

A source with open crosspoints is connected to no line. Two sources with crosspoints on the same line drive it together.
A crosspoint that moves with a voltage on its row is a hot switch. All of these are recorded as incidents.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast
from weakref import proxy

import numpy as np

from mho.errors import BenchError
from mho.instruments.bench_file.entries import DaqEntry, Instruments, SourceEntry
from mho.instruments.bench_file.models import (
    PULSE_GENERATORS,
    SOURCE_METERS,
    TEMPERATURE_CONTROLLERS,
    VOLTAGE_SOURCES,
    takes_library,
)
from mho.instruments.bench_file.switch_paths import GROUND, CellWiring, CrosspointNames
from mho.instruments.laboratory.chip_lines import (
    HOT,
    LEAKAGE,
    ChipLines,
    ConverterWires,
    InputWire,
    OutputWire,
    VectorLines,
    compliance_of,
    edge_of,
)
from mho.instruments.laboratory.observed_lines import Needles, ObservedLines, ScopeProbes
from mho.instruments.laboratory.probes import Probes
from mho.instruments.laboratory.row_wires import RowWires
from mho.instruments.laboratory.tester_wires import TesterWires
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.excursions import Excursion
from mho.instruments.simulated.faults import DaqFault, Fault
from mho.instruments.simulated.generators import NoGenerator, Playing, Resting, RestlessTwin, waveform_of
from mho.instruments.simulated.keithleydaq6510 import SimulatedKeithleyDAQ6510
from mho.instruments.simulated.loads import Open
from mho.instruments.simulated.nidaqmx.converters import channel_names
from mho.instruments.simulated.nidaqmx.system import DaqSystem
from mho.instruments.simulated.physics.cells.relaxation import ROOM
from mho.instruments.simulated.physics.heated_stage import HeatedStage

log = logging.getLogger(__name__)

NI_EDGE = 0.2e-6  # s, 10 to 90 %, of an output of an X Series device
RESISTANCE = 50.0  # ohm, source resistance in a contention

# Present level of a source, V; None when it drives nothing
Level = Callable[[], float | None]


class MatrixWires:
    """Connections of sources to lines, and their effects.

    `rows`, `columns`: source by row, terminal by column, as in a bench file.
    `names`: of its crosspoints.
    """

    def __init__(
        self, lines: ChipLines, rows: Mapping[str, str], columns: Mapping[str, str], names: CrosspointNames
    ) -> None:
        self._lines, self._rows, self._columns, self._names = lines, rows, columns, names
        self._closed: frozenset[str] = frozenset()
        # Level at which each source-measure unit holds its row, V; a missing one drives nothing
        self.held: dict[str, float] = {}
        self._levels: dict[str, Level] = {GROUND: lambda: 0.0}

    def source_wire(self, source: str) -> OutputWire:
        """Return the wire from a source-measure unit."""
        self._levels[source] = lambda: self.held.get(source)
        return OutputWire(self, source)

    def know_waveform(self, source: str, playing: Playing) -> None:
        """Register the untriggered output of a pulse generator's channel; only its largest magnitude is used."""

        def level() -> float:
            waveform = playing()
            return 0.0 if waveform is None else waveform.extreme

        self._levels[source] = level

    def take_closed(self, closed: frozenset[str]) -> None:
        """Record the crosspoints that are now closed; the matrix calls this when relays move."""
        changed = closed ^ self._closed
        for crosspoint in sorted(changed):
            source = self._rows.get(self._names.split(crosspoint)[0], "")
            volts = self._level(source)
            if volts is not None and abs(volts) > HOT:
                self._lines.monitor.record(
                    "hot switch", f"crosspoint {crosspoint} moved with {volts:.3g} V of {source} on it"
                )
        self._closed = closed
        if changed:
            self._lines.levels.end()
            for terminal in dict.fromkeys(self._columns.values()):
                self._settle(terminal)

    def terminals(self, source: str) -> list[str]:
        """Return the lines to which a source is connected."""
        return [terminal for name, terminal in self._joined() if name == source]

    def drive(self, source: str, volts: float, connected: bool) -> None:
        """Apply a new level of a source."""
        if connected:
            self.held[source] = volts
        else:
            self.held.pop(source, None)
        for terminal in self.terminals(source):
            self._settle(terminal)

    def current(self, source: str, volts: float, aperture: float) -> float:
        """Return the current (A) out of a source at `volts`, into the lines and into other sources on them."""
        amperes = volts * LEAKAGE
        for terminal in self.terminals(source):
            amperes += self._lines.current(terminal, volts, aperture)
            amperes += sum((volts - level) / RESISTANCE for level in self._rivals(source, terminal, volts))
        return amperes

    def train(self, source: str, cycle: Sequence[Excursion], count: int) -> None:
        """Apply cycles of levels of a generator's channel."""
        for terminal in self.terminals(source):
            for excursion in cycle:
                self._rivals(source, terminal, excursion.volts)
            self._lines.train(terminal, cycle, count)

    def _rivals(self, source: str, terminal: str, volts: float) -> list[float]:
        """Return the levels of the other sources on a line, and record those that disagree."""
        levels = []
        for name, reached in self._joined():
            level = self._level(name)
            if reached == terminal and name != source and level is not None:
                levels.append(level)
                if abs(level - volts) > HOT:
                    self._lines.monitor.record(
                        "contention", f"{terminal}: {volts:.3g} V of {source} against {level:.3g} V of {name}"
                    )
        return levels

    def _settle(self, terminal: str) -> None:
        """Set a line to the level of the source-measure unit that holds it; of two, the one farther from 0 V."""
        levels = [
            self.held[name] for name, reached in self._joined() if reached == terminal and name in self.held
        ]
        self._lines.drive(terminal, max(levels, key=abs, default=0.0), bool(levels))

    def _joined(self) -> list[tuple[str, str]]:
        pairs = (self._names.split(crosspoint) for crosspoint in sorted(self._closed))
        return [
            (self._rows[row], self._columns[column])
            for row, column in pairs
            if row in self._rows and column in self._columns
        ]

    def _level(self, source: str) -> float | None:
        level = self._levels.get(source)
        return None if level is None else level()


class SelectingWires(MatrixWires):
    """A switch matrix at the lines of a chip: what is closed decides which cell the sources reach.

    Several cells at once are an incident, and conduct together; a voltage with no cell behind it is one, too.

    `probes`: what stands for a board; it receives the cell.
    """

    def __init__(self, lines: ChipLines, probes: Probes, wiring: CellWiring) -> None:
        columns = {column: line for column, (line, _) in wiring.lines().items()}
        super().__init__(lines, wiring.rows, columns, wiring.names)
        assert probes.cell is not None  # of a chip of one array
        self._probes, self._array, self._at = probes, probes.cell[0], wiring.lines()
        self._one_source_line, self._one_word_line = not wiring.source_lines, len(wiring.word_lines) < 2
        switched = {*wiring.rows.values()}
        # Sources that are wired past the matrix
        self._past = [(source, line) for source, line in wiring.sources.items() if source not in switched]
        self._cells: list[tuple[str, int, int]] = []
        self._gated = True
        probes.cell = None

    def take_closed(self, closed: frozenset[str]) -> None:
        """Record the crosspoints that are now closed, and address what they connect."""
        reached: dict[str, set[int]] = {"bit line": set(), "source line": set(), "word line": set()}
        for crosspoint in closed:
            row, column = self._names.split(crosspoint)
            if row in self._rows and column in self._at:
                line, number = self._at[column]
                reached[line].add(number)
        columns = {0} if self._one_source_line else reached["source line"]
        cells = [
            (self._array, row, column) for row in sorted(reached["bit line"]) for column in sorted(columns)
        ]
        self._gated = self._one_word_line or reached["bit line"] <= reached["word line"]
        if len(cells) > 1 and cells != self._cells:
            self._lines.monitor.record("joined devices", f"{len(cells)} at once, {cells[0]} and {cells[1]}")
        self._cells, self._probes.cell = cells, cells[0] if cells else None
        super().take_closed(closed)

    def current(self, source: str, volts: float, aperture: float) -> float:
        """Return the current (A) out of a source at `volts`, into every cell that is connected."""
        self._expect_cell(source, volts)
        amperes = super().current(source, volts, aperture)
        for _ in self._further_cells():
            amperes += sum(self._lines.current(line, volts, aperture) for line in self.terminals(source))
        return amperes

    def train(self, source: str, cycle: Sequence[Excursion], count: int) -> None:
        """Apply cycles of levels to every cell that is connected."""
        self._expect_cell(source, max((one.volts for one in cycle), key=abs, default=0.0))
        super().train(source, cycle, count)
        for _ in self._further_cells():
            for line in self.terminals(source):
                self._lines.train(line, cycle, count)

    def _further_cells(self) -> Iterator[None]:
        """Address each connected cell after the first, and then the first again."""
        for cell in self._cells[1:]:
            self._probes.cell = cell
            yield
        self._probes.cell = self._cells[0] if self._cells else None

    def _expect_cell(self, source: str, volts: float) -> None:
        if abs(volts) > HOT and not self._cells:
            self._lines.monitor.record(
                "source on nothing", f"{volts:.3g} V of {source} with no cell connected"
            )

    def _joined(self) -> list[tuple[str, str]]:
        pairs = dict.fromkeys([*self._past, *super()._joined()])
        return [pair for pair in pairs if self._gated or pair[1] != "word line"]


class BenchTwins:
    """All twins of one bench except its board, which is wired first.

    `lines`: the lines that the terminals are wired to; it receives here the abilities of the twins on them.
    `vectors`: the lines that the DAQ is wired to.
    `entries`: of the bench file.
    `rngs`: seven, for the instruments.
    `tester`: the lines of all arrays, for a tester, or for a DAQ wired straight to them.
    `faults`: the laboratory's faults; the DAQ checks them in every call.
    `selecting`: wires behind a switch matrix at the lines of the chip.
    `BenchError` when a DAQ cannot be as the bench file says.
    """

    def __init__(
        self, lines: ChipLines, vectors: VectorLines, entries: Instruments,
        rngs: Sequence[np.random.Generator], faults: Sequence[Fault | DaqFault], tester: TesterWires | RowWires,
        selecting: Callable[[ChipLines, Probes, CellWiring], MatrixWires] = SelectingWires,
    ) -> None:  # fmt: skip
        self.devices: dict[str, Any] = {}  # twin by VISA address
        self.libraries: dict[str, Any] = {}  # the twin of one whose driver calls a vendor's library
        # The pulse generator, or what stands for a twin that does not say whether it puts out anything
        self.generator: Resting
        # Output of a pulse generator's channel without a trigger, by line, or by name in front of a switch matrix
        self.generators: dict[str, Playing] = {}
        self._lines, self._vectors, self._entries, self._rngs = lines, vectors, entries, rngs
        self.matrix = self._build_switch(selecting)  # the wires behind a switch matrix
        self._build_meters()
        self._build_pulser()
        self._build_board()
        if entries.switch is not None:  # instruments are served in the order of the addresses
            self.devices[entries.switch.address] = self._switch
        self.daq = (  # has no device when the bench has no NI DAQ
            self._build_lines(tester, faults) if isinstance(tester, RowWires) else self._build_daq(faults)
        )
        self._build_voltmeter()
        self._build_own_daq()
        self._build_chuck()
        if not isinstance(tester, RowWires):
            self._build_tester(tester)
        self._build_beside()
        self._build_prober_and_scope()

    def _build_switch(
        self, selecting: Callable[[ChipLines, Probes, CellWiring], MatrixWires]
    ) -> MatrixWires | None:
        entry = self._entries.switch
        if entry is None:
            return None
        wiring, board = self._entries.cell_wiring, self._lines.board
        if wiring is not None and isinstance(board, Probes):
            wires = selecting(self._lines, board, wiring)
        else:
            wires = MatrixWires(self._lines, entry.rows, entry.columns, entry.names)
        twin = entry.model.load_twin()
        self._switch = twin(
            self._lines.clock,
            self._rngs[4],
            serial="SIM00005",
            on_switch=wires.take_closed,
            **_taken(entry, twin),
        )
        return wires

    def _source_wire(self, name: str, entry: SourceEntry) -> OutputWire:
        if self.matrix is None or name in self._entries.contacts:
            return OutputWire(self._lines, entry.line)
        return self.matrix.source_wire(name)

    def _build_meters(self) -> None:
        entries = self._entries
        outputs: dict[str, dict[int, tuple[str, SourceEntry]]] = {}
        wired = {"smu": entries.smu, "gate": entries.gate, "sink": entries.sink, **entries.contacts}
        for name, entry in wired.items():
            if entry is not None:
                outputs.setdefault(entry.address, {})[entry.channel] = (name, entry)
        for number, (address, channels) in enumerate(outputs.items(), 1):
            model = next(entry for _, entry in channels.values()).model
            ports = {channel: self._source_wire(*named) for channel, named in channels.items()}
            own = ports if model.channels > 1 else ports[1]
            rng = self._rngs[number - 1] if number < 3 else self._rngs[6].spawn(1)[0]
            twin = model.load_twin()(self._lines.clock, rng, own, serial=f"SIM{number:05}")
            for channel, (_, wired_to) in channels.items():
                self._lines.compliance[wired_to.line] = compliance_of(twin, channel)
            self._place(next(entry for _, entry in channels.values()))[address] = twin

    def _generator_name(self, channel: int, line: str) -> str:
        return line if self.matrix is None else f"pulser {channel}"

    def _build_pulser(self) -> None:
        entry = self._entries.pulser
        if entry is None:
            self.generator = NoGenerator()
            return
        lines = {
            channel: OutputWire(self.matrix or self._lines, self._generator_name(channel, line))
            for channel, line in entry.channels.items()
        }
        twin = entry.model.load_twin()
        generator = twin(self._lines.clock, self._rngs[2], lines, serial="SIM00003")
        self.generator = generator if hasattr(generator, "rests") else RestlessTwin()
        for channel, line in entry.channels.items():
            self._lines.edges[line] = edge_of(generator, channel)
            source = self._generator_name(channel, line)
            self._lines.playing[line] = self.generators[source] = waveform_of(generator, channel)
            if self.matrix is not None:
                self.matrix.know_waveform(source, self._lines.playing[line])
        self.devices[entry.address] = generator

    def _build_board(self) -> None:
        entry, board = self._entries.board, self._lines.board
        if entry is None:
            return
        if not entry.is_own:
            self.devices[entry.address] = board
            return
        twin, rng = entry.model.load_twin(), self._rngs[2].spawn(1)[0]
        self._place(entry)[entry.address] = twin(
            self._lines.clock, rng, board, serial="SIM00004", **_taken(entry, twin)
        )

    def _build_own_daq(self) -> None:
        """Add the twin of a DAQ of one's own, if there is one: as many inputs are wired as an array has columns."""
        entry = self._entries.daq
        if entry is None or not entry.is_own:
            return
        lines, twin, rng = self._lines, entry.model.load_twin(), self._rngs[3].spawn(1)[0]
        count = max(array.columns for array in lines.chip.geometry.values())
        port = ConverterWires(self._vectors, lines.monitor, entry.address, count)
        self._place(entry)[entry.address] = twin(
            lines.clock, rng, port, serial="SIM00009", **_taken(entry, twin)
        )

    def _build_daq(self, faults: Sequence[Fault | DaqFault]) -> DaqSystem:
        entry, lines = self._entries.daq, self._lines
        if entry is None or entry.is_own:
            entry = DaqEntry(driver="array_board")  # which has no device
        outputs, inputs = (
            [names] if names else []
            for names in (entry.outputs, entry.inputs if entry.driver == "ni_daq" else "")
        )
        try:
            count = len({name.lower() for names in inputs for name in channel_names(names)})
            port = ConverterWires(self._vectors, lines.monitor, entry.outputs, count)
            vectors = self._vectors  # weakly
            adc, dac = vectors.elements.adc, vectors.elements.dac
            daq = DaqSystem(
                entry.products, lines.clock, self._rngs[3], port, outputs=outputs, inputs=inputs,
                faults=faults,
                adc=None if adc is None else lambda volts: vectors.sampled(volts),
                dac=None if dac is None else lambda volts: vectors.driven(volts),
            )  # fmt: skip
        except ValueError as error:
            raise BenchError(f"[instruments.daq]: {error}") from None
        if outputs:
            lines.reach = lambda: daq.reach(entry.outputs)
        return daq

    def _build_lines(self, rows: RowWires, faults: Sequence[Fault | DaqFault]) -> DaqSystem:
        """Return the NI devices whose outputs and inputs are at the lines of the chip."""
        entry, lines = self._entries.lines, self._lines
        assert entry is not None  # else there are no such wires
        lines.edges["bit line"] = lambda: NI_EDGE
        port = ConverterWires(rows, lines.monitor, entry.outputs, entry.counts()[1])
        try:
            return DaqSystem(
                entry.products, lines.clock, self._rngs[3], port, outputs=[entry.driven], inputs=[entry.inputs],
                faults=faults,
            )  # fmt: skip
        except ValueError as error:
            name = self._entries.name_of("tester")
            raise BenchError(f"[instruments.{name}]: {error}") from None

    def _build_voltmeter(self) -> None:
        """Add the DAQ6510 that reads the answers to the DAQ's outputs, if there is one."""
        entry, lines = self._entries.daq, self._lines
        if entry is None or entry.driver != "keithleydaq6510":
            return
        channels, daq = entry.scanned_channels(), self.daq
        ports = {
            channel: InputWire(lines, self._vectors, lambda: daq.levels(entry.outputs), number, len(channels))
            for number, channel in enumerate(channels)
        }
        self.devices[entry.address] = SimulatedKeithleyDAQ6510(
            lines.clock, self._rngs[5], ports, serial="SIM00006"
        )

    def _build_chuck(self) -> None:
        """Add the temperature controller, if there is one: the chip is as warm as the stage that it heats."""
        entry, chip = self._entries.chuck, proxy(self._lines.chip)
        if entry is None:
            return

        def warm(kelvin: float) -> None:
            chip.temperature = kelvin

        stage = HeatedStage(self._lines.clock, ROOM)
        stage.follow(warm)
        self.devices[entry.address] = entry.model.load_twin()(
            self._lines.clock, self._rngs[6], stage, serial="SIM00007", output=entry.output, input=entry.input
        )

    def _build_tester(self, wires: TesterWires) -> None:
        entry = self._entries.tester
        if entry is not None:
            twin = entry.model.load_twin()
            self._place(entry)[entry.address] = twin(
                self._lines.clock, self._rngs[0], wires, serial="SIM00008", **_taken(entry, twin)
            )

    def _build_beside(self) -> None:
        """Add the twins of the instruments beside the bench; one without a twin cannot be opened, and is left out."""
        for number, (name, entry) in enumerate(self._entries.beside.items()):
            model = entry.model
            if not model.twin:
                log.warning("%s has no simulated twin (`twin` in its entry): it is left out", name)
                continue
            rng = self._rngs[6].spawn(1)[0]
            twin = model.load_twin()
            self._place(entry)[entry.address] = twin(
                self._lines.clock, rng, *_open_ends(entry.driver, model.channels, self._lines.clock),
                serial=f"SIM1{number:04}", **_taken(entry, twin),
            )  # fmt: skip

    def _build_prober_and_scope(self) -> None:
        prober, scope, lines = self._entries.prober, self._entries.scope, self._lines
        ports: list[tuple[Any, Any]] = [] if prober is None else [(prober, Needles(lines))]
        if scope is not None:
            terminals = [scope.channels[number] for number in sorted(scope.channels)]
            ports.append((scope, ScopeProbes(cast("ObservedLines", lines), terminals)))
        for number, (entry, port) in enumerate(ports, 10):
            twin, rng = entry.model.load_twin(), self._rngs[6].spawn(1)[0]
            self._place(entry)[entry.address] = twin(
                lines.clock, rng, port, serial=f"SIM{number:05}", **_taken(entry, twin)
            )

    def _place(self, entry: Any) -> dict[str, Any]:
        """Return where the twin of a class of one's own goes: onto the bus, or in place of a vendor's library."""
        return self.libraries if takes_library(entry.model.load_driver()) else self.devices


def _open_ends(driver: str, channels: int, clock: VirtualClock) -> tuple[Any, ...]:
    """Return what one of mho's instruments beside the bench is wired to: nothing, or a stage at room temperature."""
    if driver in TEMPERATURE_CONTROLLERS:
        return (HeatedStage(clock, ROOM),)
    if driver in {**SOURCE_METERS, **VOLTAGE_SOURCES, **PULSE_GENERATORS}:
        return ({number: Open() for number in range(1, channels + 1)} if channels > 1 else Open(),)
    return ({},) if driver == "keithleydaq6510" else ()


def _taken(entry: Any, twin: Any) -> dict[str, Any]:
    """Return those of an entry's options that its twin takes, too."""
    parameters = inspect.signature(twin).parameters
    return {name: value for name, value in entry.options.items() if name in parameters}
