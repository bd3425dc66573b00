"""The interactive picture of an array: cells, hatched bad cells, outlines, selection, zoom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter
from PySide6.QtWidgets import QGraphicsRectItem, QWidget

from mho.analysis import palette
from mho.array_types import Bytes
from mho.gui import widgets
from mho.gui.chip.blocks import Outline
from mho.gui.chip.cell_quantities import ColourScale
from mho.gui.pictures import NO_CELL
from mho.gui.plots import LineAxis, lookup_table

Cell = tuple[int, int]

SELECTED, BAD = 1, 2  # bits of a mark

HATCHED_FROM = 4.0  # pixels of a cell from which a bad one is hatched; smaller ones are dark
MOST_EDGES = 20_000  # drawn around selected cells
HANDLE_STEPS = 200  # to which the handles of the colour bar keep
LEAST = 160, 150  # pixels of the canvas: 300 on a display of twice the scale
CLOSE = 12  # cells on either side of one that is zoomed to
OUTLINE, SLICE = "#D55E00", "#D55E00"  # vermillion stands out on viridis, on RdBu and on grey
PICKED = "#CC79A7"

_STEPS = {Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0), Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1)}


class CellBox(pg.ViewBox):  # type: ignore[misc]
    """Turns clicks and drags of the left button into cells; the middle one moves the view, the right one zooms."""

    clicked = Signal(int, int, object)  # row, column, modifiers
    zoomed = Signal(int, int)
    menu_wanted = Signal(int, int, QPoint)  # row, column, place on the screen
    dragged = Signal(object, object, object, bool)  # first cell, last cell, modifiers, whether it is over

    def __init__(self) -> None:
        super().__init__(enableMenu=False, invertY=True, lockAspect=True)
        self.moves = False
        """Whether the left button moves the view as well, instead of selecting."""

    def cell_at(self, position: Any) -> Cell:
        """Return the cell at a position of this box, also beyond the array."""
        point = self.mapToView(position)
        return int(np.floor(point.y() + 0.5)), int(np.floor(point.x() + 0.5))

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:  # noqa: N802
        """Select with the left button."""
        if event.button() != Qt.MouseButton.LeftButton or self.moves or axis is not None:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        first, last = self.cell_at(event.buttonDownPos()), self.cell_at(event.pos())
        self.dragged.emit(first, last, event.modifiers(), event.isFinish())

    def mouseClickEvent(self, event: Any) -> None:  # noqa: N802
        """Select one cell; zoom to it on a double click."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            cell = self.cell_at(event.pos())
            if event.double():
                self.zoomed.emit(*cell)
            else:
                self.clicked.emit(*cell, event.modifiers())
        elif event.button() == Qt.MouseButton.RightButton:
            event.accept()
            self.menu_wanted.emit(*self.cell_at(event.pos()), event.screenPos().toPoint())


class BadCells(pg.GraphicsObject):  # type: ignore[misc]
    """Hatching on the bad cells that are in view, once they are large enough to be hatched."""

    def __init__(self) -> None:
        super().__init__()
        self._cells: NDArray[np.int64] = np.empty((0, 2), dtype=np.int64)
        self._frame = QRectF()

    def show_cells(self, mask: NDArray[np.bool_]) -> None:
        """Hatch the cells in `mask`."""
        self.prepareGeometryChange()
        self._cells = np.argwhere(mask)
        self._frame = QRectF(-0.5, -0.5, mask.shape[1], mask.shape[0]) if len(self._cells) else QRectF()
        self.update()

    def boundingRect(self) -> QRectF:  # noqa: N802
        """Return the array's frame."""
        return self._frame

    def paint(self, painter: QPainter, *_: Any) -> None:
        """Draw what is in view."""
        box = self.getViewBox()
        if box is None or not len(self._cells) or 1.0 / box.viewPixelSize()[0] < HATCHED_FROM:
            return
        view = box.viewRect()
        low, high = (view.top() - 1, view.left() - 1), (view.bottom() + 1, view.right() + 1)
        shown = self._cells[np.all((self._cells >= low) & (self._cells <= high), axis=1)]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("white"))
        cells = [QRectF(column - 0.5, row - 0.5, 1.0, 1.0) for row, column in shown.tolist()]
        painter.drawRects(cells)
        brush = pg.mkBrush(palette.INK)
        brush.setStyle(Qt.BrushStyle.BDiagPattern)
        brush.setTransform(
            painter.worldTransform().inverted()[0]
        )  # the pattern is of the screen, not of cells
        painter.setBrush(brush)
        painter.drawRects(cells)


