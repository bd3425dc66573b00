"""The panel of signals: the figures of the run that is shown, or any table of it, over those of earlier runs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from html import escape  # pyqtgraph takes names for HTML
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QStackedWidget,
    QWidget,
)

from mho.analysis import palette
from mho.analysis.figures import Drawing, FigureData, MapImage, compose, figures_of, gather, plot
from mho.analysis.reports import handy_unit, with_unit
from mho.errors import InputError
from mho.gui import widgets
from mho.gui.pictures import RunPicture, limits_of, to_bytes
from mho.gui.plots import colours_of, lookup_table, map_plot, number_lines
from mho.gui.session.file_follower import News
from mho.gui.session.session import Session
from mho.gui.session.task_thread import TaskThread
from mho.gui.signals.figure_plot import FigurePlot, PlottedRun, SignalsPlot
from mho.gui.signals.reading import ROW, CurveChoice, Curves, TableOffer, read_curves, read_offer
from mho.gui.widgets import swatch
from mho.runs import Figure, RunFile
from mho.runs.paths import SUFFIX
from mho.whole_files import whole_file

Contents = Curves | FigureData
"""Data of a run: curves that the user chose, or a figure's data."""

MOST_OVERLAID = 8
PATH, COLOUR = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1


class Overlays(QWidget):
    """Lists the runs that are laid over another; `changed` says that others are to be shown."""

    changed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._task_thread = TaskThread("signals", self)
        self._read: Callable[[RunFile], Contents] | None = None
        self._contents: dict[Path, Contents] = {}
        self.list = QListWidget()
        self.list.setAccessibleName("runs laid over this one")
        tip = f"Show the same of an earlier run, of up to {MOST_OVERLAID}"
        self.add, self.remove = (
            widgets.button("Lay over…", self._choose, tip),
            widgets.button("Remove", self._remove),
        )
        self.list.itemChanged.connect(lambda _: self.changed.emit())
        self.list.itemSelectionChanged.connect(self._allow)
        column = widgets.column(self, QLabel("Earlier runs"), (self.list, 1), margins=0)
        buttons = widgets.row(None, self.add, self.remove)
        column.addLayout(buttons)
        self._allow()

    def close_down(self) -> None:
        """End the work in another thread."""
        self._task_thread.close()

    def want(self, read: Callable[[RunFile], Contents] | None) -> None:
        """Read something else of each run from now on; None for nothing."""
        self._read = read
        self._contents.clear()
        for path in self.paths():
            self._look_into(path)

    def checked(self) -> Iterator[tuple[str, str, Contents]]:
        """Yield name, colour and contents of the runs that are to be seen and have been read."""
        for row in range(self.list.count()):
            item = self.list.item(row)
            contents = self._contents.get(item.data(PATH))
            if contents is not None and item.checkState() is Qt.CheckState.Checked:
                yield item.text(), item.data(COLOUR), contents

    def seen(self) -> list[Path]:
        """Return the run files that are to be seen."""
        items = (self.list.item(row) for row in range(self.list.count()))
        return [item.data(PATH) for item in items if item.checkState() is Qt.CheckState.Checked]

    def lay_over(self, path: Path) -> None:
        """Show the run file at `path` too."""
        if path in self.paths():
            return
        if self.list.count() >= MOST_OVERLAID:
            self._session.tell("WARNING", f"{MOST_OVERLAID} runs are laid over this one; remove one first")
            return
        used = [self.list.item(row).data(COLOUR) for row in range(self.list.count())]
        item = QListWidgetItem(path.stem)
        item.setData(PATH, path)
        item.setToolTip(str(path))
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        colour = next(one for one in palette.SERIES[1:] if one not in used)
        item.setData(COLOUR, colour)
        item.setIcon(swatch(colour))
        item.setCheckState(Qt.CheckState.Checked)
        with QSignalBlocker(self.list):
            self.list.addItem(item)
        self._look_into(path)
        self._allow()

    def paths(self) -> list[Path]:
        """Return the run files."""
        return [self.list.item(row).data(PATH) for row in range(self.list.count())]

    def _look_into(self, path: Path) -> None:
        read = self._read
        if read is None:
            return

        def look() -> Contents:
            with RunFile(path) as run:
                return read(run)

        def keep(contents: Contents) -> None:
            if read is self._read and path in self.paths():
                self._contents[path] = contents
                self.changed.emit()

        self._task_thread.ask(look, keep, lambda text: self._session.tell("ERROR", text))

    def _choose(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self, "Lay earlier runs over this one", str(self._session.folder), f"run files (*{SUFFIX})"
        )
        for name in names:
            self.lay_over(Path(name))

    def _remove(self) -> None:
        for item in self.list.selectedItems():
            self._contents.pop(item.data(PATH), None)
            self.list.takeItem(self.list.row(item))
        self._allow()
        self.changed.emit()

    def _allow(self) -> None:
        self.add.setEnabled(self.list.count() < MOST_OVERLAID)
        self.remove.setEnabled(bool(self.list.selectedItems()))


