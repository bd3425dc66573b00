"""The chip panel: arrays as maps that fill while cells are programmed, the history of a cell, the selection of cells."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QPushButton, QStackedWidget, QWidget

from mho.analysis.reports import lost_cells, read_chip, read_description
from mho.chip_maps.chip import ChipMap, parse_chip_map
from mho.chip_maps.defects import Place, chip_with_defects
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import known_bad
from mho.errors import RunFileError
from mho.gui import widgets
from mho.gui.chip.acts import CellActs
from mho.gui.chip.blocks import Outline, read_outlines
from mho.gui.chip.canvas import BAD, SELECTED, ChipCanvas
from mho.gui.chip.cell_grid import DEFECTS, CellGrid
from mho.gui.chip.cell_histogram import CellHistogram, wanted_values
from mho.gui.chip.cell_history import CellHistoryView, history_before, reader_of
from mho.gui.chip.cell_quantities import CellQuantity, ColourScale, describe, quantities, scale
from mho.gui.chip.cell_updates import CellFeed, Changes, Lines
from mho.gui.chip.selection import Selection, SelectionBar
from mho.gui.pictures import to_bytes
from mho.gui.plots import colours_of
from mho.gui.session.file_follower import News
from mho.gui.session.session import Session
from mho.runs import GOING_ON, RunFile

Extent = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class ShownChip:
    """Arrays by name.

    Attributes
    ----------
    chip : ChipMap or None
        None when a run's file holds no chip map that can be read.
    grids : mapping of CellGrid
        What is known of the cells.
    lines : mapping of two arrays of int
        Rows and columns that a run has images of.
    outlines : tuple of Outline
        Blocks that a run uses.
    lost : mapping of str
        Cells that the run's own pulses destroyed, each with what it had.
    volts : float or None
        At which cells are read, V; None where it is not known.
    """

    chip: ChipMap | None = None
    grids: Mapping[str, CellGrid] = field(default_factory=dict)
    lines: Mapping[str, Lines] = field(default_factory=dict)
    outlines: tuple[Outline, ...] = ()
    lost: Mapping[Place, str] = field(default_factory=dict)
    volts: float | None = None

    @classmethod
    def of_bench(cls, chip: ChipMap, volts: float) -> ShownChip:
        """Return a chip on which nothing was done."""
        grids = {array.name: CellGrid((array.rows, array.columns)) for array in chip.arrays}
        return cls(chip, grids, volts=volts)

    @classmethod
    def of_run(cls, feed: CellFeed, chip: ChipMap | None) -> ShownChip:
        """Return the chip of a run; `RunFileError` when its file is damaged."""
        shown = cls(chip, feed.grids, feed.lines, read_outlines(feed.run, chip), volts=read_voltage(feed.run))
        return shown.after_its_end(feed.run)

    def after_its_end(self, run: RunFile) -> ShownChip:
        """Return the same chip with the cells that the run's pulses destroyed, which are known at its end."""
        return replace(self, lost={place: by for place, (_, by) in lost_cells(run).items()})

    @cached_property
    def levels(self) -> Levels | None:
        """Conductance levels of the digits."""
        return self.chip.level_scale() if self.chip else None

    @cached_property
    def bad(self) -> dict[str, NDArray[np.bool_]]:
        """Known bad cells of each array, and those that the run destroyed."""
        masks: dict[str, NDArray[np.bool_]] = {
            name: np.zeros(grid.shape, dtype=np.bool_) for name, grid in self.grids.items()
        }
        masks |= {array.name: known_bad(array) for array in (self.chip.arrays if self.chip else ())}
        for array, row, column in self.lost:
            if array in masks and row is not None and column is not None:
                masks[array][row : row + 1, column : column + 1] = (
                    True  # of a file that names others: nothing
                )
        return masks

    def defects(self, array: str) -> NDArray[np.float64]:
        """Return what is wrong with the cells of an array, as numbers of `DEFECTS`."""
        found = self.bad[array].astype(np.float64)
        for name, row, column in self.lost:
            if name == array and row is not None and column is not None:
                found[row : row + 1, column : column + 1] = DEFECTS.index("lost in this run")
        return found

    def first_array(self, preferred: str) -> str:
        """Return the array to show first: `preferred` where the run uses it, else the largest that it uses."""
        used = {outline.array for outline in self.outlines} | set(self.lines)
        offered = [name for name in self.grids if name in used] or list(self.grids)
        if preferred in offered:
            return preferred
        return max(offered, key=lambda name: int(np.prod(self.grids[name].shape)), default="")

    def outlined(self, array: str) -> list[Outline]:
        """Return the blocks on an array."""
        return [outline for outline in self.outlines if outline.array == array]

    def extent(self, array: str) -> Extent:
        """Return first and last row and column that the run uses, by its blocks, else its images; else all."""
        blocks = self.outlined(array)
        if blocks:
            return (
                (min(one.top for one in blocks), max(one.bottom for one in blocks) - 1),
                (min(one.left for one in blocks), max(one.right for one in blocks) - 1),
            )
        if array in self.lines:
            rows, columns = self.lines[array]
            return (int(rows[0]), int(rows[-1])), (int(columns[0]), int(columns[-1]))
        height, width = self.grids[array].shape
        return (0, height - 1), (0, width - 1)

    def describe(self, array: str, row: int, column: int, now: float) -> str:
        """Describe a cell at bench time `now` (s); empty outside the array."""
        height, width = self.grids[array].shape
        if not (0 <= row < height and 0 <= column < width):
            return ""
        known = describe(self.grids[array], row, column, self.levels, now)
        parts = [f"{array}, row {row}, column {column}: {known}"]
        for block in self.outlined(array):
            if block.holds(row, column):
                parts.append(block.slice_at(column) or f"block {block.name}")
                break
        if by := self.lost.get(Place(array, row, column)):
            parts.append(f"destroyed by this run's own pulses ({by})")
        elif self.bad[array][row, column]:
            parts.append("known to be bad")
        return "; ".join(parts)