class ChipCanvas(pg.GraphicsLayoutWidget):  # type: ignore[misc]
    """Shows an array's cells in colours, with a colour bar, and signals the user's clicks and drags.

    Signals
    -------
    pointed(row, column)
        The cell under the mouse; one outside the array when there is none.
    picked(row, column)
        A cell was clicked, or reached with the arrow keys.
    clicked(cell, modifiers)
        A cell of the array was clicked, or reached with the arrow keys.
    limits_dragged(ColourScale)
        The handles of the colour bar were dragged to another scale.
    menu_wanted(row, column, place)
        The right button was clicked at a cell, at a place of the screen.
    dragged(first, last, modifiers, over)
        Cells were dragged over.
    """

    pointed = Signal(int, int)
    picked = Signal(int, int)
    clicked = Signal(object, object)
    limits_dragged = Signal(object)
    menu_wanted = Signal(int, int, QPoint)
    dragged = Signal(object, object, object, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(*LEAST)
        self.box = CellBox()
        self._columns, self._rows = LineAxis("bottom"), LineAxis("left")
        self._plot = self.addPlot(viewBox=self.box, axisItems={"bottom": self._columns, "left": self._rows})
        self._plot.setLabel("bottom", "column")
        self._plot.setLabel("left", "row")
        self._plot.hideButtons()
        self._image = pg.ImageItem(axisOrder="row-major")
        self._marks = pg.ImageItem(axisOrder="row-major")
        self._bad_cells = BadCells()
        self._blocks = pg.PlotCurveItem(pen=pg.mkPen(OUTLINE, width=2), connect="finite")
        self._slices = pg.PlotCurveItem(
            pen=pg.mkPen(SLICE, width=1, style=Qt.PenStyle.DashLine), connect="finite"
        )
        # White beside ink is seen on every colour.
        self._selected = [
            pg.PlotCurveItem(pen=pg.mkPen(colour, width=width), connect="pairs")
            for colour, width in (("w", 4), (palette.INK, 2))
        ]
        self._picked = QGraphicsRectItem()
        self._picked.setPen(pg.mkPen(PICKED, width=3))
        for item in (
            self._image,
            self._marks,
            self._bad_cells,
            self._slices,
            self._blocks,
            *self._selected,
            self._picked,
        ):
            self.box.addItem(item, ignoreBounds=True)
        self._bar = pg.ColorBarItem(values=(0.0, 1.0), width=16, pen=palette.FAINT, hoverPen=PICKED)
        self._bar.setToolTip("drag its handles to other limits")
        self._bar.sigLevelsChangeFinished.connect(self._tell_limits)
        self.addItem(self._bar)
        self._scale: tuple[pg.ColorMap, ColourScale, str] | None = None
        self.shape: tuple[int, int] = (0, 0)
        self.under_mouse: Cell = (-1, -1)
        self.cell: Cell | None = None
        self.box.clicked.connect(self._click)
        self.box.menu_wanted.connect(self.menu_wanted)
        self.box.zoomed.connect(self._zoom_to)
        self.box.dragged.connect(self.dragged)
        self.scene().sigMouseMoved.connect(self._move)
        self._paint_theme()

    # --- what is shown ---

    def show_array(self, shape: tuple[int, int]) -> None:
        """Show an array of this shape, with nothing known about its cells yet."""
        self.shape = shape
        self.cell = None
        self._rows.lines, self._columns.lines = map(np.arange, shape)
        self._picked.setRect(QRectF())
        self.show_pixels(np.full(shape, NO_CELL, np.uint8))
        self.show_marks(np.zeros(shape, np.uint8))
        self.show_outlines(())
        self._image.setRect(self._image_frame())
        self.show_cells((0, shape[0] - 1), (0, shape[1] - 1))

    def show_pixels(self, pixels: Bytes) -> None:
        """Show bytes as `mho.gui.pictures.to_bytes` makes them; call again when some of them have changed."""
        self._image.setImage(pixels, autoLevels=False, levels=None)

    def _image_frame(self) -> QRectF:
        return QRectF(-0.5, -0.5, self.shape[1], self.shape[0])  # a cell's number is its middle

    def set_scale(self, colours: pg.ColorMap, scale: ColourScale, label: str) -> None:
        """Set the scale of the bytes: 0 and 254 are its ends."""
        self._scale = colours, scale, label
        self._image.setLookupTable(lookup_table(colours, widgets.colours().grid))
        low, high = scale.ends
        self._bar.setColorMap(colours)
        self._bar.rounding = (high - low) / HANDLE_STEPS
        self._bar.setLevels((low, high))
        self._bar.axis.setLogMode(scale.log)
        self._bar.axis.enableAutoSIPrefix(False)
        self._bar.setLabel("right", label)

    def _tell_limits(self, bar: pg.ColorBarItem) -> None:
        if self._scale is not None:
            self.limits_dragged.emit(self._scale[1].dragged((float(bar.values[0]), float(bar.values[1]))))

    def show_marks(self, marks: Bytes) -> None:
        """Mark cells: bits `SELECTED` and `BAD`."""
        self.marks = marks
        self._marks.setVisible(bool(marks.any()))
        self._marks.setImage(marks, autoLevels=False, levels=None, lut=_MARKS, rect=self._image_frame())
        self._bad_cells.show_cells((marks & BAD) != 0)
        x, y = _edges((marks & SELECTED) != 0)
        for curve in self._selected:
            curve.setData(x, y)

    def show_outlines(self, outlines: Iterable[Outline]) -> None:
        """Draw lines around blocks and between their slices."""
        blocks, slices = [], []
        for one in outlines:
            top, bottom, left, right = (edge - 0.5 for edge in (one.top, one.bottom, one.left, one.right))
            blocks += [(left, top), (right, top), (right, bottom), (left, bottom), (left, top), _APART]
            for start, _ in one.slices[1:]:
                slices += [(start - 0.5, top), (start - 0.5, bottom), _APART]
        for curve, points in ((self._blocks, blocks), (self._slices, slices)):
            x, y = np.array(points, dtype=float).reshape(-1, 2).T
            curve.setData(x, y)

    def show_cells(self, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Zoom so that the lines from the first to the last are in view."""
        (top, bottom), (left, right) = rows, columns
        self.box.setRange(QRectF(left - 0.5, top - 0.5, right - left + 1, bottom - top + 1), padding=0.03)

    def scene_position(self, row: int, column: int) -> QPointF:
        """Return where in the scene the middle of a cell is."""
        position: QPointF = self.box.mapViewToScene(QPointF(column, row))
        return position

    # --- what the user does ---

    def _click(self, row: int, column: int, modifiers: Qt.KeyboardModifier) -> None:
        if self.holds(row, column):
            self.pick(row, column)
            self.clicked.emit((row, column), modifiers)

    def holds(self, row: int, column: int) -> bool:
        """Whether the array has this cell."""
        return 0 <= row < self.shape[0] and 0 <= column < self.shape[1]

    def pick(self, row: int, column: int) -> None:
        """Select the cell whose history is shown."""
        if not self.holds(row, column):
            return
        self.cell = row, column
        self._picked.setRect(QRectF(column - 0.5, row - 0.5, 1.0, 1.0))
        self.picked.emit(row, column)

    def _zoom_to(self, row: int, column: int) -> None:
        self.show_cells((row - CLOSE, row + CLOSE), (column - CLOSE, column + CLOSE))
        self.pick(row, column)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Move from cell to cell with the arrow keys."""
        step = _STEPS.get(Qt.Key(event.key()))
        if step is None or self.cell is None:
            super().keyPressEvent(event)
            return
        self._click(self.cell[0] + step[0], self.cell[1] + step[1], Qt.KeyboardModifier.NoModifier)

    def _move(self, position: QPointF) -> None:
        inside = self.box.sceneBoundingRect().contains(position)
        self.under_mouse = self.box.cell_at(self.box.mapFromScene(position)) if inside else (-1, -1)
        self.pointed.emit(*self.under_mouse)

    # --- colours of the window ---

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow a change between light and dark."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_scale"):
            self._paint_theme()

    def _paint_theme(self) -> None:
        now = widgets.colours()
        self.setBackground(now.ground)
        for axis in (self._columns, self._rows, self._bar.axis):
            axis.setPen(now.faint)
            axis.setTextPen(now.ink)
        if self._scale is not None:
            self.set_scale(*self._scale)  # the scale has a theme colour for missing values


def _edges(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lines around the cells in `mask` as pairs of points; none where they would hide the cells."""
    if not mask.any():
        return np.empty(0), np.empty(0)
    padded = np.pad(mask, 1)
    upright = np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])  # left of column
    level = np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])  # above row
    if len(upright) + len(level) > MOST_EDGES:
        return np.empty(0), np.empty(0)
    rows = np.concatenate([upright[:, 0], level[:, 0]]) - 0.5
    columns = np.concatenate([upright[:, 1], level[:, 1]]) - 0.5
    down = np.concatenate([np.ones(len(upright)), np.zeros(len(level))])
    x, y = np.stack([columns, columns + 1.0 - down], axis=1), np.stack([rows, rows + down], axis=1)
    return x.reshape(-1), y.reshape(-1)


_APART = (np.nan, np.nan)

_MARKS = np.zeros((256, 4), np.uint8)
_MARKS[SELECTED] = 255, 255, 255, 70
_MARKS[BAD] = 0, 0, 0, 255
_MARKS[SELECTED | BAD] = 120, 120, 120, 255
