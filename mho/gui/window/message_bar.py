"""The line of messages at the foot of the window: the gravest first; a grave one stays until the user closes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QLabel, QToolButton, QWidget

from mho.analysis import palette
from mho.gui import widgets
from mho.gui.widgets import ElidedLabel

HEIGHT = 22  # pixels, with a message and without
NARROWEST = 300  # pixels that a whole text is wide, at least

FADES = {"DEBUG": 3000, "INFO": 6000, "WARNING": 20_000}
"""Time after which a message disappears, ms; others stay."""

CONFIRMED = "CONFIRMED"
"""Level of a completed request; the message stays like an error, as the user waits for it."""

GROUNDS = {
    CONFIRMED: palette.GOOD, "WARNING": palette.DOUBTFUL, "ERROR": palette.BAD, "CRITICAL": widgets.STOP,
}  # fmt: skip
GRAVITY = ("DEBUG", "INFO", "WARNING", "ERROR", CONFIRMED, "CRITICAL")
KEPT = 50  # not closed by the user


class MessageLabel(ElidedLabel):
    """One line of a message; a click shows all of it above the line."""

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Show the whole text."""
        if self.text():
            self.show_whole()
        super().mousePressEvent(event)

    def show_whole(self) -> QLabel:
        """Return the whole text in a frame of its own, which any click beside it closes."""
        whole = QLabel(self.toolTip(), self, Qt.WindowType.Popup)
        whole.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        whole.setTextFormat(Qt.TextFormat.PlainText)
        whole.setWordWrap(True)
        whole.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        whole.setMargin(10)
        whole.setStyleSheet(f"background: {widgets.colours().ground}; color: {widgets.colours().ink};")
        whole.setFixedWidth(max(self.width(), NARROWEST))
        whole.adjustSize()
        whole.move(self.mapToGlobal(QPoint(0, -whole.height() - 4)))
        whole.show()
        return whole


@dataclass(frozen=True)
class BarMessage:
    """A message, and its topic, by which it can be withdrawn."""

    level: str
    text: str
    topic: str = ""

    @property
    def gravity(self) -> int:
        """Severity; an unknown level counts as INFO."""
        return GRAVITY.index(self.level) if self.level in GRAVITY else GRAVITY.index("INFO")


class MessageBar(QWidget):
    """One message at a time, the gravest and of these the newest, in a line whose height never changes.

    Every critical message, and of errors the newest, waits behind it until it has been closed. What fades is not shown
    over anything graver. `history_wanted` asks for the messages of before.
    """

    history_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT)
        self.text = MessageLabel()
        self.more = QLabel()
        self.more.setToolTip("that wait until this message is closed")
        self.close_button = _button("✕", "close this message; it stays in the log", self.close_message)
        self.history = _button("History", "the messages of before, in the log", self.history_wanted.emit)
        widgets.row(self, (self.text, 1), self.more, self.close_button, self.history, margins=(10, 0, 4, 0))
        self._said: list[BarMessage] = []  # the one that is shown comes last
        self._fading = QTimer(self, singleShot=True)
        self._fading.timeout.connect(self.close_message)
        self._show()

    @property
    def level(self) -> str:
        """Of the message that is shown; empty without one."""
        return self._said[-1].level if self._said else ""

    def say(self, level: str, text: str, topic: str = "", *, instead: bool = False) -> None:
        """Show a message, or keep it until graver ones have been closed.

        `instead` replaces all earlier messages of its topic, however grave they were.
        """
        new = BarMessage(level, text, topic)
        others = [one for one in self._said if one != new and not (instead and one.topic == topic)]
        if level in FADES and others and new.gravity < others[-1].gravity:
            return  # it is in the log
        others = [one for one in others if one.gravity > new.gravity or not self._gives_way(one, new)]
        self._said = sorted([*others, new], key=lambda one: one.gravity)[-KEPT:]  # keeps the order of equals
        self._show()

    @staticmethod
    def _gives_way(old: BarMessage, new: BarMessage) -> bool:
        """Return whether `new`, which is no less severe, replaces `old`; every critical message must be seen."""
        return old.level in FADES or (old.level == new.level and new.level != "CRITICAL")

    def close_message(self) -> None:
        """Show the next message that waits, or none."""
        if self._said:
            self._said.pop()
        self._show()

    def withdraw(self, topic: str) -> None:
        """Withdraw all messages of a topic."""
        self._said = [one for one in self._said if one.topic != topic]
        self._show()

    def clear(self) -> None:
        """Show nothing."""
        self._said = []
        self._show()

    def _show(self) -> None:
        self._fading.stop()
        shown, others = self._said[-1] if self._said else None, len(self._said) - 1
        self.text.setText("" if shown is None else " ".join(shown.text.split()))
        self.text.setToolTip("" if shown is None else shown.text)
        self.more.setText(f"{others} more" if others > 0 else "")
        self.close_button.setVisible(shown is not None)
        ground = "" if shown is None else GROUNDS.get(shown.level, palette.BUSY)
        style = f"MessageBar {{ background: {ground}; }} QLabel, QToolButton {{ color: white; }}"
        self.setStyleSheet(style if ground else "")
        if shown is not None and shown.level in FADES:
            self._fading.start(FADES[shown.level])


def _button(text: str, tip: str, act: Callable[[], Any]) -> QToolButton:
    made = QToolButton()
    made.setText(text)
    made.setAutoRaise(True)
    made.setToolTip(tip)
    made.clicked.connect(lambda _checked: act())
    return made
