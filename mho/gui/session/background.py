"""Does things in other threads for the window's, and hands what comes of them back to it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from mho.errors import MhoError
from mho.gui.session.loading import load_procedures

Then = Callable[[Any], None]
Refused = Callable[[MhoError], None]

log = logging.getLogger(__name__)


class Errands(QObject):
    """Runs errands: one after the other in a thread for them all, or at once in a thread of its own.

    After `close`, or once it was deleted with its window, nothing begins and nothing comes back any more.

    Signals
    -------
    failed(level, text)
        An errand came to an error that nobody else takes.
    """

    failed = Signal(str, str)
    _arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._closed = closed = threading.Event()
        self._delivering = delivering = threading.Lock()  # so that the window does not go meanwhile
        self._pool = pool = ThreadPoolExecutor(1, thread_name_prefix="errands")
        self._arrived.connect(self._receive, Qt.ConnectionType.QueuedConnection)

        def end() -> None:
            with delivering:
                closed.set()
            pool.shutdown(wait=False, cancel_futures=True)

        self._end = end
        self.destroyed.connect(end)  # for whoever deletes it without closing it

    def run(self, work: Callable[[], Any], then: Then | None = None, refused: Refused | None = None) -> None:
        """Do `work` in its turn; `then` gets its result, `refused` an `MhoError`, both in the window's thread.

        It begins at the next turn of the event loop: what is asked while a window is built waits until that is done,
        for two threads of Python take twice as long.
        """
        if not self._closed.is_set():
            QTimer.singleShot(0, self, lambda: self._submit(work, then, refused))

    def run_at_once(self, work: Callable[[], Any], then: Then | None = None) -> None:
        """Do `work` whatever else is being done."""
        threading.Thread(target=self._work, args=(work, then, None), name="errand", daemon=True).start()

    def deliver(self, call: Callable[[], None]) -> None:
        """Have `call` made in the window's thread; from any thread."""
        with self._delivering, suppress(RuntimeError):  # half deleted already
            if not self._closed.is_set():
                self._arrived.emit(call)

    def close(self) -> None:
        """Forget what has not begun, and what comes of the rest."""
        self._end()

    def _submit(self, work: Callable[[], Any], then: Then | None, refused: Refused | None) -> None:
        if not self._closed.is_set():
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
        if not self._closed.is_set():
            call()
