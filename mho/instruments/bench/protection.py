"""Protection that needs no host: limits that the instruments keep by themselves, and the array board's watchdog.

The limits are the bench's, a second barrier that also holds for other programs. The watchdog is armed while the bench uses
the board, and fed for as long as this process lives: an event that ends the process before the bench is safe (`kill -9`, a
crash, a power cut, a pulled cable) also ends the signs of life, and the board then grounds its lines by itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from mho.errors import InstrumentError, MhoError
from mho.instruments.bench.instruments import BenchInstruments
from mho.instruments.bench_file.bench_file import BenchFile
from mho.instruments.bench_file.entries import ChuckEntry, SourceEntry
from mho.instruments.limits import Limits
from mho.instruments.roles import ArrayBoard, TemperatureController

log = logging.getLogger(__name__)

BEATS = 4  # signs of life per watchdog time, each answered before the next: one may be lost

# Takes a period in seconds and a function to call; returns a function that ends this
Every = Callable[[float, Callable[[], None]], Callable[[], None]]


def every(period: float, act: Callable[[], None]) -> Callable[[], None]:
    """Call `act` every `period` seconds in a separate thread; return a function that ends this from any thread."""
    ended = threading.Event()

    def keep_acting() -> None:
        while not ended.wait(period):
            act()

    threading.Thread(target=keep_acting, name="signs of life", daemon=True).start()
    return ended.set


class Watchdog:
    """Arms and feeds a board's watchdog.

    `seconds`: time without a message after which the board makes itself safe; None does not use the watchdog.
    `every`: like the function of this module; on a simulated bench that of the virtual clock.
    `now`: seconds by the clock of `every`.
    """

    def __init__(
        self, board: ArrayBoard | None, seconds: float | None, every: Every = every,
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._board, self._seconds, self._every, self._now = board, seconds, every, now
        self._armed, self._reported = False, False
        self._heard = now()  # when the board last acknowledged a message
        self._doubt = ""  # reason why the board may have gone SAFE by itself
        self._end: Callable[[], None] | None = None

    def arm(self) -> None:
        """Arm the watchdog and begin to feed it; raises `InstrumentError` when the board does not confirm."""
        if self._seconds is None or self._board is None:
            return
        self._board.arm_watchdog(self._seconds)
        self._armed, self._reported = True, False
        self._heard, self._doubt = self._now(), ""
        if self._end is None:
            self._end = self._every(self._seconds / BEATS, self._beat)

    def disarm(self) -> None:
        """Disarm the watchdog once the board is safe; a board that refuses is safe as well."""
        self.abandon()
        if not self._armed or self._board is None:
            return
        try:
            self._board.arm_watchdog(0.0)
            self._armed = False
        except MhoError as error:
            log.warning("the board's watchdog stays armed: %s", error)

    def abandon(self) -> None:
        """Stop feeding the watchdog, so that the board makes itself safe if it is not yet."""
        if self._end is not None:
            self._end()
            self._end = None

    def confirm(self, mode: str) -> None:
        """Check that the board stayed in `mode` during an operation; called before a measured result is used.

        Nothing is sent as long as every sign of life was sent in time and answered.

        `InstrumentError` when it left the mode, or does not answer.
        """
        doubt = self._doubt or self._silence()
        if (
            not doubt or self._board is None
        ):  # nothing is assigned here: a sign of life may be failing in its own thread
            return
        self._doubt = doubt  # kept if the board does not answer
        standing = self._board.standing_mode()
        if standing != mode:
            raise InstrumentError(
                f"the array board is in mode {standing} instead of {mode}: its watchdog of {self._seconds} s has "
                f"grounded the lines ({doubt}); what was done since is not counted"
            )
        self._heard, self._doubt = self._now(), ""

    def _silence(self) -> str:
        """Return a message when the board got no message for longer than its watchdog allows; else empty."""
        silent = self._now() - self._heard
        late = self._armed and self._seconds is not None and silent > self._seconds
        return f"it heard nothing for {silent:.3g} s" if late else ""

    def _beat(self) -> None:
        if silence := self._silence():  # a late answer proves nothing about the time before
            self._doubt = silence
        assert self._board is not None  # else it was not armed
        try:
            self._board.beat((self._seconds or 0.0) / BEATS)
            self._heard = self._now()
        except MhoError as error:
            self._doubt = f"a sign of life failed: {error}"
            if self._end is not None and not self._reported:
                log.warning("the board does not take signs of life: %s", error)
            self._reported = True


OVERSHOOT = 10.0  # K that a loop may pass its target by before the controller switches its heaters off


def protect(instruments: BenchInstruments, file: BenchFile, limits: Limits) -> None:
    """Set the limits of the terminals in the source-measure units and the pulse generator, as far as these support it.

    This changes no output. Each instrument confirms it: the units now, a generator when it is next configured. The
    outputs of a DAQ are limited when it is opened. An instrument without the method `protect` has no such protection.

    `InstrumentError` when an instrument refuses or does not confirm.
    """
    entries = file.instruments
    sources: list[tuple[Any, SourceEntry | None]] = [
        (instruments.smu, entries.smu), (instruments.sink, entries.sink), (instruments.gate, entries.gate),
        *((source, entries.contacts[line]) for line, source in instruments.contacts.items()),
    ]  # fmt: skip
    for source, entry in sources:
        keep = getattr(source, "protect", None)
        if keep is not None and entry is not None and entry.terminal is not None:
            keep(limits.highest(entry.terminal))
    keep = getattr(instruments.pulser, "protect", None)
    if keep is not None and entries.pulser is not None:
        for channel, terminal in entries.pulser.channels.items():
            keep(channel, limits.highest(terminal))


def protect_chuck(chuck: TemperatureController, entry: ChuckEntry) -> None:
    """Let a temperature controller switch its heaters off by itself `OVERSHOOT` above the bench's highest temperature.

    A controller without the method `protect` has no such protection. Raises `InstrumentError` as `protect`.
    """
    keep = getattr(chuck, "protect", None)
    if keep is not None:
        keep(entry.highest + OVERSHOOT)
