"""Base of the drivers: every message is checked, and every error names instrument and command.

Languages differ in how the next error is queried and parsed: `CHECK` and `_error_in`. A setting command and its check are
one message, hence one round trip. Text goes over a VISA session by the library's own two calls, `viWrite` and `viRead`: a
`pyvisa.resources.MessageBasedResource` logs and copies each message and looks twice for its terminator, which takes longer
than all that a driver does with a reply.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, ClassVar, NamedTuple

from pymeasure.adapters import Adapter, VISAAdapter
from pymeasure.instruments import Channel, Instrument
from pyvisa import VisaIOError
from pyvisa.constants import StatusCode
from pyvisa.errors import InvalidSession
from pyvisa.resources import MessageBasedResource, SerialInstrument, TCPIPSocket

from mho import platforms
from mho.errors import InstrumentError, InstrumentTimeoutError

_MORE = StatusCode.success_max_count_read
_EXPECTED = (StatusCode.success_device_not_present, _MORE)  # PyVISA's own reads ignore these, too

Send = Callable[..., Any]
Take = Callable[[], str]


def ways(adapter: Adapter) -> tuple[Send, Take]:
    """Return functions that send and receive text: of the VISA session, or of the adapter when it has to log them."""
    session = getattr(adapter, "connection", None)
    if isinstance(session, MessageBasedResource) and not adapter.log.isEnabledFor(logging.DEBUG):
        return _sender(session), _receiver(session)
    return adapter.write, adapter.read


def _sender(session: MessageBasedResource) -> Send:
    library, encoding = session.visalib, session.encoding

    def send(message: str, **options: Any) -> None:
        if options:
            session.write(message, **options)
        else:
            library.write(session.session, (message + (session.write_termination or "")).encode(encoding))

    return send


def _receiver(session: MessageBasedResource) -> Take:
    """Return a function that reads up to the end of a reply, and returns it without its terminator."""
    library, size, encoding = session.visalib, session.chunk_size, session.encoding
    warns = not library.issue_warning_on.isdisjoint(_EXPECTED)

    def more(data: bytes) -> bytes:
        status: Any = _MORE
        while status == _MORE:
            part, status = library.read(session.session, size)
            data += part
        return data

    def take() -> str:
        if warns:
            with library.ignore_warning(session.session, *_EXPECTED):
                data = more(b"")
        else:
            data, status = library.read(session.session, size)
            if status == _MORE:
                data = more(data)
        text, end = data.decode(encoding), session.read_termination
        if not end:
            return text
        if not text.endswith(end):
            warnings.warn("a reply does not end with its terminator", stacklevel=2)
            return text
        return text[: -len(end)]

    return take


log = logging.getLogger(__name__)

BUS_ERRORS = (VisaIOError, InvalidSession, OSError)  # PyVISA-py passes socket errors on unchanged
LONGEST_QUEUE = 100  # largest number of queued errors
UNREAD_REPLIES = 1000  # on a socket, at most
NONCES = 5  # number of `*OPC?` tries to synchronise replies, one more each time
QUIET = 100  # ms without a byte after which no reply is pending


class ReportedError(NamedTuple):
    """An error from an instrument's queue, with the reply that preceded it."""

    code: int
    text: str
    before: str

    def __str__(self) -> str:
        return f"{self.code}, {self.text}"


SERIAL_FILE = re.compile(r"ASRL(/.+?)(?:::INSTR)?$", re.IGNORECASE)
# VI_ERROR_RSRC_BUSY and VI_ERROR_RSRC_LOCKED of VISA, EBUSY, and what Windows says of a port that is open
IN_USE = re.compile(r"VI_ERROR_RSRC_(?:BUSY|LOCKED)|resource busy|PermissionError", re.IGNORECASE)
COMMAND_SHOWN = 80  # characters


