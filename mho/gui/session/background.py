"""Does things in other threads for the window's, and hands what comes of them back to it."""

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

BUSY, IDLE = (
    15,
    50,
)  # ms from one look at what has come to the next, while something is asked for and otherwise

log = logging.getLogger(__name__)


class Errands(QObject):
    """Runs errands: one after the other in a thread for them all, or at once in a thread of its own.

    The threads touch nothing of Qt: what they bring waits until a timer of the window's thread fetches it, so that the
    window may be deleted at any moment. After that, and after `close`, nothing begins and nothing comes back any more.

    Signals
    -------
    failed(level, text)
        An errand came to an error that nobody else takes.
    """

    failed = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._closed = closed = threading.Event()
        self._brought: deque[tuple[Callable[[], None], bool]] = deque()
        self._under_way = 0
        self._pool = pool = ThreadPoolExecutor(1, thread_name_prefix="errands")
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._collect)
        self._timer.start(IDLE)

        def end() -> None:
            closed.set()
            pool.shutdown(wait=False, cancel_futures=True)

        self._end = end
        self.destroyed.connect(end)  # by somebody who has not closed it

    def run(self, work: Callable[[], Any], then: Then | None = None, refused: Refused | None = None) -> None:
        """Do `work` in its turn; `then` gets its result, `refused` an `MhoError`, both in the window's thread.

        It begins at the next turn of the event loop: what is asked while a window is built waits until that is done,
        for two threads of Python take twice as long.
        """
        if not self._closed.is_set():
            self._expect_one_more()
            QTimer.singleShot(0, self, lambda: self._submit(work, then, refused))

    def run_at_once(self, work: Callable[[], Any], then: Then | None = None) -> None:
        """Do `work` whatever else is being done, and even if nobody is left to be told what comes of it."""
        if not self._closed.is_set():
            self._expect_one_more()
        threading.Thread(target=self._work, args=(work, then, None), name="errand", daemon=True).start()

    def deliver(self, call: Callable[[], None]) -> None:
        """Have `call` made in the window's thread; from any thread."""
        self._brought.append((call, False))

    def close(self) -> None:
        """Forget what has not begun, and what comes of the rest."""
        if not self._closed.is_set():
            self._end()
            self._timer.stop()

    def _expect_one_more(self) -> None:
        self._under_way += 1
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
            self._bring(lambda: refused(said) if refused else self.failed.emit("ERROR", str(said)))
        except Exception as error:
            log.exception("a fault of mho itself")
            text = f"{type(error).__name__}: {error}; this is a fault of mho itself, please report it"
            self._bring(lambda: self.failed.emit("CRITICAL", text))
        else:
            self._bring(lambda: then(result) if then is not None else None)

    def _bring(self, call: Callable[[], None]) -> None:
        self._brought.append((call, True))

    def _collect(self) -> None:
        for _ in range(len(self._brought)):  # what comes meanwhile waits for the next look
            call, ends_one = self._brought.popleft()
            self._under_way -= ends_one
            call()
            if self._closed.is_set():
                return
        self._timer.start(BUSY if self._under_way else IDLE)
