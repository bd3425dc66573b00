"""Arrays of numbers in SCPI replies, as text or in a block (IEEE 488.2-1992, 8.7.9 and 8.7.10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from mho.array_types import Floats
from mho.errors import InstrumentError
from mho.instruments.drivers.languages.bus import BUS_ERRORS
from mho.instruments.drivers.languages.scpi import CHECK, ScpiInstrument


class BlockInstrument(ScpiInstrument):
    """A `ScpiInstrument` whose replies contain arrays, possibly in binary."""

    def exchange_numbers(self, query: str) -> Floats:
        """Send a query with an error check at its end, and return the numbers of its ASCII reply.

        Raises
        ------
        InstrumentError
            When the instrument reports an error, does not answer, or does not answer with numbers.
        """
        reply = self.exchange(query)
        try:
            return np.array(reply.split(","), dtype=np.float64)
        except ValueError as error:
            raise InstrumentError(f"{self._title} answered {reply!r} to {query!r}: no numbers") from error

    def exchange_block(self, query: str, kind: str) -> Floats:
        """Send a query with an error check at its end, and return the numbers of its definite block.

        Parameters
        ----------
        kind : str
            NumPy's name of a number on the wire, e.g. ``<f4``.

        Raises
        ------
        InstrumentError
            When the instrument reports an error, does not answer, or sends less than it announced.
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
        return self._numbers(block, kind)

    def ask_block(self, query: str, kind: str, count: int) -> Floats:
        """Send a query and return the `count` numbers of its block, which may be an indefinite one (``#0``).

        Nothing may follow an indefinite block in a reply, so errors are checked by a separate message.

        Raises
        ------
        InstrumentError
            When the instrument reports an error, does not answer, or sends another number of values.
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
        return self._numbers(block, kind)

    def _announced(self, head: bytes) -> int:
        """Return the length that a block's head announces."""
        digits = self._receive_bytes(int(head[1:])) if head[1:].isdigit() else b""
        if head[:1] != b"#" or not digits.isdigit():
            raise InstrumentError(
                f"{self._title} answered {self._last!r} with {head + digits!r}, not a block"
            )
        return int(digits)

    def _numbers(self, block: bytes, kind: str) -> Floats:
        return np.frombuffer(block, kind).astype(np.float64)

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
