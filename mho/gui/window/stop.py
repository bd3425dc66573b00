"""The emergency stop of the window: the STOP button, Escape pressed twice, and the light that shows the bench's safety."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QWindow
from PySide6.QtWidgets import QAbstractItemView, QApplication, QDialog, QPushButton, QSizePolicy, QWidget

from mho.analysis import palette
from mho.gui.session.bench_safety import Safety, SafetyVerdict
from mho.gui.widgets import theme
from mho.gui.widgets.elided_label import ElidedLabel

TWICE_WITHIN = 0.8  # s between the two presses
NEVER = -math.inf
LIGHT = 150, 420  # pixels that the light is wide, at least and at most


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


class SafetyLight(ElidedLabel):
    """Shows in one word and a colour whether the bench is safe by `mho.gui.session.bench_safety`, and why."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumWidth(LIGHT[0])
        self.setMaximumWidth(LIGHT[1])

    def show_safety(self, safety: Safety) -> None:
        """Show the safety of the bench."""
        self.setText(f"{safety.verdict.value}: {safety.text}")
        ground = {SafetyVerdict.SAFE: palette.GOOD, SafetyVerdict.UNKNOWN: palette.FAINT}.get(
            safety.verdict, theme.STOP
        )
        self.setStyleSheet(
            f"background: {ground}; color: white; font-weight: bold; padding: 3px 10px; border-radius: 4px;"
        )


class EscapeTwice(QObject):
    """Detects Escape pressed twice in any window of the program, where Escape has no other function.

    It sees keys as they reach a window of the system, before Qt decides which widget gets them, and blocks none. A press
    that closes or leaves something (a menu, an open list, a dialog, a cell in editing) does not count: a user who leaves
    a menu by Escape and presses once too often wants no emergency stop. What counts is when the keys were pressed, not
    when the program came to them: a window that is busy between the two loses no stop.
    """

    pressed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._last = NEVER
        app = QGuiApplication.instance()
        assert isinstance(app, QGuiApplication)
        app.focusWindowChanged.connect(self._watch)
        self._watch(QGuiApplication.focusWindow())

    def _watch(self, window: QWindow | None) -> None:
        if window is not None:
            window.removeEventFilter(self)  # so that a press does not count twice
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Count presses of Escape."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and not event.isAutoRepeat():
            if event.key() == Qt.Key.Key_Escape and not _escape_closes_something():
                self._press(event.timestamp() / 1000)
            else:
                self._last = NEVER
        return False

    def _press(self, when: float) -> None:
        before, self._last = self._last, when
        if self._last - before <= TWICE_WITHIN:
            self._last = NEVER
            self.pressed.emit()


def _escape_closes_something() -> bool:
    """Return whether Escape would close or leave something at the current keyboard focus."""
    if QApplication.activePopupWidget() is not None or QApplication.activeModalWidget() is not None:
        return True
    if isinstance(QApplication.activeWindow(), QDialog):
        return True
    focus = QApplication.focusWidget()
    viewport = None if focus is None else focus.parentWidget()
    view = None if viewport is None else viewport.parentWidget()
    return isinstance(view, QAbstractItemView) and viewport is view.viewport()  # an editor in a cell
