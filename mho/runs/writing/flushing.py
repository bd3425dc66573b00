"""The thread beside a run while its file is open: flushes, writes the heartbeat, and checks clock, disk and folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from mho.runs.liveness import HEARTBEAT_PERIOD
from mho.runs.writing.location import FileLocation
from mho.runs.writing.wall_clock import WallClock

FLUSH_PERIOD = 0.05
"""Interval at which pending data are written to the file, s."""


class FlushThread:
    """A thread that keeps a run's file up to date, also while the procedure writes nothing.

    Parameters
    ----------
    flush : callable
        Called every `FLUSH_PERIOD`; returns False when there is nothing to keep up any more.
    beat : callable
        Called every second with what is to be noted in the log, "" as a rule.
    """

    def __init__(
        self, path: Path, location: FileLocation, flush: Callable[[], bool], beat: Callable[[str], None]
    ) -> None:
        self._path = path
        self._location = location
        self._flush = flush
        self._beat = beat
        self._clock = WallClock()
        self._gone = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, name=f"flush {path.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, without waiting for work in progress."""
        self._stop.set()

    def _keep_up(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(FLUSH_PERIOD):
            if time.monotonic() - last >= HEARTBEAT_PERIOD:
                last = time.monotonic()
                self._beat(self._look_around())
            if not self._flush():
                return

    def _look_around(self) -> str:
        """Return what to log about clock and file."""
        notes = []
        if jump := self._clock.jump():
            notes.append(
                f"the computer's clock was set {'forward' if jump > 0 else 'back'} by {abs(jump):.0f} s; "
                "the times in this file count from the start of the run and do not follow"
            )
        if not self._gone and self._location.is_gone():
            self._gone = True
            notes.append(
                f"run file {self._path} was removed or renamed while it is written; nothing is lost: "
                "the run goes on, and a removed file is put back at its end"
            )
        return "; ".join(notes)
