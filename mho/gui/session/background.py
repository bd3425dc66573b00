"""Runs work in other threads and delivers the results in the window's thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from mho.errors import MhoError
from mho.gui.session.loading import load_procedures

Then = Callable[[Any], None]
Refused = Callable[[MhoError], None]

log = logging.getLogger(__name__)


class Errands(QObject):
    """Runs functions in the background: one after the other in a shared thread, or at once in their own thread.

    After `close` no result is delivered any more.

    Signals
    -------
    failed(level, text)
        A function raised an error for which the caller gave no handler.
    """

    failed = Signal(str, str)
    _arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._open = True
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="errands")
        self._arrived.connect(self._receive)

    def run(self, work: Callable[[], Any], then: Then | None = None, refused: Refused | None = None) -> None:
        """Run `work` in turn; `then` gets its result, `refused` an `MhoError`, both in the window's thread.

        It begins at the next turn of the event loop: what is asked while a window is built waits until that is done,
        for two threads of Python take twice as long.
        """
        if self._open:
            QTimer.singleShot(0, self, lambda: self._submit(work, then, refused))

    def run_at_once(self, work: Callable[[], Any], then: Then | None = None) -> None:
        """Run `work` at once, in its own thread."""
        threading.Thread(target=self._work, args=(work, then, None), name="errand", daemon=True).start()

    def deliver(self, call: Callable[[], None]) -> None:
        """Call `call` in the window's thread; may be called from any thread."""
        with suppress(RuntimeError):  # the window went away a moment ago
            if self._open:
                self._arrived.emit(call)

    def close(self) -> None:
        """Drop work that has not started, and the results of the rest."""
        self._open = False
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, work: Callable[[], Any], then: Then | None, refused: Refused | None) -> None:
        if self._open:
            self._pool.submit(self._work, work, then, refused)

    def _work(self, work: Callable[[], Any], then: Then | None, refused: Refused | None) -> None:
        try:
            load_procedures()
            result = work()
        except MhoError as error:
            said = error  # the name of an exception ends with its clause
            self.deliver(lambda: refused(said) if refused else self.failed.emit("ERROR", str(said)))
        except Exception as error:
            log.exception("a fault of mho itself")
            text = f"{type(error).__name__}: {error}; this is a fault of mho itself, please report it"
            self.deliver(lambda: self.failed.emit("CRITICAL", text))
        else:
            if then is not None:
                self.deliver(lambda: then(result))

    def _receive(self, call: Callable[[], None]) -> None:
        if self._open:
            call()
