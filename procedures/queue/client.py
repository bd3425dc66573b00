"""Watching and commanding a runner from another process: what the command line and the window use."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from multiprocessing import AuthenticationError
from pathlib import Path
from types import TracebackType
from typing import Self

from mho_errors import QueueError
from procedures.origin import bench_key
from procedures.queue.meeting import MeetingPlace
from procedures.queue.messages import Event, Refused, Request, RunnerState, decode
from procedures.queue.store import Queue, queue_path
from procedures.queue.wire import Wire

ANSWER_WITHIN = 40.0  # s; the runner gives up after 30
SAFE_WITHIN = 90.0  # s; more than the runner grants a worker and the process that makes safe after it
LOOK = 0.05  # s between two looks


class RunnerClient:
    """Commands to the runner of one queue and bench; every call makes a connection of its own.

    Parameters
    ----------
    queue : path, optional
        The queue's file, `queue_path` if not given.
    bench : str
        Packaged name or bench file.

    Raises
    ------
    QueueError
        By every call: there is no runner, it does not answer, or it refuses.
    """

    def __init__(self, queue: Path | None = None, bench: str = "simulated") -> None:
        self.bench = bench_key(bench)
        self._queue_path = (queue or queue_path()).resolve()
        self._place = MeetingPlace(self._queue_path, self.bench)

    def status(self) -> RunnerState:
        """Return how the runner stands."""
        return self._ask(Request(command="status"))

    def pause(self) -> RunnerState:
        """Let the running job rest at its next safe point, outputs idle, and begin no other."""
        return self._ask(Request(command="pause"))

    def resume(self) -> RunnerState:
        """Let the job and the queue go on."""
        return self._ask(Request(command="resume"))

    def abort(self, job: int | None = None) -> RunnerState:
        """Stop the running job at its next safe point; `job` says which one is meant."""
        return self._ask(Request(command="abort", job=job))

    def emergency_stop(self) -> RunnerState:
        """Break off the running job at once, make the bench safe, and hold the queue."""
        return self._ask(Request(command="emergency"))

    def confirm_safe(self) -> str:
        """Wait until what an emergency stop broke off is over; return in words that the bench is safe.

        Raises
        ------
        QueueError
            The runner could not make the bench safe, or takes too long.
        NoRunnerError
            The runner is gone: nobody has confirmed anything.
        """
        deadline = time.monotonic() + SAFE_WITHIN
        while self.status().state != "idle":
            if time.monotonic() > deadline:
                raise QueueError(
                    f"emergency stop: the runner of bench {self.bench!r} has not confirmed within {SAFE_WITHIN:.0f} s that "
                    "the bench is safe; see to the bench"
                )
            time.sleep(LOOK)
        with Queue(self._queue_path) as queue:
            lane = queue.lane(self.bench)
        if lane.unsafe:
            raise QueueError(
                f"emergency stop: bench {self.bench} is NOT confirmed safe: {lane.reason}. The queue is held; see to "
                "the bench"
            )
        return f"emergency stop: bench {self.bench} is safe, the queue is held"

    def watch(self) -> Watch:
        """Hear everything that the runner announces from now on, beginning with how it stands."""
        wire = self._open()
        try:
            wire.send(Request(command="watch").model_dump_json().encode())
        except OSError:
            wire.release()
            raise self._gone() from None
        return Watch(wire)

    def _ask(self, request: Request) -> RunnerState:
        wire = self._open()
        try:
            wire.send(request.model_dump_json().encode())
            line = wire.receive(ANSWER_WITHIN)
        except (OSError, EOFError):
            raise self._gone() from None
        finally:
            wire.release()
        if line is None:
            raise QueueError(
                f"the runner of bench {self.bench!r} does not answer; end its process if it hangs"
            )
        answer = decode(line)
        if isinstance(answer, Refused):
            raise QueueError(answer.reason)
        if not isinstance(answer, RunnerState):
            raise QueueError(f"the runner of bench {self.bench!r} answers nonsense; update mho on both sides")
        return answer

    def _open(self) -> Wire:
        card = self._place.card()
        if card is None:
            raise self._gone()
        unix = isinstance(card.address, str)
        sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        try:
            sock.connect(card.address)
            return Wire.opened(sock, card.secret)
        except AuthenticationError as error:
            raise QueueError(
                f"the runner of bench {self.bench!r} does not know this user's key: {error}"
            ) from None
        except (OSError, EOFError):
            raise self._gone() from None
        finally:
            sock.close()

    def _gone(self) -> NoRunnerError:
        return NoRunnerError(
            f"no runner serves bench {self.bench!r}; start one with `mho runner --bench {self.bench}`"
        )


class NoRunnerError(QueueError):
    """There is no runner to talk to."""


class Watch:
    """What a runner announces; a context manager, and an iterator that ends with the runner or by `close`.

    Attributes
    ----------
    over : bool
        Whether there is nothing more to come.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wire.release()

    def __iter__(self) -> Iterator[Event]:
        while (event := self.receive()) is not None:
            yield event

    def receive(self, timeout: float | None = None) -> Event | None:
        """Return the next event; None after `timeout` seconds without one, and when the runner is gone."""
        try:
            line = self._wire.receive(timeout)
        except (OSError, EOFError):
            self.over = True
            return None
        event: Event | None = None if line is None else decode(line)
        return event

    def close(self) -> None:
        """Stop watching; may be called from another thread than the one that iterates."""
        self._wire.close()
