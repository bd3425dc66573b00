"""The simulated instruments of a bench file, each at its address, with its terminals on the laboratory's wires."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mho.errors import BenchError
from mho.instruments.bench_file.entries import Instruments, SourceMeterEntry
from mho.instruments.laboratory.matrix_wires import MatrixPulse, MatrixSource, MatrixWires
from mho.instruments.laboratory.wiring import (
    Carrier,
    ConverterWires,
    InputWire,
    PulseWire,
    SourceWire,
    compliance_of,
    edge_of,
)
from mho.instruments.simulated.array_board.instrument import SimulatedArrayBoard
from mho.instruments.simulated.generators.running_waveforms import Playing, waveform_of

if TYPE_CHECKING:
    from mho.instruments.laboratory.laboratory import Laboratory
    from mho.instruments.simulated.nidaqmx.system import DaqSystem


class BenchTwins:
    """All twins of one bench.

    Parameters
    ----------
    lab : Laboratory
        What the terminals are wired to; it has its clock and its monitor.
    entries : Instruments
        Of the bench file.
    rngs : sequence of Generator
        Six, for the instruments.

    Attributes
    ----------
    devices : dict
        Twin by VISA address.
    board : SimulatedArrayBoard
    daq : DaqSystem
        Without a device when the bench has no NI DAQ.
    matrix : MatrixWires or None
        The wires behind a switch matrix.
    compliance, edges, playing : dict
        By line: the current limit (A) of its source-measure unit; the faster edge (s) of its pulse generator's
        channel, and what that puts on its terminal without a trigger.
    generators : dict
        The last of them by source: by line, or by name in front of a switch matrix.

    Raises
    ------
    BenchError
        When a DAQ cannot be as the bench file says.
    """

    def __init__(self, lab: Laboratory, entries: Instruments, rngs: Sequence[np.random.Generator]) -> None:
        self.devices: dict[str, Any] = {}
        self.compliance: dict[str, Callable[[], float]] = {}
        self.edges: dict[str, Callable[[], float]] = {}
        self.playing: dict[str, Playing] = {}
        self.generators: dict[str, Playing] = {}
        self._lab, self._entries, self._rngs = lab, entries, rngs
        self.matrix = self._build_switch()
        self.board = SimulatedArrayBoard(lab.clock, rngs[2], Carrier(lab), serial="SIM00004")
        self._build_meters()
        self._build_pulser()
        self.devices[entries.board.address] = self.board
        if entries.switch is not None:  # the order of the addresses is that in which they are served
            self.devices[entries.switch.address] = self._switch
        self.daq = self._build_daq()

    def _build_switch(self) -> MatrixWires | None:
        entry = self._entries.switch
        if entry is None:
            return None
        wires = MatrixWires(self._lab, entry.rows, entry.columns)
        twin = entry.model.load_twin()
        self._switch = twin(self._lab.clock, self._rngs[4], serial="SIM00005", on_switch=wires.take_closed)
        return wires

    def _source_wire(self, name: str, entry: SourceMeterEntry) -> SourceWire | MatrixSource:
        return SourceWire(self._lab, entry.terminal) if self.matrix is None else self.matrix.source_port(name)

    def _pulse_wire(self, channel: int, line: str) -> PulseWire | MatrixPulse:
        return (
            PulseWire(self._lab, line) if self.matrix is None else self.matrix.pulse_port(f"pulser {channel}")
        )

    def _build_meters(self) -> None:
        entries = self._entries
        outputs: dict[str, dict[int, tuple[str, SourceMeterEntry]]] = {}
        for name, entry in (("smu", entries.smu), ("gate", entries.gate)):
            outputs.setdefault(entry.address, {})[entry.channel] = (name, entry)
        for number, (address, channels) in enumerate(outputs.items(), 1):
            model = next(entry for _, entry in channels.values()).model
            ports = {channel: self._source_wire(*named) for channel, named in channels.items()}
            wired = ports if model.channels > 1 else ports[1]
            twin = model.load_twin()(self._lab.clock, self._rngs[number - 1], wired, serial=f"SIM{number:05}")
            for channel, (_, entry) in channels.items():
                self.compliance[entry.terminal] = compliance_of(twin, channel)
            self.devices[address] = twin

    def _build_pulser(self) -> None:
        entry = self._entries.pulser
        lines = {channel: self._pulse_wire(channel, line) for channel, line in entry.channels.items()}
        twin = entry.model.load_twin()
        generator = twin(self._lab.clock, self._rngs[2], lines, serial="SIM00003")
        for channel, line in entry.channels.items():
            self.edges[line] = edge_of(generator, channel)
            source = line if self.matrix is None else f"pulser {channel}"
            self.playing[line] = self.generators[source] = waveform_of(generator, channel)
            if self.matrix is not None:
                self.matrix.know_waveform(source, self.playing[line])
        self.devices[entry.address] = generator

    def _build_daq(self) -> DaqSystem:
        from mho.instruments.simulated.keithleydaq6510.instrument import SimulatedKeithleyDAQ6510
        from mho.instruments.simulated.nidaqmx.system import DaqSystem

        entry, lab = self._entries.daq, self._lab
        inputs = entry.inputs if entry.driver == "ni_daq" else ""
        if entry.driver == "keithleydaq6510":
            channels = entry.scanned_channels()
            ports = {
                channel: InputWire(lab, number, len(channels)) for number, channel in enumerate(channels)
            }
            self.devices[entry.address] = SimulatedKeithleyDAQ6510(
                lab.clock, self._rngs[5], ports, serial="SIM00006"
            )
        try:
            return DaqSystem(
                entry.products,
                lab.clock,
                self._rngs[3],
                ConverterWires(lab, entry.outputs),
                outputs=[entry.outputs] if entry.outputs else [],
                inputs=[inputs] if inputs else [],
                faults=lab.faults,
            )
        except ValueError as error:
            raise BenchError(f"[instruments.daq]: {error}") from None
