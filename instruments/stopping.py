"""Signals that ask a run to stop, and how they are held back while a bench is being made safe."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOPPING: tuple[signal.Signals, ...] = (
    signal.SIGINT,
    signal.SIGTERM,
    # The end of the terminal, or of the program that started the run. Windows does not have it.
    *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []),
)


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold the signals back within, and deliver them afterwards; only Python's main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    previous = {
        number: signal.signal(number, lambda received, frame: held.append(received)) for number in STOPPING
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        for received in held:
            signal.raise_signal(received)
