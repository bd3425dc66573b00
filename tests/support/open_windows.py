"""Fixtures of the tests that open windows."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from run_writers import WriterProcess

import mho.gui as gui

if TYPE_CHECKING:  # where Qt cannot be loaded, its tests are to be skipped
    from mho.gui.run_window import RunWindow
    from mho.gui.session.session import Session
    from mho.gui.window.main_window import MainWindow


@pytest.fixture
def open_window(qtbot) -> Callable[[Path], RunWindow]:
    windows = []  # pytest-qt keeps none alive

    def open_shown(path: Path) -> RunWindow:
        window = gui.open_run_window(path)
        windows.append(window)
        qtbot.addWidget(window)
        qtbot.waitExposed(window)
        return window

    return open_shown


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[WriterProcess]:
    """A process that writes ``live.h5`` as it is told."""
    process = WriterProcess(tmp_path / "live.h5")
    yield process
    process.kill()


@pytest.fixture
def open_main(tmp_path: Path, qtbot) -> Iterator[Callable[..., MainWindow]]:
    """Open the window on a folder, with a layout of its own; all are deleted with the test."""
    from PySide6.QtCore import QSettings
    from shiboken6 import Shiboken

    windows = []

    def open_shown(folder: Path, bench: str = "simulated") -> MainWindow:
        settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
        window = gui.open_main_window(folder, bench, settings)
        windows.append(window)
        qtbot.waitExposed(window)
        window.activateWindow()
        return window

    yield open_shown
    for window in windows:
        if Shiboken.isValid(window):
            window.close()
            Shiboken.delete(window)


@pytest.fixture
def session(tmp_path: Path, qtbot) -> Iterator[Session]:
    """A session on a folder of its own, not yet started."""
    from shiboken6 import Shiboken

    from mho.gui.session.session import Session

    session = Session(tmp_path / "runs")
    session.folder.mkdir()
    yield session
    session.close()
    gc.collect()  # a panel that is garbage now must not be collected in the midst of what comes: Qt would stand still
    Shiboken.delete(session)
