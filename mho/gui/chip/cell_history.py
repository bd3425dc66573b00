"""The history of one cell: in a run, read backwards, in blocks, and followed live; and in the runs before on its chip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QToolButton, QWidget

from mho.analysis import palette
from mho.analysis.reports import read_chip
from mho.array_types import Floats
from mho.chip_maps.levels import Levels
from mho.errors import RunFileError
from mho.gui import widgets
from mho.gui.chip.cell_updates import CellTable, array_names, cell_tables
from mho.gui.plots import PowersOfTen
from mho.runs import RunFile

BLOCK = 131_072
"""Rows looked through at once."""

COLUMNS = ("time", "conductance", "kind", "voltage", "width", "gate")
RECORD = np.dtype([(name, np.float64) for name in COLUMNS])
NOTHING = np.rec.array(np.empty(0, RECORD))
"""The history of a cell that was left alone: a record for each pulse and read, oldest first.

`time` is bench time, s, or the row's number in a table without times; `conductance` what was read, S; `kind` 0 for a read
only, 1 SET or forming, 2 RESET (`mho.procedures.cells.programming.programmer.KINDS`), 3 by the chip itself; `voltage` and
`gate` V, `width` s, NaN where the table does not tell.
"""

KIND_NAMES = ("read", "SET", "RESET", "by the chip")


def describe(one: np.record) -> str:
    """Describe a pulse or read, with units."""
    kind = int(one.kind)
    text = f"{one.time:.6g} s: {KIND_NAMES[kind] if kind < len(KIND_NAMES) else 'pulse'}"
    if np.isfinite(one.voltage):
        text += f" {one.voltage:.3g} V"
    if one.width > 0:
        text += f", {1e9 * one.width:.4g} ns"
    if np.isfinite(one.gate):
        text += f", gate {one.gate:.3g} V"
    return f"{text} → {1e6 * one.conductance:.4g} µS"


class HistoryReader:
    """Reads the `history` of a cell from a table, the newest rows first; `look` raises RunFileError for a damaged file."""

    def __init__(self, run: RunFile, table: CellTable, code: int, cell: tuple[int, int]) -> None:
        self.cell = cell
        self.history = NOTHING
        self._run, self._table, self._code = run, table, code
        self._next = self._before = run.length(table.name)
        self._end = max(self._before, 1)

    @property
    def complete(self) -> bool:
        """Whether the table was searched to its beginning."""
        return self._before == 0

    @property
    def share(self) -> float:
        """Share of the table that was searched."""
        return 1.0 - self._before / self._end

    def look(self) -> bool:
        """Search new rows, else a block of earlier ones; return whether any is about the cell."""
        length = self._run.length(self._table.name)
        if length > self._next:
            start, self._next = self._next, min(length, self._next + BLOCK)
            rows = self._read(start, self._next)
            self.history = _joined(self.history, rows)
        elif self.complete:
            return False
        else:
            stop, self._before = self._before, max(0, self._before - BLOCK)
            rows = self._read(self._before, stop)
            self.history = _joined(rows, self.history)
        return len(rows) > 0

    def _read(self, start: int, stop: int) -> Any:
        name, run = self._table.name, self._run
        mine = np.ones(stop - start, dtype=bool)
        conditions = {"row": self.cell[0], "column": self.cell[1]}
        if not self._table.array:
            conditions["array"] = self._code
        for column, value in conditions.items():
            mine &= run.column(name, column, start, stop) == value
        places = np.flatnonzero(mine)
        if not len(places):
            return NOTHING
        first, last = start + int(places[0]), start + int(places[-1]) + 1

        def values(column: str) -> Floats:
            if column in self._table.columns:
                return np.asarray(run.column(name, column, first, last)[places - places[0]], np.float64)
            if column == "time":
                return np.asarray(start + places, np.float64)
            return np.full(len(places), 0.0 if column == "kind" else np.nan)

        return np.rec.fromarrays([values(column) for column in COLUMNS], RECORD)


MOST_RUNS = 200  # before the one that is shown, of which a cell's history is read


def runs_on_chip(run: RunFile, folder: Path) -> list[Path]:
    """Return the run files that had the chip of a run before it, the oldest first; at most `MOST_RUNS`.

    Of a simulated chip they are those whose chip the run went on with; of a real one all in the folder on the same
    bench and chip that began earlier. Raises `RunFileError` where a file, or the folder's index, cannot be read.
    """
    paths: list[Path] = []
    if run.provenance.get("chip_seed"):  # simulated: another run has another chip, whatever it is called
        after = run.provenance.get("after", "")
        while after and len(paths) < MOST_RUNS and Path(after).exists():
            paths.append(Path(after))
            with RunFile(after) as before:
                after = before.provenance.get("after", "")
        return paths[::-1]
    from mho.runs.index import RunIndex

    with RunIndex(folder) as index:
        index.update()
        own = next((one for one in index.search() if one.path.resolve() == run.path.resolve()), None)
        if own is None or own.facts.start is None:
            return []
        same = (
            one
            for one in index.search(sort="start")
            if (one.facts.bench, one.facts.chip) == (own.facts.bench, own.facts.chip)
            and one.facts.start is not None
            and one.facts.start < own.facts.start
        )
        return [one.path for one in same][-MOST_RUNS:]


def history_before(run_path: Path, folder: Path, array: str, cell: tuple[int, int]) -> tuple[Any, int]:
    """Return the history of a cell in the runs that had its chip before this one, and how many of them touched it."""
    histories, touched = [NOTHING], 0
    with RunFile(run_path) as run:
        paths = runs_on_chip(run, folder)
    for path in paths:
        try:
            with RunFile(path) as before:
                found = history_in(before, array, cell)
        except RunFileError:  # a damaged file among many tells nothing of the others
            continue
        touched += len(found) > 0
        histories.append(found)
    return _joined(*histories), touched


def history_in(run: RunFile, array: str, cell: tuple[int, int]) -> Any:
    """Return the whole history of a cell in a run."""
    chip = read_chip(run)
    codes = array_names(run) if chip is None else tuple(one.name for one in chip.arrays)
    reader = reader_of(run, codes, array, cell)
    while reader is not None and not reader.complete:
        reader.look()
    return NOTHING if reader is None else reader.history


def reader_of(run: RunFile, codes: Sequence[str], array: str, cell: tuple[int, int]) -> HistoryReader | None:
    """Return what reads the history of a cell of an array, by the arrays' codes; None where no table tells of its cells."""
    tables = [table for table in cell_tables(run) if table.array in ("", array)]
    if not tables:
        return None
    return HistoryReader(run, tables[0], codes.index(array) if array in codes else -1, cell)


