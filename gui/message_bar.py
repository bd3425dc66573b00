"""The strip that says what has happened and what to do: the last word stays until it is closed, or fades by itself."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from analysis import palette
from gui import theme

FADES = {"DEBUG": 3000, "INFO": 6000, "WARNING": 20_000}
"""After how long a message goes by itself, ms; what is graver stays."""

GROUNDS = {"WARNING": palette.DOUBTFUL, "ERROR": palette.BAD, "CRITICAL": theme.STOP}


class WrappedLabel(QLabel):
    """A text over as many lines as its width asks for, and no more: a toolbar would leave room for twice of them."""

    NARROWEST = 300  # pixels

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        """No: boxes and toolbars would ask for the height at their narrowest."""
        return False

    def sizeHint(self) -> QSize:  # noqa: N802
        """What the text needs at the present width."""
        return QSize(self.NARROWEST, self.heightForWidth(max(self.width(), self.NARROWEST)))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """As `sizeHint`."""
        return self.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Ask for another height."""
        super().resizeEvent(event)
        # Not while the layout is at work, which would forget it.
        QTimer.singleShot(0, self, self.updateGeometry)


class MessageBar(QWidget):
    """One message at a time, the newest; `shown` tells whether there is one."""

    shown = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.text = WrappedLabel()
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.close_button = QToolButton()
        self.close_button.setText("✕")
        self.close_button.setToolTip("close this message; it stays in the log")
        self.close_button.clicked.connect(self.clear)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 4, 4)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.close_button)
        self.level = ""
        self._fading = QTimer(self, singleShot=True)
        self._fading.timeout.connect(self.clear)

    def say(self, level: str, text: str) -> None:
        """Show a message; one that is less grave does not push an error away."""
        if self.level in ("ERROR", "CRITICAL") and level in ("DEBUG", "INFO"):
            return
        self.level = level
        self.text.setText(text)
        self.setStyleSheet(
            f"MessageBar {{ background: {GROUNDS.get(level, palette.BUSY)}; }} QLabel {{ color: white; }}"
        )
        self._fading.stop()
        if level in FADES:
            self._fading.start(FADES[level])
        self.shown.emit(True)

    def clear(self) -> None:
        """Show nothing."""
        self.level = ""
        self.text.clear()
        self._fading.stop()
        self.shown.emit(False)
