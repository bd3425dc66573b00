"""The header of a run's window: title, status, progress, and whether the run is simulated."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QVBoxLayout, QWidget

from mho.analysis import palette
from mho.gui.widgets.theme import SIMULATED
from mho.runs import Conclusion, Status, outcome_line, status_words

STATUS_COLOURS = {
    Status.RUNNING: palette.BUSY,
    Status.PAUSED: palette.DOUBTFUL,
    Status.FINISHED: palette.GOOD,
    Status.FAILED: palette.BAD,
    Status.ABORTED: palette.DOUBTFUL,
    Status.INTERRUPTED: palette.DOUBTFUL,
}


class Badge(QLabel):
    """A word on a coloured ground."""

    def paint(self, text: str, colour: str) -> None:
        """Show `text` on `colour`."""
        self.setText(text)
        self.setStyleSheet(
            f"background: {colour}; color: white; font-weight: bold; padding: 3px 10px; border-radius: 4px;"
        )


class Header(QWidget):
    """Title, badges, a line of facts, the reason of a bad end, and a bar while cells are programmed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = QLabel()
        self.title.setStyleSheet("font-size: 17px; font-weight: bold;")
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.status, self.simulated = Badge(), Badge()
        self.simulated.paint("SIMULATED", SIMULATED)
        self.simulated.setVisible(False)
        self.facts, self.reason = QLabel(), QLabel()
        for label in (self.facts, self.reason):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
        self.facts.setStyleSheet(f"color: {palette.FAINT};")
        self.reason.setStyleSheet(f"color: {palette.BAD};")
        self.progress = QProgressBar()
        self.progress.setFormat("%v of %m cells verified")
        self.progress.setMaximumWidth(320)
        self.progress.setVisible(False)

        first = QHBoxLayout()
        first.addWidget(self.title, 1)
        first.addWidget(self.simulated)
        first.addWidget(self.status)
        second = QHBoxLayout()
        second.addWidget(self.facts, 1)
        second.addWidget(self.progress)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(first)
        layout.addLayout(second)
        layout.addWidget(self.reason)

    def show_status(self, status: Status, reason: str, conclusion: Conclusion | None = None) -> None:
        """Show the status of the run, how it ended, and its warnings."""
        doubtful = conclusion is not None and bool(conclusion.unsafe or not conclusion.measured)
        finished = status is Status.FINISHED
        colour = palette.DOUBTFUL if finished and doubtful else STATUS_COLOURS[status]
        self.status.paint(status_words(status, conclusion).upper(), colour)
        if status is Status.INTERRUPTED:
            reason = reason or "the process that wrote this file is gone; all but its last moment is here"
        lines = [outcome_line(status, reason, conclusion, named=False)]
        lines += [] if conclusion is None else conclusion.warnings
        told = "\n".join(filter(None, lines))
        good = finished and not doubtful and not (conclusion and conclusion.warnings)
        self.reason.setStyleSheet("" if good else f"color: {palette.DOUBTFUL if finished else palette.BAD};")
        self.reason.setText(told)
        self.reason.setVisible(bool(told))

    def show_progress(self, programmed: int, cells: int, *, running: bool) -> None:
        """Show how many `cells` have been verified; the bar is there while the run programs them."""
        self.progress.setMaximum(max(cells, 1))
        self.progress.setValue(programmed)
        self.progress.setVisible(running and programmed < cells)
