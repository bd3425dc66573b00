"""What asks a program to stop (signals, the loss of its parent), turned into an orderly way out of a bench."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import Any, Self

from mho.processes import shares_group

log = logging.getLogger(__name__)

STOPPING: tuple[signal.Signals, ...] = (
    signal.SIGINT,
    signal.SIGTERM,
    # The end of the terminal, or of the program that started the run. Windows does not have it.
    *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []),
)
GLANCE = 0.5  # s from one look at the parent to the next


Call = Callable[[int, FrameType | None], object]


class _Handler:
    """A handler that was put over another one: `before` counts again as soon as this one has `ended`."""

    def __init__(self, call: Call, before: Any) -> None:
        self.call, self.before, self.ended = call, before, False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.call(number, frame)


class HandledSignals:
    """Handles signals so within, and as before afterwards; what was not installed from Python stays as it is.

    Two of them may end in any order: one that ends below another leaves that one in place. One that is dropped without
    an end changes nothing any more, whichever thread drops it.
    """

    def __init__(self, handlers: Mapping[signal.Signals, Call]) -> None:
        self._calls = dict(handlers)
        self._installed: dict[signal.Signals, _Handler] = {}

    def __enter__(self) -> Self:
        try:
            for number, call in self._calls.items():
                before = signal.getsignal(number)
                if before is not None:
                    self._installed[number] = _Handler(call, before)
                    signal.signal(number, self._installed[number])
            return self
        except BaseException:  # one of those that stood before has raised
            self.end()
            raise

    def __exit__(self, *exception: object) -> None:
        self.end()

    @property
    def ended(self) -> bool:
        """Whether the handlers before these count again."""
        return all(handler.ended for handler in self._installed.values())

    def before(self, number: int) -> Any:
        """Return the handler that stood before this one's."""
        return self._installed[signal.Signals(number)].before

    def end(self) -> None:
        """Let the handlers before these count again."""
        for handler in self._installed.values():
            handler.ended = True
        _put_back(list(self._installed.items()))


def _put_back(handlers: list[tuple[signal.Signals, _Handler]]) -> None:
    """Take handlers away, the last one first: one below that raises meanwhile must not keep the others from it."""
    if not handlers:
        return
    number, handler = handlers[0]
    try:
        _put_back(handlers[1:])
    finally:
        standing = signal.getsignal(number)
        if not isinstance(standing, _Handler) or standing.ended:
            signal.signal(number, _last_active(handler))


def _last_active(handler: Any) -> Any:
    while isinstance(handler, _Handler) and handler.ended:
        handler = handler.before
    return handler


class _HeldSignals:
    """Holds the signals back; afterwards, what stood before gets them, though it may have ended within."""

    def __init__(self) -> None:
        self._held: list[int] = []
        self._handlers = HandledSignals(
            dict.fromkeys(STOPPING, lambda received, frame: self._held.append(received))
        )

    def __enter__(self) -> None:
        self._handlers.__enter__()

    def __exit__(self, *exception: object) -> None:
        self._handlers.end()
        for received in self._held:
            handler = self._handlers.before(received)
            if callable(handler):
                handler(received, None)
            else:
                signal.raise_signal(received)


def signals_held() -> AbstractContextManager[None]:
    """Hold the signals back within, and deliver them afterwards; only Python's main thread gets any."""
    return _HeldSignals() if threading.current_thread() is threading.main_thread() else nullcontext()


class EndingSignals:
    """Lets SIGTERM and SIGHUP, and the loss of the parent process, leave the block by `SystemExit`.

    Only in Python's main thread, and only for a signal that would end the program at once: whoever has installed a
    handler, or ignores the signal (`nohup`), has decided otherwise. The exit status is 128 and the signal's number,
    as a shell reports it.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._taken: list[signal.Signals] = []
        self._handlers = HandledSignals({})

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._taken = [
                number
                for number in STOPPING
                if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_DFL
            ]
            self._handlers = HandledSignals(dict.fromkeys(self._taken, self._leave))
            self._handlers.__enter__()
            _watch_parent(self._over)
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> None:
        """Leave signals and parent alone again."""
        self._over.set()
        self._handlers.end()

    def _leave(self, number: int, frame: FrameType | None) -> None:
        if not self._over.is_set():
            for ours in self._taken:
                signal.signal(ours, signal.SIG_IGN)  # leaving takes its time, and begins once
        log.warning("%s received: the bench is made safe, and the program ends", signal.Signals(number).name)
        raise SystemExit(128 + number)


def _watch_parent(over: threading.Event) -> None:
    """Send SIGTERM to this process when the one that started it is gone, until it is `over`.

    Not to one that is meant to outlive it: a job of an interactive shell and a daemon lead a process group of their
    own, and `nohup` ignores SIGHUP. A parent that is gone already (`sh -c "run &"`) cannot be lost.
    """
    if os.name != "posix":
        return
    parent = os.getppid()
    if not shares_group(parent) or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return

    def watch() -> None:
        while not over.wait(GLANCE):
            if os.getppid() != parent:
                log.warning("the program that started this one is gone")
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, name="watching the parent", daemon=True).start()
