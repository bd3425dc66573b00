"""The panel of signals: the figures of the run that is shown, or any plot of its tables, over those of other runs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from io import StringIO
from pathlib import Path
from time import monotonic
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import QCheckBox, QFileDialog, QInputDialog, QLabel, QMenu, QStackedWidget, QWidget

from mho.analysis import palette
from mho.analysis.figures import WIDTHS, Drawing, plot_drawing
from mho.errors import InputError
from mho.gui import widgets
from mho.gui.session.file_follower import News
from mho.gui.session.session import Session
from mho.gui.session.task_thread import TaskThread
from mho.gui.signals.figure_plot import FigureImages, FigurePlot
from mho.gui.signals.overlays import Overlays, list_runs
from mho.gui.signals.own_plot import Plot, PlotData, compose_plot, plot_from_text
from mho.gui.signals.plot_fields import PlotFields
from mho.gui.signals.reading import RunOffer, RunReader, read_other
from mho.gui.widgets import colours
from mho.runs import RunFile, Status
from mho.runs.index import RunIndex, read_card
from mho.whole_files import whole_file

PICTURE_WIDTHS = (
    ("for the screen", None), (f"column, {WIDTHS['column']:g} mm", "column"), (f"page, {WIDTHS['full']:g} mm", "full"),
)  # fmt: skip
"""Widths of saved pictures, as `mho.analysis.plot` takes them."""

LOOK_PERIOD = 150
"""Least interval between two looks at what has come, ms."""

PAUSE = 4.0
"""Pause before the next look, in times of how long the last one took: long tables do not keep the machine busy."""

OWN = "own plot"
"""Entry in the list of figures for the user's own choice."""

KEPT = "kept:"
"""What the data of kept plots in the list of figures begin with."""

WINDOWS = (1_000, 10_000, 100_000)
"""Rows that the user may have shown, the newest."""

ALL_ROWS = 1 << 20
"""From so many on, a curve over all rows of a table is thinned to the lowest and highest of every few."""


