"""What asks a program to stop (signals, the loss of its parent), turned into an orderly way out of a bench."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger(__name__)

STOPPING: tuple[signal.Signals, ...] = (
    signal.SIGINT,
    signal.SIGTERM,
    # The end of the terminal, or of the program that started the run. Windows does not have it.
    *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []),
)
GLANCE = 0.5  # s from one look at the parent to the next


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold the signals back within, and deliver them afterwards; only Python's main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    previous = {number: signal.getsignal(number) for number in STOPPING}
    try:
        for number in STOPPING:
            signal.signal(number, lambda received, frame: held.append(received))
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
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
    try:
        for number in taken:
            signal.signal(number, leave)
        with _parent_watched():
            yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


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
    if not _shares_group(parent) or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
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


def _shares_group(process: int) -> bool:
    try:
        return os.getpgid(process) == os.getpgrp()
    except OSError:  # gone, or another user's
        return False