class BusInstrument(Instrument):
    """An instrument on a bus, for any command language.

    Opening it changes nothing on it: no output, no setting.

    `address`: VISA resource name, or an open adapter.
    `visa_library`: PyVISA's choice of a library, e.g. ``@mho`` for the simulated bench; empty for the system's VISA.
    `timeout`: timeout of a reply, s.
    `connection`: settings of the VISA session, e.g. ``baud_rate``.
    `InstrumentError` when it cannot be opened, does not answer, or another model answers.
    """

    CHECK: ClassVar[str]  # suffix of a command that makes the instrument report its errors
    ANSWERED: ClassVar[tuple[str, ...]] = ("?",)  # text that marks a message with a reply
    model: ClassVar[str] = ""  # required part of the *IDN? reply
    recorded: ClassVar[tuple[str, ...]] = ()  # properties to store in a run file

    def __init__(
        self,
        address: str | Adapter,
        visa_library: str = "",
        *,
        timeout: float = 5.0,
        includeSCPI: bool = False,  # PyMeasure's SCPIMixin passes it on
        **connection: Any,
    ) -> None:
        self._last = ""
        self._in_step = True  # no reply to an earlier message is pending
        self._stale = ""  # an unread reply: earlier ones may have been assigned to the wrong queries
        self._identity = ""
        self._nonce = 0
        self.resource = str(getattr(address, "resource_name", None) or address)
        if isinstance(address, str):
            if not visa_library.endswith("@mho"):  # whose ports are no files
                self._check_port(address)
            options = {"read_termination": "\n", "write_termination": "\n", **connection}
            try:
                address = VISAAdapter(address, visa_library, timeout=int(timeout * 1e3), **options)
            except (VisaIOError, OSError, ValueError) as error:
                # Of VISA itself, or of permissions: not an instrument that does not answer
                advice = "" if isinstance(error, VisaIOError) else "; `mho doctor` says what of VISA is there"
                if address.upper().startswith(("ASRL", "COM")) and IN_USE.search(str(error)):
                    advice = "; another program has the port open, a terminal or an earlier Python: end that"
                raise InstrumentError(f"{self._title} cannot be opened: {error}{advice}") from error
            # PyMeasure adds one with each adapter to the logger that they share.
            for handler in address.log.handlers[1:]:
                address.log.removeHandler(handler)
        self._send, self._take = ways(address)
        super().__init__(address, self.model or type(self).__name__, includeSCPI=includeSCPI)
        try:
            self._verify_model()
            # Left by an earlier program: they would be attributed to our first command.
            self.found_errors = tuple(map(str, self._drop_errors()))  # in the queue at opening
            self.verify()
        except BaseException:
            self.close()
            raise

    def _check_port(self, address: str) -> None:
        """Refuse a serial port that another process has open, where the system lets both have it: it would take replies."""
        port = SERIAL_FILE.match(address)
        if port is None:
            return
        for process in platforms.here.users_of(port[1]):
            command = " ".join(platforms.here.command_of(process))[:COMMAND_SHOWN]
            raise InstrumentError(
                f"{self._title} cannot be opened: process {process} ({command or 'of another user'}) has {port[1]} open, "
                "and would take some of its replies; end that"
            )

    def _verify_model(self) -> None:
        identity = self.identify()
        if self.model not in identity:
            raise InstrumentError(
                f"{self._title}: expected a {self.model}, but {identity!r} answered; check the address"
            )
        self._identity = identity

    # PyMeasure looks up reserved names at every attribute access; without `dynamic` properties there are
    # none, and plain access makes a message several microseconds cheaper.
    __getattribute__ = object.__getattribute__
    __setattr__ = object.__setattr__

    @property
    def _title(self) -> str:
        return f"{self.model or type(self).__name__} at {self.resource}"

    def verify(self) -> None:
        """Check by queries the conditions that the driver relies on; raises `InstrumentError`."""

    # --- messages ---

    def write(self, command: str, **kwargs: Any) -> None:
        """Send a command; raises `InstrumentError` when the bus refuses it."""
        if not self._in_step and self._identity:
            self._synchronise()
        self._last, self._in_step = command, True
        for mark in self.ANSWERED:
            if mark in command:
                self._in_step = False
        try:
            self._send(command, **kwargs)
        except BUS_ERRORS as error:
            raise self._bus_error(error) from error

    def write_bytes(self, content: bytes, **kwargs: Any) -> None:
        """Send bytes; raises `InstrumentError` when the bus refuses them."""
        if not self._in_step and self._identity:
            self._synchronise()
        text = content.decode("latin-1")
        self._last, self._in_step = text.partition("#")[0], not any(map(text.__contains__, self.ANSWERED))
        try:
            self.adapter.write_bytes(content, **kwargs)
        except BUS_ERRORS as error:
            raise self._bus_error(error) from error

    def receive(self) -> str:
        """Receive a reply without its terminator (not `read`: on a source-measure unit, reading is measuring).

        Raises `InstrumentError` when no reply arrives; with the instrument's own reason, if it has one.
        """
        try:
            reply = self._take()
        except (*BUS_ERRORS, UnicodeDecodeError) as error:
            raise self._unanswered(error) from error
        self._in_step = True
        return reply

    def _unanswered(self, error: Exception) -> InstrumentError:
        """Return the error of a reply that did not come, or is no text."""
        if isinstance(error, UnicodeDecodeError):
            return InstrumentError(
                f"{self._title} answered {error.object[:40]!r} to {self._last.removesuffix(self.CHECK)!r}: no text"
            )
        late = isinstance(error, VisaIOError) and error.error_code == StatusCode.error_timeout
        return self._bus_error(error, self._reason() if late else "")

    def _question(self) -> tuple[str, str]:
        """Return a query that no driver uses, with its reply; different for each `_nonce`."""
        # IEEE 488.2, 10.14: *IDN? is the last query of a message.
        return "*OPC?;" * self._nonce + "*IDN?", "1;" * self._nonce + self._identity

    def _synchronise(self) -> None:
        """Discard pending replies, up to that to a query that was never sent before: an instrument answers in order."""
        self._nonce = self._nonce % NONCES + 1
        self._last, answer = self._question()
        try:
            self._clear()
            self._send(self._last)
            for _ in range(UNREAD_REPLIES):
                with suppress(UnicodeDecodeError):
                    if self._take().strip() == answer:
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

    def exchange(self, command: str) -> str:
        """Send a message with an error check at its end, and return the replies before the check.

        Raises `InstrumentError` when the instrument reports an error or does not answer.
        """
        self.write(command + self.CHECK)
        return self._checked(self.receive())

    def values(self, command: str, cast: Callable[[Any], Any] = float, **options: Any) -> list[Any]:
        """Send a query and return its comma-separated values; raises `InstrumentError` for text in place of numbers."""
        replies: list[Any] = super().values(command, cast=cast, **options)
        return _understood(replies, cast, self._title, command)

    def _patience(self, seconds: float) -> AbstractContextManager[None]:
        """Extend the timeout of replies by `seconds`, for operations of known duration."""
        return self._waiting(lambda usual: usual + 1e3 * seconds)

    def _timeout_at_most(self, seconds: float) -> AbstractContextManager[None]:
        """Reduce the timeout of replies to `seconds`, or keep it if it is shorter."""
        return self._waiting(lambda usual: min(usual, 1e3 * seconds))

    @contextmanager
    def _waiting(self, timeout: Callable[[float], float]) -> Iterator[None]:
        """Change the timeout of replies to the result of `timeout` for the usual one, both in ms."""
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
        """Send a device clear, which ends unfinished messages and waits and discards unread replies."""
        try:
            unread = self._clear()
        except BUS_ERRORS as error:
            self._last = "device clear"
            raise self._bus_error(error) from error
        if self._in_step and unread:
            self._stale = unread
        # A pending reply may arrive after the clear; on a stream only the next reply shows this.
        self._in_step &= not isinstance(self.adapter.connection, TCPIPSocket | SerialInstrument)

    def _clear(self) -> str:
        """Clear the device; return unread replies, as far as they can be known."""
        connection = self.adapter.connection
        if not isinstance(connection, TCPIPSocket):
            connection.clear()
            return ""
        # A raw socket has no device clear: unread replies are read until none arrives. (PyVISA-py's `clear` does the
        # same, but never ends when the other end has closed.)
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
        late = isinstance(error, VisaIOError) and error.error_code == StatusCode.error_timeout
        kind = InstrumentTimeoutError if late else InstrumentError
        return kind(f"{self._title}: {command!r} failed: {error}{reason}{advice}")

    # --- errors ---

    def _error_in(self, reply: str) -> ReportedError | None:
        """Parse the answer to a check; None when it is something else."""
        raise NotImplementedError

    @property
    def _next_error(self) -> str:
        """Send the check alone, and return its result."""
        return self.CHECK.lstrip("; ")

    def check_set_errors(self) -> list[str]:
        """Read the answer to the check which a setting command ends with."""
        self._checked(self.receive())
        return []

    def _checked(self, reply: str) -> str:
        """Return the part of a reply before the check; raises `InstrumentError` when the check reports an error."""
        reported = self._error_in(reply)
        if reported is None:
            raise InstrumentError(f"{self._title} answered {reply!r} to {self._last!r}: not understood")
        if reported.code:
            command = self._last.removesuffix(self.CHECK)
            self._drop_errors()
            raise InstrumentError(f"{self._title} refused {command!r}: {reported}")
        return reported.before

    def _drop_errors(self) -> list[ReportedError]:
        """Empty the error queue, so that the next check concerns the next command; return its entries."""
        dropped: list[ReportedError] = []
        while len(dropped) < LONGEST_QUEUE:
            reported = self._error_in(self.ask(self._next_error))
            if reported is None or not reported.code:
                break
            log.warning("%s had another error in its queue: %s", self._title, reported)
            dropped.append(reported)
        return dropped

    def _reason(self) -> str:
        """Query the errors of an instrument that has not answered; it may have discarded the message."""
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

        Raises `InstrumentError` also when it differs from that at opening, or replies were left unread in between: earlier
        replies may then belong to other queries.
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
        """Make safe, then close (the name is PyMeasure's)."""
        try:
            self.make_safe()
        finally:
            super().shutdown()
            self.close()

    def make_safe(self) -> None:
        """Take outputs to 0 V and off; does nothing for an instrument without outputs."""


