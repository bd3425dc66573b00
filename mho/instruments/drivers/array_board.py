"""The array board: selected cell, path, mode, and its converters. The protocol is defined in docs/array-board.md."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pymeasure.adapters import Adapter
from pymeasure.instruments import Instrument

from mho.array_types import Floats
from mho.errors import InstrumentError
from mho.instruments.drivers.languages.output_vectors import checked_vectors
from mho.instruments.drivers.languages.scpi import CHECK, ScpiInstrument, Span, one_of, whole, within
from mho.instruments.roles import Cell, Mode, Path

MODES: dict[Mode, str] = {"SAFE": "SAFE", "PROGRAM": "PROG", "MULTIPLY": "MULT", "INVERT": "INV"}
PATHS = {"OPEN": "OPEN", "READ": "READ", "SET": "SET", "RESET": "RES"}
LINE = Span(0, 4095, "line of an array")
WATCHDOG = Span(0.0, 3600.0, "watchdog time", "s")
PATIENCE = Span(1e-3, 3600.0, "patience with a sign of life", "s")
DIAGONAL = Span(0.0, 0.1, "diagonal conductance", "S")
BIAS = Span(0.0, 0.1, "conductance of the bias resistors", "S")
DIAGONAL_COUNT = Span(0, 4096, "number of diagonal resistors")

CODE = "<i2"  # a converter's sample on the wire
FULL = 32767  # the code of the end of the range
MEMORY = 65536  # capacity of the board's memory, in codes


def _once(query: str, kind: Callable[[str], float], docs: str) -> Any:
    """Declare an attribute that the board is asked for once; of its converters, too."""

    def ask(part: Any) -> float:
        return kind(getattr(part, "board", part).ask(query))

    ask.__doc__ = docs
    return cached_property(ask)


class BusLock:
    """The connection to a board, reserved for a message and its reply.

    Signs of life come from another thread, and must not separate the two.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._holds = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self._holds += 1

    def __exit__(self, *raised: object) -> None:
        self._holds -= 1
        self._lock.release()

    @contextmanager
    def unless_busy(self) -> Iterator[bool]:
        """Reserve the connection without waiting; yield whether it was free, also of this thread's own messages."""
        if not self._lock.acquire(blocking=False):
            yield False
            return
        try:
            yield not self._holds
        finally:
            self._lock.release()


