"""Base of the TSP drivers: commands are Lua, and a ``print`` of the next error after them is the check.

Each ``print`` is a separate reply. Frequent operations of a driver are Lua functions, loaded once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pymeasure.instruments import Instrument

from mho.errors import InstrumentError
from mho.instruments.drivers.languages.bus import BUS_ERRORS, BusInstrument, ReportedError
from mho.instruments.drivers.languages.scpi import Span, one_of, within

# Suffix of a setting command; `check_set_errors` reads its answer
CHECK = " print(errorqueue.next())"
_ERROR_REPLY = re.compile(r"\A\s*([+-]?\d\.\d+e[+-]\d+)\t([^\t]*)")


class TspInstrument(BusInstrument):
    """An instrument that runs Lua; constructed as `BusInstrument`."""

    CHECK = CHECK
    ANSWERED = ("print", "mho_", "?")  # the functions of the drivers' scripts print
    script: ClassVar[str] = ""  # Lua functions the driver calls, loaded when they are first needed

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._loaded = False
        super().__init__(*arguments, **options)

    def _verify_model(self) -> None:
        self.interrupt()  # unread replies of an earlier program would be taken for ours
        super()._verify_model()

    def exchange(self, command: str, replies: int = 0) -> str:
        """Send Lua statements followed by an error check, and return the `replies` lines that they print, separated by line
        feeds.

        Raises `InstrumentError` when the instrument reports an error or does not answer.
        """
        self.write(command + CHECK)
        lines = [self.receive() for _ in range(replies)]
        self._checked(self.receive())
        return "\n".join(lines)

    def call(self, function: str, *arguments: str, replies: int = 0) -> str:
        """Call a function of the driver's `script`; arguments as Lua writes them. Else as `exchange`."""
        self.load()
        return self.exchange(f"{function}({', '.join(arguments)})", replies)

    def load(self) -> None:
        """Load the functions of `script` into the instrument; no output and no setting changes."""
        if not self._loaded:
            self.write(f"loadandrunscript\n{self.script.strip()}\nendscript")
            self._in_step = True  # it only defines functions that print, and prints nothing
            self.exchange("")
            self._loaded = True

    def query_block(self, count: int) -> NDArray[np.float64]:
        """Receive an indefinite block of `count` doubles, as ``format.REAL64`` and little-endian print it."""
        size = 2 + 8 * count + 1
        try:
            data: bytes = self.adapter.read_bytes(size, break_on_termchar=False)
        except BUS_ERRORS as error:
            raise self._bus_error(error, self._reason()) from error
        if len(data) != size or data[:2] != b"#0":
            raise InstrumentError(f"{self._title} answered {data[:20]!r} to {self._last!r}: not understood")
        self._in_step = True
        return np.frombuffer(data[2:-1], "<f8")

    def _question(self) -> tuple[str, str]:
        return f'print("in step {self._nonce}")', f"in step {self._nonce}"

    def _error_in(self, reply: str) -> ReportedError | None:
        match = _ERROR_REPLY.match(reply)
        return match and ReportedError(round(float(match[1])), match[2], "")


def control(attribute: str, docs: str, span: Span) -> Any:
    """Declare a numeric attribute: printed in full precision, set and checked in one message."""
    return Instrument.control(
        f'print(string.format("%.9e", {attribute}))', f"{attribute} = %.9e{CHECK}", docs,
        validator=within, values=span, check_set_errors=True,
    )  # fmt: skip


def switch(attribute: str, docs: str) -> Any:
    """Declare an attribute that is 0 or 1 as a bool."""
    return Instrument.control(
        f"print({attribute})", f"{attribute} = %d{CHECK}", docs, values=(True, False),
        validator=lambda value, known: one_of(value, known, attribute),
        set_process=int, get_process=bool, check_set_errors=True,
    )  # fmt: skip


def choice(attribute: str, docs: str, choices: Sequence[str]) -> Any:
    """Declare an attribute with names as values, numbered from 0."""
    names = tuple(choices)
    return Instrument.control(
        f"print({attribute})", f"{attribute} = %d{CHECK}", docs, values=names,
        validator=lambda value, known: one_of(value, known, attribute),
        set_process=names.index, get_process=lambda number: names[round(number)], check_set_errors=True,
    )  # fmt: skip


def reading(expression: str, docs: str, **options: Any) -> Any:
    """Declare a read-only property."""
    return Instrument.measurement(f"print({expression})", docs, **options)


def lua_list(values: Iterable[float]) -> str:
    """Format numbers as a Lua table, in full precision."""
    return "{" + ",".join(f"{value:.9e}" for value in values) + "}"
