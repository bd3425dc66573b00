"""The view of a map of cells: choice of map, colour bar with unit, read-out under the mouse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from mho.analysis import palette
from mho.gui.run_window.pictures import NO_CELL, Picture

POINT_AT_A_CELL = "point at a cell to read it"


class MapView(QWidget):
    """Shows one `Picture`, and lets the user choose which; `chosen` carries its name."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.picture: Picture | None = None
        self.choice = QComboBox()
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.choice.currentTextChanged.connect(self.chosen)
        self.readout = QLabel(POINT_AT_A_CELL)
        self._columns, self._rows = LineAxis("bottom"), LineAxis("left")
        self.canvas = pg.GraphicsLayoutWidget()
        self.canvas.setBackground("w")
        self._plot = self.canvas.addPlot(axisItems={"bottom": self._columns, "left": self._rows})
        self._plot.setLabel("bottom", "column")
        self._plot.setLabel("left", "row")
        self._plot.invertY(True)
        self._plot.setAspectLocked(True)
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._image = pg.ImageItem(axisOrder="row-major")
        self._plot.addItem(self._image)
        self._bar = pg.ColorBarItem(
            values=(0.0, 1.0), width=14, interactive=False, colorMap=colours_of(False)
        )
        self._bar.axis.setPen(palette.FAINT)
        self._bar.axis.setTextPen(palette.INK)
        self.canvas.addItem(self._bar)
        self.canvas.scene().sigMouseMoved.connect(self._hover)
        self._under_mouse: QPointF | None = None

        top = QHBoxLayout()
        top.addWidget(QLabel("Map"))
        top.addWidget(self.choice)
        top.addStretch(1)
        top.addWidget(self.readout)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self.canvas, 1)

    def offer(self, names: Sequence[str], first: str) -> None:
        """Let the user choose among `names`, beginning with `first`."""
        blocked = self.choice.blockSignals(True)
        self.choice.clear()
        self.choice.addItems(list(names))
        self.choice.setCurrentText(first)
        self.choice.blockSignals(blocked)
        self.choice.setEnabled(bool(names))

    def show_picture(self, picture: Picture) -> None:
        """Show `picture`; the view stays where the user zoomed while the map is the same."""
        before = self.picture
        self.picture = picture
        colours = colours_of(picture.signed)
        self._image.setImage(picture.pixels(), levels=(0, 255), lut=lookup_table(colours))
        height, width = picture.values.shape
        self._columns.lines, self._rows.lines = picture.columns, picture.rows
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


class LineAxis(pg.AxisItem):  # type: ignore[misc]
    """An axis of cells, labelled with the physical numbers of their lines."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation, pen=palette.FAINT, textPen=palette.INK)
        self.enableAutoSIPrefix(False)
        self.lines: NDArray[np.int64] = np.empty(0, np.int64)

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:  # noqa: N802
        """Return spacings of whole lines only."""
        spacings = super().tickSpacing(low, high, size)
        return [(max(1.0, round(spacing)), offset) for spacing, offset in spacings[:2]]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:  # noqa: N802
        """Return the number of the line at each place."""
        places = [round(value) for value in values]
        return [str(self.lines[place]) if 0 <= place < len(self.lines) else "" for place in places]


def colours_of(signed: bool, grey: bool = False) -> pg.ColorMap:
    """Return the colours of a map, from below to above zero where it is `signed`, from black to white where `grey`."""
    if grey:
        return pg.ColorMap(None, list(palette.GREY))
    if signed:
        return pg.ColorMap(None, list(palette.DIVERGING))
    return pg.colormap.get(palette.SEQUENTIAL)


def lookup_table(colours: pg.ColorMap) -> NDArray[np.uint8]:
    """Return the colours of the 256 bytes of `Picture.pixels`."""
    table = np.empty((256, 3), np.uint8)
    table[:NO_CELL] = colours.getLookupTable(nPts=NO_CELL)[:, :3]
    table[NO_CELL] = pg.mkColor(palette.NO_CELL).getRgb()[:3]
    return table
