"""Resources of a serving runner: the lock of its bench, its socket, its signal handlers, and its listeners."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from mho.errors import QueueError
from mho.instruments.bench import STOPPING, HandledSignals
from mho.running.runner.messages import Event
from mho.running.runner.rendezvous import Rendezvous, RunnerAddress
from mho.running.runner.server import ControlServer


@dataclass(frozen=True)
class EndRequested:
    """A request that the runner ends."""

    reason: str


class RunnerService:
    """Context that makes a process the runner of a bench.

    Parameters
    ----------
    place : Rendezvous
    bench : str
        For messages.
    listeners : sequence of callables
        Called with each announcement, in the announcing thread.

    Attributes
    ----------
    inbox : queue.SimpleQueue
        All incoming events: those of workers, requests of clients (`server.Asked`), and `EndRequested`.

    Raises
    ------
    QueueError
        On entering, when there is another runner, or no socket can be created.
    """

    def __init__(
        self, place: Rendezvous, bench: str, listeners: Sequence[Callable[[Event], None]] = ()
    ) -> None:
        self.inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._place, self._bench, self._listeners = place, bench, tuple(listeners)
        self._server: ControlServer | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._alone())
            stack.enter_context(self._ended_by_signals())
            stack.callback(self._place.withdraw)
            self._place.withdraw()  # what a killed runner left: its secret is not that of the next one at this address
            listener = self._place.listen()
            card = self._place.publish(listener)
            self._server = stack.enter_context(ControlServer(listener, card.secret, self.inbox))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def announce(self, event: Event) -> None:
        """Send an event to all clients that watch and all listeners."""
        if self._server is not None:
            self._server.announce(event)
        for listener in self._listeners:
            listener(event)

    def end(self, reason: str) -> None:
        """Request the runner to end; from any thread, and from a signal handler."""
        self.inbox.put(EndRequested(reason))  # a SimpleQueue takes it even in the middle of its own `put`

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._place.prepare()
        lock = FileLock(self._place.lock, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise self._taken(self._place.card()) from None
        except OSError as error:
            raise QueueError(f"the lock {self._place.lock} cannot be had: {error.strerror}") from None
        try:
            card = self._place.card()
            if card is not None and card.pid != os.getpid() and card.lives():
                raise self._taken(card)  # the lock file was removed
            yield
        finally:
            lock.release()

    def _taken(self, card: RunnerAddress | None) -> QueueError:
        holder = f"process {card.pid}" if card else "another process"
        return QueueError(
            f"bench {self._bench!r} has a runner already ({holder}); command it with `mho queue`, or end it"
        )

    def _ended_by_signals(self) -> AbstractContextManager[object]:
        if threading.current_thread() is not threading.main_thread():
            return nullcontext()

        def end(number: int, frame: FrameType | None) -> None:
            self.end(f"the runner received {signal.Signals(number).name}")

        # Ignored signals stay ignored: with `nohup` the runner is to outlive its terminal.
        wanted = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
        return HandledSignals(dict.fromkeys(wanted, end))