def read_voltage(run: RunFile) -> float | None:
    """Return the voltage at which a run read cells, V, by the bench in its file; None where that cannot be read."""
    try:
        return float(read_description(run.bench)["read"]["voltage"])
    except (RunFileError, LookupError, TypeError, ValueError):
        return None


def goes_on(run: RunFile, before: Path | None) -> bool:
    """Return whether a run found the chip as the run in the file `before` had left it."""
    after = run.provenance.get("after", "")
    return before is not None and bool(after) and Path(after).resolve() == before.resolve()


BLOCK = 32  # rows
SAMPLE = 2048  # cells of a block from which the scale is found
RESCALE_PERIOD = 1.0  # s between updates of the scale, and of automatic changes


class CellPainter:
    """Paints a quantity of a grid's cells on a canvas, which shows an array of the grid's shape."""

    def __init__(
        self,
        canvas: ChipCanvas,
        grid: CellGrid,
        quantity: CellQuantity,
        levels: Levels | None,
        *,
        log: bool = False,
        limits: ColourScale | None = None,
    ) -> None:
        self._canvas, self._grid, self._levels = canvas, grid, levels
        self.quantity, self._log = quantity, log
        self.fixed = limits  # by the user; None finds them
        self.scale = ColourScale(0.0, 0.0)
        self.pixels = np.zeros(grid.shape, np.uint8)
        self._rescaled = 0.0

    def paint_all(self, now: float) -> None:
        """Find the scale and paint every cell; `now` is the bench time, s."""
        self._rescaled = time.monotonic()
        known = np.concatenate([self._sample(rows, now) for rows in self._blocks()])
        found = self.fixed or scale(self.quantity, known, self._levels, log=self._log)
        if found != self.scale:
            self.scale = found
            self._canvas.set_scale(colours(self.quantity, self._levels), found, self._label())
        for rows in self._blocks():
            self._paint(rows, now)
        self._canvas.show_pixels(self.pixels)

    def paint(self, cells: NDArray[np.int64] | None, now: float) -> None:
        """Paint the cells (flat indices) that changed; all, where None, and from time to time."""
        due = time.monotonic() - self._rescaled > RESCALE_PERIOD
        if cells is None or due:
            self.paint_all(now)
            return
        self._paint(np.unravel_index(cells, self._grid.shape), now)
        self._canvas.show_pixels(self.pixels)

    def _paint(self, index: Any, now: float) -> None:
        values = self.scale.along(self.quantity.of(self._grid, index, now))
        self.pixels[index] = to_bytes(values, self.scale.ends)

    def _blocks(self) -> Iterator[slice]:
        """Rows taken together: what is computed of them stays in the processor's cache."""
        return (slice(start, start + BLOCK) for start in range(0, len(self.pixels), BLOCK))

    def _sample(self, rows: slice, now: float) -> NDArray[np.float64]:
        """Some of the values known in these rows, all where they are few."""
        values = self.quantity.of(self._grid, rows, now).reshape(-1)
        step = (
            np.count_nonzero(np.isfinite(values)) // SAMPLE | 1
        )  # odd, so that it does not always hit the same columns
        some = values[::step]
        return some[np.isfinite(some)]

    def _label(self) -> str:
        if self.quantity.name == "defects":
            return ", ".join(f"{number} {name}" for number, name in enumerate(DEFECTS))
        return f"{self.quantity.name} ({self.quantity.unit})" if self.quantity.unit else self.quantity.name


