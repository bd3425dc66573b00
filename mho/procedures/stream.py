"""Events of a run, written to the run file first and then passed to observers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from mho.errors import Aborted, Interrupted
from mho.runs.conclusion import Conclusion, Status

if TYPE_CHECKING:
    from mho.instruments import Bench
    from mho.runs import RunWriter

log = logging.getLogger(__name__)
Given = ParamSpec("Given")
Answer = TypeVar("Answer")

STANDING = 0.5  # s of wall time between announcements of the outputs' states
PACE = 0.05  # s of wall time between announcements of the progress of single cells


@dataclass(frozen=True)
class BenchTaken:
    """The real instruments of a bench are now locked by this process, and nothing was sent to them yet."""


@dataclass(frozen=True)
class Started:
    """The run file exists and the procedure begins."""

    title: str
    path: Path


@dataclass(frozen=True)
class Progress:
    """Progress of a stage of the run; `detail` holds numbers to display."""

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
    """A message to the user, stored in the log; `level` is a `logging` level name, `unsafe` whether it reports a bench that
    is not confirmed safe, `held` whether it says that a queue is held.
    """

    level: str
    text: str
    unsafe: bool = False
    held: bool = False


@dataclass(frozen=True)
class Standing:
    """States of the bench's outputs, as set and confirmed."""

    outputs: Mapping[str, str]  # by role, in words
    live: tuple[str, ...] | None = None  # the roles that may be on; None where this is not known


@dataclass(frozen=True)
class Paused:
    """The run is paused at a safe point, outputs idle."""


@dataclass(frozen=True)
class Resumed:
    """The run continues after a pause."""


@dataclass(frozen=True)
class MakingSafe:
    """The procedure has ended or failed, and its bench is being made safe, which may take long."""


@dataclass(frozen=True)
class Ended:
    """The run is over and its file closed."""

    status: Status
    reason: str
    path: Path
    # Whether the bench was confirmed safe; if not, `unsafe_reason` says why, and `live` names the roles
    safe: bool = True
    # Type of the error that ended it, as named by `mho.errors.recorded_name`; empty without one
    error: str = ""
    # When the bench was confirmed safe, Unix time, s
    confirmed: float | None = field(default=None, compare=False)
    unsafe_reason: str = ""
    live: tuple[str, ...] = ()
    conclusion: Conclusion = field(default=Conclusion())  # as the run file keeps it


@dataclass(frozen=True)
class ActChanged:
    """An act of a session by hand has begun, or is over; its run file is at `path`, which is empty for a touch."""

    number: int
    title: str
    path: Path
    outcome: str = ""  # in one line; empty while it lasts
    failed: bool = False
    kept: bool = (
        True  # whether a later run can go on with the chip: touches are in no file that can be repeated
    )


@dataclass(frozen=True)
class ActWanted:
    """What is to be done in a session by hand: a procedure by its name, with parameters; one without a name ends it.

    With an instrument it is a touch of it (`mho.instruments.bench.touches`), and the parameters are its values. `by` says
    who ends the session, and for what; empty for whoever opened it.
    """

    procedure: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    instrument: str = ""
    by: str = ""


Event = (
    BenchTaken
    | Started
    | Progress
    | Row
    | Message
    | Standing
    | Paused
    | Resumed
    | MakingSafe
    | Ended
    | ActChanged
)
Observer = Callable[[Event], None]


class Control:
    """Requests to a run: pause, resume, stop.

    Requested from any thread or a signal handler; obeyed in the run's own thread at its safe points, which are before
    every operation of the bench and at every call of `Stream.check`.

    Attributes
    ----------
    reason : str
        Reason to stop; empty while the run may continue.
    lost : bool
        Whether the run must stop because its runner is lost, not by a user's request.
    pausing : bool
        Whether to pause at the next safe point, or to stay paused.
    acts : queue of ActWanted
        Of a session by hand: what it is asked to do.

    Raises
    ------
    Aborted
        By a safe point of the run, when it was asked to stop.

    Examples
    --------
    >>> control = mho.Control()
    >>> control.abort("out of time")
    >>> try:
    ...     mho.run(mho.Read(), "arrays", seed=1, control=control)
    ... except mho.Aborted as error:
    ...     print(error)
    out of time
    """

    PERIOD = 0.02  # s between checks during a pause; no lock, as a signal handler may request

    def __init__(self) -> None:
        self.reason = ""
        self.lost = False
        self.acts: SimpleQueue[ActWanted] = (
            SimpleQueue()
        )  # of a session by hand, in the order of the requests
        self.pausing = False
        self._rest: Callable[[], None] = lambda: None
        self._announce: Observer = lambda event: None

    def abort(self, reason: str, *, lost: bool = False) -> None:
        """Ask the run to stop; the first reason counts."""
        if not self.reason:
            self.lost, self.reason = lost, reason

    def check(self) -> None:
        """Raise `Aborted` when a stop was requested; wait, outputs idle, while a pause is requested."""
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
        """Within the block, every operation of `bench` is a safe point; a pause idles it and is announced to `stream`."""

        def announce(event: Event) -> None:
            stream.pause(isinstance(event, Paused))
            stream.announce(event)
            stream.announce(stream.standing())

        previous = self._rest, self._announce
        self._rest, self._announce = bench.rest, announce
        stream.standing = lambda: Standing(bench.standing(), bench.live())
        before, bench.checkpoint = bench.checkpoint, self.check
        try:
            yield
        finally:
            bench.checkpoint = before
            self._rest, self._announce = previous  # no circle, which would keep the bench after the run


