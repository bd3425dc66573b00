"""The panel of signals: the figures of the run that is shown, or any table of it, over those of earlier runs."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mho.analysis import palette
from mho.analysis.figures import FigureData, compose, figures_of, gather
from mho.errors import RunFileError
from mho.gui.session.file_follower import News
from mho.gui.session.session import Session
from mho.gui.signals.figure_images import FigureImages
from mho.gui.signals.figure_plot import FigurePlot
from mho.gui.signals.overlays import Contents, Overlays
from mho.gui.signals.plot import Shown, SignalsPlot
from mho.gui.signals.reading import ROW, Curves, TableOffer, Wanted, read_curves, read_offer
from mho.runs import Figure, RunFile

LOOK_PERIOD = 150
"""Least interval between redraws of the curves, ms."""

FREE = "columns of a table"
"""Entry in the list of figures for the user's own choice."""

WINDOWS = (1_000, 10_000, 100_000)
"""Rows that the user may have shown, the newest."""


UNREAD = FigureData("", nothing="cannot be read")


class SignalsPanel(QWidget):
    """Shows figures and tables of the session's run, growing with it."""

    title: ClassVar[str] = "Signals"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._offer: TableOffer | None = None
        self._size: object = None
        self._figures: dict[str, Figure] = {}
        self._scales: dict[tuple[str, str], bool] = {}  # the user's choices, by table and signal
        self._build()
        self._timer = QTimer(self, singleShot=True, interval=LOOK_PERIOD)
        self._timer.timeout.connect(self._look)
        session.run_opened.connect(self._open)
        session.run_news.connect(self._take)
        self._open(session.run)

    def _build(self) -> None:
        self.figure, self.table, self.signal, self.axis, self.rows = (QComboBox() for _ in range(5))
        for box, name in (
            (self.figure, "figure"), (self.table, "table"), (self.signal, "signal"), (self.axis, "axis"),
            (self.rows, "rows"),
        ):  # fmt: skip
            box.setAccessibleName(name)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        for count in WINDOWS:
            self.rows.addItem(f"newest {count:,} rows".replace(",", " "), count)
        self.rows.setCurrentIndex(1)
        self.log_x, self.log_y = QCheckBox("log x"), QCheckBox("log y")
        self.cursors = QCheckBox("cursors")
        self.plot, self.figure_plot, self.images = SignalsPlot(), FigurePlot(), FigureImages()
        self.shown = QStackedWidget()
        for view in (self.plot, self.figure_plot, self.images):
            self.shown.addWidget(view)
        self.readout = QLabel()
        self.readout.setTextFormat(Qt.TextFormat.PlainText)
        self.overlays = Overlays(self._session)

        self.figure.currentIndexChanged.connect(self._choose_figure)
        self.table.currentTextChanged.connect(self._offer_columns)
        self.signal.currentTextChanged.connect(self._offer_axes)
        self.axis.currentIndexChanged.connect(self._want_others)
        self.rows.currentIndexChanged.connect(self._want_others)
        for check in (self.log_x, self.log_y):
            check.toggled.connect(lambda: self.plot.set_log(self.log_x.isChecked(), self.log_y.isChecked()))
        self.log_y.clicked.connect(lambda: self._scales.update({self._scale_of(): self.log_y.isChecked()}))
        self.cursors.toggled.connect(self.plot.show_cursors)
        self.plot.read.connect(self.readout.setText)
        self.overlays.changed.connect(self._show)

        top = QHBoxLayout()
        self._free = (QLabel("Table"), self.table, QLabel("show"), self.signal, QLabel("over"), self.axis)
        for widget in (QLabel("Figure"), self.figure, *self._free, self.rows):
            top.addWidget(widget)
        top.addStretch(1)
        for check in (self.log_x, self.log_y, self.cursors):
            top.addWidget(check)
        middle = QSplitter(Qt.Orientation.Horizontal)
        middle.addWidget(self.shown)
        middle.addWidget(self.overlays)
        middle.setSizes([800, 200])
        middle.setStretchFactor(0, 1)
        middle.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(middle, 1)
        layout.addWidget(self.readout)

    def close_down(self) -> None:
        """End the work in another thread."""
        self.overlays.close_down()

    # --- the run that is shown ---

    def _open(self, run: RunFile | None) -> None:
        before = self.table.currentText()
        with QSignalBlocker(self.table):
            self.table.clear()
            if run is not None:
                self.table.addItems(list(run.tables))
                first = before if before in run.tables else run.default
                self.table.setCurrentText(first if first in run.tables else next(iter(run.tables), ""))
        self._offer_figures(run)
        self._allow_columns()
        self._offer_columns()

    def _offer_figures(self, run: RunFile | None) -> None:
        """Offer the figures of a run; the first that it declares is shown, else the user's own choice."""
        before = self.figure.currentData()
        self._figures, first = {}, ""
        if run is not None:
            try:
                self._figures = {figure.name: figure for figure in figures_of(run)}
                first = run.figures[0].name if run.figures else ""
            except RunFileError as error:
                self._session.tell("ERROR", str(error))
        with QSignalBlocker(self.figure):
            self.figure.clear()
            for name, figure in self._figures.items():
                self.figure.addItem(figure.heading, name)
            self.figure.addItem(FREE, "")
            wanted = before if before in self._figures and first else first
            self.figure.setCurrentIndex(self.figure.findData(wanted))

    def _choose_figure(self) -> None:
        """Show a figure, or let the user choose columns."""
        self._allow_columns()
        self._want_others()

    def _allow_columns(self) -> None:
        free = not self.figure.currentData()
        for widget in (*self._free, self.log_x, self.log_y, self.cursors):
            widget.setVisible(free)
        self.readout.setVisible(free)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Show what has come while the panel was hidden."""
        super().showEvent(event)
        self._look()

    def _take(self, news: News) -> None:
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def _look(self) -> None:
        """Draw anew if rows have come."""
        run, wanted = self._session.run, self._wanted()
        if run is None or wanted is None:
            return
        try:
            grown = _size(run, wanted) != self._size
        except RunFileError as error:
            self._session.tell("ERROR", str(error))
            return
        if grown:
            self._show()

    # --- what is wanted of it ---

    def _offer_columns(self) -> None:
        run, table = self._session.run, self.table.currentText()
        self._offer = None
        if run is not None and table:
            try:
                self._offer = read_offer(run, table)
            except RunFileError as error:
                self._session.tell("ERROR", str(error))
        before = self.signal.currentText()
        with QSignalBlocker(self.signal):
            self.signal.clear()
            if self._offer is not None:
                self.signal.addItems(list(self._offer.columns))
                self.signal.setCurrentText(before if before in self._offer.columns else self._offer.signal)
        self._offer_axes()

    def _offer_axes(self) -> None:
        offer, before = self._offer, self.axis.currentData()
        with QSignalBlocker(self.axis):
            self.axis.clear()
            if offer is not None:
                axes = offer.axes_for(self.signal.currentText())
                for name in axes:
                    shape = offer.columns.get(self.signal.currentText(), ())
                    self.axis.addItem(name or ("sample" if shape else "row"), name)
                wanted = before if before and before in axes else offer.axis
                self.axis.setCurrentIndex(max(0, self.axis.findData(wanted)))
        self._want_others()

    def _wanted(self) -> Wanted | Figure | None:
        figure = self._figures.get(self.figure.currentData() or "")
        if figure is not None:
            return figure
        table, signal = self.table.currentText(), self.signal.currentText()
        if not table or not signal:
            return None
        return Wanted(table, signal, self.axis.currentData() or ROW, self.rows.currentData())

    def _scale_of(self) -> tuple[str, str]:
        return self.table.currentText(), self.signal.currentText()

    def _want_others(self) -> None:
        """Read what is wanted now, also of the runs laid over it."""
        wanted, rows = self._wanted(), self.rows.currentData()
        self.overlays.want(None if wanted is None else lambda run: _read(run, wanted, rows))
        self._show()
        self.plot.enableAutoRange()
        self.figure_plot.enableAutoRange()
        self.plot.place_cursors()

    def _show(self) -> None:
        run, wanted = self._session.run, self._wanted()
        self._size = None
        own: Contents | None = None
        if run is not None and wanted is not None:
            try:
                self._size = _size(run, wanted)
                own = _read(run, wanted, self.rows.currentData())
            except RunFileError as error:
                self._session.tell("ERROR", str(error))
        if isinstance(wanted, Figure):
            self._show_figure(wanted, own)
        else:
            self._show_columns(wanted, own)

    def _show_figure(self, figure: Figure, own: Contents | None) -> None:
        found = [own] if isinstance(own, FigureData) else []
        for name, colour, contents in self.overlays.checked():
            if isinstance(contents, FigureData):
                found.append(replace(contents, run=name, colour=colour))
        drawing = compose(figure, found or [UNREAD])
        view = self.images if figure.is_image else self.figure_plot
        view.show_drawing(drawing)
        self.shown.setCurrentWidget(view)

    def _show_columns(self, wanted: Wanted | None, own: Contents | None) -> None:
        shown: list[Shown] = []
        run = self._session.run
        if run is not None and isinstance(own, Curves):
            shown.append(Shown(run.path.stem, palette.SERIES[0], own))
            self.log_y.setChecked(self._scales.get(self._scale_of(), own.wants_log))
        for name, colour, contents in self.overlays.checked():
            if isinstance(contents, Curves):
                shown.append(Shown(name, colour, contents))
        self.shown.setCurrentWidget(self.plot)
        self.plot.show_curves(shown)
        empty = "no run is shown" if run is None else "this run has no table of numbers"
        nothing = "no rows yet" if not self._size else ""
        self.plot.say(nothing if wanted is not None else empty)


def _read(run: RunFile, wanted: Wanted | Figure, rows: int) -> Contents:
    return gather(run, wanted, rows) if isinstance(wanted, Figure) else read_curves(run, wanted)


def _size(run: RunFile, wanted: Wanted | Figure) -> object:
    """Return what changes when there is more to show."""
    if isinstance(wanted, Wanted):
        return run.length(wanted.table)
    if wanted.table:
        return run.length(wanted.table), run.status
    return tuple(len(run.map_times(name)) for name in (*wanted.maps, *wanted.subtrahends)), run.status
