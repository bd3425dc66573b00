"""The window on one run file: map, convergence, parameters and log, following the file while it grows."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QLabel, QMainWindow, QPlainTextEdit, QProgressBar, QSizePolicy, QWidget

from mho.analysis import palette
from mho.analysis.reports import duration_text, parameter_text, read_arrays, read_bench, read_chip
from mho.errors import RunFileError
from mho.gui import widgets
from mho.gui.pictures import RunPicture, first_choice, picture_names, read_picture, sources
from mho.gui.plots import colours_of, lookup_table, map_plot, number_lines
from mho.gui.session.file_follower import News, RunFollower
from mho.gui.solve.convergence_view import ConvergenceView
from mho.gui.widgets import SIMULATED, Badge
from mho.runs import GOING_ON, Conclusion, LogEntry, RunFile, Status, outcome_line, status_words

STATUS_COLOURS = {
    Status.RUNNING: palette.BUSY,
    Status.PAUSED: palette.DOUBTFUL,
    Status.FINISHED: palette.GOOD,
    Status.FAILED: palette.BAD,
    Status.ABORTED: palette.DOUBTFUL,
    Status.INTERRUPTED: palette.DOUBTFUL,
}


class RunBanner(QWidget):
    """Title, badges, a line of facts, the reason of a bad end, and a bar while cells are programmed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.title.setStyleSheet("font-size: 17px; font-weight: bold;")
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.status, self.simulated = Badge(), Badge()
        self.simulated.paint("SIMULATED", SIMULATED)
        self.simulated.setVisible(False)
        self.facts, self.reason = widgets.plain_label(), widgets.plain_label()
        self.facts.setStyleSheet(f"color: {palette.FAINT};")
        self.reason.setStyleSheet(f"color: {palette.BAD};")
        self.progress = QProgressBar(format="%v of %m cells verified")
        self.progress.setMaximumWidth(320)
        self.progress.setVisible(False)

        first = widgets.row(None, (self.title, 1), self.simulated, self.status)
        second = widgets.row(None, (self.facts, 1), self.progress)
        widgets.column(self, first, second, self.reason, margins=0, spacing=4)

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
        text = "\n".join(filter(None, lines))
        good = finished and not doubtful and not (conclusion and conclusion.warnings)
        self.reason.setStyleSheet("" if good else f"color: {palette.DOUBTFUL if finished else palette.BAD};")
        self.reason.setText(text)
        self.reason.setVisible(bool(text))

    def show_progress(self, programmed: int, cells: int, *, running: bool) -> None:
        """Show how many `cells` have been verified; the bar is there while the run programs them."""
        self.progress.setMaximum(max(cells, 1))
        self.progress.setValue(programmed)
        self.progress.setVisible(running and programmed < cells)


POINT_AT_A_CELL = "point at a cell to read it"