class BusChannel(Channel):
    """One channel of a `BusInstrument`; ``{ch}`` in a command is its number, or its name in Lua."""

    __getattribute__ = object.__getattribute__
    __setattr__ = object.__setattr__

    def ask(self, command: str, query_delay: float | None = None) -> str:
        """Send a query and return its reply; raises `InstrumentError` as the instrument does."""
        reply: str = self.parent.ask(self.insert_id(command), query_delay)
        return reply

    def values(self, command: str, cast: Callable[[Any], Any] = float, **options: Any) -> list[Any]:
        """Send a query and return its values, as the instrument does."""
        replies: list[Any] = super().values(command, cast=cast, **options)
        return _understood(replies, cast, self.parent._title, self.insert_id(command))

    def check_set_errors(self) -> list[str]:
        """Read the answer to the check which a setting command ends with."""
        errors: list[str] = self.parent.check_set_errors()
        return errors


def _understood(values: list[Any], cast: Callable[[Any], Any], title: str, query: str) -> list[Any]:
    """Return `values`, checked: PyMeasure leaves unexpected ones as text."""
    if cast in (float, int, bool) and any(isinstance(value, str) for value in values):
        raise InstrumentError(f"{title} answered {','.join(map(str, values))!r} to {query!r}: no number")
    return values
