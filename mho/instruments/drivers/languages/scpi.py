"""Base of the SCPI drivers: properties are declared in a line each, and a command and its ``:SYST:ERR?`` are one message.

Arrays of numbers come as text or in a block (IEEE 488.2-1992, 8.7.9 and 8.7.10).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pymeasure.instruments import Instrument, SCPIMixin

from mho.array_types import Floats
from mho.errors import InstrumentError, LimitError
from mho.instruments.drivers.languages.bus import BUS_ERRORS, BusInstrument, ReportedError

# Suffix of a setting command; `check_set_errors` reads its answer
CHECK = ";:SYST:ERR?"


@dataclass(frozen=True)
class Span:
    """Allowed range of a setting, for `within`: limits in `unit`, and the name shown to the user."""

    minimum: float
    maximum: float
    name: str
    unit: str = ""


def within(value: float, span: Span) -> float:
    """Return `value` when it lies in `span`, else raise `LimitError`; nothing is truncated."""
    try:
        if span.minimum <= value <= span.maximum:
            return value
    except (TypeError, ValueError) as error:
        raise LimitError(f"{span.name} is one number, not {value!r}; give a number") from error
    raise LimitError(
        f"{span.name} {value:g} {span.unit} is beyond what the instrument can do "
        f"({span.minimum:g} to {span.maximum:g} {span.unit}); choose a value within"
    )


def whole(value: float, span: Span) -> float:
    """Return `value` when it is a whole number in `span`, else raise `LimitError`: an instrument would round it."""
    if within(value, span) != int(value):
        raise LimitError(f"{span.name} {value:g} is not a whole number; choose one")
    return value


def one_of(value: Any, choices: Iterable[Any], name: str = "value") -> Any:
    """Return `value` when it is one of `choices`, else raise `InstrumentError` with the value."""
    if value not in choices:
        raise InstrumentError(
            f"{name} {value!r} does not exist; choose one of {', '.join(map(repr, choices))}"
        )
    return value


def control(command: str, docs: str, span: Span) -> Any:
    """Declare a numeric property: ``command?`` queries, ``command <value>`` sets and is checked."""
    return _number(command, docs, span, within)


def counted(command: str, docs: str, span: Span) -> Any:
    """Declare a whole-number property; otherwise as `control`."""
    return _number(command, docs, span, whole)


def _number(command: str, docs: str, span: Span, validator: Callable[[float, Span], float]) -> Any:
    return Instrument.control(
        f"{command}?", f"{command} %.9e{CHECK}", docs, validator=validator, values=span, check_set_errors=True
    )


def switch(command: str, docs: str) -> Any:
    """Declare a bool property; the command takes ``ON`` and ``OFF`` and answers 1 and 0."""
    return Instrument.control(
        f"{command}?", f"{command} %s{CHECK}", docs, values=(True, False),
        validator=lambda value, known: one_of(value, known, command),
        set_process=lambda on: "ON" if on else "OFF", cast=bool, check_set_errors=True,
    )  # fmt: skip


def choice(command: str, docs: str, choices: Sequence[str], quoted: bool = False) -> Any:
    """Declare a property with mnemonics as values, in the short form of the instrument's answers."""
    mark = '"' if quoted else ""
    return Instrument.control(
        f"{command}?", f"{command} {mark}%s{mark}{CHECK}", docs, values=tuple(choices),
        validator=lambda value, known: one_of(value, known, command),
        cast=lambda text: text.strip().strip('"'), check_set_errors=True,
    )  # fmt: skip


_ERROR_REPLY = re.compile(r'(?:\A|;)\s*([+-]?\d+),"([^"]*(?:""[^"]*)*)"\s*\Z')


