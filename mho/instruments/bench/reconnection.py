"""Reopening a lost connection: of that instrument only, with its identity verified and its outputs made safe first.

Nothing is assumed about what was lost. A query sent while nothing was driven is repeated. Any other message ends in a
`ConnectionRestored`, with the outputs off and the bench set to prepare itself again; the bench then repeats, by
`once_more`, operations that do not change the chip.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from mho.errors import ConnectionRestored, InstrumentError
from mho.instruments.bench_file.entries import Reconnect

log = logging.getLogger(__name__)

T = TypeVar("T")

# Methods of the roles that change nothing
ASKING = ("identify", "settings", "closed", "standing_mode", "temperature")
CHECKS = ("check_shape", "check_sweep", "check_waveform")  # methods of drivers that send nothing
AT_REST = (*ASKING, *CHECKS, "arm_watchdog", "protect")  # methods that leave every output as it is
LOST_DAQ = (-201003, -88709, -200324)  # absent from the bus, or without power (as in `drivers.ni_daq_errors`)


def connection_lost(error: BaseException | None) -> bool:
    """Return whether an error, or one of its causes, means that the connection is lost.

    A timeout does not: a slow or confused instrument is still connected.
    """
    # Imported here: both load slowly, and many programs load the bench without connecting to an instrument.
    from nidaqmx.errors import DaqError
    from pyvisa import VisaIOError
    from pyvisa.constants import StatusCode
    from pyvisa.errors import InvalidSession

    lost = (StatusCode.error_connection_lost, StatusCode.error_io, StatusCode.error_invalid_object)
    while error is not None:
        if isinstance(error, InvalidSession | ConnectionError):
            return True
        if isinstance(error, VisaIOError) and error.error_code in lost:
            return True
        if isinstance(error, DaqError) and error.error_code in LOST_DAQ:
            return True
        error = error.__cause__ or error.__context__
    return False


def once_more(act: Callable[..., T], *arguments: Any) -> T:
    """Run an operation that does not change the chip; run it again from its beginning after a connection was restored."""
    try:
        return act(*arguments)
    except ConnectionRestored:
        log.warning("what was interrupted leaves the chip as it is, and is done once more")
        return act(*arguments)


class Connection:
    """An opened driver, and the roles it has on the bench.

    `open_driver`: opens the resource and returns its driver.
    `reconnect`: None leaves a lost connection lost, and costs nothing.
    `sleep`: waits, in seconds, between tries.
    `InstrumentError` when the instrument cannot be opened.
    """

    def __init__(
        self, open_driver: Callable[[], Any], reconnect: Reconnect | None, sleep: Callable[[float], None]
    ) -> None:
        self._open_driver, self._reconnect, self._sleep = open_driver, reconnect, sleep
        self._roles: list[Reconnecting] = []
        # Called after the connection was restored, with the outputs off
        self.reopened: Callable[[], None] = lambda: None
        self.driver = open_driver()  # the driver that is currently open
        self._identity = ""
        if reconnect is not None:
            try:
                self._identity = self.driver.identify()
            except InstrumentError:
                self.driver.close()
                raise

    def role(self, part_of: Callable[[Any], Any] = lambda driver: driver) -> Any:
        """Return the instrument of a role: a part of the driver (a channel), or the driver itself."""
        if self._reconnect is None:
            return part_of(self.driver)
        self._roles.append(Reconnecting(self, part_of))
        return self._roles[-1]

    def reopen(self, cause: InstrumentError) -> None:
        """Reopen the resource, make it safe, and restore the settings of its roles.

        `InstrumentError` when it does not answer, another instrument answers, or its outputs are not confirmed off.
        """
        assert self._reconnect is not None
        log.warning("the connection is lost (%s); it is opened anew", cause)
        last = cause
        for _ in range(self._reconnect.tries):
            with suppress(Exception):  # the connection is lost already: an error on closing adds nothing
                self.driver.close()
            self._sleep(self._reconnect.wait)
            try:
                self.driver = self._open_driver()
                identity = self.driver.identify()
                if identity == self._identity:
                    self._restore()
                    return
            except InstrumentError as error:
                last = error
                continue
            self.driver.close()
            raise InstrumentError(
                f"{identity!r} answered where {self._identity!r} was lost: nothing was sent to it; check the cables, and "
                "switch the lost instrument's outputs off by hand"
            ) from cause
        raise InstrumentError(
            f"the connection was lost, and not restored in {self._reconnect.tries} tries: {last}; switch its outputs off "
            "by hand"
        ) from cause

    def _restore(self) -> None:
        for role in self._roles:
            role.attach()
        for role in self._roles:
            role.restore()
        self.reopened()
        log.warning("%s is connected again, its outputs off", self._identity)


class Reconnecting:
    """An instrument of a role that survives the loss of its connection; has every attribute of its driver.

    `Connection.role` creates one. Outputs are off after a loss. For a source-measure unit the limit, range and
    integration time of its last `configure` are restored. A pulse generator's `configure` switches outputs on, so
    its settings are restored when the bench next prepares itself.
    """

    def __init__(self, connection: Connection, part_of: Callable[[Any], Any]) -> None:
        self.connection, self._part_of = connection, part_of
        self._instrument = part_of(connection.driver)
        self._configured: dict[str, Any] = {}
        self._driven = False  # since it was last made safe

    def attach(self) -> None:
        """Use the newly opened driver, and make it safe first."""
        self._instrument = self._part_of(self.connection.driver)
        self._instrument.make_safe()
        self._driven = False

    def restore(self) -> None:
        """Restore the instrument's settings; no output changes."""
        if self._configured:
            self._instrument.configure(**self._configured)

    def close(self) -> None:
        """Release the connection; no output changes."""
        self._instrument.close()

    def make_safe(self) -> None:
        """Make the instrument safe, over a new connection if the old one is lost."""
        self._attempt("make_safe", lambda: self._instrument.make_safe(), repeat=True)
        self._driven = False

    def beat(self, patience: float) -> None:
        """Send a sign of life; a lost connection is not reopened here, but by the next command or query."""
        self._instrument.beat(patience)

    def configure(self, *channel: int, **settings: Any) -> None:
        """Configure the instrument, and remember settings that do not change its output."""
        self._call("configure", *channel, **settings)
        self._configured = settings

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        # Reading a property may query the instrument.
        value = self._attempt(name, lambda: getattr(self._instrument, name), repeat=not self._driven)
        return partial(self._call, name) if callable(value) else value

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        repeat = name in ASKING and not self._driven
        if name not in AT_REST:
            self._driven = True
        return self._attempt(
            name, lambda: getattr(self._instrument, name)(*arguments, **options), repeat=repeat
        )

    def _attempt(self, name: str, use: Callable[[], Any], *, repeat: bool) -> Any:
        try:
            return use()
        except InstrumentError as error:
            if not connection_lost(error):
                raise
            self.connection.reopen(error)
            if not repeat:
                raise ConnectionRestored(
                    f"the connection was lost during {name!r} and is back; the outputs are off, and whether the command "
                    f"was carried out is unknown: start again from there ({error})"
                ) from error
        return use()
