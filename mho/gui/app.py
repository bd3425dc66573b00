"""Starts the Qt application with the main window, or with a window on one run file. Qt is loaded only here and below."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from mho import runs
from mho.errors import InputError
from mho.gui.system_libraries import has_display, qt_trouble

if TYPE_CHECKING:
    from PySide6.QtCore import QCoreApplication, QSettings
    from PySide6.QtWidgets import QApplication, QWidget

    from mho.gui.run_window import RunWindow
    from mho.gui.window.main_window import MainWindow

INTERRUPTED = 130  # exit code of a program ended by Ctrl-C
BEAT = 200  # ms
SETTLED = 2000  # ms from the window's start until all that it always holds is there
FAULT = "this is a fault of mho itself, please report it"


def open_run_window(path: str | os.PathLike[str]) -> RunWindow:
    """Open a window on the run file at `path`; a QApplication must be there.

    The window says why a file cannot be read, and shows the run as soon as it can be read.
    """
    from mho.gui.run_window import RunWindow

    window = RunWindow(path)
    window.show()
    atexit.register(_discard, weakref.ref(window))
    return window


def show_run(path: str | os.PathLike[str]) -> int:
    """Show the run file at `path` in a window until that is closed; return the exit code.

    RunFileError is raised for a file that is none, InputError where there is no display or no Qt.
    """
    runs.RunFile(path).close()  # its error is best reported in the terminal
    app = _application()
    window = open_run_window(path)
    with _ended_by_ctrl_c(app):
        code = app.exec()
    _discard(weakref.ref(window))
    return code


def open_main_window(
    folder: str | os.PathLike[str], bench: str = "simulated", settings: QSettings | None = None
) -> MainWindow:
    """Open the window on the runs and the queue in `folder`; a QApplication must be there.

    Layout and theme are kept in `settings`, those of the user if not given.
    """
    from mho.gui.session.loading import loading_later
    from mho.gui.session.session import Session
    from mho.gui.window.main_window import MainWindow

    with suppress(OSError):  # reported later, in the window
        Path(folder).mkdir(parents=True, exist_ok=True)
    with loading_later():
        window = MainWindow(Session(Path(folder), bench), settings)
        window.show()
    atexit.register(_discard, weakref.ref(window))
    return window


def show_main_window(folder: str | os.PathLike[str], bench: str = "simulated") -> int:
    """Show the window on the runs and the queue in `folder` until it is closed; return the exit code.

    InputError is raised where there is no display or no Qt.
    """
    app = _application()
    gc.disable()  # nothing of what is loaded now is garbage
    from PySide6.QtCore import QTimer

    window = open_main_window(folder, bench)
    QTimer.singleShot(SETTLED, window, _freeze)
    beat = QTimer(window, interval=BEAT)  # Python's turn to notice Ctrl-C
    beat.timeout.connect(lambda: None)
    beat.start()
    with _ended_by_ctrl_c(app), _faults_said_in(window):
        code = app.exec()
    _discard(weakref.ref(window))
    gc.unfreeze()  # else a script that shows one window after the other keeps all of them
    return code


def _freeze() -> None:
    """Freeze the objects so far: later collections skip them, and never take a tenth of a second."""
    gc.collect()
    gc.freeze()


@contextmanager
def _faults_said_in(window: MainWindow) -> Iterator[None]:
    """Show uncaught exceptions in `window`: a fault of one panel leaves the others, and STOP, alive."""
    previous = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        previous(kind, error, trace)
        if issubclass(kind, Exception):
            window.session.tell("CRITICAL", f"{kind.__name__}: {error}; {FAULT}")

    sys.excepthook = hook
    try:
        yield
    finally:
        sys.excepthook = previous


def _application() -> QApplication:
    """Return the QApplication, made if there is none."""
    trouble = qt_trouble()
    if trouble:
        raise InputError(f"the window needs Qt, which cannot be loaded: {trouble}; or use `mho plot`")
    if not has_display():  # Qt would abort the process
        raise InputError("there is no display to open a window on; log in with a desktop, or use `mho plot`")
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    return app


def _discard(reference: weakref.ref[QWidget]) -> None:
    """Close and delete a window; one that outlives its QApplication crashes the interpreter's exit."""
    from shiboken6 import Shiboken

    window = reference()
    if window is not None and Shiboken.isValid(window):
        window.close()
        Shiboken.delete(window)


@contextmanager
def _ended_by_ctrl_c(app: QCoreApplication) -> Iterator[None]:
    """Make Ctrl-C end `app`; the window's timer lets Python handle the signal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, lambda *_: app.exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