class ArrayBoardDriver(ScpiInstrument):
    """The board as `mho.instruments.roles.ArrayBoard`; every switch is read back in the message that moves it."""

    model = "ARRAY BOARD"
    recorded = ("mode", "transimpedance", "input_conductance", "watchdog")

    mode = Instrument.measurement(":MODE?", "Get the mode: SAFE, PROG, MULT or INV.", cast=str)
    path = Instrument.measurement(":ROUT:PATH?", "Get the closed path: OPEN, READ, SET or RES.", cast=str)
    watchdog = Instrument.measurement(":SYST:WDOG?", "Get the watchdog's time, s; 0 is off.")

    def __init__(self, address: str | Adapter, visa_library: str = "", **connection: Any) -> None:
        self._lock = BusLock()
        super().__init__(address, visa_library, **connection)

    def ask(self, command: str, query_delay: float | None = None) -> str:
        """Send a query and return its reply."""
        with self._lock:
            return super().ask(command, query_delay)

    def exchange(self, command: str) -> str:
        """Send a message with an error check at its end, and return the replies before the check."""
        with self._lock:
            return super().exchange(command)

    def interrupt(self) -> None:
        """Send a device clear."""
        with self._lock:
            super().interrupt()

    def exchange_samples(self, message: bytes, kind: str) -> Floats:
        """Send a message that ends with an error check, and return the numbers of the block in the reply; as
        `exchange_block`.
        """
        with self._lock:
            self.write_bytes(message)
            return self.receive_block(kind)

    def beat(self, patience: float) -> None:
        """Send a sign of life, from any thread, and wait `patience` (s) for the reply; a pending message counts as one."""
        within(patience, PATIENCE)
        with self._lock.unless_busy() as free:
            if free:
                with self._timeout_at_most(patience):
                    self.ask("*OPC?")

    def standing_mode(self) -> Mode:
        """Query the mode of the board; raises `InstrumentError` for an unknown one."""
        code = self.mode.strip()
        for mode, short in MODES.items():
            if short == code:
                return mode
        raise InstrumentError(f"{self._title}: it reports the mode {code!r}, which it has not")

    def arm_watchdog(self, seconds: float) -> None:
        """Make the board ground itself after `seconds` without a message; 0 disarms. Confirmed by read-back."""
        within(seconds, WATCHDOG)
        armed = float(self.exchange(f":SYST:WDOG {seconds:.9e};:SYST:WDOG?"))
        if abs(armed - seconds) > 1e-5 * seconds:
            raise InstrumentError(
                f"{self._title}: its watchdog is set to {armed:g} s instead of {seconds:g} s"
            )

    transimpedance: float = _once(
        ":CONF:MULT:RES?", float, "Feedback resistance of the MULTIPLY amplifiers, ohm."
    )
    input_conductance: float = _once(":CONF:INV:COND?", float, "Input conductance in INVERT mode, S.")
    slice_ratio: float = _once(
        ":CONF:INV:SLIC:RAT?",
        float,
        "Ratio by which outputs are divided in front of a second slice, 0 without dividers.",
    )

    @cached_property
    def converters(self) -> ArrayBoardConverters:
        """The board's own converters, as `mho.instruments.roles.Daq`."""
        return ArrayBoardConverters(self)

    def set_mode(self, mode: Mode) -> None:
        """Ground all lines, then connect the arrays for `mode`; raises `InstrumentError` unless confirmed."""
        code = MODES[one_of(mode, MODES, f"mode of {self._title}")]
        self._confirm(f":ROUT:PATH OPEN;:MODE SAFE;:MODE?;:MODE {code};:MODE?", f"SAFE;{code}")

    def select(self, cell: Cell) -> None:
        """Address one cell; the path must be open."""
        address = _address(cell)
        self._confirm(f":ROUT:CELL {address};:ROUT:CELL?", address)

    def route(self, path: Path) -> None:
        """Open, read back, close `path`, read back; the caller has brought the sources to 0 V."""
        code = self._path_code(path)
        if code == "OPEN":
            self._confirm(":ROUT:PATH OPEN;:ROUT:PATH?", "OPEN")
        else:
            self._confirm(f":ROUT:PATH OPEN;:ROUT:PATH?;:ROUT:PATH {code};:ROUT:PATH?", f"OPEN;{code}")

    def connect_cell(self, cell: Cell, path: Path) -> None:
        """Open, address `cell`, close `path`, each read back: one message; the caller has brought the sources to 0 V.

        No switch closes under a wrong address: the board addresses a cell with its path open only, and refuses otherwise.
        """
        address, code = _address(cell), self._path_code(path)
        self._confirm(
            f":ROUT:PATH OPEN;:ROUT:PATH?;:ROUT:CELL {address};:ROUT:CELL?;:ROUT:PATH {code};:ROUT:PATH?",
            f"OPEN;{address};{code}",
        )

    def _path_code(self, path: Path) -> str:
        return PATHS.get(path) or str(one_of(path, PATHS, f"path of {self._title}"))

    def connect_multiply(self, array: str, rows: Sequence[int], columns: Sequence[int]) -> None:
        """Connect `rows` to the DAQ's outputs and `columns` to the transimpedance amplifiers."""
        self._connect(_block(array, rows, columns))

    def connect_invert(
        self, positive: str, rows: Sequence[int], columns: Sequence[int], *, negative: str | None,
        second_slice: tuple[str, str] | None = None, diagonal: float, diagonal_count: int,
        bias: float = 0.0,
    ) -> None:  # fmt: skip
        """Fit resistors, second array and second slice, then close the loop around the block."""
        second = "NONE" if negative is None else _quoted(negative)
        within(diagonal, DIAGONAL)
        within(bias, BIAS)
        resistors = int(whole(diagonal_count, DIAGONAL_COUNT))
        block = _block(positive, rows, columns)
        slices = "" if second_slice is None else "{},{}".format(*map(_quoted, second_slice))
        self.exchange(f":CONF:INV:NEG {second};:CONF:INV:DIAG {diagonal:.9e};:CONF:INV:DIAG:COUN {resistors}")
        if bias:  # the board has forgotten the last one with the second array, as a second slice
            self.exchange(f":CONF:INV:BIAS {bias:.9e}")
        if slices:
            self._confirm(f":CONF:INV:SLIC {slices};:CONF:INV:SLIC?", slices)
        self._connect(block)

    def _connect(self, block: str) -> None:
        self._confirm(f":ROUT:BLOC {block};:ROUT:BLOC?", block)

    def make_safe(self) -> None:
        """Ground everything, confirmed by query."""
        self._confirm(":OUTP:SAFE;:OUTP:SAFE?", "1")

    def _confirm(self, message: str, expected: str) -> None:
        answer = self.exchange(message)
        if answer != expected:
            raise InstrumentError(
                f"{self._title}: after {message!r} it reports {answer!r} instead of {expected!r}; a switch may be stuck: "
                "do not go on before it is checked"
            )