def _joined(*histories: Any) -> Any:
    return np.concatenate(histories).view(np.recarray)


MICRO = 1e6
NEAR = 30.0  # pixels from a point within which the mouse reads it
SYMBOLS, COLOURS = ("o", "t1", "t", "d"), ("#56B4E9", "#009E73", "#D55E00", "#CC79A7")  # as `KIND_NAMES`


class CellHistoryView(widgets.Themed):
    """Shows the history of one cell while it is read, all of it in view; signals `closed` when the user closes it."""

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.history = NOTHING
        self.reader: HistoryReader | None = None  # of the shown run
        self._name, self._past = "", ""
        self._before: Any = NOTHING  # in the chip's earlier runs
        self.heading, self.readout = widgets.plain_label(), widgets.plain_label()
        widgets.embolden(self.heading)
        # Above the plot instead of a legend, which would lie on the points.
        named = zip("●▲▼◆", COLOURS, KIND_NAMES, strict=True)
        self.key = QLabel(
            " &nbsp; ".join(
                f'<span style="color: {colour}">{sign}</span> {name}' for sign, colour, name in named
            )
            + " &nbsp; □ gate"
        )
        self.against = QComboBox()
        self.against.addItems(["one by one", "over time"])
        self.against.setToolTip("the horizontal axis: bench time, or the number of the pulse or read")
        self.against.currentIndexChanged.connect(lambda _: self._draw())
        self.canvas = pg.GraphicsLayoutWidget()
        self._above, self._below = (
            self.canvas.addPlot(row=row, col=0, axisItems={"bottom": PowersOfTen("bottom")}) for row in (0, 1)
        )
        self._below.setXLink(self._above)
        self._above.setLabel("left", "conductance, µS")
        self._below.setLabel("left", "voltage, V")
        for plot in (self._above, self._below):
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.getAxis("left").setWidth(72)
            for side in ("left", "bottom"):
                plot.getAxis(side).enableAutoSIPrefix(False)
        self.canvas.ci.layout.setRowStretchFactor(0, 3)
        self.canvas.ci.layout.setRowStretchFactor(1, 2)
        self._window = pg.LinearRegionItem(orientation="horizontal", movable=False)
        self._target = pg.InfiniteLine(angle=0)
        for item in (self._window, self._target):
            self._above.addItem(item)  # in view, whatever the points are
        self._line = self._above.plot()
        self._points = [_scatter(self._above, kind) for kind in range(len(KIND_NAMES))]
        self._volts = [_scatter(self._below, kind) for kind in range(len(KIND_NAMES))]
        self._gate = pg.ScatterPlotItem(symbol="s", size=9, brush=None)
        self._below.addItem(self._gate)
        self._here = self._above.plot(symbol="o", symbolSize=15, symbolBrush=None, pen=None)
        self.canvas.scene().sigMouseMoved.connect(self._hover)
        self.back = QToolButton()
        self.back.setText("All cells")
        self.back.setToolTip("how the quantity is spread over all cells")
        self.back.clicked.connect(self.closed)
        top = widgets.row(None, self.against, self.back, (None, 1))
        widgets.column(self, self.heading, top, self.key, (self.canvas, 1), self.readout, None, margins=0)
        self.paint_theme()
        self.clear()

    def clear(self, text: str = "") -> None:
        """Show no cell, and say why."""
        self.reader, self._before, self._past = None, NOTHING, ""
        self._show(NOTHING, text)

    def rest(self) -> None:
        """Stop reading, as the file is closed, and keep what is shown."""
        self.reader = None

    def show_before(self, history: Any, runs: int) -> None:
        """Show what so many earlier runs on the chip did to the cell, before what the shown one did."""
        if self.reader is None or not len(history):
            return
        self._before = history
        self._past = f", with {runs} earlier run{'' if runs == 1 else 's'} on this chip"
        self._show_all()

    def read(self, reader: HistoryReader, name: str, target: float, levels: Levels | None) -> None:
        """Show what `reader` finds of the cell called `name`; `look` goes on with it."""
        self.reader, self._name = reader, name
        self._before, self._past = NOTHING, ""
        self._mark_target(target, levels)
        self._show(reader.history, name)
        self.look()

    @property
    def complete(self) -> bool:
        """Whether all of the cell's past is shown."""
        return self.reader is None or self.reader.complete

    def look(self) -> None:
        """Look through some more rows, and show what they hold of the cell."""
        if self.reader is None:
            return
        was_complete = self.reader.complete
        news = self.reader.look()
        if news or not was_complete:
            self._show_all()

    def _show_all(self) -> None:
        """Show what is known of the cell by now."""
        assert self.reader is not None
        history, share = _joined(self._before, self.reader.history), self.reader.share
        text = f"{self._name}: {len(history)} pulses and reads{self._past}"
        if not self.reader.complete:
            text += f" ({share:.0%} of the table looked through)"
        elif not len(history):
            text = f"{self._name}: the run left this cell alone"
        self._show(history, text)

    def _mark_target(self, target: float, levels: Levels | None) -> None:
        """Mark the conductance wanted (S; NaN for none) and the verify window of its level."""
        known = bool(np.isfinite(target))
        self._target.setVisible(known)
        self._window.setVisible(known and levels is not None)
        if known:
            self._target.setPos(MICRO * target)
            if levels is not None:
                digit = int(np.abs(levels.nominal - target).argmin())
                self._window.setRegion(
                    (MICRO * max(float(levels.low[digit]), 0.0), MICRO * levels.high[digit])
                )

    def _show(self, history: Any, heading: str) -> None:
        self.history = history
        self.heading.setText(heading)
        self.readout.setText("")
        for widget in (self.canvas, self.against, self.key):
            widget.setVisible(len(history) > 0)
        if len(history):
            self._draw()

    def _draw(self) -> None:
        history = self.history
        over_time = self.against.currentIndex() == 1
        self._below.setLabel("bottom", "bench time, s" if over_time else "pulse or read, number")
        for plot in (self._above, self._below):
            plot.getAxis("bottom").counts = not over_time
        self._x = history.time if over_time else np.arange(1.0, len(history) + 1.0)
        conductance = MICRO * history.conductance
        self._line.setData(self._x, conductance)
        for kind, (points, volts) in enumerate(zip(self._points, self._volts, strict=True)):
            mine = history.kind == kind
            for shown, values in ((points, conductance), (volts, history.voltage)):
                known = mine & np.isfinite(values)  # of no point at all pyqtgraph would find bounds
                shown.setData(self._x[known], values[known])
        held = np.isfinite(history.gate)
        self._gate.setData(self._x[held], history.gate[held])
        self._here.setData([], [])
        for plot in (self._above, self._below):
            plot.enableAutoRange()

    def _hover(self, position: QPointF) -> None:
        """Read the point nearest to the mouse."""
        box = self._above.vb
        self._here.setData([], [])
        if not len(self.history) or not box.sceneBoundingRect().contains(position):
            self.readout.setText("")
            return
        point, (wide, high) = box.mapSceneToView(position), box.viewPixelSize()
        conductance = MICRO * self.history.conductance
        away = np.hypot((self._x - point.x()) / wide, (conductance - point.y()) / high)
        index = int(np.nanargmin(np.where(np.isfinite(away), away, np.inf)))
        if away[index] < NEAR:
            self._here.setData(self._x[index : index + 1], conductance[index : index + 1])
            self.readout.setText(describe(self.history[index]))
        else:
            self.readout.setText("")

    def paint_theme(self) -> None:
        """Apply the colours of the theme."""
        now = widgets.colours()
        self.canvas.setBackground(now.ground)
        for plot in (self._above, self._below):
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(now.faint)
                plot.getAxis(side).setTextPen(now.ink)
        self._line.setPen(pg.mkPen(now.faint, width=1))
        self._gate.setPen(pg.mkPen(now.faint, width=1.5))
        self._here.setSymbolPen(pg.mkPen(now.ink, width=2))
        self._target.setPen(pg.mkPen(palette.TARGET, width=1.5, style=Qt.PenStyle.DashLine))
        self._window.setBrush(pg.mkBrush(204, 121, 167, 45))
        for line in self._window.lines:
            line.setPen(pg.mkPen(None))


def _scatter(plot: pg.PlotItem, kind: int) -> pg.ScatterPlotItem:
    points = pg.ScatterPlotItem(symbol=SYMBOLS[kind], size=10, pen=None, brush=COLOURS[kind])
    plot.addItem(points)
    return points