class SignalsPanel(QWidget):
    """Shows figures and plots of the session's run, growing with it.

    Files are read, and drawings composed, in a thread; the index has another.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._thread = TaskThread("signals", self)
        self._index_thread = TaskThread("index of signals", self)
        self._reader = RunReader(self._thread.opened)
        self._index = _FolderIndex(session.folder, self._index_thread.opened)
        self._offer: RunOffer | None = None
        self._kept: dict[str, Plot] = {}
        self._wish = ""  # the kept plot that the user has chosen, which another run is to show too
        self._own: Plot | None = None  # the user's plot, as far as it could be read from the fields
        self._last: dict[tuple[str, str], Plot] = {}  # and those of before, by procedure and table
        self._data: list[tuple[Path, PlotData]] = []  # what is drawn
        self.drawing: Drawing | None = None
        self._pending = 0
        self._stale = False
        self._mistaken = False
        self._fit_view = True
        self._status: Status | None = None
        self._build()
        self._connect()
        self._timer = QTimer(self, singleShot=True, interval=LOOK_PERIOD)
        self._timer.timeout.connect(self._look)
        self._open(session.run)

    def _build(self) -> None:
        self.figure, self.rows = map(widgets.ChoiceBox, ("figure", "rows"))
        windows = [(f"newest {count:,} rows".replace(",", " "), count) for count in WINDOWS]
        self.rows.offer([*windows, ("all rows", ALL_ROWS)], WINDOWS[1])
        self.change = widgets.button(
            "Change…", self._change, "Make a plot of your own that begins as this figure"
        )
        self.fields = PlotFields()
        self.cursors = QCheckBox("cursors")
        self.cursors.setToolTip("Two cursors that read a curve; click another curve to read that")
        self.figure_plot = FigurePlot(heading=False)  # it is in the list of figures
        self._images: FigureImages | None = None
        self.shown = QStackedWidget()
        self.shown.addWidget(self.figure_plot)
        self.readout = widgets.ElidedLabel()
        self.overlays = Overlays(self._session, self._thread)
        self.keep = widgets.button(
            "Keep", lambda: None, "Keep this plot, by a name, for all runs of the procedure"
        )
        menu = QMenu(self.keep)
        self.keep_action = menu.addAction("Keep as…", self._ask_name)
        self.rename_action = menu.addAction("Rename…", self._ask_new_name)
        self.remove_action = menu.addAction("Remove", self.remove_kept)
        self.keep.setMenu(menu)
        self.picture_width = widgets.ChoiceBox("width", PICTURE_WIDTHS, "of a picture that is saved")
        self.save = widgets.button("Save…", self._choose_file, "as PDF, SVG or PNG, or its numbers as CSV")
        self.copy = widgets.button("Copy", self._copy, "the picture as it is seen")
        self.figure.setSizeAdjustPolicy(
            widgets.ChoiceBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.figure.setMinimumContentsLength(16)
        top = widgets.row(
            None, QLabel("Figure"), (self.figure, 1), self.change, self.rows, self.cursors, self.keep,
            self.picture_width, self.save, self.copy,
        )  # fmt: skip
        middle = widgets.splitter(Qt.Orientation.Horizontal, (self.shown, 800), (self.overlays, 220))
        middle.setStretchFactor(0, 1)
        widgets.column(self, top, self.fields, (middle, 1), self.readout, margins=6, spacing=4)

    def _connect(self) -> None:
        self.figure.currentIndexChanged.connect(self._choose_figure)
        self.rows.currentIndexChanged.connect(self._want)
        self.fields.changed.connect(self._take_fields)
        self.fields.table_chosen.connect(self._begin_table)
        self.cursors.toggled.connect(self.figure_plot.cursors.show)
        self.figure_plot.cursors.read.connect(self._say_cursors)
        self.overlays.changed.connect(lambda: self._show(anew=True))
        self._session.run_opened.connect(self._open)
        self._session.run_news.connect(self._take)

    def close_down(self) -> None:
        """End the work in other threads."""
        self._thread.close()
        self._index_thread.close()

    @property
    def images(self) -> FigureImages:
        """The view of figures that are images, made when there is one."""
        if self._images is None:
            self._images = FigureImages()
            self.shown.addWidget(self._images)
        return self._images

    @property
    def settled(self) -> bool:
        """Whether nothing is being read."""
        return not (self._pending or self._stale or self.overlays.waiting)

    # --- the run that is shown ---

    def _open(self, run: RunFile | None) -> None:
        self._offer, self._own, self._kept, self.drawing = None, None, {}, None
        self._status = None
        if run is None:
            self._take_offer(None)
            return
        path = run.path
        self._ask(lambda: self._reader.offer(path), self._take_offer, path)

    def _take_offer(self, offer: RunOffer | None) -> None:
        """Offer what a run has; the first figure that it declares is shown, else the table that it shows first."""
        self._offer = offer
        table = self.fields.table.currentText()
        self.fields.offer_tables(
            [] if offer is None else [*offer.tables], table, offer.default if offer else ""
        )
        self._offer_figures()
        self._list_runs()
        self._choose_figure()

    def _offer_figures(self, chosen: str | None = None) -> None:
        """Offer figures and kept plots of a run, and show the `chosen` one; None for the one that it begins with."""
        offer, before = self._offer, self._wish or self.figure.currentData()
        figures = {} if offer is None else offer.figures
        kept = [(f"{name} (kept)", KEPT + name) for name in self._kept]
        entries = [*((figure.heading, name) for name, figure in figures.items()), *kept, (OWN, "")]
        first = next(iter(figures)) if offer is not None and offer.declares else ""
        same = before if before and (first or before.startswith(KEPT)) else first
        self.figure.offer(entries, same if chosen is None else chosen, first)

    def _list_runs(self) -> None:
        """Look in the index for other runs and kept plots of the procedure."""
        offer = self._offer
        if offer is None:
            self.overlays.offer((), None)
            return
        self.overlays.offer((), offer.path)

        def work() -> Any:
            index = self._index.open()
            index.update()
            plots = index.annotations.plots(offer.procedure)
            return list_runs(index, offer.procedure), plots

        def then(result: Any) -> None:
            if offer is self._offer:
                runs, plots = result
                self.overlays.offer(runs, offer.path)
                before = self.figure.currentData()
                self._take_kept(plots)
                if self.figure.currentData() != before:
                    self._choose_figure()
                elif len(self._data) > 1:  # what differs between them is known now
                    self._show(anew=True)

        self._ask_index(work, then)

    def _take_kept(self, plots: dict[str, str]) -> None:
        self._kept = {}
        for name, text in plots.items():
            try:
                self._kept[name] = plot_from_text(text)
            except InputError as error:
                self._session.tell("WARNING", f"plot {name}: {error}")
        wished = self._wish if self._wish.removeprefix(KEPT) in self._kept else ""
        self._offer_figures(wished or self.figure.currentData())
        self._allow()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Show what has come while the panel was hidden."""
        super().showEvent(event)
        self._look()

    def _take(self, news: News) -> None:
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()
        if news is not None and news.status is not self._status:
            if self._status is not None:
                self._list_runs()  # a run has ended
            self._status = news.status

    def _look(self) -> None:
        """Draw anew if rows have come."""
        self._show()

    # --- what is wanted of it ---

    def plot(self) -> Plot | None:
        """Return the plot that is chosen; None for none."""
        chosen = self.figure.currentData()
        if self._offer is None or chosen is None:
            return None
        if chosen.startswith(KEPT):
            return self._kept.get(chosen.removeprefix(KEPT))
        return Plot(self._offer.figures[chosen]) if chosen else self._own

    def _choose_figure(self) -> None:
        """Show a figure, or let the user choose columns."""
        chosen = self.figure.currentData() or ""
        if self._kept or not self._wish:
            self._wish = chosen if chosen.startswith(KEPT) else ""
        self._allow()
        if self.figure.currentData() == "" and self._own is None and self.fields.table.currentText():
            self._begin_table(self.fields.table.currentText())
            return
        self._want()

    def _allow(self) -> None:
        chosen = self.figure.currentData()
        self.fields.setVisible(chosen == "" and self._offer is not None and bool(self._offer.tables))
        plot = self.plot()
        self.change.setVisible(bool(chosen))
        self.change.setEnabled(plot is not None and bool(plot.figure.table) and _is_plain(plot))
        self.keep_action.setEnabled(plot is not None)
        for act in (self.rename_action, self.remove_action):
            act.setEnabled(bool(chosen) and chosen.startswith(KEPT))

    def _change(self) -> None:
        """Begin a plot of one's own as the figure that is shown."""
        plot, offer = self.plot(), self._offer
        if plot is None or offer is None:
            return
        self._own = plot
        self.fields.show_plot(plot, offer.tables.get(plot.figure.table, {}))
        self.figure.offer(
            [(self.figure.itemText(n), self.figure.itemData(n)) for n in range(self.figure.count())], ""
        )
        self._choose_figure()

    def _begin_table(self, table: str) -> None:
        """Show a table as the user had it last, else as its procedure declared it."""
        offer = self._offer
        if offer is None or not table:
            return

        def then(plot: Plot) -> None:
            if offer is self._offer:
                self._own = plot
                self.fields.show_plot(plot, offer.tables[table])
                self._allow()
                self._want()

        if (last := self._last.get((offer.procedure, table))) is not None:
            then(last)
        else:
            self._ask(lambda: self._reader.first(offer.path, table), then, offer.path)

    def _take_fields(self) -> None:
        """Take over the plot that is written in the fields, or say what is wrong with it."""
        try:
            self._own = self.fields.plot()
        except InputError as error:
            self._say(str(error), wrong=True)
            return
        if self._offer is not None:
            self._last[self._offer.procedure, self._own.figure.table] = self._own
        self._want()

    def _want(self) -> None:
        """Read what is wanted now, also of the runs laid over it."""
        plot, rows = self.plot(), self.rows_wanted
        self.overlays.want(None if plot is None else lambda path: read_other(path, plot, rows))
        self._fit_view = True
        self._say("")
        self._show(anew=True)

    @property
    def rows_wanted(self) -> int:
        """How many of the newest rows are shown."""
        return int(self.rows.currentData())

    def _show(self, *, anew: bool = False) -> None:
        """Draw what is wanted; unless `anew`, only where something has come."""
        plot, offer = self.plot(), self._offer
        if plot is None or offer is None:
            self._draw_nothing()
            return
        if self._pending:
            self._stale = self._stale or anew
            return
        rows, names = self.rows_wanted, self.overlays.names()
        others = [(path, colour, data) for path, colour, data in self.overlays.checked()]

        def work() -> tuple[float, tuple[Drawing, list[tuple[Path, PlotData]]] | None]:
            start = monotonic()
            own, new = self._reader.read(offer.path, plot, rows)
            shown = [(offer.path, palette.SERIES[0], own), *others]
            result = _composed(plot, shown, names) if new or anew else None
            return monotonic() - start, result

        self._ask(work, self._draw, offer.path)

    def _draw(self, result: tuple[float, tuple[Drawing, list[tuple[Path, PlotData]]] | None]) -> None:
        took, made = result
        self._timer.setInterval(max(LOOK_PERIOD, round(1000.0 * PAUSE * took)))
        if made is None:
            return
        self.drawing, self._data = made
        is_image = bool(self.drawing.images)
        view = self.images if is_image else self.figure_plot
        if self._fit_view and not is_image:
            self.figure_plot.enableAutoRange()
        view.show_drawing(self.drawing)
        self.shown.setCurrentWidget(view)
        self.cursors.setEnabled(not is_image)
        if self._fit_view and not is_image:
            self.figure_plot.cursors.place()
        self._fit_view = self._stale  # what is drawn next may have other axes

    def _draw_nothing(self) -> None:
        if self._pending:
            return
        self.drawing, self._data = None, []
        nothing = "no run is shown" if self._offer is None else "this run has no table of numbers"
        self.figure_plot.show_drawing(Drawing("", nothing=nothing))
        self.shown.setCurrentWidget(self.figure_plot)

    def _say(self, text: str, *, wrong: bool = False) -> None:
        """Say something in the line below, such as what is wrong with the fields."""
        self._mistaken = wrong
        self.readout.setStyleSheet(f"color: {colours().bad};" if wrong else "")
        self.readout.setText(text)

    def _say_cursors(self, text: str) -> None:
        """Say what the cursors read, unless something is wrong: that stays until it is put right."""
        if not self._mistaken:
            self._say(text)

    # --- work in threads ---

    def _ask(self, work: Callable[[], Any], then: Callable[[Any], None], path: Path) -> None:
        """Do work on the shown run; its result is dropped where another run is shown meanwhile."""
        self._pending += 1

        def done(result: Any) -> None:
            self._pending -= 1
            if self._is_shown(path):
                then(result)
            self._go_on()

        def refused(text: str) -> None:
            self._pending -= 1
            if self._is_shown(path):
                self._draw_refused(text)
            self._go_on()

        self._thread.ask(work, done, refused)

    def _draw_refused(self, text: str) -> None:
        """Say why there is nothing to draw: in the line below of a plot of one's own, else as a message."""
        if self.figure.currentData() == "":
            self._say(text, wrong=True)
        else:
            self._session.tell("ERROR", text)

    def _go_on(self) -> None:
        if self._stale and not self._pending:
            self._stale = False
            self._show(anew=True)

    def _is_shown(self, path: Path) -> bool:
        return self._session.run is not None and self._session.run.path == path

    def _ask_index(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        self._index_thread.ask(work, then, lambda text: self._session.tell("WARNING", text))

    # --- what is kept of it ---

    def _ask_name(self) -> None:
        plot = self.plot()
        if plot is not None:
            name, given = QInputDialog.getText(self, "Keep this plot", "Name", text=plot.figure.heading[:60])
            if given:
                self.keep_as(name)

    def keep_as(self, name: str) -> None:
        """Keep the plot that is shown, by a name, for all runs of the procedure."""
        plot, run = self.plot(), self._session.run
        if plot is None or run is None:
            return
        named = replace(plot, figure=replace(plot.figure, title=name.strip()[:200]))
        path = run.path

        def keep(index: RunIndex, procedure: str) -> None:
            index.annotations.keep_plot(procedure, name.strip(), named.text, read_card(path).facts.run_id)

        self._change_kept(keep, name.strip())

    def _ask_new_name(self) -> None:
        chosen = str(self.figure.currentData()).removeprefix(KEPT)
        name, given = QInputDialog.getText(self, f"Rename the plot {chosen}", "Name", text=chosen)
        if given:
            self.rename_kept(name)

    def rename_kept(self, name: str) -> None:
        """Give the kept plot that is shown another name."""
        chosen = str(self.figure.currentData()).removeprefix(KEPT)
        self._change_kept(
            lambda index, procedure: index.annotations.rename_plot(procedure, chosen, name.strip()),
            name.strip(),
        )

    def remove_kept(self) -> None:
        """Keep the plot that is shown no longer."""
        chosen = str(self.figure.currentData()).removeprefix(KEPT)
        self._change_kept(lambda index, procedure: index.annotations.remove_plot(procedure, chosen), "")

    def _change_kept(self, change: Callable[[RunIndex, str], None], then_chosen: str) -> None:
        offer = self._offer
        if offer is None:
            return

        def work() -> dict[str, str]:
            index = self._index.open()
            change(index, offer.procedure)
            return index.annotations.plots(offer.procedure)

        def then(plots: dict[str, str]) -> None:
            if offer is self._offer:
                self._take_kept(plots)
                place = self.figure.findData(KEPT + then_chosen)
                if then_chosen and place >= 0:
                    self.figure.setCurrentIndex(place)
                self._choose_figure()

        self._ask_index(work, then)

    def _choose_file(self) -> None:
        plot, run = self.plot(), self._session.run
        if run is None or plot is None or self.drawing is None:
            self._session.tell("INFO", "there is nothing to save: no run is shown")
            return
        name = plot.figure.name if self.figure.currentData() else "plot"
        kinds = ";;".join(f"{kind} (*.{kind.lower()})" for kind in ("PDF", "SVG", "PNG", "CSV"))
        suggested = str(run.path.with_name(f"{run.path.stem}-{name}.pdf"))
        path, _ = QFileDialog.getSaveFileName(self, "Save the figure", suggested, kinds)
        if path:
            self.save_as(Path(path))

    def save_as(self, path: Path) -> None:
        """Save what is shown, of all runs that are seen: as a picture by its suffix, or its numbers as ``.csv``."""
        plot, drawing, offer, data = self.plot(), self.drawing, self._offer, list(self._data)
        if plot is None or drawing is None or offer is None:
            return
        width = self.picture_width.currentData()
        title = offer.path.stem if len(data) == 1 else f"{len(data)} runs"
        view = None if drawing.images else self.figure_plot.view

        def saved() -> Path:
            if path.suffix.lower() == ".csv":
                return write_numbers(plot, data, path)
            return plot_drawing(drawing, path, title, width, view, simulated=offer.simulated)

        self._session.ask(saved, lambda made: self._session.tell("INFO", f"saved as {made}"))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setPixmap(self.shown.grab())
        self._session.tell("INFO", "the picture is in the clipboard")


class _FolderIndex:
    """The index of the runs in a folder, opened by the thread that closes `opened`."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self._folder, self._opened = folder, opened
        self._index: RunIndex | None = None

    def open(self) -> RunIndex:
        if self._index is None:
            self._index = self._opened.enter_context(RunIndex(self._folder))
        return self._index


def _is_plain(plot: Plot) -> bool:
    """Return whether the fields can hold a plot."""
    return plot.figure.drawn_kind not in ("share", "confusion", "correlation", "map")


def _composed(
    plot: Plot, runs: Sequence[tuple[Path, str, PlotData]], names: dict[Path, str]
) -> tuple[Drawing, list[tuple[Path, PlotData]]]:
    """Return the drawing of a plot of some runs, and what each of them has in it."""
    named = [
        replace(
            one,
            data=replace(one.data, run=names.get(path, path.stem), colour=colour if len(runs) > 1 else ""),
        )
        for path, colour, one in runs
    ]
    return compose_plot(plot, named), [(path, one) for path, _, one in runs]


def write_numbers(plot: Plot, runs: Sequence[tuple[Path, PlotData]], path: Path) -> Path:
    """Write what is drawn of some runs as CSV, in the units of their files: a row a point, with its run and curve."""
    lines: list[Sequence[Any]] = [("run", "curve", "x", "y", "low", "high")]
    for file, one in runs:
        for mark in compose_plot(plot, [one]).marks:
            ends = [[""] * len(mark.x) if end is None else end.tolist() for end in (mark.low, mark.high)]
            y = mark.y.tolist() + [""] * (len(mark.x) - len(mark.y))  # bars have an edge more
            points = zip(mark.x.tolist(), y, *ends, strict=False)
            lines += [(file.stem, mark.label, *point) for point in points]
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    with whole_file(path) as draft:
        draft.write_text(text.getvalue(), encoding="utf-8", newline="")
    return path