SIDE_BY_SIDE = 2
MOST_WRITTEN = 16
"""Lines and columns up to which counts are written into an image."""


class FigureImages(pg.GraphicsLayoutWidget):  # type: ignore[misc]
    """Shows a `Drawing` of images; what it shows of each is a `RunPicture` among `pictures`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setBackground("w")  # as all maps: their colours are made for it
        self.pictures: list[RunPicture] = []

    def show_drawing(self, drawing: Drawing) -> None:
        """Show the images anew."""
        self.clear()
        factor, unit = handy_unit(drawing.y.unit)
        self.pictures = [
            RunPicture(image.name, factor * image.values, unit, image.rows, image.columns, drawing.signed)
            for image in drawing.images
        ]
        title = f"{drawing.title}, {drawing.nothing}" if drawing.nothing else drawing.title
        self.addLabel(escape(title), row=0, col=0, colspan=SIDE_BY_SIDE + 1, color=palette.FAINT, size="10pt")
        if not self.pictures:
            return
        every = np.concatenate([one.values.ravel() for one in self.pictures])
        limits = drawing.limits or limits_of(every, drawing.signed)
        for number, picture in enumerate(self.pictures):
            plot = self._draw(picture, limits, drawing, *divmod(number, SIDE_BY_SIDE))
            _write_counts(plot, drawing.images[number])
        bar = pg.ColorBarItem(
            values=limits, width=14, interactive=False, colorMap=colours_of(drawing.signed, drawing.grey),
            label=escape(with_unit(drawing.y.name, unit)),
        )  # fmt: skip
        bar.axis.setWidth()  # as its numbers need: one that is wider than pyqtgraph's 45 pixels is left out
        bar.axis.setPen(palette.FAINT)
        bar.axis.setTextPen(palette.INK)
        self.addItem(bar, row=1, col=SIDE_BY_SIDE, rowspan=-(-len(self.pictures) // SIDE_BY_SIDE))

    def _draw(
        self, picture: RunPicture, limits: tuple[float, float], drawing: Drawing, row: int, column: int
    ) -> pg.PlotItem:
        plot, image = map_plot(self, drawing.lines, row=1 + row, col=column)
        number_lines(plot, picture.rows, picture.columns)
        plot.setTitle(escape(picture.name), color=palette.INK, size="10pt")
        colours = lookup_table(colours_of(picture.signed, drawing.grey))
        image.setImage(to_bytes(picture.values, limits), levels=(0, 255), lut=colours)
        height, width = picture.values.shape
        frame = QRectF(-0.5, -0.5, width, height)
        image.setRect(frame)
        plot.setRange(frame, padding=0.02)
        return plot


def _write_counts(plot: pg.PlotItem, image: MapImage) -> None:
    """Write the counts of an image into it, light on dark colours and dark on light ones."""
    if image.counts is None or max(image.counts.shape) > MOST_WRITTEN:
        return
    for (row, column), count in np.ndenumerate(image.counts):
        if count:
            light = image.values[row, column] > 0.6
            text = pg.TextItem(str(count), color=palette.INK if light else "w", anchor=(0.5, 0.5))
            text.setPos(column, row)
            plot.addItem(text, ignoreBounds=True)


WIDTHS = (("for the screen", None), ("column, 85 mm", "column"), ("page, 178 mm", "full"))
"""Widths of saved pictures, as `mho.analysis.plot` takes them."""

LOOK_PERIOD = 150
"""Least interval between redraws of the curves, ms."""

FREE = "columns of a table"
"""Entry in the list of figures for the user's own choice."""

WINDOWS = (1_000, 10_000, 100_000)
"""Rows that the user may have shown, the newest."""


UNREAD = FigureData("", nothing="cannot be read")


