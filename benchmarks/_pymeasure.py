"""PyMeasure as a peer: its recorder of results, and pulse-and-verify steps with its own drivers.

The steps act on the same simulated instruments, as somebody would write them who has PyMeasure and no mho.
PyMeasure knows no array board; its messages, with their read-back, go through PyMeasure's plain `Instrument`.
What its drivers do not do is not done: no limits, no error queue, no compliance of a reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

from pymeasure.experiment import Procedure, Results
from pymeasure.experiment.listeners import Recorder
from pymeasure.instruments import Instrument
from pymeasure.instruments.agilent import Agilent33500
from pymeasure.instruments.keithley import Keithley2450

from mho.instruments import Bench, Cell, Pulse

PATHS = {"set": "SET", "reset": "RES"}


@contextmanager
def recorder(path: Path, columns: Sequence[str]) -> Iterator[Recorder]:
    """Open PyMeasure's Recorder on a CSV file, to be called as its Worker calls it, in the same thread."""
    recording = type("Recording", (Procedure,), {"DATA_COLUMNS": list(columns)})
    opened = Recorder(Results(recording(), str(path)), Queue())
    try:
        yield opened
    finally:
        for handler in opened.handlers:
            handler.close()


class PyMeasureBench:
    """Steps on a bench that is set up already, through its open connections."""

    def __init__(self, bench: Bench) -> None:
        tools: Any = bench.instruments
        self._smu, self._gate = Keithley2450(tools.smu.adapter), Keithley2450(tools.gate.adapter)
        self._pulser = Agilent33500(tools.pulser.adapter)
        self._board = Instrument(tools.board.adapter, "array board", includeSCPI=False)
        self._channels = {"set": self._pulser.ch_1, "reset": self._pulser.ch_2}
        self._read = bench.file.read
        self._cell: Cell | None = None

    def pulse(self, cell: Cell, pulse: Pulse) -> None:
        """Address the cell, raise the word line, close the path, set the amplitude, fire and wait."""
        if cell != self._cell:
            self._board.ask(
                f':ROUT:PATH OPEN;:ROUT:PATH?;:ROUT:CELL "{cell.array}",{cell.row},{cell.column};:ROUT:CELL?'
            )
            self._cell = cell
        self._gate.source_voltage = pulse.gate
        self._route(PATHS[pulse.kind])
        self._channels[pulse.kind].voltage_high = pulse.voltage
        self._pulser.trigger()
        self._pulser.wait_for_trigger()

    def read(self) -> float:
        """Read the cell that was pulsed, S."""
        self._gate.source_voltage = self._read.gate
        self._route("READ")
        self._smu.source_voltage = self._read.voltage
        current: float = self._smu.current
        self._smu.source_voltage = 0.0
        return current / self._read.voltage

    def _route(self, path: str) -> None:
        self._board.ask(f":ROUT:PATH OPEN;:ROUT:PATH?;:ROUT:PATH {path};:ROUT:PATH?")
