"""Slow work for the window: one task after the other in a thread, or one in a thread of its own."""

from __future__ import annotations

import gc
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from time import monotonic
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, QTimer

from mho.errors import MhoError

BUSY, IDLE = 15, 50  # ms between two looks for results, while some are expected and otherwise
GARBAGE = 2.0  # s between two collections of garbage; a window is built meanwhile
ALL_GARBAGE = 15  # collections, of which one looks at old objects too

Then = Callable[[Any], None]
Refused = Callable[[str], None]
Task = tuple[Callable[[], Any], Then | None, Refused | None]

log = logging.getLogger(__name__)


def _log_failure(level: str, text: str) -> None:
    log.error(text)


class _Collector:
    """Collects Python's garbage in the window's thread alone, while there are others.

    By itself Python collects in the thread that happens to allocate. A widget is often part of a cycle, and one that
    another thread frees while Qt uses it brings the program down.
    """

    def __init__(self) -> None:
        self._threads, self._due, self._count = 0, 0.0, 0
        self.tasks: list[Task | ExitStack] = []  # that run, of windows that are gone too, and what they close

    def begin(self) -> None:
        gc.disable()
        if not self._threads:
            self._due = monotonic() + GARBAGE
        self._threads += 1

    def end(self) -> None:
        self._threads -= 1
        self.look()

    def look(self) -> None:
        """Let Python collect by itself where no window is left and no task runs on; called by the window's thread.

        Where a task ends is not the place: Python would collect in its thread at once.
        """
        if not self._threads and self.tasks and (application := QCoreApplication.instance()):
            QTimer.singleShot(IDLE, application, lambda: self.look())  # Qt would not keep a method's object
        elif not self._threads:
            gc.enable()

    def collect(self) -> None:
        """Collect where it is time to; called regularly by the window's thread."""
        if monotonic() >= self._due:
            self._count += 1
            gc.collect(1 if self._count % ALL_GARBAGE else 2)
            self._due = monotonic() + GARBAGE


_collector = _Collector()


class TaskThread(QObject):
    """Runs tasks in a thread with a name; only the window's thread may submit them.

    The thread touches nothing of Qt: results wait until a timer of the window's thread fetches them, so that a window may
    be deleted at any moment. After that, and after `close`, no task begins, no result is delivered, and what tasks have
    put on the stack `opened` is closed, as soon as the running one ends.

    Parameters
    ----------
    name : str
        Of the thread.
    parent : QObject, optional
    failed : callable
        Gets level and text of the error of a task without its own error handler; logs it unless given.
    """

    def __init__(
        self, name: str, parent: QObject | None = None, failed: Callable[[str, str], None] = _log_failure
    ) -> None:
        super().__init__(parent)
        self._failed = failed
        self._tasks: deque[Task] = deque()
        self._results: deque[tuple[Callable[[], None], bool]] = deque()
        self._over = over = threading.Event()
        self._ended = ended = threading.Event()
        self.opened = opened = ExitStack()  # by tasks; closed in the thread after the last of them
        opened.callback(ended.set)
        opened.callback(lambda: _collector.tasks.remove(opened))
        self._expected = 0
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._collect)
        self._timer.start(IDLE)
        # The end of the program waits for its running task: one that is cut off in an import brings the program down.
        self._pool = pool = ThreadPoolExecutor(1, thread_name_prefix=name)

        _collector.begin()

        def leave() -> None:
            if not over.is_set():
                over.set()
                _collector.tasks.append(opened)
                _collector.end()
                with suppress(RuntimeError):  # the program ends, and takes no more work
                    pool.submit(opened.close)
                pool.shutdown(wait=False)

        self._leave = leave
        self.destroyed.connect(leave)  # also without `close`

    def ask(self, work: Callable[[], Any], then: Then | None = None, refused: Refused | None = None) -> None:
        """Run `work` in turn; `then` gets its result, `refused` its error, both in the window's thread.

        It begins at the next turn of the event loop: what is asked while a window is built waits until that is done,
        for two threads of Python take twice as long.
        """
        if not self._over.is_set():
            self._expect_result()
            QTimer.singleShot(0, self, lambda: self._submit((work, then, refused)))

    def ask_at_once(
        self, work: Callable[[], Any], then: Then | None = None, refused: Refused | None = None
    ) -> None:
        """Run `work` in a thread of its own whatever else is being done, also after `close`."""
        if not self._over.is_set():
            self._expect_result()
        task = work, then, refused
        threading.Thread(target=self._do, args=(task,), name="errand", daemon=True).start()

    def tell(self, call: Callable[[], None]) -> None:
        """Call `call` in the window's thread; may be called from any thread, as by work that reports before its result."""
        self._results.append((call, False))

    def run_pending(self) -> None:
        """Run tasks that were submitted meanwhile; a long task calls this regularly. After `close` it ends the task."""
        while self._tasks and not self._over.is_set():
            self._do(self._tasks.popleft())
        if self._over.is_set():
            raise SystemExit

    def close(self, patience: float = 5.0) -> None:
        """Accept no more tasks, and wait up to `patience` seconds for the running one."""
        if not self._over.is_set():
            self._leave()
            self._timer.stop()
        if self._ended.wait(patience):
            _collector.look()

    def _expect_result(self) -> None:
        self._expected += 1
        self._timer.start(BUSY)

    def _submit(self, task: Task) -> None:
        if not self._over.is_set():
            self._tasks.append(task)
            self._pool.submit(self._serve)

    def _serve(self) -> None:
        """Run the next task, unless a long one has run it meanwhile."""
        with suppress(IndexError, SystemExit):  # of a task that `close` ended
            if not self._over.is_set():
                self._do(self._tasks.popleft())

    def _do(self, task: Task) -> None:
        work, then, refused = task
        level = "ERROR"
        _collector.tasks.append(task)
        try:
            result = work()
        except MhoError as error:
            text = str(error)
        except Exception as error:
            log.exception("a fault of mho itself")
            level = "CRITICAL"
            text = f"{type(error).__name__}: {error}; this is a fault of mho itself, please report it"
        else:
            self._results.append(((lambda: then(result)) if then else (lambda: None), True))
            return
        finally:
            _collector.tasks.remove(task)
        self._results.append((lambda: refused(text) if refused else self._failed(level, text), True))

    def _collect(self) -> None:
        _collector.collect()
        for _ in range(len(self._results)):  # later results are fetched at the next timer event
            if not self._results:  # a call has let the event loop turn
                break
            call, is_last = self._results.popleft()
            self._expected -= is_last
            call()
            if self._over.is_set():
                return
        self._timer.start(BUSY if self._expected else IDLE)
