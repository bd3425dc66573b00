"""Starts the window on a run file, and the Qt application around it; Qt is loaded only here and below."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mho_errors import InputError
from runs import RunFile

if TYPE_CHECKING:
    from PySide6.QtCore import QCoreApplication

    from gui.run_window import RunWindow

INTERRUPTED = 130  # exit code of a program ended by Ctrl-C


def open_run_window(path: str | os.PathLike[str]) -> RunWindow:
    """Open a window on the run file at `path`; a QApplication must be there.

    A file that cannot be read is said in the window, which shows the run as soon as it can be.
    """
    from gui.run_window import RunWindow

    window = RunWindow(path)
    window.show()
    atexit.register(_discard, weakref.ref(window))
    return window


def show_run(path: str | os.PathLike[str]) -> int:
    """Show the run file at `path` in a window until that is closed; return the exit code.

    Raises
    ------
    RunFileError
        The file is missing, no run file, or damaged.
    InputError
        There is no display, or Qt cannot be loaded.
    """
    RunFile(path).close()  # what is wrong with it is best said in the terminal
    _check_display()
    try:
        from PySide6.QtWidgets import QApplication
    except ImportError as error:
        raise InputError(f"the window needs Qt, which cannot be loaded ({error}); try `mho plot`") from error
    app = QApplication.instance() or QApplication(sys.argv[:1])
    window = open_run_window(path)
    with _ended_by_ctrl_c(app):
        code = app.exec()
    _discard(weakref.ref(window))
    return code


def _discard(reference: weakref.ref[RunWindow]) -> None:
    """Close and delete a window; one that outlives its QApplication crashes the interpreter's exit."""
    from shiboken6 import Shiboken

    window = reference()
    if window is not None and Shiboken.isValid(window):
        window.close()
        Shiboken.delete(window)


def _check_display() -> None:
    """Qt aborts the process when it finds no display."""
    known = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in known):
        raise InputError("there is no display to open a window on; log in with a desktop, or use `mho plot`")


@contextmanager
def _ended_by_ctrl_c(app: QCoreApplication) -> Iterator[None]:
    """Let Ctrl-C end `app`; the window's timer gives Python its turn to notice."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, lambda *_: app.exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
