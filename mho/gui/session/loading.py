"""Imports what is large once for all threads. This takes a second or two, so the window must not wait."""

from __future__ import annotations

import atexit
import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PROCEDURES = (
    "mho.running.queue",
    "mho.running.queue.orders",
    "mho.procedures.catalogue",
    "mho.running.runner.client",
)

_lock = threading.RLock()
_over = threading.Event()


@contextmanager
def loading_later() -> Iterator[None]:
    """Let `load` in other threads wait meanwhile: Python runs one thread at a time."""
    with _lock:
        yield


def load(*modules: str) -> None:
    """Import modules, or wait until another thread has; costs nothing after that.

    Two threads that begin to import modules which import each other can each see the other's half-made. A thread that
    is still loading when the program ends, which lets nothing more begin, ends with it.
    """
    with _lock:
        try:
            for name in modules:
                if _over.is_set():
                    raise SystemExit
                importlib.import_module(name)
        except RuntimeError as error:
            if "shutdown" in str(error):
                raise SystemExit from error
            raise


def load_procedures() -> None:
    """Import the procedures, the queue, and what speaks to its runner."""
    load(*PROCEDURES)


@atexit.register
def _end() -> None:
    """Let the module that is being imported come to its end: an extension that is cut off brings the program down."""
    _over.set()
    with _lock:
        pass