class ArrayBoardConverters:
    """The board's converters as `mho.instruments.roles.Daq`; see `ArrayBoardDriver.converters`.

    Many vectors are sent in one message; more than the board's memory holds are played in batches. The board keeps its
    outputs at 0 V except while they play.
    """

    output_count: int = _once(":SOUR:DAC:COUN?", int, "Number of the board's outputs.")
    input_count: int = _once(":READ:ARR:COUN?", int, "Number of the board's inputs.")
    sample_period: float = _once(":SOUR:DAC:PER?", float, "Time from one vector to the next, s.")
    output_range: float = _once(":SOUR:DAC:RANG?", float, "Largest magnitude of an output, V.")
    input_range: float = _once(":READ:ARR:RANG?", float, "Largest magnitude that an input reads, V.")

    def __init__(self, board: ArrayBoardDriver) -> None:
        self.board = board

    def identify(self) -> str:
        """Return the board's identification."""
        return self.board.identify()

    def settings(self) -> dict[str, str]:
        """Return counts, ranges and the sample period, as text."""
        return {
            "outputs": str(self.output_count),
            "inputs": str(self.input_count),
            "period": f"{self.sample_period:g} s",
            "output_range": f"{-self.output_range:g} V to {self.output_range:g} V",
            "input_range": f"{self.input_range:g} V",
        }

    def exchange(self, volts: ArrayLike) -> Floats:
        """Play vectors, and return the settled answer of the inputs to each, as `mho.instruments.roles.Daq`.

        Raises `InputError` or `LimitError` before anything is sent, and `InstrumentError` when the board refuses, as
        without a connected block, or does not answer.
        """
        span = self.output_range
        vectors = checked_vectors(
            volts, self.output_count, -span, span, "array board", "array board output {}".format
        )
        batch = max(1, MEMORY // max(vectors.shape[1], self.input_count))
        return np.concatenate(
            [self._play(vectors[start : start + batch]) for start in range(0, len(vectors), batch)]
        )

    def _play(self, vectors: Floats) -> Floats:
        samples, outputs = vectors.shape
        data = np.rint(vectors * (FULL / self.output_range)).astype(CODE).tobytes()
        length = str(len(data))
        head = f":SOUR:DAC {outputs},#{len(length)}{length}".encode()
        query = f";:READ:ARR? {self.input_count}{CHECK}\n".encode()
        codes = self.board.exchange_samples(head + data + query, CODE)
        if codes.size != samples * self.input_count:
            raise InstrumentError(
                f"the array board answered {samples} vectors with {codes.size} codes instead of "
                f"{samples * self.input_count}"
            )
        answers: Floats = codes.reshape(samples, self.input_count) * (self.input_range / FULL)
        return answers

    def make_safe(self) -> None:
        """Ground everything on the board, its outputs included, confirmed by query."""
        self.board.make_safe()

    def close(self) -> None:
        """Release the board's connection."""
        self.board.close()


def _block(array: str, rows: Sequence[int], columns: Sequence[int]) -> str:
    """Format an array's name and two channel lists as the board echoes them."""
    lists = (f"(@{','.join(map(_line, lines))})" for lines in (rows, columns))
    return f"{_quoted(array)},{','.join(lists)}"


def _address(cell: Cell) -> str:
    return f"{_quoted(cell.array)},{_line(cell.row)},{_line(cell.column)}"


def _line(number: int) -> str:
    return str(int(whole(number, LINE)))


def _quoted(name: str) -> str:
    """Quote an array's name; raises for one that would end the string or the message."""
    if '"' in name or not name.isprintable():
        raise InstrumentError(f"{name!r} is no name of an array; take one of the chip map")
    return f'"{name}"'
