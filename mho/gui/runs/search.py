"""The search line above the table of runs: a query, checked while the user types, and filters beside it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from mho.gui.runs.index_thread import Words
from mho.gui.widgets.theme import colours
from mho.runs.index import UNREADABLE
from mho.runs.schema import Status

REST = 150
"""Pause in typing after which the search begins, ms."""

QUERY_HELP = """bits >= 24 and status = finished
"mimo" and date >= 2026-11            a quoted text is searched everywhere
read_voltage >= 200mV or duration < 5min
converged and not tag                 = != < <= > >= ~ (contains) !~"""


class RunsSearch(QWidget):
    """Query and filters; `changed` says that another search is wanted."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.query = QLineEdit()
        self.query.setAccessibleName("query")
        self.query.setPlaceholderText('bits >= 24 and status = finished, or "a text anywhere"')
        self.query.setToolTip(QUERY_HELP)
        self.query.setClearButtonEnabled(True)
        self.status = self._filter("status", "any status", [*map(str, Status), UNREADABLE])
        self.procedure = self._filter("procedure", "any procedure", [])
        self.tag = self._filter("tag", "any tag", [])
        self.mistake = QLabel()
        self.mistake.setTextFormat(Qt.TextFormat.PlainText)
        self.mistake.setWordWrap(True)
        self.mistake.setVisible(False)
        self._timer = QTimer(self, singleShot=True, interval=REST)
        self._timer.timeout.connect(self.changed)
        self.query.textEdited.connect(lambda _: self._timer.start())
        self.query.textChanged.connect(lambda text: None if text else self._timer.start())
        line = QHBoxLayout()
        line.addWidget(self.query, 1)
        for box in (self.status, self.procedure, self.tag):
            line.addWidget(box)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self.mistake)

    @property
    def filters(self) -> tuple[tuple[str, str], ...]:
        """Names and values that must be met."""
        boxes = (self.status, self.procedure, self.tag)
        return tuple((box.accessibleName(), box.currentText()) for box in boxes if box.currentIndex() > 0)

    def offer(self, words: Words) -> None:
        """Set the words for filtering; the present choice is kept."""
        for box, offered in ((self.procedure, words.procedures), (self.tag, words.tags)):
            chosen = box.currentText() if box.currentIndex() > 0 else ""
            with QSignalBlocker(box):
                _fill(box, box.itemText(0), offered)
                box.setCurrentIndex(max(0, box.findText(chosen)) if chosen else 0)

    def say_mistake(self, text: str) -> None:
        """Mark the query as wrong and say why; "" for one that is right."""
        self.query.setStyleSheet(f"background: {colours().wrong_ground};" if text else "")
        self.mistake.setStyleSheet(f"color: {colours().bad};")
        self.mistake.setText(text)
        self.mistake.setVisible(bool(text))

    def _filter(self, name: str, everything: str, offered: Sequence[str]) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(name)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        _fill(box, everything, offered)
        box.currentIndexChanged.connect(lambda _: self.changed.emit())
        return box


def _fill(box: QComboBox, everything: str, offered: Sequence[str]) -> None:
    box.clear()
    box.addItems([everything, *offered])
