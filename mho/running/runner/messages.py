"""The messages between worker, runner and clients: one JSON object each, checked on arrival, sent from a thread."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import TypeAdapter, ValidationError

from mho.errors import QueueError
from mho.procedures import stream
from mho.running.queue.job import Job, Order, unsafe_text
from mho.runs.conclusion import Conclusion, Status
from mho.toml import StrictModel

RUNNER_GONE = "the runner is gone"  # why a worker stopped whose runner was killed
EMERGENCY = "emergency stop"  # why a job was broken off, or a queue is held, by the emergency stop
State = Literal["idle", "running", "paused", "making safe"]


@dataclass(frozen=True)
class JobAssignment:
    """Runner to worker, the first message: what to run, into which file."""

    order: Order
    run: Path
    job: int
    attempt: int
    resume_of: Path | None = None
    after: Path | None = None
    same_chip: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Command:
    """Runner to worker, during the run; "emergency" does not wait for the instrument's current message."""

    command: Literal["pause", "resume", "abort", "emergency", "act"]
    reason: str = ""
    act: stream.ActWanted | None = None


@dataclass(frozen=True)
class JobDone:
    """Worker to runner, the last message."""

    status: Status  # of the run
    reason: str  # why it ended so
    safe: bool = False  # whether the bench was confirmed safe, or nothing was ever sent to it
    seconds: float | None = None  # what a finished run took
    pulses: int | None = None  # that a finished run took
    error: str = ""  # kind of error that ended it, as `mho.errors.recorded_name` has it; empty without one
    live: tuple[str, ...] = ()  # roles that are not confirmed safe, as far as they are known
    confirmed: float | None = None  # when every output was read back as off, Unix time, s
    conclusion: Conclusion | None = None  # what the run concludes; None of one that was not begun


@dataclass(frozen=True)
class Missed:
    """The number of events that were dropped because the receiver was too slow."""

    count: int


@dataclass(frozen=True)
class RequestRefused:
    """The runner refuses a request; `busy` when it would grant it at another time."""

    reason: str
    busy: bool = False


@dataclass(frozen=True)
class JobChanged:
    """The runner has changed a job."""

    job: Job


@dataclass(frozen=True)
class QueueChanged:
    """Jobs were added, moved, edited or removed, or the policy was changed: read the queue again."""


@dataclass(frozen=True)
class RunnerState:
    """The state of a runner."""

    bench: str
    pid: int  # its process
    state: State
    job: int | None = None  # being run
    held: bool = False  # whether no further job will be begun; `reason` says why
    reason: str = ""
    stage: str = ""  # of the running job
    done: int = 0  # of the stage
    total: int = 0  # of the stage
    seconds_left: float | None = None  # expected for the running job, s
    # unsafe, unsafe_reason, live: whether the bench is not confirmed safe, why, and which roles may be live,
    # as `Lane` has them
    unsafe: bool = False  # whether the bench could not be confirmed safe, as on its lane
    unsafe_reason: str = ""
    live: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """The warning to show first; empty for a bench that is safe as far as the runner knows."""
        return unsafe_text(self.bench, self.live, self.unsafe_reason) if self.unsafe else ""


# Events that a watching client receives
Event = stream.Event | Missed | JobChanged | QueueChanged | RunnerState
_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        stream.BenchTaken, stream.Started, stream.Progress, stream.Row, stream.Message, stream.Standing, stream.Paused,
        stream.Resumed, stream.MakingSafe, stream.Ended, stream.ActChanged,
        JobAssignment, Command, JobDone, RequestRefused, Missed, JobChanged, QueueChanged, RunnerState,
    )
}  # fmt: skip


class Request(StrictModel):
    """A client's request to the runner."""

    command: Literal["status", "watch", "pause", "resume", "abort", "emergency", "act"]
    job: int | None = None
    # of an act: what the session by hand is to do; without a procedure it ends
    procedure: str = ""
    parameters: dict[str, Any] = {}
    instrument: str = ""  # of a touch: which one
    by: str = ""  # who ends the session, and for what


def encode(message: Any) -> bytes:
    """Return a message of one of the classes above, or of a run's events, as one line of JSON without its end."""
    return json.dumps({"kind": type(message).__name__, **_shallow(message)}, default=_plain).encode()


def decode(line: bytes) -> Any:
    """Return the message that `encode` made into `line`; arrays come back as lists.

    `QueueError` where it is no message of ours.
    """
    try:
        content = json.loads(line)
        kind = _KINDS[content.pop("kind")]
        return _adapter(kind).validate_python(content)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise QueueError(f"not a message of mho: {_brief(error)}") from None


def decode_request(line: bytes) -> Request:
    """Return a client's request; `QueueError` for anything else."""
    try:
        return Request.model_validate_json(line)
    except ValidationError as error:
        raise QueueError(f"not a request: {_brief(error)}") from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _shallow(message: Any) -> dict[str, Any]:
    return {field.name: getattr(message, field.name) for field in fields(message)}


def _plain(value: Any) -> Any:
    """Convert what `json` cannot encode."""
    if is_dataclass(value):
        return _shallow(value)
    if hasattr(value, "tolist"):  # NumPy's, which is not imported for it
        return value.tolist()
    if isinstance(value, complex):
        return [value.real, value.imag]
    return str(value)


def _brief(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"[:200]
    return f"{type(error).__name__}: {error}"[:200]


ROOM = 2000  # messages waiting to be taken; more are left out, and counted

log = logging.getLogger(__name__)


class Outbox:
    """Messages on their way to one receiver.

    `receiver`: takes a message as a line of JSON; may block, and may fail, after which nothing more is sent.
    """

    def __init__(self, receiver: BinaryIO | Callable[[bytes], object]) -> None:
        self._take = receiver if callable(receiver) else lambda line: _write(receiver, line + b"\n")
        self._waiting: deque[Any] = deque()
        self._missed = 0
        self._closing = self.failed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._send_all, name="outbox", daemon=True)
        self._thread.start()

    def offer(self, message: Any) -> None:
        """Send a message unless too many wait; the number of those dropped is sent as `Missed`."""
        with self._changed:
            if len(self._waiting) >= ROOM:
                self._missed += 1
                return
            self._put(message)

    def send(self, message: Any) -> None:
        """Send a message that must not be dropped."""
        with self._changed:
            self._put(message)

    def _put(self, message: Any) -> None:
        if self._missed:
            self._waiting.append(Missed(self._missed))
            self._missed = 0
        self._waiting.append(message)
        self._changed.notify()

    def close(self, patience: float) -> None:
        """Send what waits, for at most `patience` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(patience)

    def _send_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                message = self._waiting.popleft()
            try:
                line = encode(message)
            except (ValueError, TypeError, RecursionError):
                log.exception("a message that has no JSON form is left out")
                continue
            try:
                self._take(line)
            except (OSError, ValueError) as error:  # ValueError: it was closed meanwhile
                log.debug("a receiver is gone: %s", error)
                self.failed = True
                return


def _write(file: BinaryIO, data: bytes) -> None:
    """Write all of `data` to an unbuffered file."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]
