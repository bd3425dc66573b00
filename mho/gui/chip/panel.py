"""The chip panel: arrays as maps that fill while cells are programmed, the history of a cell, the selection of cells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PySide6.QtCore import QEvent, QSignalBlocker, Qt, QTimer
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from mho.analysis.reports import read_chip
from mho.chip_maps.chip import ChipMap, parse_chip_map
from mho.chip_maps.defects import chip_with_defects
from mho.errors import RunFileError
from mho.gui.chip.canvas import BAD, SELECTED, ChipCanvas
from mho.gui.chip.cell_grid import CellGrid
from mho.gui.chip.cell_histogram import CellHistogram, wanted_values
from mho.gui.chip.cell_history import HistoryReader
from mho.gui.chip.cell_painter import CellPainter
from mho.gui.chip.cell_quantities import quantities
from mho.gui.chip.cell_updates import CellFeed, Changes
from mho.gui.chip.selection import Selection
from mho.gui.chip.selection_bar import SelectionBar
from mho.gui.chip.shown_chip import ShownChip
from mho.gui.chip.side_panel import CellSide
from mho.gui.session.file_follower import News
from mho.gui.session.session import Session
from mho.runs import GOING_ON, RunFile

FRAME = 30
"""Time between two looks for pulses while a run lasts, ms; `HIDDEN` behind another panel."""

HIDDEN = 300

POINT_AT_A_CELL = "point at a cell to read it"


class ChipPanel(QWidget):
    """Shows the chip of the session's run; without a run that of its bench, on which cells can be chosen."""

    title = "Chip"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown = ShownChip()
        self._feed: CellFeed | None = None
        self.painter: CellPainter | None = None
        self._build()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)
        session.run_opened.connect(self._open)
        session.run_news.connect(self._take_news)
        session.bench_changed.connect(lambda _: self._open(session.run))
        self._open(session.run)

    def _build(self) -> None:
        self.array, self.quantity = QComboBox(), QComboBox()
        self.array.setToolTip("which of the chip's arrays")
        self.quantity.setToolTip("what the colours show")
        self.array.currentTextChanged.connect(self._show_array)
        self.quantity.currentTextChanged.connect(self._show_quantity)
        for box in (self.array, self.quantity):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.whole, self.in_use = QPushButton("Whole array"), QPushButton("Cells in use")
        self.whole.clicked.connect(self._zoom_out)
        self.in_use.clicked.connect(self._zoom_to_used)
        self.move_view = QPushButton("Move view")
        self.move_view.setCheckable(True)
        self.move_view.setToolTip("let the left button move the view instead of selecting cells")
        self.readout = QLabel(POINT_AT_A_CELL)
        self.readout.setTextFormat(Qt.TextFormat.PlainText)
        self.readout.setWordWrap(True)
        # Of constant height, as the map would otherwise move under the mouse.
        self.readout.setFixedHeight(2 * self.readout.fontMetrics().lineSpacing())
        self.canvas = ChipCanvas()
        self.move_view.toggled.connect(lambda on: setattr(self.canvas.box, "moves", on))
        self.bar = SelectionBar()
        self.side = CellSide(self._draw_spread)
        self.history = self.side.history
        self.canvas.pointed.connect(lambda *_: self._read_out())
        self.canvas.picked.connect(self._look_into)
        self.canvas.dragged.connect(self.bar.drag)
        self.bar.changed.connect(self._mark)
        self.bar.chosen.connect(self._tell_selection)
        self.bar.refused.connect(lambda text: self._session.tell("ERROR", text))

        top = QHBoxLayout()
        for widget in (self.array, self.quantity, self.in_use, self.whole, self.move_view):
            top.addWidget(widget)
        top.addStretch(1)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.readout)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.bar)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(self.side)
        split.setSizes([640, 420])
        split.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addLayout(top)
        layout.addWidget(split, 1)

    # --- which chip ---

    def _open(self, run: RunFile | None) -> None:
        """Turn to another run, or to the bench's chip where there is none."""
        self._timer.stop()
        self._feed = self.painter = None
        self.side.show_all()
        if run is None:
            self._show_bench()
            return
        with self._said_if_damaged():
            chip = read_chip(run)
            self._feed = CellFeed(run, chip)
            self._show_chip(ShownChip.of_run(self._feed, chip))
        self._wake()

    def _show_bench(self) -> None:
        """Show the bench's chip as soon as its file is read, which a panel does not wait for."""
        bench = self._session.bench

        def read() -> ChipMap:
            from mho.instruments.bench_file import load_bench_file

            source = load_bench_file(bench)
            return chip_with_defects(parse_chip_map(source.chip_text), source.defects_text)

        def show(chip: ChipMap) -> None:
            if self._session.run is None and self._session.bench == bench:
                self._show_chip(ShownChip.of_bench(chip))

        self._show_chip(ShownChip())
        self._session.ask(read, show, lambda error: self.readout.setText(f"no chip to show: {error}"))

    def _show_chip(self, shown: ShownChip) -> None:
        self._shown = shown
        with QSignalBlocker(self.array), QSignalBlocker(self.quantity):
            self._refill(self.array, list(shown.grids), shown.first_array(self.array.currentText()))
            names = [one.name for one in quantities(shown.levels)]
            self._refill(self.quantity, names, self.quantity.currentText() or "conductance")
        self._show_array()

    @staticmethod
    def _refill(box: QComboBox, names: list[str], chosen: str) -> None:
        box.clear()
        box.addItems(names)
        box.setCurrentText(chosen)
        box.setEnabled(bool(names))

    # --- which array and quantity ---

    @property
    def grid(self) -> CellGrid | None:
        """The cells that are shown; None without a chip."""
        return self._shown.grids.get(self.array.currentText())

    def _show_array(self) -> None:
        grid, name = self.grid, self.array.currentText()
        if grid is None:
            self.canvas.show_array((1, 1))
            self.painter = None
            self.side.show_all()
            return
        self.canvas.show_array(grid.shape)
        self.bar.show_array(grid, self._shown.bad[name], self._shown.levels)
        self.canvas.show_outlines(self._shown.outlined(name))
        self._show_quantity()
        self.side.show_all()
        self._zoom_to_used()
        self._read_out()

    def _show_quantity(self) -> None:
        grid = self.grid
        chosen = [one for one in quantities(self._shown.levels) if one.name == self.quantity.currentText()]
        if grid is not None and chosen:
            self.painter = CellPainter(self.canvas, grid, chosen[0], self._shown.levels)
            self.painter.paint_all(self._now)
            self.side.cells_changed(at_once=True)

    def _draw_spread(self, histogram: CellHistogram) -> None:
        """Draw the histogram of the quantity over the cells that the run uses."""
        grid, painter, levels = self.grid, self.painter, self._shown.levels
        if grid is None or painter is None:
            histogram.clear()
            return
        values = painter.quantity.of(grid, slice(None), self._now)
        wanted = wanted_values(painter.quantity, grid.target, levels)
        histogram.show_values(self.array.currentText(), painter.quantity, values, wanted, levels)

    def _zoom_out(self) -> None:
        self.canvas.show_cells(*((0, count - 1) for count in self.canvas.shape))

    def _zoom_to_used(self) -> None:
        """Show the cells that the run uses; all of them without a run."""
        if self.grid is not None:
            self.canvas.show_cells(*self._shown.extent(self.array.currentText()))

    # --- what comes ---

    @property
    def _now(self) -> float:
        return self._feed.now if self._feed is not None else 0.0

    @property
    def complete(self) -> bool:
        """Whether all data of the cells in the file are shown."""
        return (self._feed is None or self._feed.complete) and self.history.complete

    @property
    def images_shown(self) -> bool:
        """Whether the latest images of the cells are shown; the past of single cells may still be missing."""
        return self._feed is not None and self._feed.has_images

    @property
    def rows_seen(self) -> int:
        """Share of the run's tables that is shown."""
        return 0 if self._feed is None else self._feed.rows_seen

    def _take_news(self, news: News) -> None:
        """Look for new rows; of a run that has ended, for the cells that its pulses destroyed."""
        self._wake()
        if self._feed is None or news.status in GOING_ON:
            return
        with self._said_if_damaged():
            shown = self._shown.after_its_end(self._feed.run)
            if shown.lost != self._shown.lost:
                self._shown = shown
                self._mark(self.bar.selection)

    def _wake(self) -> None:
        if self._feed is not None and not self._timer.isActive():
            self._timer.start(FRAME)

    def _tick(self) -> None:
        """Show new rows, or a block of earlier ones; stop when the run is over and everything is shown."""
        feed = self._feed
        if feed is None or feed.run is not self._session.run:
            self._timer.stop()
            return
        self._timer.setInterval(FRAME if self.isVisible() else HIDDEN)
        with self._said_if_damaged():
            running = feed.run.status in GOING_ON
            changes = feed.look()
            changes = feed.look_back() if not changes and not feed.complete else changes
            self._paint(changes)
            self.history.look()
            if not running and not changes and self.complete:
                self._timer.stop()

    def _paint(self, changes: Changes) -> None:
        name = self.array.currentText()
        if self.painter is not None and name in changes:
            self.painter.paint(changes[name], self._now)
            self.side.cells_changed()
            self._read_out()

    @contextmanager
    def _said_if_damaged(self) -> Iterator[None]:
        """Keep the picture when the file cannot be read; the session says why, and opens the file again."""
        try:
            yield
        except RunFileError:
            self._timer.stop()

    # --- one cell ---

    def _read_out(self) -> None:
        if self.grid is not None:
            text = self._shown.describe(self.array.currentText(), *self.canvas.under_mouse, self._now)
            self.readout.setText(text or POINT_AT_A_CELL)

    def _look_into(self, row: int, column: int) -> None:
        """Start reading the history of a cell."""
        feed, name, grid = self._feed, self.array.currentText(), self.grid
        if feed is None or grid is None:
            return
        cell = f"{name}, row {row}, column {column}"
        self.side.show_history()
        tables = [table for table in feed.tables if table.array in ("", name)]
        if not tables:
            self.history.clear(f"{cell}: this run has no table of reads")
            return
        code = feed.codes.index(name) if name in feed.codes else -1
        with self._said_if_damaged():
            reader = HistoryReader(feed.run, tables[0], code, (row, column))
            self.history.read(reader, cell, float(grid.target[row, column]), self._shown.levels)
        self._wake()

    # --- which cells ---

    def _mark(self, selection: Selection) -> None:
        name = self.array.currentText()
        if self.grid is not None:
            marks = SELECTED * selection.mask.astype(np.uint8)
            marks |= BAD * self._shown.bad[name].astype(np.uint8)
            self.canvas.show_marks(marks)

    def _tell_selection(self, selection: Selection) -> None:
        if selection.count:
            self._session.cells_selected.emit(self.array.currentText(), selection.rows, selection.columns)

    def closeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Stop following the file."""
        self._timer.stop()
        super().closeEvent(event)  # type: ignore[arg-type]