class SignalsPanel(QWidget):
    """Shows figures and tables of the session's run, growing with it."""

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
        self.figure, self.table, self.signal, self.axis, self.rows = map(
            widgets.ChoiceBox, ("figure", "table", "signal", "axis", "rows")
        )
        windows = [(f"newest {count:,} rows".replace(",", " "), count) for count in WINDOWS]
        self.rows.offer(windows, WINDOWS[1])
        self.log_x, self.log_y = QCheckBox("log x"), QCheckBox("log y")
        self.cursors = QCheckBox("cursors")
        self.plot, self.figure_plot, self.images = SignalsPlot(), FigurePlot(), FigureImages()
        self.shown = QStackedWidget()
        for view in (self.plot, self.figure_plot, self.images):
            self.shown.addWidget(view)
        self.readout = QLabel(textFormat=Qt.TextFormat.PlainText)
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
        self.picture_width = widgets.ChoiceBox("width", WIDTHS, "of a picture that is saved")
        self.save = widgets.button("Save…", self._choose_file, "as PDF, SVG or PNG, or its numbers as CSV")
        self.copy = widgets.button("Copy", self._copy, "the picture as it is seen")
        for check in (self.log_x, self.log_y, self.cursors):
            top.addWidget(check)
        below = widgets.row(None, (self.readout, 1), self.picture_width, self.save, self.copy)
        middle = widgets.splitter(Qt.Orientation.Horizontal, (self.shown, 800), (self.overlays, 200))
        middle.setStretchFactor(0, 1)
        widgets.column(self, top, (middle, 1), below, margins=6)

    def close_down(self) -> None:
        """End the work in another thread."""
        self.overlays.close_down()

    # --- what is kept of it ---

    def _choose_file(self) -> None:
        choice, run = self._choice(), self._session.run
        if run is None or choice is None:
            self._session.tell("INFO", "there is nothing to save: no run is shown")
            return
        name = choice.name if isinstance(choice, Figure) else choice.signal
        kinds = ";;".join(f"{kind} (*.{kind.lower()})" for kind in ("PDF", "SVG", "PNG", "CSV"))
        suggested = str(run.path.with_name(f"{run.path.stem}-{name}.pdf"))
        path, _ = QFileDialog.getSaveFileName(self, "Save the figure", suggested, kinds)
        if path:
            self.save_as(Path(path))

    def save_as(self, path: Path) -> None:
        """Save what is shown, of all runs that are seen: as a picture by its suffix, or its numbers as ``.csv``."""
        choice, run, width = self._choice(), self._session.run, self.picture_width.currentData()
        if run is None or choice is None:
            return
        paths = [run.path, *self.overlays.seen()]

        def saved() -> Path:
            if path.suffix == ".csv":
                return write_numbers(paths, choice, self.rows_wanted, path)
            if isinstance(choice, Figure):
                return plot(paths, path, choice.name, width=width)
            figure = next((one.name for one in self._figures.values() if one.table == choice.table), "")
            if not figure or not choice.axis:
                raise InputError(
                    f"table {choice.table} has no declared figure over a column; save its numbers as .csv, or use Copy"
                )
            return plot(paths, path, figure, x=choice.axis, y=choice.signal, width=width)

        self._session.ask(saved, lambda made: self._session.tell("INFO", f"saved as {made}"))

    @property
    def rows_wanted(self) -> int:
        """How many of the newest rows are shown."""
        return int(self.rows.currentData())

    def _copy(self) -> None:
        QGuiApplication.clipboard().setPixmap(self.shown.grab())
        self._session.tell("INFO", "the picture is in the clipboard")

    # --- the run that is shown ---

    def _open(self, run: RunFile | None) -> None:
        before = self.table.currentText()
        self.table.offer(*(((),) if run is None else (run.tables, before, run.default)))
        self._offer_figures(run)
        self._allow_columns()
        self._offer_columns()

    def _offer_figures(self, run: RunFile | None) -> None:
        """Offer the figures of a run; the first that it declares is shown, else the user's own choice."""
        before = self.figure.currentData()
        self._figures, first = {}, ""
        if run is not None:
            with self._session.reporting_damage():
                self._figures = {figure.name: figure for figure in figures_of(run)}
                first = run.figures[0].name if run.figures else ""
        headings = [(figure.heading, name) for name, figure in self._figures.items()]
        self.figure.offer([*headings, (FREE, "")], before if before in self._figures and first else first)

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
        run, choice = self._session.run, self._choice()
        if run is None or choice is None:
            return
        with self._session.reporting_damage():
            if _size(run, choice) != self._size:
                self._show()

    # --- what is wanted of it ---

    def _offer_columns(self) -> None:
        run, table = self._session.run, self.table.currentText()
        self._offer = None
        if run is not None and table:
            with self._session.reporting_damage():
                self._offer = read_offer(run, table)
        known = () if self._offer is None else self._offer.columns
        self.signal.offer(known, self.signal.currentText(), getattr(self._offer, "signal", ""))
        self._offer_axes()

    def _offer_axes(self) -> None:
        offer, signal, before = self._offer, self.signal.currentText(), self.axis.currentData()
        if offer is None:
            self.axis.offer(())
        else:
            number = "sample" if offer.columns.get(signal) else "row"
            axes = [(name or number, name) for name in offer.axes_for(signal)]
            self.axis.offer(axes, before or offer.axis, offer.axis)
        self._want_others()

    def _choice(self) -> CurveChoice | Figure | None:
        figure = self._figures.get(self.figure.currentData() or "")
        if figure is not None:
            return figure
        table, signal = self.table.currentText(), self.signal.currentText()
        if not table or not signal:
            return None
        return CurveChoice(table, signal, self.axis.currentData() or ROW, self.rows.currentData())

    def _scale_of(self) -> tuple[str, str]:
        return self.table.currentText(), self.signal.currentText()

    def _want_others(self) -> None:
        """Read what is wanted now, also of the runs laid over it."""
        choice, rows = self._choice(), self.rows.currentData()
        self.overlays.want(None if choice is None else lambda run: _read(run, choice, rows))
        self._show()
        self.plot.enableAutoRange()
        self.figure_plot.enableAutoRange()
        self.plot.place_cursors()

    def _show(self) -> None:
        run, choice = self._session.run, self._choice()
        self._size = None
        own: Contents | None = None
        if run is not None and choice is not None:
            with self._session.reporting_damage():
                self._size = _size(run, choice)
                own = _read(run, choice, self.rows.currentData())
        if isinstance(choice, Figure):
            self._show_figure(choice, own)
        else:
            self._show_columns(choice, own)

    def _show_figure(self, figure: Figure, own: Contents | None) -> None:
        data = [own] if isinstance(own, FigureData) else []
        for name, colour, contents in self.overlays.checked():
            if isinstance(contents, FigureData):
                data.append(replace(contents, run=name, colour=colour))
        drawing = compose(figure, data or [UNREAD])
        view = self.images if figure.is_image else self.figure_plot
        view.show_drawing(drawing)
        self.shown.setCurrentWidget(view)

    def _show_columns(self, choice: CurveChoice | None, own: Contents | None) -> None:
        shown: list[PlottedRun] = []
        run = self._session.run
        if run is not None and isinstance(own, Curves):
            shown.append(PlottedRun(run.path.stem, palette.SERIES[0], own))
            self.log_y.setChecked(self._scales.get(self._scale_of(), own.wants_log))
        for name, colour, contents in self.overlays.checked():
            if isinstance(contents, Curves):
                shown.append(PlottedRun(name, colour, contents))
        self.shown.setCurrentWidget(self.plot)
        self.plot.show_curves(shown)
        empty = "no run is shown" if run is None else "this run has no table of numbers"
        nothing = "no rows yet" if not self._size else ""
        self.plot.say(nothing if choice is not None else empty)


