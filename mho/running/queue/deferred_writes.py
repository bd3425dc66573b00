"""A runner's writes into its queue: those that a full or broken disk refuses are kept and written later, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mho.running.queue.database import StorageError
from mho.running.queue.job import Job, Lane
from mho.running.queue.store import SAFED, Queue

Say = Callable[[str, str], None]


class DeferredWrites:
    """The queue of one bench as its runner uses it; no failure of the disk ends the runner.

    `say`: called with level and text, once when writing fails and once when everything is written.
    """

    def __init__(self, queue: Queue, bench: str, say: Say) -> None:
        self._queue, self._bench, self._say = queue, bench, say
        self._waiting: deque[Callable[[], object]] = deque()
        self._trouble = ""
        self._lane = Lane(bench)  # as it was read last
        self._safety: dict[str, Any] = {}  # pending changes

    @property
    def settled(self) -> bool:
        """Whether everything is written; no job starts before that."""
        return not self._waiting

    @property
    def lane(self) -> Lane:
        """The state of the queue, unwritten changes included; the last known state when it cannot be read."""
        try:
            self._lane = self._queue.lane(self._bench)
        except StorageError as error:
            self._cannot_read(error)
        if self.settled:
            return self._lane
        return replace(self._lane, held=True, reason=self._trouble, **self._safety)

    def write(self, change: Callable[[], object]) -> bool:
        """Make a change after all pending ones; return whether it is written."""
        self._waiting.append(change)
        return self.catch_up()

    def catch_up(self) -> bool:
        """Write pending changes; return whether none is left."""
        while self._waiting:
            try:
                self._waiting[0]()
            except StorageError as error:
                self._report_trouble(error)
                return False
            self._waiting.popleft()
        self._safety = {}
        if self._trouble:
            self._trouble = ""
            self._say("WARNING", f"the queue of {self._bench} is written again; nothing was lost")
        return True

    def hold_unsafe(self, hold: str, reason: str, live: Sequence[str] = ()) -> None:
        """Hold the queue for a bench that is not confirmed safe, as `Queue.hold_unsafe`."""
        self._safety = {"unsafe": True, "unsafe_reason": reason, "live": tuple(live)}
        self.write(lambda: self._queue.hold_unsafe(self._bench, hold, reason, live))

    def confirm_safe(self, when: float, by: str = SAFED) -> None:
        """Record that the bench was read back as safe, as `Queue.confirm_safe`."""
        self._safety = {
            "unsafe": False,
            "unsafe_reason": "",
            "live": (),
            "confirmed": when,
            "confirmed_by": by,
        }
        self.write(lambda: self._queue.confirm_safe(self._bench, when, by))

    def next(self) -> Job | None:
        """Return the next job; None as long as the queue cannot be read."""
        try:
            return self._queue.next(self._bench)
        except StorageError as error:
            self._cannot_read(error)
            return None

    def changed(self) -> bool:
        """Return whether another process has changed the queue."""
        try:
            return self._queue.changed()
        except StorageError as error:
            self._cannot_read(error)
            return False

    def _cannot_read(self, error: StorageError) -> None:
        self._report_trouble(error)
        if self.settled:  # until it can be read again, nothing is begun either
            self._waiting.append(lambda: self._queue.lane(self._bench))

    def _report_trouble(self, error: StorageError) -> None:
        if not self._trouble:
            self._say("CRITICAL", f"{error}. It is tried again, and no job is begun before")
        self._trouble = str(error)
