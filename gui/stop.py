"""The red STOP: always in sight, and on the keyboard as Escape pressed twice."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QWindow
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from gui import theme

TWICE_WITHIN = 0.8  # s between the two presses
NEVER = -math.inf


class StopButton(QPushButton):
    """Breaks off the running job at once, makes the bench safe and holds the queue: no question asked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("STOP", parent)
        self.setToolTip(
            "emergency stop (Esc Esc): break off the running job at once, make the bench safe, hold the queue"
        )
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # a Return meant for something else must not press it
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setMinimumSize(110, 34)
        self.setStyleSheet(
            f"QPushButton {{ background: {theme.STOP}; color: white; font-weight: bold; font-size: 16px;"
            " border-radius: 5px; padding: 4px 18px; }"
            "QPushButton:hover { background: #E01A3A; } QPushButton:pressed { background: #8F0B20; }"
        )


class EscapeTwice(QObject):
    """Hears Escape pressed twice in any window of the program, dialogs and open menus too.

    It looks at the keys as they reach a window of the system, before Qt decides whose they are, and keeps none of
    them back: Escape still closes what it closes.
    """

    pressed = Signal()

    def __init__(self, parent: QObject | None = None, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(parent)
        self._now = now
        self._last = NEVER
        app = QGuiApplication.instance()
        assert isinstance(app, QGuiApplication)
        app.focusWindowChanged.connect(self._watch)
        self._watch(QGuiApplication.focusWindow())

    def _watch(self, window: QWindow | None) -> None:
        if window is not None:
            window.removeEventFilter(self)  # lest each press counts double
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Count presses of Escape."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and not event.isAutoRepeat():
            if event.key() == Qt.Key.Key_Escape:
                self._press()
            else:
                self._last = NEVER
        return False

    def _press(self) -> None:
        before, self._last = self._last, self._now()
        if self._last - before <= TWICE_WITHIN:
            self._last = NEVER
            self.pressed.emit()
