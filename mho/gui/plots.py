"""Plots in the colours of the window, maps of cells, and their axes. pyqtgraph is loaded here, which takes a while."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from mho.analysis import palette
from mho.gui.pictures import NO_CELL
from mho.gui.widgets import colours


class ThemedPlot(pg.PlotWidget):  # type: ignore[misc]
    """A `PlotWidget` without menu and buttons, with a faint grid.

    Parameters
    ----------
    x, y : str
        Labels of the axes; an axis with one has no SI prefixes.
    x_axis, y_axis : type
        Of the axes.
    legend : bool
        Whether it has a legend, at the top right.
    """

    _made = False  # the base changes its palette while it makes itself

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        x: str = "",
        y: str = "",
        x_axis: type[pg.AxisItem] = pg.AxisItem,
        y_axis: type[pg.AxisItem] = pg.AxisItem,
        legend: bool = False,
    ) -> None:
        super().__init__(parent, axisItems={"bottom": x_axis("bottom"), "left": y_axis("left")})
        self._made = True
        self.setMenuEnabled(False)
        self.hideButtons()
        self.showGrid(x=True, y=True, alpha=0.15)
        for side, name in (("bottom", x), ("left", y)):
            if name:
                self.setLabel(side, name)
                self.getAxis(side).enableAutoSIPrefix(False)
        self.legend: Any = self.addLegend(offset=(-10, 10)) if legend else None
        self.paint_ground()

    def paint_ground(self) -> None:
        """Apply the colours of the window; called again whenever they change."""
        now = colours()
        self.setBackground(now.ground)
        for side in ("left", "bottom", "right", "top"):
            axis = self.getAxis(side)
            axis.setPen(now.faint)
            axis.setTextPen(now.ink)
        if self.legend is not None:
            ground = QColor(now.ground)
            ground.setAlpha(208)
            self.legend.setBrush(ground)
            self.legend.setLabelTextColor(now.ink)
            for _, label in self.legend.items:
                label.setText(label.text, color=now.ink)  # else it keeps the colour it was made with

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._made:
            self.paint_ground()

    def name_axis(self, side: str, name: str, unit: str, *, log: bool) -> None:
        """Label an axis; a unit gets SI prefixes on a linear axis, and none with powers of ten."""
        axis = self.getAxis(side)
        axis.enableAutoSIPrefix(bool(unit) and not log)
        if not unit or log:
            axis.autoSIPrefixScale = 1.0  # pyqtgraph finds it even where it is not to be used
        axis.setLabel(name, units=unit)

    def say(self, text: str) -> None:
        """Show a faint line of text above the plot, "" for none."""
        self.setTitle(text or None, color=colours().faint, size="10pt")


class WholeAxis(pg.AxisItem):  # type: ignore[misc]
    """An axis of whole numbers: cycles, components, counts."""

    def __init__(self, orientation: str, **options: Any) -> None:
        super().__init__(orientation, **options)
        self.enableAutoSIPrefix(False)

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:  # noqa: N802
        """Return spacings of whole numbers only."""
        return _whole_spacings(super().tickSpacing(low, high, size))


class PowersOfTen(pg.AxisItem):  # type: ignore[misc]
    """A logarithmic axis that writes every power of ten alike, and only where none is in view what lies between.

    With `counts` it has whole numbers only while it is linear.
    """

    counts = False

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:  # noqa: N802
        """Return spacings, of whole numbers where it counts."""
        spacings: list[tuple[float, float]] = super().tickSpacing(low, high, size)
        return _whole_spacings(spacings) if self.counts and not self.logMode else spacings

    def logTickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:  # noqa: N802
        """Return 10 to the integer of each place; in between nothing, or digits where there is no integer."""
        low, high = self.range
        if math.ceil(low) > high:
            return [f"{10.0**value:.1e}" for value in values]
        return [
            "10" + f"{round(value)}".translate(_RAISED) if abs(value - round(value)) < 1e-9 else ""
            for value in values
        ]


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _whole_spacings(spacings: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return spacings and offsets of ticks for an axis on which there is nothing between whole numbers."""
    return [(max(1.0, round(spacing)), offset) for spacing, offset in spacings[:2]]


class LineAxis(WholeAxis):
    """An axis of cells, labelled with the physical numbers of their lines."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation, pen=palette.FAINT, textPen=palette.INK)
        self.lines: NDArray[np.int64] = np.empty(0, np.int64)

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:  # noqa: N802
        """Return the number of the line at each place."""
        places = [round(value) for value in values]
        return [str(self.lines[place]) if 0 <= place < len(self.lines) else "" for place in places]


def map_plot(
    canvas: pg.GraphicsLayoutWidget, labels: Sequence[str], **place: Any
) -> tuple[pg.PlotItem, pg.ImageItem]:
    """Add a plot of cells to a canvas, with an image in it; `labels` are of columns and rows, `place` is pyqtgraph's."""
    axes = {side: LineAxis(side) for side in ("bottom", "left")}
    plot, image = canvas.addPlot(axisItems=axes, **place), pg.ImageItem(axisOrder="row-major")
    for side, label in zip(axes, labels, strict=True):
        plot.setLabel(side, label)
    plot.invertY(True)
    plot.setAspectLocked(True)
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.addItem(image)
    return plot, image


def number_lines(plot: pg.PlotItem, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
    """Set the physical line numbers of a `map_plot`."""
    plot.getAxis("left").lines, plot.getAxis("bottom").lines = rows, columns


def colours_of(signed: bool, grey: bool = False) -> pg.ColorMap:
    """Return the colours of a map, from below to above zero where it is `signed`, from black to white where `grey`."""
    if grey:
        return pg.ColorMap(None, list(palette.GREY))
    if signed:
        return pg.ColorMap(None, list(palette.DIVERGING))
    return pg.colormap.get(palette.SEQUENTIAL)


def lookup_table(colours: pg.ColorMap, missing: str = palette.NO_CELL) -> NDArray[np.uint8]:
    """Return the colours of the 256 bytes of `RunPicture.pixels`; the last is that of a `missing` value."""
    table = np.empty((256, 3), np.uint8)
    table[:NO_CELL] = colours.getLookupTable(nPts=NO_CELL)[:, :3]
    table[NO_CELL] = pg.mkColor(missing).getRgb()[:3]
    return table
