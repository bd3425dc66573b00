"""The base of the drivers: every message is checked, every failure names instrument and command.

What a language does its own way is how it asks for the next error and how that reads: `CHECK` and `_error_in`. A setting
command and the check behind it travel in one message, so that setting and checking is one round trip.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, ClassVar, NamedTuple

from pymeasure.adapters import Adapter, VISAAdapter
from pymeasure.instruments import Channel, Instrument
from pyvisa import VisaIOError
from pyvisa.constants import StatusCode
from pyvisa.errors import InvalidSession
from pyvisa.resources import MessageBasedResource, SerialInstrument, TCPIPSocket

from mho.errors import InstrumentError

log = logging.getLogger(__name__)

BUS_ERRORS = (
    VisaIOError,
    InvalidSession,
    OSError,
)  # PyVISA-py lets the errors of sockets through as they are
LONGEST_QUEUE = 100  # errors an instrument may hold
UNREAD_REPLIES = 1000  # on a socket, at most
NONCES = 5  # in step by one more `*OPC?` each time, up to so many
QUIET = 100  # ms without a byte: nothing more is on its way


class ReportedError(NamedTuple):
    """What an instrument answers when it is asked for its next error, and what it has answered before that."""

    code: int
    text: str
    before: str

    def __str__(self) -> str:
        return f"{self.code}, {self.text}"


class BusInstrument(Instrument):
    """An instrument on a bus, whatever language it speaks.

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
    found_errors : tuple of str
        What was in the error queue when it was opened.
    """

    CHECK: ClassVar[str]  # what a command ends with, so that the instrument says what it makes of it
    ANSWERED: ClassVar[tuple[str, ...]] = ("?",)  # what is in a message that is replied to
    model: ClassVar[str] = ""  # what *IDN? must contain
    recorded: ClassVar[tuple[str, ...]] = ()  # properties worth keeping in a run file

    def __init__(
        self,
        address: str | Adapter,
        visa_library: str = "",
        *,
        timeout: float = 5.0,
        includeSCPI: bool = False,  # PyMeasure's SCPIMixin sends it on
        **connection: Any,
    ) -> None:
        self._last = ""
        self._in_step = True  # nothing is on its way that was not asked for by the last message
        self._stale = ""  # a reply that nobody had read: those before it may have been taken for each other's
        self._identity = ""
        self._nonce = 0
        self.resource = str(getattr(address, "resource_name", None) or address)
        if isinstance(address, str):
            options = {"read_termination": "\n", "write_termination": "\n", **connection}
            try:
                address = VISAAdapter(address, visa_library, timeout=int(timeout * 1e3), **options)
            except (VisaIOError, OSError, ValueError) as error:
                raise InstrumentError(f"{self._title} cannot be opened: {error}") from error
        self._send, self._take = _ways(address)
        super().__init__(address, self.model or type(self).__name__, includeSCPI=includeSCPI)
        try:
            self._verify_model()
            # Left by someone else: they would be blamed on our first command.
            self.found_errors = tuple(map(str, self._drop_errors()))
            self.verify()
        except BaseException:
            self.close()
            raise

    def _verify_model(self) -> None:
        identity = self.identify()
        if self.model not in identity:
            raise InstrumentError(
                f"{self._title}: expected a {self.model}, but {identity!r} answered; check the address"
            )
        self._identity = identity

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
        self._begin(command)
        try:
            self._send(command, **kwargs)
        except BUS_ERRORS as error:
            raise self._bus_error(error) from error

    def write_bytes(self, content: bytes, **kwargs: Any) -> None:
        """Send bytes; raises `InstrumentError` when the bus refuses them."""
        self._begin(content.decode("latin-1"))
        self._last = self._last.partition("#")[0]
        try:
            self.adapter.write_bytes(content, **kwargs)
        except BUS_ERRORS as error:
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
            reply = self._take()
        except BUS_ERRORS as error:
            reason = self._reason() if _timed_out(error) else ""
            raise self._bus_error(error, reason) from error
        except UnicodeDecodeError as error:
            raise InstrumentError(
                f"{self._title} answered {error.object[:40]!r} to {self._last.removesuffix(self.CHECK)!r}: no text"
            ) from error
        self._in_step = True
        return reply

    def _begin(self, message: str) -> None:
        """Note what is sent next; get in step before it, when the reply to an earlier message is still owed."""
        if not self._in_step and self._identity:
            self._get_in_step()
        self._last = message
        self._in_step = not any(token in message for token in self.ANSWERED)

    def _question(self) -> tuple[str, str]:
        """Return a question that no driver asks, and the reply to it; another one with another `_nonce`."""
        # IEEE 488.2, 10.14: *IDN? is the last query of a message.
        return "*OPC?;" * self._nonce + "*IDN?", "1;" * self._nonce + self._identity

    def _get_in_step(self) -> None:
        """Read what is still on its way, up to the reply to a question that was never asked before.

        An instrument answers in order: a reply that was too late comes before that one, however late it is.
        """
        self._nonce = self._nonce % NONCES + 1
        self._last, wanted = self._question()
        try:
            self._clear()
            self._send(self._last)
            for _ in range(UNREAD_REPLIES):
                with suppress(UnicodeDecodeError):
                    if self._take().strip() == wanted:
                        self._in_step = True
                        return
        except BUS_ERRORS as error:
            raise self._bus_error(error) from error
        raise InstrumentError(
            f"{self._title} does not come to the end of its replies; switch it off and on again"
        )

    def ask(self, command: str, query_delay: float | None = None) -> str:
        """Send a query and return its reply; raises `InstrumentError` as `receive` does."""
        self.write(command)
        self.wait_for(query_delay)
        return self.receive()

    def values(self, command: str, cast: Callable[[Any], Any] = float, **options: Any) -> list[Any]:
        """Send a query and return its comma-separated values; `InstrumentError` when they are no numbers, but should be."""
        found: list[Any] = super().values(command, cast=cast, **options)
        return _understood(found, cast, self._title, command)

    def _patience(self, seconds: float) -> AbstractContextManager[None]:
        """Let replies take `seconds` longer than usual; for work whose time is known beforehand."""
        return self._waiting(lambda usual: usual + 1e3 * seconds)

    def _haste(self, seconds: float) -> AbstractContextManager[None]:
        """Wait no longer than so many seconds for a reply, nor longer than usual."""
        return self._waiting(lambda usual: min(usual, 1e3 * seconds))

    @contextmanager
    def _waiting(self, timeout: Callable[[float], float]) -> Iterator[None]:
        """Wait for replies as long as `timeout` makes of the usual time, both in ms."""
        connection = self.adapter.connection
        try:
            usual = connection.timeout
        except BUS_ERRORS as error:  # the session is closed
            raise self._bus_error(error) from error
        if not isinstance(usual, int | float):  # a transcript instead of a connection
            yield
            return
        connection.timeout = timeout(usual)
        try:
            yield
        finally:
            with suppress(*BUS_ERRORS):
                connection.timeout = usual

    def interrupt(self) -> None:
        """Device clear: unfinished messages and waits end, unread replies go, so that it listens again."""
        try:
            unread = self._clear()
        except BUS_ERRORS as error:
            self._last = "device clear"
            raise self._bus_error(error) from error
        if self._in_step and unread:
            self._stale = unread
        # What is still on its way comes after it: on a stream nothing but the next reply tells.
        self._in_step &= not isinstance(self.adapter.connection, TCPIPSocket | SerialInstrument)

    def _clear(self) -> str:
        """Clear the device; return what was unread, as far as it can be known."""
        connection = self.adapter.connection
        if not isinstance(connection, TCPIPSocket):
            connection.clear()
            return ""
        # A raw socket has no device clear: unread replies are taken from it until it is quiet. (PyVISA-py's `clear` does
        # that too, but for ever when the other end has closed.)
        usual, connection.timeout = connection.timeout, QUIET
        unread = b""
        try:
            for _ in range(UNREAD_REPLIES):
                unread = connection.read_raw()
        except VisaIOError as error:
            if error.error_code != StatusCode.error_timeout:
                raise
        finally:
            connection.timeout = usual
        return unread.decode("latin-1").strip()

    def _bus_error(self, error: Exception, reason: str = "") -> InstrumentError:
        advice = "" if reason else "; check the cable and the address"
        command = self._last.removesuffix(self.CHECK)
        return InstrumentError(f"{self._title}: {command!r} failed: {error}{reason}{advice}")

    # --- errors ---

    def _error_in(self, reply: str) -> ReportedError | None:
        """Read the answer to a check; None when it is something else."""
        raise NotImplementedError

    @property
    def _next_error(self) -> str:
        """The check by itself."""
        return self.CHECK.lstrip("; ")

    def check_set_errors(self) -> list[str]:
        """Read the answer to the check which a setting command ends with."""
        self._checked(self.receive())
        return []

    def _checked(self, reply: str) -> str:
        """Return what comes before the check in a reply; raises `InstrumentError` when it tells an error."""
        reported = self._error_in(reply)
        if reported is None:
            raise InstrumentError(f"{self._title} answered {reply!r} to {self._last!r}: not understood")
        if reported.code:
            command = self._last.removesuffix(self.CHECK)
            self._drop_errors()
            raise InstrumentError(f"{self._title} refused {command!r}: {reported}")
        return reported.before

    def _drop_errors(self) -> list[ReportedError]:
        """Empty the error queue, so that the next check speaks of the next command; return what was in it."""
        dropped: list[ReportedError] = []
        while len(dropped) < LONGEST_QUEUE:
            reported = self._error_in(self.ask(self._next_error))
            if reported is None or not reported.code:
                break
            log.warning("%s had another error in its queue: %s", self._title, reported)
            dropped.append(reported)
        return dropped

    def _reason(self) -> str:
        """Ask an instrument that has not answered for its errors; it may have discarded the message."""
        reasons: list[ReportedError] = []
        self._in_step = False
        try:
            self._clear()
            while len(reasons) < LONGEST_QUEUE:
                self._send(self._next_error)
                reported = self._error_in(self._take())
                if reported is None or not reported.code:
                    break
                reasons.append(reported)
        except (*BUS_ERRORS, UnicodeDecodeError):
            return ""
        return f"; the instrument says {reasons[0]}" if reasons else ""

    # --- roles.Instrument ---

    def identify(self) -> str:
        """Return the reply to ``*IDN?``.

        Raises
        ------
        InstrumentError
            Also when it is not that of the opening, or replies were left unread in between: what was read before
            may then be the replies to other questions.
        """
        identity = self.ask("*IDN?").strip()
        strange, self._stale = self._stale or (identity if self._identity else ""), ""
        if strange not in ("", self._identity):
            raise InstrumentError(
                f"{self._title} is out of step: {strange!r} came where it was not asked for; what was read before "
                "may be the replies to other questions"
            )
        return identity

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


class BusChannel(Channel):
    """One channel of a `BusInstrument`; ``{ch}`` in a command is its number or name."""

    __getattribute__ = object.__getattribute__

    def ask(self, command: str, query_delay: float | None = None) -> str:
        """Send a query and return its reply; raises `InstrumentError` as the instrument does."""
        reply: str = self.parent.ask(self.insert_id(command), query_delay)
        return reply

    def values(self, command: str, cast: Callable[[Any], Any] = float, **options: Any) -> list[Any]:
        """Send a query and return its values, as the instrument does."""
        found: list[Any] = super().values(command, cast=cast, **options)
        return _understood(found, cast, self.parent._title, self.insert_id(command))

    def check_set_errors(self) -> list[str]:
        """Read the answer to the check which a setting command ends with."""
        errors: list[str] = self.parent.check_set_errors()
        return errors


def _understood(values: list[Any], cast: Callable[[Any], Any], title: str, query: str) -> list[Any]:
    """Return `values`, which PyMeasure leaves as text where they are not what was expected."""
    if cast in (float, int, bool) and any(isinstance(value, str) for value in values):
        raise InstrumentError(f"{title} answered {','.join(map(str, values))!r} to {query!r}: no number")
    return values


def _ways(adapter: Adapter) -> tuple[Callable[..., Any], Callable[[], str]]:
    """Return what sends and what receives text: the VISA session itself, or the adapter where it has to log that."""
    session = getattr(adapter, "connection", None)
    if isinstance(session, MessageBasedResource) and not adapter.log.isEnabledFor(logging.DEBUG):
        return session.write, session.read
    return adapter.write, adapter.read


def _timed_out(error: Exception) -> bool:
    return isinstance(error, VisaIOError) and error.error_code == StatusCode.error_timeout
