"""A thread that does slow work for a panel, one task after the other, and delivers results in the window's thread."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from PySide6.QtCore import QObject, QTimer

from mho.errors import MhoError

PERIOD = 15  # ms between checks for results, while tasks are pending

log = logging.getLogger(__name__)

Request = tuple[Callable[[], Any], Callable[[Any], None] | None, Callable[[str], None]]


class TaskThread(QObject):
    """Runs tasks in a thread with a name; only the window's thread may submit them.

    The thread touches nothing of Qt: results wait until a timer of the window's thread fetches them, so that a
    window may be deleted at any moment.
    """

    def __init__(self, name: str, parent: QObject) -> None:
        super().__init__(parent)
        self._requests: SimpleQueue[Request | None] = SimpleQueue()
        self._done: deque[tuple[Callable[[], None], bool]] = deque()
        self._over = threading.Event()
        self._open = 0
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._collect)
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()
        over, requests = self._over, self._requests

        def leave() -> None:
            over.set()
            requests.put(None)

        self._leave = leave
        self.destroyed.connect(leave)

    @property
    def busy(self) -> bool:
        """Whether results are pending."""
        return self._open > 0

    def ask(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None] | None = None,
        refused: Callable[[str], None] | None = None,
    ) -> None:
        """Run `work`; `then` gets its result, `refused` its error, both in the window's thread.

        Without `refused` an error is logged. After `close` neither is called.
        """
        if self._over.is_set():
            return
        self._open += 1
        self._timer.start(PERIOD)
        self._requests.put((work, then, refused or log.error))

    def tell(self, call: Callable[[], None]) -> None:
        """Call `call` in the window's thread; for work that reports before its result."""
        self._done.append((call, False))

    def run_pending(self) -> None:
        """Run tasks that were submitted meanwhile; a long task calls this regularly. After `close` it ends the task."""
        while not self._requests.empty():
            self._do(self._requests.get())
        if self._over.is_set():
            raise SystemExit

    def close(self, patience: float = 5.0) -> None:
        """Accept no more tasks, and wait up to `patience` seconds for the running one."""
        self._leave()
        self._timer.stop()
        self._thread.join(patience)

    def _serve(self) -> None:
        with suppress(SystemExit):  # of a task that `close` ended
            while not self._over.is_set():
                self._do(self._requests.get())

    def _do(self, request: Request | None) -> None:
        if request is None or self._over.is_set():
            return
        work, then, refused = request
        try:
            result = work()
        except MhoError as error:
            told = str(error)
            self._done.append((lambda: refused(told), True))
        except Exception as error:
            log.exception("a fault of mho itself")
            fault = f"{type(error).__name__}: {error}; this is a fault of mho itself, please report it"
            self._done.append((lambda: refused(fault), True))
        else:
            self._done.append(((lambda: then(result)) if then else (lambda: None), True))

    def _collect(self) -> None:
        while self._done:
            call, last = self._done.popleft()
            self._open -= last
            call()
        if not self._open:
            self._timer.stop()
