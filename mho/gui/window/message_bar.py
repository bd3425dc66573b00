"""The strip of messages: the gravest first; a grave message stays until the user closes it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QToolButton, QWidget

from mho.analysis import palette
from mho.gui import widgets

FADES = {"DEBUG": 3000, "INFO": 6000, "WARNING": 20_000}
"""Time after which a message disappears, ms; others stay."""

CONFIRMED = "CONFIRMED"
"""Level of a completed request; the message stays like an error, as the user waits for it."""

GROUNDS = {
    CONFIRMED: palette.GOOD, "WARNING": palette.DOUBTFUL, "ERROR": palette.BAD, "CRITICAL": widgets.STOP,
}  # fmt: skip
GRAVITY = ("DEBUG", "INFO", "WARNING", "ERROR", CONFIRMED, "CRITICAL")
KEPT = 50  # not closed by the user


class WrappedLabel(QLabel):
    """A text over as many lines as its width asks for, and no more: a toolbar would leave room for twice of them."""

    NARROWEST = 300  # pixels

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, textFormat=Qt.TextFormat.PlainText, wordWrap=True)

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        """No: boxes and toolbars would ask for the height at their narrowest."""
        return False

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the height of the text at the present width."""
        return QSize(self.NARROWEST, self.heightForWidth(max(self.width(), self.NARROWEST)))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """As `sizeHint`."""
        return self.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Request another height."""
        super().resizeEvent(event)
        # Not while the layout is at work, which would forget it.
        QTimer.singleShot(0, self, self.updateGeometry)


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
    """One message at a time, the gravest and of these the newest; `shown` carries whether there is one.

    Every critical message, and of errors the newest, waits behind it until it has been closed. What fades is not shown
    over anything graver.
    """

    shown = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.text = WrappedLabel()
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.more = QLabel()
        self.more.setToolTip("that wait until this message is closed")
        self.close_button = QToolButton()
        self.close_button.setText("✕")
        self.close_button.setToolTip("close this message; it stays in the log")
        self.close_button.clicked.connect(self.close_message)
        widgets.row(self, (self.text, 1), self.more, self.close_button, margins=(10, 4, 4, 4))
        self._said: list[BarMessage] = []  # the one that is shown comes last
        self._fading = QTimer(self, singleShot=True)
        self._fading.timeout.connect(self.close_message)

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
        if not self._said:
            self.text.clear()
            self.shown.emit(False)
            return
        shown, others = self._said[-1], len(self._said) - 1
        self.text.setText(shown.text)
        self.more.setText(f"{others} more" if others else "")
        self.more.setVisible(others > 0)
        ground = GROUNDS.get(shown.level, palette.BUSY)
        self.setStyleSheet(f"MessageBar {{ background: {ground}; }} QLabel {{ color: white; }}")
        if shown.level in FADES:
            self._fading.start(FADES[shown.level])
        self.shown.emit(True)