def colours(quantity: CellQuantity, levels: Levels | None) -> pg.ColorMap:
    """Return the colours of a quantity: of even lightness, signed around white, in steps for levels."""
    even = colours_of(quantity.signed)
    if quantity.name == "defects":
        count = len(DEFECTS)
    elif quantity.name == "level" and levels is not None:
        count = levels.top + 1
    else:
        return even
    steps = even.map(np.linspace(0.0, 1.0, count))
    edges = np.arange(count) / count
    places = np.stack([edges, edges + (1.0 - 1e-6) / count], axis=1).reshape(-1)
    return pg.ColorMap(places, np.repeat(steps, 2, axis=0))


PERIOD = 500
"""Interval of updates of a quantity's histogram while cells change, ms."""


class CellSide(QStackedWidget):
    """Histogram or history; `draw` shows in a `CellHistogram` what is known now."""

    def __init__(self, draw: Callable[[CellHistogram], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.histogram, self.history = CellHistogram(), CellHistoryView()
        self.addWidget(self.histogram)
        self.addWidget(self.history)
        self.history.closed.connect(self.show_all)
        self._draw = draw
        self._stale = False
        self._soon = QTimer(self, singleShot=True, interval=PERIOD)
        self._soon.timeout.connect(self._catch_up)

    def show_all(self) -> None:
        """Show the spread over all cells."""
        self.history.clear()
        self.setCurrentWidget(self.histogram)
        self.cells_changed(at_once=True)

    def show_history(self) -> None:
        """Show the history of a cell."""
        self.setCurrentWidget(self.history)

    def cells_changed(self, *, at_once: bool = False) -> None:
        """Redraw the visible view after cells have changed, now or within half a second."""
        self._stale = True
        if at_once:
            self._catch_up()
        elif not self._soon.isActive():
            self._soon.start()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Process the updates that arrived while the panel was hidden."""
        super().showEvent(event)
        self._catch_up()

    def _catch_up(self) -> None:
        if self._stale and self.isVisible() and self.currentWidget() is self.histogram:
            self._stale = False
            self._draw(self.histogram)


FRAME = 30
"""Time between two looks for pulses while a run lasts, ms; `HIDDEN` behind another panel."""

HIDDEN = 300

POINT_AT_A_CELL = "point at a cell to read it"


class ChipPanel(QWidget):
    """Shows the chip of the session's run; without a run that of its bench, on which cells can be chosen."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown = ShownChip()
        self._feed: CellFeed | None = None
        self._before: Mapping[
            str, CellGrid
        ] = {}  # of the run before on the same chip, until they are taken over
        self._stays = False  # whether the view stays as it is when a run is opened
        self._path: Path | None = None  # of the run that is shown
        self.painter: CellPainter | None = None
        self._build()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tick)
        session.run_opened.connect(self._open)
        session.run_news.connect(self._take_news)
        session.bench_changed.connect(lambda _: self._open(session.run))
        self._open(session.run)

    def _build(self) -> None:
        self.array = widgets.ChoiceBox("array", tip="which of the chip's arrays")
        self.quantity = widgets.ChoiceBox("quantity", tip="what the colours show")
        self.array.currentTextChanged.connect(self._show_array)
        self.quantity.currentTextChanged.connect(self._show_quantity)
        self.log = QCheckBox("log")
        self.log.setToolTip("colours by the logarithm of the values")
        self.log.toggled.connect(self._show_quantity)
        self.auto = widgets.button("Auto", self._find_limits, "find the limits of the colours again")
        self._limits: dict[tuple[str, bool], ColourScale] = {}  # by the user, of a quantity, linear or not
        self.whole = widgets.button("Whole array", self._zoom_out)
        self.in_use = widgets.button("Cells in use", self._zoom_to_used)
        self.move_view = QPushButton("Move view")
        self.move_view.setCheckable(True)
        self.move_view.setToolTip("let the left button move the view instead of selecting cells")
        self.readout = widgets.plain_label(POINT_AT_A_CELL)
        # Of constant height, as the map would otherwise move under the mouse.
        self.readout.setFixedHeight(2 * self.readout.fontMetrics().lineSpacing())
        self.canvas = ChipCanvas()
        self.move_view.toggled.connect(lambda on: setattr(self.canvas.box, "moves", on))
        self.bar = SelectionBar()
        self.acts = CellActs(self._session)
        self.side = CellSide(self._draw_spread)
        self.history = self.side.history
        self.canvas.pointed.connect(lambda *_: self._read_out())
        self.canvas.picked.connect(self._look_into)
        self.canvas.clicked.connect(lambda cell, keys: self.bar.drag(cell, cell, keys, True))
        self.canvas.menu_wanted.connect(self._show_menu)
        self.acts.history_wanted.connect(self._show_history_of_picked)
        self.canvas.dragged.connect(self.bar.drag)
        self.canvas.limits_dragged.connect(self._set_limits)
        self.bar.changed.connect(self._mark)
        self.bar.chosen.connect(self._tell_selection)
        self.bar.refused.connect(lambda text: self._session.tell("ERROR", text))

        top = widgets.row(
            None,
            self.array,
            self.quantity,
            self.log,
            self.auto,
            self.in_use,
            self.whole,
            self.move_view,
            (None, 1),
        )
        left = QWidget()
        widgets.column(left, self.readout, (self.canvas, 1), self.bar, margins=0)
        right = QWidget()
        widgets.column(right, self.acts, (self.side, 1), margins=0)
        split = widgets.splitter(Qt.Orientation.Horizontal, (left, 640), (right, 320))
        widgets.column(self, top, (split, 1), margins=(8, 6, 8, 6))

    # --- which chip ---

    def _open(self, run: RunFile | None) -> None:
        """Turn to another run, or to the bench's chip where there is none."""
        self._timer.stop()
        self._merge_before()
        before, self._before = self._shown.grids, {}
        self._feed = self.painter = None
        self._stays = False
        if run is None:
            self.side.show_all()
            self._path = None
            self._show_bench()
            return
        with self._said_if_damaged():
            chip = read_chip(run)
            self._feed = CellFeed(run, chip)
            same_session = {run.path, self._path} <= self._session.acted
            self._stays = run.path in self._session.acted or goes_on(run, self._path)
            if same_session or goes_on(run, self._path):
                self._before = before
                self.side.history.rest()
            else:
                self.side.show_all()
            self._path = run.path
            self._show_chip(ShownChip.of_run(self._feed, chip))
        self._wake()

    def _show_bench(self) -> None:
        """Show the bench's chip as soon as its file is read, which a panel does not wait for."""
        bench = self._session.bench

        def read() -> tuple[ChipMap, float]:
            from mho.instruments.bench_file import load_bench_file

            source = load_bench_file(bench)
            chip = chip_with_defects(parse_chip_map(source.chip_text), source.defects_text)
            return chip, source.bench.read.voltage

        def show(found: tuple[ChipMap, float]) -> None:
            if self._session.run is None and self._session.bench == bench:
                self._show_chip(ShownChip.of_bench(*found))

        self._show_chip(ShownChip())
        self._session.ask(read, show, lambda error: self.readout.setText(f"no chip to show: {error}"))

    def _show_chip(self, shown: ShownChip) -> None:
        self._shown = shown
        self.array.offer(shown.grids, shown.first_array(self.array.currentText()))
        self.array.setEnabled(bool(shown.grids))
        names = [one.name for one in quantities(shown.levels, shown.volts)]
        self.quantity.offer(names, self.quantity.currentText())
        for name, grid in shown.grids.items():
            grid.defects[:] = shown.defects(name)
        self._show_array()

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
        if not self._stays or grid.shape != self.canvas.shape:
            self.canvas.show_array(grid.shape)
        self.bar.show_array(name, grid, self._shown.bad[name], self._shown.levels)
        self.acts.show_levels(0 if self._shown.levels is None else self._shown.levels.top)
        self.canvas.show_outlines(self._shown.outlined(name))
        self._show_quantity()
        if not self._stays:  # else the user goes on with the same cells
            self.side.show_all()
            self._zoom_to_used()
        self._read_out()

    def _show_quantity(self) -> None:
        grid = self.grid
        offered = quantities(self._shown.levels, self._shown.volts)
        chosen = [one for one in offered if one.name == self.quantity.currentText()]
        if grid is not None and chosen:
            (quantity,) = chosen
            self.log.setEnabled(quantity.may_be_log)
            log = self.log.isChecked() and quantity.may_be_log
            limits = self._limits.get((quantity.name, log))
            self.auto.setEnabled(limits is not None)
            self.painter = CellPainter(
                self.canvas, grid, quantity, self._shown.levels, log=log, limits=limits
            )
            self.painter.paint_all(self._now)
            self.side.cells_changed(at_once=True)

    def _set_limits(self, scale: ColourScale) -> None:
        """Take the limits to which the user has dragged the handles of the colour bar."""
        self._limits[self.quantity.currentText(), scale.log] = scale
        self._show_quantity()

    def _find_limits(self) -> None:
        for log in (False, True):
            self._limits.pop((self.quantity.currentText(), log), None)
        self._show_quantity()

    def _draw_spread(self, histogram: CellHistogram) -> None:
        """Draw the histogram of the quantity over the cells that the run uses."""
        grid, painter, levels = self.grid, self.painter, self._shown.levels
        if grid is None or painter is None:
            histogram.clear()
            return
        values = painter.quantity.of(grid, slice(None), self._now)
        targets = wanted_values(painter.quantity, grid.target, levels)
        histogram.show_values(self.array.currentText(), painter.quantity, values, targets, painter.scale)

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
                for name, grid in shown.grids.items():
                    grid.defects[:] = shown.defects(name)

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
            if feed.complete and self._before:
                self._take_before()
            self.history.look()
            if not running and not changes and self.complete:
                self._timer.stop()

    def _merge_before(self) -> None:
        """Fill in what the run before on the same chip has shown of cells of which this one says nothing."""
        before, self._before = self._before, {}
        for name, grid in self._shown.grids.items():
            if name in before and before[name].shape == grid.shape:
                grid.take_before(before[name])

    def _take_before(self) -> None:
        """Show what the run before on the same chip has left, once all of this one is known."""
        self._merge_before()
        if self.painter is not None:
            self.painter.paint_all(self._now)
            self.side.cells_changed()
        if self.canvas.cell is not None and self.side.currentWidget() is self.history:
            self._look_into(*self.canvas.cell)

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
        with self._said_if_damaged():
            reader = reader_of(feed.run, feed.codes, name, (row, column))
            if reader is None:
                self.history.clear(f"{cell}: this run has no table of reads")
                return
            self.history.read(reader, cell, float(grid.target[row, column]), self._shown.levels)
            self._look_before(feed.run.path, name, (row, column))
        self._wake()

    def _look_before(self, path: Path, array: str, cell: tuple[int, int]) -> None:
        """Ask what earlier runs on the same chip did to a cell."""
        folder, reader = self._session.folder, self.history.reader

        def then(found: tuple[Any, int]) -> None:
            if self.history.reader is reader:
                self.history.show_before(*found)

        self._session.ask(lambda: history_before(path, folder, array, cell), then, lambda _: None)

    # --- which cells ---

    def _mark(self, selection: Selection) -> None:
        name = self.array.currentText()
        if self.grid is not None:
            marks = SELECTED * selection.mask.astype(np.uint8)
            marks |= BAD * self._shown.bad[name].astype(np.uint8)
            self.canvas.show_marks(marks)
            self.acts.show_selection(name, selection)

    def _show_menu(self, row: int, column: int, place: QPoint) -> None:
        """Show the acts at the mouse; a cell that is not among the selected ones becomes the selection."""
        height, width = self.canvas.shape
        if self.grid is None or not (0 <= row < height and 0 <= column < width):
            return
        if not self.bar.selection.mask[row, column]:
            self.canvas.pick(row, column)
            self.bar.drag((row, column), (row, column), Qt.KeyboardModifier.NoModifier, True)
        self.acts.menu(place)

    def _show_history_of_picked(self) -> None:
        if self.canvas.cell is not None:
            self._look_into(*self.canvas.cell)

    def _tell_selection(self, selection: Selection) -> None:
        if selection.count:
            self._session.cells_selected.emit(self.array.currentText(), selection.rows, selection.columns)

    def closeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Stop following the file."""
        self._timer.stop()
        super().closeEvent(event)  # type: ignore[arg-type]