class MapView(QWidget):
    """Shows one `RunPicture`, and lets the user choose which; `chosen` carries its name."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.picture: RunPicture | None = None
        self.choice = widgets.ChoiceBox("map")
        self.choice.currentTextChanged.connect(self.chosen)
        self.readout = QLabel(POINT_AT_A_CELL)
        self.canvas = pg.GraphicsLayoutWidget()
        self.canvas.setBackground("w")
        self._plot, self._image = map_plot(self.canvas, ("column", "row"))
        self._bar = pg.ColorBarItem(
            values=(0.0, 1.0), width=14, interactive=False, colorMap=colours_of(False)
        )
        self._bar.axis.setWidth()  # as its numbers need
        self._bar.axis.setPen(palette.FAINT)
        self._bar.axis.setTextPen(palette.INK)
        self.canvas.addItem(self._bar)
        self.canvas.scene().sigMouseMoved.connect(self._hover)
        self._under_mouse: QPointF | None = None

        top = widgets.row(None, QLabel("Map"), self.choice, (None, 1), self.readout)
        widgets.column(self, top, (self.canvas, 1), margins=0)

    def offer(self, names: Sequence[str], first: str) -> None:
        """Let the user choose among `names`, beginning with `first`."""
        self.choice.offer(names, first)
        self.choice.setEnabled(bool(names))

    def show_picture(self, picture: RunPicture) -> None:
        """Show `picture`; the view stays where the user zoomed while the map is the same."""
        before = self.picture
        self.picture = picture
        colours = colours_of(picture.signed)
        self._image.setImage(picture.pixels(), levels=(0, 255), lut=lookup_table(colours))
        height, width = picture.values.shape
        number_lines(self._plot, picture.rows, picture.columns)
        self._bar.setColorMap(colours)
        self._bar.setLevels(picture.limits)
        self._bar.setLabel("right", picture.unit)
        if before is None or before.name != picture.name:
            frame = QRectF(-0.5, -0.5, width, height)
            self._image.setRect(frame)
            self._plot.setRange(frame, padding=0.02)
        if self._under_mouse is not None:
            self._hover(self._under_mouse)

    def clear(self) -> None:
        """Show nothing."""
        self.picture = None
        self._image.clear()
        self.offer((), "")
        self.readout.setText(POINT_AT_A_CELL)

    def scene_position(self, row: int, column: int) -> QPointF:
        """Return where in the scene the middle of image cell `row`, `column` is."""
        position: QPointF = self._plot.vb.mapViewToScene(QPointF(column, row))
        return position

    def _hover(self, position: QPointF) -> None:
        self._under_mouse = position
        if self.picture is None:
            return
        inside = self._plot.vb.sceneBoundingRect().contains(position)
        point = self._plot.vb.mapSceneToView(position)
        text = self.picture.describe(round(point.y()), round(point.x())) if inside else ""
        self.readout.setText(text or POINT_AT_A_CELL)


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
        self._closed = False
        self._images: dict[str, int] = {}  # how many each map has
        self._status: Status | None = None
        self.setWindowTitle(f"{self._path.name} - mho")
        self.resize(1280, 800)
        self._build()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        self.look()

    def _build(self) -> None:
        self.message = widgets.plain_label()
        self.message.setStyleSheet(f"background: {palette.BAD}; color: white; padding: 8px;")
        self.message.setVisible(False)
        self.header = RunBanner()
        self.map = MapView()
        self.map.chosen.connect(self._show_chosen)
        self.convergence = ConvergenceView()
        self.log = QPlainTextEdit(readOnly=True, placeholderText="nothing logged yet")
        self.parameters = widgets.FactsTable()

        plots = widgets.splitter(
            Qt.Orientation.Horizontal, (self.map, 680), (_titled("Convergence", self.convergence), 600)
        )
        texts = widgets.splitter(
            Qt.Orientation.Horizontal,
            (_titled("Log", self.log), 680),
            (_titled("Parameters", self.parameters), 600),
        )
        halves = widgets.splitter(Qt.Orientation.Vertical, (plots, 500), (texts, 190))
        for splitter in (plots, texts, halves):
            splitter.setHandleWidth(10)

        self._body = QWidget()
        widgets.column(self._body, self.header, (halves, 1), margins=0)
        self._body.setVisible(False)  # until there is a run to show
        middle = QWidget()
        widgets.column(middle, self.message, (self._body, 1), None, margins=(12, 10, 12, 10))
        self.setCentralWidget(middle)

    def look(self) -> None:
        """Open the file if it is not open, and show what has come since the last look; once closed, do nothing."""
        if self._closed:
            return
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
        self._closed = True
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
        self._images = {}
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
        self.parameters.show_rows([*given, *facts])
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
        before, self._images = self._images, {name: len(run.map_times(name)) for name in run.maps}
        grown = {name for name, count in self._images.items() if count > before.get(name, 0)}
        name = self.map.choice.currentText()
        if name and (self.map.picture is None or grown.intersection(sources(run, name))):
            self.map.show_picture(read_picture(run, name))
        if changed or grown or news.convergence is not None:
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
    widgets.column(box, label, (widget, 1), margins=0, spacing=4)
    return box
