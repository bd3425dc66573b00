"""The bench: what a procedure sees of all instruments together, and the one who keeps the chip safe."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from instruments.bench_file import BenchFile, BenchSource
from instruments.limits import Limits
from instruments.roles import ArrayBoard, Cell, Daq, Instrument, Path, Pulse, PulseGenerator, SourceMeter
from instruments.stopping import signals_held
from mho_errors import BenchError, ConvergenceError, MhoError

if TYPE_CHECKING:
    from instruments.simulated.laboratory import Laboratory

Floats = NDArray[np.float64]
Index = Sequence[int] | NDArray[np.int64]

log = logging.getLogger(__name__)

CLAMPED = 0.39  # V: an INV output beyond sits in its clamp of +-0.4 V


@dataclass
class BenchInstruments:
    """The opened drivers by role."""

    smu: SourceMeter
    gate: SourceMeter
    pulser: PulseGenerator
    daq: Daq
    board: ArrayBoard

    def by_name(self) -> dict[str, Instrument]:
        """In the order in which they are made safe: bit line first, word line last."""
        return {
            "smu": self.smu,
            "pulser": self.pulser,
            "daq": self.daq,
            "board": self.board,
            "gate": self.gate,
        }


class Bench:
    """Reads, pulses, multiplies and inverts; limits are checked before, safety is restored after.

    Use it as a context manager: leaving always makes the bench safe. `open_bench` makes one.

    Attributes
    ----------
    file : BenchFile
        The checked bench description.
    text, chip_text : str
        The bench file and chip map as written, for the run file.
    now : callable
        Seconds on the bench's clock: virtual on a simulated bench.
    laboratory : Laboratory or None
        What stands behind a simulated bench.
    """

    def __init__(
        self,
        source: BenchSource,
        instruments: BenchInstruments,
        *,
        now: Callable[[], float] = time.monotonic,
        laboratory: Laboratory | None = None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.file: BenchFile = source.bench
        self.text, self.chip_text = source.text, source.chip_text
        self.limits: Limits = source.bench.terminal_limits()
        self.instruments = instruments
        self.now = now
        self.laboratory = laboratory
        self._release = release
        self._mode = ""
        self._cell: Cell | None = None
        self._path: Path | None = None
        self._gate: float | None = None
        self._answers = 0
        self._channels: dict[str, int] = {
            line: channel for channel, line in source.bench.instruments.pulser.channels.items()
        }

    # --- life ---

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.safe()
        except MhoError:
            if error is None:  # else that error says why we leave, and `safe` has logged the rest
                raise
        finally:
            self.close()

    def safe(self) -> None:
        """Bring everything to 0 V and off, each instrument on its own, and confirm it by read-back.

        What fails is tried once more after the others: a message lost on its way must not leave an output on.
        Signals wait until it is over.

        Raises
        ------
        BenchError
            After all steps were tried, naming what could not be confirmed.
        """
        self.forget()
        with signals_held():
            failed = make_safe(self.instruments.by_name())
        for name, error in failed.items():
            log.critical("%s is not confirmed safe: %s", name, error)
        if failed:
            raise BenchError(
                "NOT CONFIRMED SAFE: "
                + "; ".join(f"{name} ({error})" for name, error in failed.items())
                + ". Switch these outputs off by hand before touching the chip"
            )

    def forget(self) -> None:
        """Take nothing for granted of what was set up: the next use prepares the bench anew."""
        self._mode, self._cell, self._path, self._gate = "", None, None, None

    def close(self) -> None:
        """Release the connections and the lock; never changes an output."""
        for name, instrument in self.instruments.by_name().items():
            try:
                instrument.close()
            except Exception:
                log.exception("%s did not close", name)
        self._release()

    def identities(self) -> dict[str, dict[str, str]]:
        """Identification and settings of every instrument, for the run file."""
        return {
            name: {"identity": instrument.identify(), **instrument.settings()}
            for name, instrument in self.instruments.by_name().items()
        }

    # --- cells ---

    def prepare(self) -> None:
        """Set up reading and pulsing: current limits read back, outputs on at 0 V, board in PROGRAM mode."""
        self.check_read()
        read, tools = self.file.read, self.instruments
        for meter in (tools.smu, tools.gate):
            meter.configure(
                current_limit=read.current_limit, current_range=read.current_range, nplc=read.nplc
            )
        tools.board.set_mode("PROGRAM")
        tools.gate.enable()
        tools.smu.enable()
        for channel in self._channels.values():
            tools.pulser.configure(channel)
        self._mode, self._cell, self._path, self._gate = "PROGRAM", None, "OPEN", 0.0

    def read(self, cell: Cell) -> float:
        """Conductance (S) of one cell at the bench's read voltage, word line on.

        Raises
        ------
        BenchError
            When the reading ran into compliance or overflowed (the cell is shorted, or the limit too low), or
            was not taken at the read voltage.
        """
        read = self.file.read
        self._address(cell)
        self._word_line(read.gate)
        self._route("READ")
        reading = self.instruments.smu.read(read.voltage)
        if reading.tripped or not math.isfinite(reading.current):
            raise BenchError(
                f"{cell.array}[{cell.row}, {cell.column}]: the read of {read.voltage} V ran into the current limit of "
                f"{read.current_limit} A; the cell is shorted or the limit too low"
            )
        if not abs(reading.voltage - read.voltage) <= 0.1 * read.voltage:
            raise BenchError(
                f"{cell.array}[{cell.row}, {cell.column}]: the read was taken at {reading.voltage:.3g} V instead of "
                f"{read.voltage} V; check whether the output of the source-measure unit was switched off by hand"
            )
        return reading.current / reading.voltage

    def pulse(self, cell: Cell, pulse: Pulse) -> None:
        """Deliver one programming pulse: word line on first, the path closed at 0 V, then the pulse."""
        line = "bit line" if pulse.kind == "set" else "source line"
        self.check_pulse(pulse)
        self._address(cell)
        self._word_line(pulse.gate)
        self._route("SET" if pulse.kind == "set" else "RESET")
        self.instruments.pulser.shape(self._channels[line], voltage=pulse.voltage, width=pulse.width)
        self.instruments.pulser.fire()

    def check_pulse(self, pulse: Pulse) -> None:
        """Raise `LimitError` when a pulse is not allowed here; nothing is sent."""
        line = "bit line" if pulse.kind == "set" else "source line"
        self.limits.check_pulse(line, pulse.voltage, pulse.width)
        self.limits.check_voltage("word line", pulse.gate)

    def check_read(self) -> None:
        """Raise `LimitError` when the bench file's way of reading a cell exceeds its limits; nothing is sent."""
        read = self.file.read
        for line, volts in (("bit line", read.voltage), ("word line", read.gate)):
            self.limits.check_voltage(line, volts)
            self.limits.check_current(line, read.current_limit)

    def _address(self, cell: Cell) -> None:
        if self._mode != "PROGRAM":
            self.prepare()
        if cell != self._cell:
            self._route("OPEN")
            self.instruments.board.select(cell)
            self._cell = cell

    def _word_line(self, volts: float) -> None:
        if volts != self._gate:
            self.limits.check_voltage("word line", volts)
            self.instruments.gate.hold(volts)
            self._gate = volts

    def _route(self, path: Path) -> None:
        # Sources are at 0 V whenever this runs: a read returns the SMU to 0 V in its own message and the
        # pulser idles at 0 V. The board opens, reads back, closes and reads back.
        if path != self._path:
            self._path = None
            self.instruments.board.route(path)
            self._path = path

    # --- vectors ---

    @property
    def vector_size(self) -> tuple[int, int]:
        """How many lines can be driven and how many read at once."""
        return self.instruments.daq.output_count, self.instruments.daq.input_count

    @property
    def input_conductance(self) -> float:
        """g_in through which a volt at the DAQ becomes a current into an INVERT row, S."""
        return self.instruments.board.input_conductance

    def connect_multiply(self, array: str, rows: Index, columns: Index) -> None:
        """Connect a block for `multiply`; `rows` are driven, `columns` measured."""
        self._enter("MULTIPLY")
        self.instruments.board.connect_multiply(array, _ints(rows), _ints(columns))
        self._answers = len(columns)

    def multiply(self, volts: Floats) -> Floats:
        """Currents (samples, columns), A, out of the connected columns for `volts` (samples, rows).

        The first sample played is zero; its answer, the amplifiers' offsets, is subtracted.
        """
        outputs, resting = self._exchange(volts)
        return (outputs - resting) / -self.instruments.board.transimpedance

    def connect_invert(
        self,
        positive: str,
        rows: Index,
        columns: Index,
        *,
        negative: str | None = None,
        diagonal: float = 0.0,
        diagonal_count: int = 0,
    ) -> None:
        """Close the inverting loop around a block; the caller has checked that it is stable."""
        self._enter("INVERT")
        self.instruments.board.connect_invert(
            positive,
            _ints(rows),
            _ints(columns),
            negative=negative,
            diagonal=diagonal,
            diagonal_count=diagonal_count,
        )
        self._answers = len(columns)

    def invert(self, volts: Floats) -> Floats:
        """Settled outputs (samples, n), V, for `volts` (samples, n) at the inputs: v = -G^-1 g_in u.

        The first sample played is zero; its answer, the amplifiers' offsets, is subtracted. A row is NaN
        where an output sat in its clamp: it is no answer, however small the difference looks.

        Raises
        ------
        ConvergenceError
            When an output sits in its clamp with nothing at the inputs: the loop rails, whatever is played.
        """
        outputs, resting = self._exchange(volts)
        peak = float(np.abs(resting).max(initial=0.0))
        if peak > CLAMPED:
            raise ConvergenceError(
                f"the INV loop rails: an output reads {peak:.2f} V with nothing at its inputs; check the programmed "
                "cells and the stability of the matrix"
            )
        clamped = np.abs(outputs).max(axis=1, keepdims=True, initial=0.0) > CLAMPED
        return np.where(clamped, np.nan, outputs - resting)

    def _enter(self, mode: str) -> None:
        if self._mode == mode:
            return
        if self._mode == "PROGRAM":
            self._route("OPEN")
            self.instruments.smu.hold(0.0)
            self._word_line(0.0)
        self._mode, self._cell, self._path = "", None, None
        self.instruments.board.set_mode(mode)  # type: ignore[arg-type]
        self._mode = mode

    def _exchange(self, volts: Floats) -> tuple[Floats, Floats]:
        """What the connected columns answer, and how they rest with nothing played."""
        peak = float(np.abs(volts).max(initial=0.0))
        self.limits.check_voltage("vector", peak)
        samples = np.zeros((len(volts) + 1, volts.shape[1]))
        samples[1:] = volts
        answer = self.instruments.daq.exchange(samples)
        return answer[1:, : self._answers], answer[0, : self._answers]


def _ints(index: Index) -> list[int]:
    return [int(i) for i in index]


def make_safe(instruments: Mapping[str, Instrument]) -> dict[str, Exception]:
    """Make each instrument safe, in this order, then once more those that failed; return what went wrong with which."""
    failed = _each_made_safe(instruments)
    return _each_made_safe({name: instruments[name] for name in failed})


def _each_made_safe(instruments: Mapping[str, Instrument]) -> dict[str, Exception]:
    failed: dict[str, Exception] = {}
    for name, instrument in instruments.items():
        try:
            instrument.make_safe()
        except Exception as error:  # one that fails must not keep the others from being made safe
            failed[name] = error
    return failed
