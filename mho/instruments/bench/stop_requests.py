"""What asks a program to stop (signals, the loss of its parent), turned into an orderly way out of a bench."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mho.processes import shares_group

log = logging.getLogger(__name__)

STOPPING: tuple[signal.Signals, ...] = (
    signal.SIGINT,
    signal.SIGTERM,
    # The end of the terminal, or of the program that started the run. Windows does not have it.
    *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []),
)
GLANCE = 0.5  # s from one look at the parent to the next


Handler = Callable[[int, FrameType | None], object] | int | None


@contextmanager
def handled(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Handle signals so within, and as before afterwards; what was not installed from Python stays as it is."""
    before = {number: signal.getsignal(number) for number in handlers}
    taken = {number: handler for number, handler in before.items() if handler is not None}
    try:
        for number in taken:
            signal.signal(number, handlers[number])
        yield
    finally:
        _put_back(list(taken.items()))


def _put_back(handlers: list[tuple[signal.Signals, Any]]) -> None:
    """Install `handlers`, the last one first: one that raises meanwhile must not keep the others from it."""
    if handlers:
        number, handler = handlers[0]
        try:
            _put_back(handlers[1:])
        finally:
            signal.signal(number, handler)


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold the signals back within, and deliver them afterwards; only Python's main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    try:
        with handled(dict.fromkeys(STOPPING, lambda received, frame: held.append(received))):
            yield
    finally:
        for received in held:
            signal.raise_signal(received)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP, and the loss of the parent process, leave the block by `SystemExit`.

    Only in Python's main thread, and only for a signal that would end the program at once: whoever has installed a
    handler, or ignores the signal (`nohup`), has decided otherwise. The exit status is 128 and the signal's number,
    as a shell reports it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        for ours in taken:
            signal.signal(ours, signal.SIG_IGN)  # leaving takes its time, and begins once
        log.warning("%s received: the bench is made safe, and the program ends", signal.Signals(number).name)
        raise SystemExit(128 + number)

    taken = [
        number
        for number in STOPPING
        if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_DFL
    ]
    with handled(dict.fromkeys(taken, leave)), _parent_watched():
        yield


@contextmanager
def _parent_watched() -> Iterator[None]:
    """Send SIGTERM to this process when the one that started it is gone.

    Not to one that is meant to outlive it: a job of an interactive shell and a daemon lead a process group of their
    own, and `nohup` ignores SIGHUP. A parent that is gone already (`sh -c "run &"`) cannot be lost.
    """
    if os.name != "posix":
        yield
        return
    parent = os.getppid()
    if not shares_group(parent) or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(GLANCE):
            if os.getppid() != parent:
                log.warning("the program that started this one is gone")
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, name="watching the parent", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