class ScpiInstrument(SCPIMixin, BusInstrument):
    """An instrument that speaks SCPI, and whose replies may contain arrays; constructed as `BusInstrument`."""

    CHECK = CHECK
    several_languages: ClassVar[bool] = False  # a Keithley: it has to be in SCPI
    _fine = ""  # the answer to a check that found nothing, as this instrument words it

    line_frequency = Instrument.measurement(":SYST:LFR?", "Get the power line frequency, Hz.")
    language = Instrument.measurement("*LANG?", "Get the command set in use, of several.", cast=str)

    def verify(self) -> None:
        """Check that an instrument of several languages uses SCPI, not TSP or an older model's commands."""
        if self.several_languages and (language := self.language.strip()) != "SCPI":
            raise InstrumentError(
                f"{self._title} speaks {language}; switch it to SCPI (*LANG SCPI) and restart it"
            )

    def _checked(self, reply: str) -> str:
        """Return the part of a reply before the check; most end in the words in which an earlier one found nothing."""
        fine = self._fine
        if reply == fine:
            return ""
        if fine and reply.endswith(fine) and reply[-len(fine) - 1] == ";":
            return reply[: -len(fine) - 1]
        before = super()._checked(reply)
        self._fine = reply[len(before) :].removeprefix(";")
        return before

    def _error_in(self, reply: str) -> ReportedError | None:
        match = _ERROR_REPLY.search(reply)
        return match and ReportedError(int(match[1]), match[2], reply[: match.start()])

    def exchange_numbers(self, query: str) -> Floats:
        """Send a query as `exchange`, and return the numbers of its ASCII reply."""
        reply = self.exchange(query)
        try:
            return np.array(reply.split(","), dtype=np.float64)
        except ValueError as error:
            raise InstrumentError(f"{self._title} answered {reply!r} to {query!r}: no numbers") from error

    def exchange_block(self, query: str, kind: str) -> Floats:
        """Send a query as `exchange`, and return the numbers of its definite block; `kind` is NumPy's name of one, e.g.
        ``<f4``.
        """
        self.write(query + CHECK)
        return self.receive_block(kind)

    def receive_block(self, kind: str) -> Floats:
        """Receive a definite block that is followed by an error check, and return its numbers; as `exchange_block`."""
        with self._any_byte():
            head = self._receive_bytes(2)
            block = self._receive_bytes(self._announced(head)) if head[:1] == b"#" else None
        if block is None:
            self._checked(head.decode("latin-1") + self.receive())
            raise InstrumentError(f"{self._title} answered {self._last!r} without a data block")
        self.check_set_errors()
        return np.frombuffer(block, kind).astype(np.float64)

    def ask_block(self, query: str, kind: str, count: int) -> Floats:
        """Send a query and return the `count` numbers of its block, which may be an indefinite one (``#0``).

        Nothing may follow an indefinite block in a reply, so errors are checked by a separate message.
        """
        self.write(query)
        expected = count * np.dtype(kind).itemsize
        with self._any_byte():
            head = self._receive_bytes(2)
            length = expected if head == b"#0" else self._announced(head)
            block = self._receive_bytes(length)
        self.receive()  # the terminator
        if length != expected:
            raise InstrumentError(f"{self._title} answered {query!r} with {length} bytes, not {expected}")
        self.write(CHECK.removeprefix(";"))
        self.check_set_errors()
        return np.frombuffer(block, kind).astype(np.float64)

    def _announced(self, head: bytes) -> int:
        """Return the length that a block's head announces."""
        digits = self._receive_bytes(int(head[1:])) if head[1:].isdigit() else b""
        if head[:1] != b"#" or not digits.isdigit():
            raise InstrumentError(
                f"{self._title} answered {self._last!r} with {head + digits!r}, not a block"
            )
        return int(digits)

    def _receive_bytes(self, count: int) -> bytes:
        try:
            data: bytes = self.adapter.read_bytes(count)
        except BUS_ERRORS as error:
            raise self._bus_error(error, self._reason()) from error
        return data

    @contextmanager
    def _any_byte(self) -> Iterator[None]:
        """Treat a line feed as data, not as a terminator."""
        connection = self.adapter.connection
        usual = connection.read_termination
        connection.read_termination = None
        try:
            yield
        finally:
            connection.read_termination = usual
