"""The window on one run file: map, convergence, parameters and log, following the file while it grows."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QMainWindow,
    QPlainTextEdit,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from mho.analysis import palette
from mho.analysis.reports import duration_text, parameter_text, read_arrays, read_bench, read_chip
from mho.errors import RunFileError
from mho.gui.run_window.header import Header
from mho.gui.run_window.map_view import MapView
from mho.gui.run_window.pictures import first_choice, picture_names, read_picture, sources
from mho.gui.session.file_follower import News, RunFollower
from mho.gui.solve.convergence_view import ConvergenceView
from mho.runs import GOING_ON, LogEntry, RunFile, Status

LOOK_PERIOD = 200
"""Interval of updates while the run lasts, ms."""

REST_PERIOD = 1000
"""Interval of updates of a file whose run is over, or which cannot be read, ms."""


class RunWindow(QMainWindow):
    """Shows the run file at `path`, also while it is written. A file that cannot be read is reported and tried again."""

    def __init__(self, path: str | os.PathLike[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._path = Path(path)
        self._follower: RunFollower | None = None
        self._status: Status | None = None
        self.setWindowTitle(f"{self._path.name} - mho")
        self.resize(1280, 800)
        self._build()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        self.look()

    def _build(self) -> None:
        self.message = QLabel()
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setWordWrap(True)
        self.message.setStyleSheet(f"background: {palette.BAD}; color: white; padding: 8px;")
        self.message.setVisible(False)
        self.header = Header()
        self.map = MapView()
        self.map.chosen.connect(self._show_chosen)
        self.convergence = ConvergenceView()
        self.log = QPlainTextEdit(readOnly=True)
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self.log.setPlaceholderText("nothing logged yet")
        self.parameters = _table_of_facts()

        plots = QSplitter(Qt.Orientation.Horizontal)
        plots.addWidget(self.map)
        plots.addWidget(_titled("Convergence", self.convergence))
        plots.setSizes([680, 600])
        texts = QSplitter(Qt.Orientation.Horizontal)
        texts.addWidget(_titled("Log", self.log))
        texts.addWidget(_titled("Parameters", self.parameters))
        texts.setSizes([680, 600])
        halves = QSplitter(Qt.Orientation.Vertical)
        halves.addWidget(plots)
        halves.addWidget(texts)
        halves.setSizes([500, 190])
        for splitter in (plots, texts, halves):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(10)

        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.addWidget(self.header)
        body.addWidget(halves, 1)
        self._body.setVisible(False)  # until there is a run to show
        middle = QWidget()
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.addWidget(self.message)
        layout.addWidget(self._body, 1)
        layout.addStretch(0)
        self.setCentralWidget(middle)

    def look(self) -> None:
        """Open the file if it is not open, and show what has come since the last look."""
        try:
            if self._follower is None:
                self._follower = RunFollower(self._path)
                self._show_constants(self._follower.run)
            self._show_news(self._follower.run, self._follower.look())
        except RunFileError as error:
            self._say_unreadable(error)
        else:
            self.message.setVisible(False)
        busy = self._status in GOING_ON and self._follower is not None
        self._timer.start(LOOK_PERIOD if busy else REST_PERIOD)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Close the file."""
        self._timer.stop()
        self._close_file()
        super().closeEvent(event)

    def _close_file(self) -> None:
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    def _say_unreadable(self, error: RunFileError) -> None:
        """Keep the picture, show the error, and start again once the file can be read."""
        self._close_file()
        self.message.setText(str(error))
        self.message.setVisible(True)

    def _show_constants(self, run: RunFile) -> None:
        """Show what does not change during a run."""
        self._body.setVisible(True)
        bench, chip = read_bench(run), read_chip(run)
        self.header.title.setText(run.title)
        self.header.simulated.setVisible(bench.preset is not None)
        facts = [
            ("Procedure", f"{run.procedure}, version {run.version}"),
            ("Started", f"{run.start_time:%Y-%m-%d %H:%M:%S %z}"),
            ("Bench", bench.name or "unknown"),
            ("Chip", chip.name if chip else "unknown"),
            ("Seed of the run", run.provenance.get("seed") or "none"),
        ]
        given = [(p.label or name, parameter_text(p)) for name, p in run.parameters.items()]
        _fill(self.parameters, [*given, *facts])
        self.log.clear()
        self.convergence.show_convergence(None)
        self.map.clear()
        self.map.offer(picture_names(run), first_choice(run))

    def _show_news(self, run: RunFile, news: News) -> None:
        changed = news.status is not self._status
        self._status = news.status
        if changed:
            self.header.show_status(news.status, news.reason, news.conclusion)
        for entry in news.log:
            self.log.appendPlainText(_line(entry))
        if news.convergence is not None:
            self.convergence.show_convergence(news.convergence)
        name = self.map.choice.currentText()
        if name and (self.map.picture is None or news.images.intersection(sources(run, name))):
            self.map.show_picture(read_picture(run, name))
        if changed or news.images or news.convergence is not None:
            self._show_progress(run)

    def _show_progress(self, run: RunFile) -> None:
        arrays = read_arrays(run)
        cells = sum(int(array.used.sum()) for array in arrays)
        programmed = sum(int(array.programmed.sum()) for array in arrays)
        self.header.show_progress(programmed, cells, running=self._status in GOING_ON)
        facts = [self._path.name]
        if arrays:
            facts.append(f"{programmed} of {cells} cells verified")
        shown = self.convergence.convergence
        if shown is not None:
            facts.append(f"{len(shown.cycle)} cycles")
            if len(shown.cycle) and not math.isnan(shown.relative_error[-1]):
                facts.append(f"relative error {shown.relative_error[-1]:.2e}")
        if run.end_time is not None:
            facts.append(f"took {duration_text((run.end_time - run.start_time).total_seconds())}")
        self.header.facts.setText("   ·   ".join(facts))

    def _show_chosen(self, name: str) -> None:
        if self._follower is None or not name:
            return
        try:
            self.map.show_picture(read_picture(self._follower.run, name))
        except RunFileError as error:
            self._say_unreadable(error)


def _line(entry: LogEntry) -> str:
    level = "" if entry.level == "INFO" else f"{entry.level}: "
    return f"{entry.time:8.1f} s   {level}{entry.message}"


def _titled(title: str, widget: QWidget) -> QWidget:
    box = QWidget()
    label = QLabel(title)
    label.setStyleSheet("font-weight: bold;")
    layout = QVBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    layout.addWidget(label)
    layout.addWidget(widget, 1)
    return box


def _table_of_facts() -> QTableWidget:
    table = QTableWidget(0, 2)
    table.horizontalHeader().setVisible(False)
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setStretchLastSection(True)
    table.verticalHeader().setVisible(False)
    table.verticalHeader().setDefaultSectionSize(22)
    table.setShowGrid(False)
    table.setAlternatingRowColors(True)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    return table


def _fill(table: QTableWidget, facts: Iterable[tuple[str, str]]) -> None:
    rows = list(facts)
    table.setRowCount(len(rows))
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            table.setItem(row, column, item)
