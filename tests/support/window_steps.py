"""Steps that one takes in the window: choose a procedure, press a button, drop a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget

PATIENCE = 100_000  # ms: a busy machine is slow; below the time limit of a test, and nothing waits longer than it must


def choose(window: Any, name: str, qtbot: Any) -> None:
    """Search for a procedure and take the first that is found, once they are loaded."""
    panel = window.panel("Experiments")
    qtbot.waitUntil(lambda: bool(panel.list.names()), timeout=PATIENCE)
    panel.list.search.clear()
    qtbot.keyClicks(panel.list.search, name)
    qtbot.keyClick(panel.list.search, Qt.Key.Key_Return)


def press(button: QWidget, qtbot: Any) -> None:
    """Click a button that can be clicked."""
    qtbot.waitUntil(button.isEnabled, timeout=PATIENCE)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def wait_on(progress: Callable[[], Any], true: Callable[[], bool], qtbot: Any) -> None:
    """Wait until it is true, as long as `progress` changes and `PATIENCE` after that."""
    while not true():
        reached = progress()
        qtbot.waitUntil(lambda last=reached: true() or progress() != last, timeout=PATIENCE)


def drop_file(widget: QWidget, path: Path, where: QPoint) -> None:
    """Drag a file into a widget and let it go there."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    held = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, QDragEnterEvent(where, *held))
    QApplication.sendEvent(widget, QDropEvent(QPointF(where), *held))
