"""Two cursors on a plot, which read a curve: x, y, their differences and the slope, in units."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QObject, Qt, Signal

from mho.analysis.figures import Drawing, Mark
from mho.gui.widgets import colours

READABLE = ("line", "steps", "points", "whiskers")
"""Shapes of marks that have a y at each x."""


class Cursors(QObject):
    """The cursors A and B of a `FigurePlot`; `read` carries the text of what they read, "" for nothing."""

    read = Signal(str)

    def __init__(self, plot: Any) -> None:
        super().__init__(plot)
        self._plot = plot
        self._drawing: Drawing | None = None
        self._curve: Mark | None = None
        self._label = ""  # of the curve that was clicked, which is another mark when more has come
        self.lines = [self._line("A", Qt.PenStyle.DashLine), self._line("B", Qt.PenStyle.DotLine)]

    def paint(self) -> None:
        """Follow the theme."""
        for line in self.lines:
            line.setPen(pg.mkPen(colours().ink, width=1.2, style=line.pen.style()))
            line.label.setColor(colours().ink)

    def show(self, visible: bool) -> None:
        """Show the cursors at a third and two thirds of the visible range, or hide them."""
        for line in self.lines:
            line.setVisible(visible)
        if visible:
            self.place()
        self._read()

    def place(self) -> None:
        """Move the cursors back into view."""
        self._plot.plotItem.vb.updateAutoRange()  # else the view finds its range when it is painted next
        low, high = self._plot.viewRange()[0]
        for line, share in zip(self.lines, (1 / 3, 2 / 3), strict=True):
            line.setPos(low + share * (high - low))

    def read_drawing(self, drawing: Drawing) -> None:
        """Read the curve of this drawing that was clicked, else its first one."""
        curves = [mark for mark in drawing.marks if mark.shape in READABLE and len(mark.x)]
        front = [mark for mark in curves if mark.front] or curves
        clicked = [mark for mark in curves if self._label and mark.label == self._label]
        self._drawing, self._curve = drawing, next(iter([*clicked, *front]), None)
        self._read()

    def read_curve(self, curve: Mark) -> None:
        """Read another curve of the same drawing."""
        self._curve, self._label = curve, curve.label
        self._read()

    def _line(self, name: str, style: Qt.PenStyle) -> pg.InfiniteLine:
        line = pg.InfiniteLine(
            angle=90,
            movable=True,
            pen=pg.mkPen(colours().ink, width=1.2, style=style),
            label=name,
            labelOpts={"position": 0.95, "color": colours().ink},
        )
        line.setVisible(False)
        line.sigPositionChanged.connect(self._read)
        self._plot.addItem(line, ignoreBounds=True)
        return line

    def _read(self) -> None:
        """Say where the cursors are on the curve, and what is between them."""
        if self._drawing is None or self._curve is None or not self.lines[0].isVisible():
            self.read.emit("")
            return
        points = [self._nearest(line.value()) for line in self.lines]
        if None in points:
            self.read.emit("")
            return
        (x1, y1), (x2, y2) = (point for point in points if point is not None)
        of_x, of_y = self._drawing.x.unit, self._drawing.y.unit
        parts = [self._curve.label] * bool(self._curve.label)
        parts += [f"A  {said(x1, of_x)}, {said(y1, of_y)}", f"B  {said(x2, of_x)}, {said(y2, of_y)}"]
        parts.append(f"B − A  {said(x2 - x1, of_x)}, {said(y2 - y1, of_y)}")
        log = self._drawing.x_scale == "log", self._drawing.y_scale == "log"
        if slope := slope_text((x1, y1), (x2, y2), (of_x, of_y), log):
            parts.append(slope)
        self.read.emit("      ".join(parts))

    def _nearest(self, place: float) -> tuple[float, float] | None:
        """Return the point of the curve that is next to a place on the axis."""
        assert self._curve is not None
        x, y = self._plot.visible(self._curve.x, self._curve.y)
        if not np.isfinite(x).any():
            return None
        at = int(np.nanargmin(np.abs((np.log10(x) if self._plot.log[0] else x) - place)))
        return float(x[at]), float(y[at])


def slope_text(
    a: tuple[float, float], b: tuple[float, float], units: tuple[str, str], log: tuple[bool, bool]
) -> str:
    """Return the slope between two points as people say it on these axes; "" where there is none.

    On two linear axes the change of y by x; on a logarithmic y, what x takes for a decade; on a logarithmic x, what y gains
    in one; on two, the power.
    """
    decades_x, decades_y = (
        math.log10(end / start) if is_log and start > 0.0 and end > 0.0 else math.nan
        for start, end, is_log in zip(a, b, log, strict=True)
    )
    x, y = b[0] - a[0], b[1] - a[1]
    over = decades_x if log[0] else x
    rise = decades_y if log[1] else y
    if not (over and math.isfinite(over) and math.isfinite(rise)) or (log[1] and not rise):
        return ""
    match log:
        case (True, True):
            return f"power  {rise / over:.4g}"
        case (False, True):
            return f"slope  {said(over / rise, units[0])} / decade"
        case (True, False):
            return f"slope  {said(rise / over, units[1])} / decade"
    per = f" / {units[0]}" if units[0] else ""
    return f"slope  {said(rise / over, units[1])}{per}"


def said(value: float, unit: str) -> str:
    """Return a value with its unit, which has an SI prefix unless it is made of several."""
    return (
        str(pg.siFormat(value, precision=4, suffix=unit))
        if unit.isalpha()
        else f"{value:.4g} {unit}".rstrip()
    )
