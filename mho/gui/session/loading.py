"""Imports the procedures and the queue once for all threads. This takes a second or two, so the window must not wait."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

MODULES = ("mho.running.queue", "mho.running.queue.orders", "mho.procedures.catalogue")

_lock = threading.RLock()


@contextmanager
def loading_later() -> Iterator[None]:
    """Let `load_procedures` of other threads wait meanwhile: Python runs one thread at a time."""
    with _lock:
        yield


def load_procedures() -> None:
    """Load them, or wait until another thread has; costs nothing after that.

    Two threads that begin to import modules which import each other can each see the other's half-made. A thread that
    is still loading when the program ends, which lets nothing more begin, ends with it.
    """
    with _lock:
        try:
            for name in MODULES:
                importlib.import_module(name)
        except RuntimeError as error:
            if "shutdown" in str(error):
                raise SystemExit from error
            raise
