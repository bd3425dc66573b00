"""The base of the SCPI drivers: every command is checked, every failure names instrument and command.

A setter sends the command and ``:SYST:ERR?`` in one message, so that setting and checking is one round trip.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from pymeasure.adapters import Adapter, VISAAdapter
from pymeasure.instruments import Channel, Instrument, SCPIMixin
from pyvisa import VisaIOError
from pyvisa.constants import StatusCode
from pyvisa.errors import InvalidSession

from instruments.drivers.scpi_properties import CHECK, Span, choice, control, one_of, switch, within
from mho_errors import InstrumentError

__all__ = [
    "CHECK", "ScpiChannel", "ScpiInstrument", "Span", "choice", "control", "one_of", "switch", "within",
]  # fmt: skip

_ERROR_REPLY = re.compile(r'(?:\A|;)\s*([+-]?\d+),"((?:[^"]|"")*)"\s*\Z')


class ScpiInstrument(SCPIMixin, Instrument):
    """An instrument that speaks SCPI.

    Opening it changes nothing on it: no output, no setting.

    Parameters
    ----------
    address : str or pymeasure.adapters.Adapter
        VISA resource name, or an open adapter.
    visa_library : str
        PyVISA's choice of a library, e.g. ``@mho`` for the simulated bench; empty for the system's VISA.
    timeout : float
        Time a reply may take, s.
    **connection
        Settings of the VISA session, e.g. ``baud_rate``.

    Raises
    ------
    InstrumentError
        When it cannot be opened, does not answer, or another model answers.

    Attributes
    ----------
    found_errors : tuple of str or None
        What was in the error queue when it was opened; None where that is not known.
    """

    model: ClassVar[str] = ""  # what *IDN? must contain
    recorded: ClassVar[tuple[str, ...]] = ()  # properties worth keeping in a run file

    def __init__(
        self, address: str | Adapter, visa_library: str = "", *, timeout: float = 5.0, **connection: Any
    ) -> None:
        self._last = ""
        self.resource = str(getattr(address, "resource_name", None) or address)
        if isinstance(address, str):
            options = {"read_termination": "\n", "write_termination": "\n", **connection}
            try:
                address = VISAAdapter(address, visa_library, timeout=int(timeout * 1e3), **options)
            except (VisaIOError, OSError, ValueError) as error:
                raise InstrumentError(f"{self._title} cannot be opened: {error}") from error
        super().__init__(address, self.model or type(self).__name__)
        try:
            self._verify_model()
            # Left by someone else: they would be blamed on our first command.
            found = self._drop_errors()
            self.found_errors = None if found is None else tuple(found)
            self.verify()
        except InstrumentError:
            self.close()
            raise

    def _verify_model(self) -> None:
        identity = self.identify()
        if self.model not in identity:
            raise InstrumentError(
                f"{self._title}: expected a {self.model}, but {identity!r} answered; check the address"
            )

    # PyMeasure looks up reserved names at every attribute access; without `dynamic` properties there are
    # none, and a plain look-up makes a message several microseconds cheaper.
    __getattribute__ = object.__getattribute__

    @property
    def _title(self) -> str:
        return f"{self.model or type(self).__name__} at {self.resource}"

    def verify(self) -> None:
        """Check by queries what the driver relies on; raises `InstrumentError`."""

    # --- messages ---

    def write(self, command: str, **kwargs: Any) -> None:
        """Send a command; raises `InstrumentError` when the bus refuses it."""
        self._last = command
        try:
            self.adapter.write(command, **kwargs)
        except (VisaIOError, InvalidSession) as error:
            raise self._bus_error(error) from error

    def write_bytes(self, content: bytes, **kwargs: Any) -> None:
        """Send bytes; raises `InstrumentError` when the bus refuses them."""
        self._last = content.partition(b"#")[0].decode("latin-1")
        try:
            self.adapter.write_bytes(content, **kwargs)
        except (VisaIOError, InvalidSession) as error:
            raise self._bus_error(error) from error

    def receive(self) -> str:
        """Receive a reply without its terminator.

        (Not `read`: on a source-measure unit, reading is measuring.)

        Raises
        ------
        InstrumentError
            When none comes; with the instrument's own reason, if it has one.
        """
        try:
            reply: str = self.adapter.read()
        except (VisaIOError, InvalidSession) as error:
            reason = self._reason() if _timed_out(error) else ""
            raise self._bus_error(error, reason) from error
        return reply

    def ask(self, command: str, query_delay: float | None = None) -> str:
        """Send a query and return its reply; raises `InstrumentError` as `receive` does."""
        self.write(command)
        self.wait_for(query_delay)
        return self.receive()

    def exchange(self, command: str) -> str:
        """Send a message with an error check at its end, and return the replies before the check.

        Raises
        ------
        InstrumentError
            When the instrument reports an error or does not answer.
        """
        self.write(command + CHECK)
        return self._checked(self.receive())

    @contextmanager
    def _patience(self, seconds: float) -> Iterator[None]:
        """Let replies take `seconds` longer than usual; for work whose time is known beforehand."""
        connection = self.adapter.connection
        usual = connection.timeout
        if not isinstance(usual, int | float):  # a transcript instead of a connection
            yield
            return
        connection.timeout = usual + 1e3 * seconds
        try:
            yield
        finally:
            connection.timeout = usual

    def check_set_errors(self) -> list[str]:
        """Read the answer to the ``:SYST:ERR?`` which a setting command ends with."""
        self._checked(self.receive())
        return []

    def _checked(self, reply: str) -> str:
        match = _ERROR_REPLY.search(reply)
        if match is None:
            raise InstrumentError(f"{self._title} answered {reply!r} to {self._last!r}: not understood")
        if int(match[1]) != 0:
            code, text = match.groups()
            command = self._last.removesuffix(CHECK)
            self._drop_errors()
            raise InstrumentError(f"{self._title} refused {command!r}: {code}, {text}")
        return reply[: match.start()]

    def _drop_errors(self) -> list[str] | None:
        """Empty the error queue, so that the next check speaks of the next command; return what was in it."""
        dropped: list[str] = []
        for _ in range(100):
            match = _ERROR_REPLY.search(self.ask(":SYST:ERR?"))
            if match is None or int(match[1]) == 0:
                break
            dropped.append(f"{match[1]}, {match[2]}")
        return dropped

    def _reason(self) -> str:
        """Ask an instrument that has not answered for its errors; it may have discarded the message."""
        reasons = []
        try:
            self.adapter.connection.clear()
            for _ in range(100):
                self.adapter.write(":SYST:ERR?")
                match = _ERROR_REPLY.search(self.adapter.read())
                if match is None or int(match[1]) == 0:
                    break
                reasons.append(f"{match[1]}, {match[2]}")
        except (VisaIOError, InvalidSession):
            return ""
        return f"; the instrument says {reasons[0]}" if reasons else ""

    def interrupt(self) -> None:
        """Device clear: unfinished messages and waits end, unread replies go, so that it listens again."""
        try:
            self.adapter.connection.clear()
        except (VisaIOError, InvalidSession) as error:
            self._last = "device clear"
            raise self._bus_error(error) from error

    def _bus_error(self, error: Exception, reason: str = "") -> InstrumentError:
        advice = "" if reason else "; check the cable and the address"
        return InstrumentError(f"{self._title}: {self._last!r} failed: {error}{reason}{advice}")

    # --- roles.Instrument ---

    def identify(self) -> str:
        """Return the reply to ``*IDN?``."""
        return self.ask("*IDN?").strip()

    def settings(self) -> dict[str, str]:
        """Return the properties named in `recorded`, as text."""
        return {name: str(getattr(self, name)) for name in self.recorded}

    def close(self) -> None:
        """Release the connection; no output changes."""
        self.adapter.close()

    def shutdown(self) -> None:
        """Make safe, then close (PyMeasure's name for it)."""
        try:
            self.make_safe()
        finally:
            super().shutdown()
            self.close()

    def make_safe(self) -> None:
        """Bring outputs to 0 V and off; an instrument without outputs has nothing to do."""


class ScpiChannel(Channel):
    """One channel of a `ScpiInstrument`; ``{ch}`` in a command is its number."""

    __getattribute__ = object.__getattribute__

    def ask(self, command: str, query_delay: float | None = None) -> str:
        """Send a query and return its reply; raises `InstrumentError` as the instrument does."""
        reply: str = self.parent.ask(self.insert_id(command), query_delay)
        return reply

    def check_set_errors(self) -> list[str]:
        """Read the answer to the ``:SYST:ERR?`` which a setting command ends with."""
        errors: list[str] = self.parent.check_set_errors()
        return errors


def _timed_out(error: Exception) -> bool:
    return isinstance(error, VisaIOError) and error.error_code == StatusCode.error_timeout
