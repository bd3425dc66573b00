"""The array board's watchdog: armed while the bench uses the board, fed for as long as this process lives.

Whatever ends the process without a chance to make the bench safe (`kill -9`, a crash, a power cut, a pulled cable)
ends the signs of life, too, and the board grounds its lines by itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from mho.errors import InstrumentError, MhoError
from mho.instruments.roles import ArrayBoard

log = logging.getLogger(__name__)

BEATS = 4  # signs of life in a watchdog's time, each answered before the next: one may go astray

Every = Callable[[float, Callable[[], None]], Callable[[], None]]
"""Takes seconds and what to do so often; returns what ends it."""


def every(period: float, act: Callable[[], None]) -> Callable[[], None]:
    """Call `act` every `period` seconds in a thread of its own; return what ends it, from any thread."""
    ended = threading.Event()

    def keep_acting() -> None:
        while not ended.wait(period):
            act()

    threading.Thread(target=keep_acting, name="signs of life", daemon=True).start()
    return ended.set


class Watchdog:
    """Arms a board's watchdog, and keeps it fed.

    Parameters
    ----------
    board : ArrayBoard
    seconds : float or None
        Silence after which the board makes itself safe; None leaves its watchdog alone.
    every : callable
        As the function of this module; on a simulated bench that of the virtual clock.
    now : callable
        Seconds by the clock of `every`.
    """

    def __init__(
        self,
        board: ArrayBoard,
        seconds: float | None,
        every: Every = every,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board, self._seconds, self._every, self._now = board, seconds, every, now
        self._armed, self._told = False, False
        self._heard = 0.0  # when the board was last known to have taken a message
        self._doubt = ""  # why it may have gone SAFE by itself
        self._end: Callable[[], None] | None = None

    def arm(self) -> None:
        """Arm it, and begin to feed it; raises `InstrumentError` when the board does not confirm."""
        if self._seconds is None:
            return
        self._board.arm_watchdog(self._seconds)
        self._armed, self._told = True, False
        self._heard, self._doubt = self._now(), ""
        if self._end is None:
            self._end = self._every(self._seconds / BEATS, self._beat)

    def disarm(self) -> None:
        """Switch it off, once the board is safe; a board that refuses is safe all the same."""
        self.abandon()
        if not self._armed:
            return
        try:
            self._board.arm_watchdog(0.0)
            self._armed = False
        except MhoError as error:
            log.warning("the board's watchdog stays armed: %s", error)

    def abandon(self) -> None:
        """Feed it no more, so that the board makes itself safe if it is not yet."""
        if self._end is not None:
            self._end()
            self._end = None

    def confirm(self, mode: str) -> None:
        """See that the board did not leave `mode` while something was done: whoever has measured asks before it counts.

        Nothing is sent as long as every sign of life came in time and was answered.

        Raises
        ------
        InstrumentError
            It did, or does not tell.
        """
        doubt = self._doubt or self._silence()
        if not doubt:  # nothing is written here: a sign of life may be failing in its own thread
            return
        self._doubt = doubt  # stays, should the board not answer
        standing = self._board.standing_mode()
        if standing != mode:
            raise InstrumentError(
                f"the array board is in mode {standing} instead of {mode}: its watchdog of {self._seconds} s has "
                f"grounded the lines ({doubt}); what was done since is not counted"
            )
        self._heard, self._doubt = self._now(), ""

    def _silence(self) -> str:
        """Say that the board has heard nothing for longer than its watchdog allows; empty where it has."""
        silent = self._now() - self._heard
        late = self._armed and self._seconds is not None and silent > self._seconds
        return f"it heard nothing for {silent:.3g} s" if late else ""

    def _beat(self) -> None:
        if silence := self._silence():  # an answer that comes too late says nothing of what was
            self._doubt = silence
        try:
            self._board.beat((self._seconds or 0.0) / BEATS)
            self._heard = self._now()
        except MhoError as error:
            self._doubt = f"a sign of life failed: {error}"
            if self._end is not None and not self._told:
                log.warning("the board does not take signs of life: %s", error)
            self._told = True
