"""Connection to an Agilent B1500 mainframe: PyMeasure's driver with complete error checking.

B1500A/B1505A Programming Guide, B1500-90010, edition 11. PyMeasure's own check reads one error and leaves the others in
the queue, where they would be attributed to the next command. The messages of a reading go directly to PyMeasure's
adapter: its instruments intercept every attribute, which nearly doubled the time of a reading.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pymeasure.adapters import Adapter
from pymeasure.instruments.agilent.agilentB1500 import AgilentB1500 as Mainframe
from pyvisa import VisaIOError
from pyvisa.errors import InvalidSession

from mho.errors import InstrumentError
from mho.instruments.roles import Reading

LIMITED, OVERFLOWED = 8, 1  # bits of a datum's status, in format 21
INVALID = 199e99
_DATUM = re.compile(r"(\d{3})([A-J])([VI])([+-]\d+\.\d+E[+-]\d+)\s*\Z")
LOST = (
    VisaIOError,
    InvalidSession,
    ConnectionError,
)  # not OSError, which reports an error in the queue
_ERROR = re.compile(r'([+-]?\d+),"(.*)"')


class _Datum(NamedTuple):
    value: float
    status: int


class MainframeConnection:
    """A mainframe with an open connection.

    Parameters
    ----------
    address : str or pymeasure.adapters.Adapter
        VISA resource name, or an open adapter.
    visa_library : str
        PyVISA's choice of a library.
    timeout : float
        Timeout of a reply, s.

    Raises
    ------
    InstrumentError
        When it cannot be opened, or another model answers.
    """

    def __init__(self, address: str | Adapter, visa_library: str, timeout: float) -> None:
        self.resource = str(getattr(address, "resource_name", None) or address)
        self._title = f"B1500 at {self.resource}"
        options: dict[str, Any] = {}
        if isinstance(address, str):
            options = {"visa_library": visa_library, "timeout": int(timeout * 1e3)}
        try:
            self.mainframe = Mainframe(address, **options)
        except (VisaIOError, OSError, ValueError) as error:
            raise InstrumentError(f"{self._title} cannot be opened: {error}") from error
        self._adapter: Adapter = self.mainframe.adapter
        try:
            self._verify_model()
            with self._reported("ERRX?"):  # left by an earlier program, not by our first command
                self.found_errors = tuple(self._take_errors())
        except InstrumentError:
            self.close()
            raise

    def _verify_model(self) -> None:
        identity = self.identify()
        if "B1500" not in identity:
            raise InstrumentError(
                f"{self._title}: expected a B1500, but {identity!r} answered; check the address"
            )

    def identify(self) -> str:
        """Return the mainframe's reply to ``*IDN?``."""
        with self._reported("*IDN?"):
            return self._ask("*IDN?").strip()

    def close(self) -> None:
        """Release the connection; no output changes."""
        self._adapter.close()

    def interrupt(self) -> None:
        """Send a device clear, which ends unfinished lines and discards unread data."""
        with self._reported("device clear"):
            self._adapter.connection.clear()

    @contextmanager
    def _reported(self, command: str) -> Iterator[None]:
        """Convert errors to `InstrumentError` with the command."""
        try:
            yield
        except LOST as error:
            raise InstrumentError(
                f"{self._title}: {command!r} failed: {error}{self._reason(error)}; check cable and address"
            ) from error
        except OSError as error:  # raised by PyMeasure and `_check_errors` for an error in the queue
            self._drop_errors()
            raise InstrumentError(f"{self._title} refused {command!r}: {error}") from error
        except (AttributeError, IndexError, KeyError, NotImplementedError, ValueError) as error:
            raise InstrumentError(f"{self._title}: {command!r} was not understood: {error}") from error

    def _reason(self, error: Exception) -> str:
        """Query the errors of an instrument that has not answered."""
        if not isinstance(error, VisaIOError):
            return ""
        try:
            self._adapter.connection.clear()
            errors = self._take_errors()
        except LOST:
            return ""
        return f"; the instrument says {errors[0]}" if errors else ""

    def _drop_errors(self) -> None:
        """Empty the error queue, so that the next check concerns the next command."""
        with self._reported("ERRX?"):
            self._take_errors()

    def _take_errors(self) -> list[str]:
        """Empty the error queue and return its entries."""
        errors = []
        for _ in range(100):
            match = _ERROR.match(self._ask("ERRX?"))
            if match is None or int(match[1]) == 0:
                break
            errors.append(f"{match[1]}, {match[2]}")
        return errors

    def _ask(self, query: str) -> str:
        self._adapter.write(query)
        reply: str = self._adapter.read()
        return reply

    def _check_errors(self) -> None:
        """Raise `OSError` with the oldest error in the queue, if there is one, as PyMeasure's check does."""
        reply = self._ask("ERRX?")
        match = _ERROR.match(reply)
        if match is None:
            raise ValueError(f"answered {reply!r}")
        if int(match[1]) != 0:
            raise OSError(f"Agilent B1500 Error {match[1]}: {match[2]}")

    def _do(self, *commands: str) -> None:
        """Send commands, one per line, and check for errors after the last."""
        with self._reported(commands[-1]):
            for command in commands:
                self._adapter.write(command)
            self._check_errors()

    def _receive(self, channel: int, kind: str) -> _Datum:
        reply: str = self._adapter.read()
        match = _DATUM.match(reply)
        if match is None or match[2] != "ABCDEFGHIJ"[channel - 1] or match[3] != kind:
            raise ValueError(f"answered {reply!r}")
        return _Datum(float(match[4]), int(match[1]))

    def _receive_reading(self, channel: int) -> Reading:
        """Receive the results of ``TI`` and ``TV`` on a channel."""
        current, voltage = self._receive(channel, "I"), self._receive(channel, "V")
        valid = not current.status & OVERFLOWED and abs(current.value) < INVALID
        tripped = bool((current.status | voltage.status) & LIMITED)
        return Reading(voltage.value, current.value if valid else math.nan, tripped)

    @contextmanager
    def _patience(self, seconds: float) -> Iterator[None]:
        """Extend the timeout of replies by `seconds`."""
        connection = self._adapter.connection
        usual = connection.timeout
        if not isinstance(usual, int | float):  # a transcript instead of a connection
            yield
            return
        connection.timeout = usual + 1e3 * seconds
        try:
            yield
        finally:
            connection.timeout = usual