class Stopwatch:
    """Adds up how long calls take, s; an object of its own, so that what holds the calls holds no reference to itself."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, call: Callable[Given, Answer]) -> Callable[Given, Answer]:
        """Return a call whose time counts."""

        def timed(*values: Given.args, **named: Given.kwargs) -> Answer:
            started = time.perf_counter()
            try:
                return call(*values, **named)
            finally:
                self.seconds += time.perf_counter() - started

        return timed


class Stream:
    """The output of a procedure: its run file and the observers.

    Parameters
    ----------
    writer : RunWriter
        Writes the run file.
    observers : sequence of callables
        Called with each event in the running thread; bulk rows go to the file alone.
    control : Control
        Obeyed by `check`, which procedures call between steps.
    earlier : Path, optional
        The run file of an interrupted attempt, whose results a procedure may reuse.
    chip_kept : bool
        Whether the chip is the one of that attempt, as the attempt left it.

    Examples
    --------
    >>> class Look(mho.Procedure):
    ...     'Read one cell.'
    ...     def layout(self, plan):
    ...         return mho.Layout((mho.Table("reads", (mho.Column("conductance", "S"),)),))
    ...     def execute(self, plan, bench, stream):
    ...         stream.emit("reads", conductance=bench.read(mho.Cell("multiply", 0, 0)))
    ...         stream.progress("reads", 1, 1)
    ...         return {"reads": 1}
    >>> mho.run(Look(), "arrays", seed=1)["reads"]
    1
    """

    def __init__(
        self, writer: RunWriter, observers: Sequence[Observer] = (), control: Control | None = None,
        earlier: Path | None = None, chip_kept: bool = False,
    ) -> None:  # fmt: skip
        self._stopwatch = Stopwatch()
        timed = self._stopwatch.timed
        self.path: Path = writer.path  # of the run file
        self.earlier, self.chip_kept = earlier, chip_kept
        self._observers = tuple(observers)
        self.control = control or Control()
        self.check = self.control.check
        self.record = timed(writer.emit)  # bulk rows: written, not announced
        self.record_block = timed(writer.emit_block)
        self.snapshot = timed(writer.snapshot)
        self.flush = timed(writer.flush)
        self.set_array = timed(writer.set_array)
        self.set_result = timed(writer.set_result)
        self._log, self._pause = timed(writer.log), timed(writer.pause)
        self._notify = timed(announced)
        self.now = time.monotonic  # wall time, for pacing announcements
        self.standing = lambda: Standing({}, ())  # called from time to time for announcements
        self._stood = self._paced = -STANDING
        self._paused = 0.0

    @property
    def seconds(self) -> float:
        """Seconds that writing, observing and pauses took so far."""
        return self._stopwatch.seconds

    def emit(self, table: str, **values: Any) -> None:
        """Write a row and announce it."""
        self.record(table, **values)
        self.announce(Row(table, values))

    def say(self, text: str, level: str = "INFO", *, unsafe: bool = False) -> None:
        """Log a message and announce it; `unsafe` as `Message` has it."""
        self._log(level, text)
        self.announce(Message(level, text, unsafe))

    def pause(self, paused: bool) -> None:
        """Record in the file, and announce, that the run pauses or resumes."""
        if not paused:
            self._stopwatch.seconds += time.perf_counter() - self._paused
        self._pause(paused)
        self.say("paused, outputs idle" if paused else "going on after the pause")
        self._paused = time.perf_counter()

    def progress(self, stage: str, done: int, total: int, **detail: float) -> None:
        """Announce the progress of the run, and from time to time the states of the bench's outputs."""
        self.announce(Progress(stage, done, total, detail))
        if self._observers and self.now() - self._stood >= STANDING:
            self._stood = self.now()
            self.announce(self.standing())

    def pace(self, stage: str, done: int, total: int, *, now: bool = False, **detail: float) -> None:
        """Announce progress, and end the run where a stop was requested: `now`, or if it is a while since the last time."""
        if now or self.now() - self._paced > PACE:
            self._paced = self.now()
            self.check()
            self.progress(stage, done, total, **detail)

    def announce(self, event: Event) -> None:
        """Notify the observers; one that fails is dropped, so that observing cannot harm a run."""
        self._observers = self._notify(self._observers, event)


def announced(observers: Sequence[Observer], event: Event) -> tuple[Observer, ...]:
    """Notify each of the observers; return those that did not fail."""
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
    """A stream without file and observers, for calls that use only the result of a procedure, thousands of times."""

    def __init__(self) -> None:
        super().__init__(NOWHERE)


class _Nowhere:
    """A writer that discards everything."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _drop


def _drop(*values: Any, **named: Any) -> None:
    pass


NOWHERE = cast("RunWriter", _Nowhere())  # the file of a stream that only observes
