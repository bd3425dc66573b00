"""Imports the procedures and the queue once for all threads. This takes a second or two, so the window must not wait."""

from __future__ import annotations

import importlib
import threading

MODULES = ("mho.running.queue", "mho.running.queue.orders", "mho.procedures.catalogue")

_lock = threading.Lock()


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
