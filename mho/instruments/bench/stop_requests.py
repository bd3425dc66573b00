"""Requests to stop the program (signals, loss of the parent process), turned into an orderly exit from a bench."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import Any, Self

from mho import platforms

log = logging.getLogger(__name__)

STOPPING = platforms.here.stopping
GLANCE = 0.5  # s between checks of the parent


Call = Callable[[int, FrameType | None], object]


class _Handler:
    """A handler that replaced another one: `before` is in force again as soon as this one has `ended`."""

    def __init__(self, call: Call, before: Any) -> None:
        self.call, self.before, self.ended = call, before, False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.call(number, frame)


class HandledSignals:
    """Context manager that installs signal handlers and restores the previous ones; leaves handlers of C code alone.

    Two of them may end in any order: an outer one that ends first leaves the inner one in place. One that is deleted
    without having ended changes nothing more, whichever thread deletes it.
    """

    def __init__(self, handlers: Mapping[signal.Signals, Call]) -> None:
        self._calls = dict(handlers)
        self._installed: dict[signal.Signals, _Handler] = {}

    def __enter__(self) -> Self:
        platforms.here.watch_console()
        try:
            for number, call in self._calls.items():
                before = signal.getsignal(number)
                if before is not None:
                    self._installed[number] = _Handler(call, before)
                    signal.signal(number, self._installed[number])
            return self
        except BaseException:  # one of the previous handlers has raised
            self.end()
            raise

    def __exit__(self, *exception: object) -> None:
        self.end()

    @property
    def ended(self) -> bool:
        """Whether the previous handlers are in force again."""
        return all(handler.ended for handler in self._installed.values())

    def before(self, number: int) -> Any:
        """Return the handler that this one replaced."""
        return self._installed[signal.Signals(number)].before

    def end(self) -> None:
        """Restore the previous handlers."""
        for handler in self._installed.values():
            handler.ended = True
        _put_back(list(self._installed.items()))


def _put_back(handlers: list[tuple[signal.Signals, _Handler]]) -> None:
    """Remove handlers, the last one first; a previous handler that raises meanwhile must not stop the removal."""
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
    """Holds the signals back and passes them to the previous handlers afterwards, even if those ended meanwhile."""

    def __init__(self) -> None:
        self._pending = pending = list[int]()
        self._handlers = HandledSignals(
            dict.fromkeys(STOPPING, lambda received, frame: pending.append(received))
        )

    def __enter__(self) -> None:
        self._handlers.__enter__()

    def __exit__(self, *exception: object) -> None:
        self._handlers.end()
        for received in self._pending:
            handler = self._handlers.before(received)
            if callable(handler):
                handler(received, None)
            else:
                signal.raise_signal(received)


def signals_held() -> AbstractContextManager[None]:
    """Hold the signals back within the block, and deliver them afterwards; only Python's main thread receives signals."""
    return _HeldSignals() if threading.current_thread() is threading.main_thread() else nullcontext()


class EndingSignals:
    """Context manager in which SIGTERM, SIGHUP and the loss of the parent process raise `SystemExit`.

    Only in Python's main thread, and only for a signal whose default action ends the program: an installed handler, or
    an ignored signal (`nohup`), is left alone. The exit status is 128 plus the signal's number, as a shell reports it.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._leaving = False
        self._handlers = HandledSignals({})

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            taken = [
                number
                for number in STOPPING
                if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_DFL
            ]
            self._handlers = HandledSignals(dict.fromkeys(taken, self._leave))
            self._handlers.__enter__()
            _watch_parent(self._over)
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> None:
        """Stop handling the signals and watching the parent."""
        self._over.set()
        self._handlers.end()

    def _leave(self, number: int, frame: FrameType | None) -> None:
        if self._leaving and not self._over.is_set():
            return  # leaving takes time, and must begin only once
        self._leaving = True
        log.warning(
            "%s received: the bench is made safe, and the program ends", platforms.here.signal_name(number)
        )
        raise SystemExit(128 + number)


def _watch_parent(over: threading.Event) -> None:
    """Send SIGTERM to this process when its parent is gone, until `over` is set, unless it is meant to outlive that."""
    lost = platforms.here.parent_lost()
    if lost is None:
        return

    def watch() -> None:
        while not over.wait(GLANCE):
            if lost():
                log.warning("the program that started this one is gone")
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, name="watching the parent", daemon=True).start()
