"""What happens during a run, as it happens: to the run file first, then to whoever watches."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from mho.errors import Aborted, Interrupted
from mho.instruments import Bench
from mho.runs import RunWriter, Status

log = logging.getLogger(__name__)

STANDING = 0.5  # s of wall time between two announcements of how the outputs stand


@dataclass(frozen=True)
class BenchTaken:
    """The real instruments of a bench are this process's from here on, and nothing was sent to them yet."""


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
    """Something said to the user and kept in the log; `level` is a `logging` level name, `unsafe` whether it says that
    the bench is not confirmed safe.
    """

    level: str
    text: str
    unsafe: bool = False


@dataclass(frozen=True)
class Standing:
    """How the outputs of the bench stand, as it has set and confirmed them.

    Attributes
    ----------
    outputs : mapping
        By role, in words.
    live : tuple of str or None
        The roles that may be on; None where nobody has said.
    """

    outputs: Mapping[str, str]
    live: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Paused:
    """The run rests at a safe point, outputs idle."""


@dataclass(frozen=True)
class Resumed:
    """The run goes on after a pause."""


@dataclass(frozen=True)
class MakingSafe:
    """The procedure is over, one way or another, and its bench is being made safe, which takes as long as it takes."""


@dataclass(frozen=True)
class Ended:
    """The run is over and its file closed.

    Attributes
    ----------
    safe : bool
        Whether the bench was confirmed safe; where it was not, `unsafe_reason` says why, and `live` names the roles.
    error : str
        The kind of error that ended it, as `mho.errors.recorded_name` has it; empty without one.
    confirmed : float or None
        When the bench was confirmed safe, Unix time, s.
    """

    status: Status
    reason: str
    path: Path
    safe: bool = True
    error: str = ""
    confirmed: float | None = field(default=None, compare=False)
    unsafe_reason: str = ""
    live: tuple[str, ...] = ()


Event = BenchTaken | Started | Progress | Row | Message | Standing | Paused | Resumed | MakingSafe | Ended
Observer = Callable[[Event], None]


class Control:
    """What a run is asked meanwhile: to pause, to go on, to stop.

    Asked from any thread or a signal handler; obeyed in the run's own thread at its safe points, which are
    before every operation of the bench and wherever the procedure calls `Stream.check`.

    Attributes
    ----------
    reason : str
        Why to stop; empty while the run may go on.
    lost : bool
        Whether that is nobody's wish: what the run depends on is gone.
    pausing : bool
        Whether to pause at the next safe point, or to stay paused.
    """

    PERIOD = 0.02  # s between looks during a pause: a lock would not do, for a signal handler may be asking

    def __init__(self) -> None:
        self.reason = ""
        self.lost = False
        self.pausing = False
        self._rest: Callable[[], None] = lambda: None
        self._announce: Observer = lambda event: None

    def abort(self, reason: str, *, lost: bool = False) -> None:
        """Ask the run to stop; the first reason counts."""
        if not self.reason:
            self.lost, self.reason = lost, reason

    def check(self) -> None:
        """Raise `Aborted` when a stop was requested; wait here, outputs idle, while a pause is."""
        if self.pausing and not self.reason:
            self._rest()
            self._announce(Paused())
            while self.pausing and not self.reason:
                time.sleep(self.PERIOD)
            if not self.reason:
                self._announce(Resumed())
        self.check_stop()

    def check_stop(self) -> None:
        """Raise `Aborted` when a stop was requested, `Interrupted` when the run lost its runner; never pause."""
        if self.reason:
            raise (Interrupted if self.lost else Aborted)(self.reason)

    @contextmanager
    def governing(self, bench: Bench, stream: Stream) -> Iterator[None]:
        """Within, every operation of `bench` is a safe point, and a pause rests it and is told to `stream`."""

        def announce(event: Event) -> None:
            stream.pause(isinstance(event, Paused))
            stream.announce(event)
            stream.announce(stream.standing())

        self._rest, self._announce = bench.rest, announce
        stream.standing = lambda: Standing(bench.standing(), bench.live())
        before, bench.checkpoint = bench.checkpoint, self.check
        try:
            yield
        finally:
            bench.checkpoint = before


class Stream:
    """The one way out of a procedure.

    Parameters
    ----------
    writer : RunWriter
        Where everything is kept.
    observers : sequence of callables
        Called with each event in the running thread; bulk rows go to the file alone.
    control : Control
        Obeyed by `check`, which procedures call between steps.
    earlier : Path, optional
        The run file of an attempt that did not come to its end: a procedure may take from it what was done.
    """

    def __init__(
        self,
        writer: RunWriter,
        observers: Sequence[Observer] = (),
        control: Control | None = None,
        earlier: Path | None = None,
    ) -> None:
        self._writer = writer
        self.earlier = earlier
        self._observers = tuple(observers)
        self.check = (control or Control()).check
        self.record = writer.emit  # bulk rows: written, not announced
        self.record_block = writer.emit_block
        self.snapshot = writer.snapshot
        self.set_array = writer.set_array
        self.set_result = writer.set_result
        self.now = time.monotonic  # wall time, for pacing announcements
        self.standing = lambda: Standing({}, ())  # asked for now and then, to be announced
        self._stood = -STANDING

    def emit(self, table: str, **values: Any) -> None:
        """Write a row and announce it."""
        self._writer.emit(table, **values)
        self.announce(Row(table, values))

    def say(self, text: str, level: str = "INFO", *, unsafe: bool = False) -> None:
        """Log a message and announce it; `unsafe` as `Message` has it."""
        self._writer.log(level, text)
        self.announce(Message(level, text, unsafe))

    def pause(self, paused: bool) -> None:
        """Note in the file, and say, that the run rests or goes on."""
        self._writer.pause(paused)
        self.say("paused, outputs idle" if paused else "going on after the pause")

    def progress(self, stage: str, done: int, total: int, **detail: float) -> None:
        """Announce how far the run is, and now and then how the bench's outputs stand."""
        self.announce(Progress(stage, done, total, detail))
        if self._observers and self.now() - self._stood >= STANDING:
            self._stood = self.now()
            self.announce(self.standing())

    def announce(self, event: Event) -> None:
        """Tell the observers; one that fails is told nothing more, for watching must not harm a run."""
        self._observers = announced(self._observers, event)


def announced(observers: Sequence[Observer], event: Event) -> tuple[Observer, ...]:
    """Tell each of the observers; return those that have not failed."""
    left = []
    for observer in observers:
        try:
            observer(event)
        except Exception:
            log.exception("an observer failed and is left out from here on")
        else:
            left.append(observer)
    return tuple(left)


class NullStream(Stream):
    """Keeps nothing and tells nobody: for whoever wants a procedure's result alone, thousands of times."""

    def __init__(self) -> None:
        super().__init__(cast(RunWriter, _Nowhere()))


class _Nowhere:
    """A writer that drops everything."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _drop


def _drop(*values: Any, **named: Any) -> None:
    pass
