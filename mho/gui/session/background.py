"""Runs work in other threads and delivers the results in the window's thread."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from mho.errors import MhoError
from mho.gui.session.loading import load_procedures

Then = Callable[[Any], None]
Refused = Callable[[MhoError], None]

BUSY, IDLE = 15, 50  # ms between two looks for results, while some are expected and otherwise

log = logging.getLogger(__name__)


class BackgroundTasks(QObject):
    """Runs functions in the background: one after the other in a shared thread, or at once in their own thread.

    The threads touch nothing of Qt: a timer of the window's thread fetches their results. The window may therefore be
    deleted at any moment. After that, and after `close`, no result is delivered and no work starts.

    Signals
    -------
    failed(level, text)
        An error of a function without its own error handler.
    """

    failed = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._closed = closed = threading.Event()
        self._results: deque[tuple[Callable[[], None], bool]] = deque()
        self._expected = 0
        self._pool = pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._collect)
        self._timer.start(IDLE)

        def end() -> None:
            closed.set()
            pool.shutdown(wait=False, cancel_futures=True)

        self._end = end
        self.destroyed.connect(end)  # also without `close`

    def run(self, work: Callable[[], Any], then: Then | None = None, refused: Refused | None = None) -> None:
        """Run `work` in turn; `then` gets its result, `refused` an `MhoError`, both in the window's thread.

        It begins at the next turn of the event loop: what is asked while a window is built waits until that is done,
        for two threads of Python take twice as long.
        """
        if not self._closed.is_set():
            self._expect_result()
            QTimer.singleShot(0, self, lambda: self._submit(work, then, refused))

    def run_at_once(self, work: Callable[[], Any], then: Then | None = None) -> None:
        """Run `work` whatever else is being done, also after `close`."""
        if not self._closed.is_set():
            self._expect_result()
        threading.Thread(target=self._work, args=(work, then, None), name="errand", daemon=True).start()

    def deliver(self, call: Callable[[], None]) -> None:
        """Call `call` in the window's thread; may be called from any thread."""
        self._results.append((call, False))

    def close(self) -> None:
        """Drop work that has not started, and the results of the rest."""
        if not self._closed.is_set():
            self._end()
            self._timer.stop()

    def _expect_result(self) -> None:
        self._expected += 1
        self._timer.start(BUSY)

    def _submit(self, work: Callable[[], Any], then: Then | None, refused: Refused | None) -> None:
        if not self._closed.is_set():
            self._pool.submit(self._work, work, then, refused)

    def _work(self, work: Callable[[], Any], then: Then | None, refused: Refused | None) -> None:
        try:
            load_procedures()
            result = work()
        except MhoError as error:
            said = error  # the name of an exception ends with its clause
            self._finish(lambda: refused(said) if refused else self.failed.emit("ERROR", str(said)))
        except Exception as error:
            log.exception("a fault of mho itself")
            text = f"{type(error).__name__}: {error}; this is a fault of mho itself, please report it"
            self._finish(lambda: self.failed.emit("CRITICAL", text))
        else:
            self._finish(lambda: then(result) if then is not None else None)

    def _finish(self, call: Callable[[], None]) -> None:
        self._results.append((call, True))

    def _collect(self) -> None:
        for _ in range(len(self._results)):  # later results are fetched at the next timer event
            call, is_last = self._results.popleft()
            self._expected -= is_last
            call()
            if self._closed.is_set():
                return
        self._timer.start(BUSY if self._expected else IDLE)