def write_numbers(paths: Sequence[Path], choice: CurveChoice | Figure, rows: int, path: Path) -> Path:
    """Write what is drawn of some runs as CSV, in the units of their files: a row a point, with its run and curve."""
    lines: list[Sequence[Any]] = [("run", "curve", "x", "y", "low", "high")]
    for one in paths:
        with RunFile(one) as run:
            contents = _read(run, choice, rows)
        if isinstance(contents, Curves):
            named = contents.names or [""] * len(contents.curves)
            for name, (x, y) in zip(named, contents.curves, strict=True):
                lines += [
                    (one.stem, name, *point, "", "") for point in zip(x.tolist(), y.tolist(), strict=True)
                ]
            continue
        assert isinstance(choice, Figure)
        for mark in compose(choice, [contents]).marks:
            ends = [[""] * len(mark.x) if end is None else end.tolist() for end in (mark.low, mark.high)]
            y = mark.y.tolist() + [""] * (len(mark.x) - len(mark.y))  # bars have an edge more
            points = zip(mark.x.tolist(), y, *ends, strict=False)
            lines += [(one.stem, mark.label, *point) for point in points]
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    with whole_file(path) as draft:
        draft.write_text(text.getvalue(), encoding="utf-8", newline="")
    return path


def _read(run: RunFile, choice: CurveChoice | Figure, rows: int) -> Contents:
    return gather(run, choice, rows) if isinstance(choice, Figure) else read_curves(run, choice)


def _size(run: RunFile, choice: CurveChoice | Figure) -> object:
    """Return what changes when there is more to show."""
    if isinstance(choice, CurveChoice):
        return run.length(choice.table)
    if choice.table:
        return run.length(choice.table), run.status
    return tuple(len(run.map_times(name)) for name in (*choice.maps, *choice.subtrahends)), run.status
