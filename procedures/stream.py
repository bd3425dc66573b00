"""What happens during a run, as it happens: to the run file first, then to whoever watches."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mho_errors import Aborted
from runs import RunWriter, Status

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Started:
    """The run file exists and the procedure begins."""

    title: str
    path: Path


@dataclass(frozen=True)
class Progress:
    """How far a stage of the run is; `detail` holds numbers worth showing."""

    stage: str
    done: int
    total: int
    detail: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A row of a table, as written."""

    table: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Message:
    """Something said to the user and kept in the log; `level` is a `logging` level name."""

    level: str
    text: str


@dataclass(frozen=True)
class Ended:
    """The run is over and its file closed."""

    status: Status
    reason: str
    path: Path


Event = Started | Progress | Row | Message | Ended
Observer = Callable[[Event], None]


class StopRequest:
    """A request to end the run, set from a signal handler or another thread, obeyed at safe points."""

    def __init__(self) -> None:
        self.reason = ""

    def check(self) -> None:
        """Raise `Aborted` when a stop was requested."""
        if self.reason:
            raise Aborted(self.reason)


class Stream:
    """The one way out of a procedure.

    Parameters
    ----------
    writer : RunWriter
        Where everything is kept.
    observers : sequence of callables
        Called with each event in the running thread; bulk rows go to the file alone.
    stop : StopRequest
        Asked by `check`, which procedures call between steps.
    """

    def __init__(
        self, writer: RunWriter, observers: Sequence[Observer] = (), stop: StopRequest | None = None
    ) -> None:
        self._writer = writer
        self._observers = tuple(observers)
        self.check = (stop or StopRequest()).check
        self.record = writer.emit  # bulk rows: written, not announced
        self.snapshot = writer.snapshot
        self.set_array = writer.set_array
        self.set_summary = writer.set_summary
        self.now = time.monotonic  # wall time, for pacing announcements

    def emit(self, table: str, **values: Any) -> None:
        """Write a row and announce it."""
        self._writer.emit(table, **values)
        self.announce(Row(table, values))

    def say(self, text: str, level: str = "INFO") -> None:
        """Log a message and announce it."""
        self._writer.log(level, text)
        self.announce(Message(level, text))

    def progress(self, stage: str, done: int, total: int, **detail: float) -> None:
        """Announce how far the run is."""
        self.announce(Progress(stage, done, total, detail))

    def announce(self, event: Event) -> None:
        """Tell the observers; one that fails is told nothing more, for watching must not harm a run."""
        for observer in self._observers:
            try:
                observer(event)
            except Exception:
                log.exception("an observer failed and is left out from here on")
                self._observers = tuple(other for other in self._observers if other is not observer)
