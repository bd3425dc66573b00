"""The plot of the signals panel: curves of several runs, linear or logarithmic, and two cursors with a read-out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from mho.analysis import palette
from mho.gui.signals.reading import Curves
from mho.gui.solve.convergence_view import PowersOfTen
from mho.gui.widgets.theme import colours
from mho.gui.widgets.themed_plot import ThemedPlot

Floats = NDArray[np.float64]

LINE_FROM = 3_000
"""From so many points on a curve is drawn without dots."""


@dataclass(frozen=True)
class Shown:
    """The curves of one run, and how they are distinguished."""

    name: str
    colour: str
    curves: Curves


class SignalsPlot(ThemedPlot):
    """Shows curves, which are its items `drawn`; `read` carries the text of the cursors' read-out."""

    read = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, axisItems={side: PowersOfTen(side) for side in ("left", "bottom")})
        self._legend = self.addLegend(offset=(-10, 10))
        self.drawn: list[pg.PlotDataItem] = []
        self._shown: tuple[Shown, ...] = ()
        self.log_x = self.log_y = False
        self.cursors = [self._cursor("A", Qt.PenStyle.DashLine), self._cursor("B", Qt.PenStyle.DotLine)]
        self.paint_ground()

    def paint_ground(self) -> None:
        """Apply the colours of the window, including the cursors."""
        super().paint_ground()
        for cursor in getattr(self, "cursors", ()):
            cursor.setPen(pg.mkPen(colours().ink, width=1.2, style=cursor.pen.style()))
            cursor.label.setColor(colours().ink)

    def show_curves(self, shown: Sequence[Shown]) -> None:
        """Show the curves of some runs, the first being the one that the axes and cursors go by."""
        self._shown = tuple(shown)
        for item in self.drawn:
            self.removeItem(item)
        self.drawn = []
        if not shown:
            return
        first = shown[0].curves
        magnitudes = self.log_y and any(np.nanmin(values, initial=0.0) < 0.0 for _, values in first.curves)
        self.name_axis("bottom", first.axis, first.axis_unit, log=self.log_x)
        signal = f"|{first.signal}|" if magnitudes else first.signal
        self.name_axis("left", signal, first.unit, log=self.log_y)
        self.getAxis("bottom").counts = first.counts
        self._legend.setVisible(len(shown) > 1 or bool(first.names))
        for place, one in enumerate(shown):
            self._draw(one, depth=-place)  # the first lies over the others
        self._read()

    def set_log(self, x: bool, y: bool) -> None:
        """Make the axes logarithmic, which then show magnitudes; or linear."""
        self.log_x, self.log_y = x, y
        self.setLogMode(x=x, y=y)
        self.show_curves(self._shown)
        self.enableAutoRange()
        self.place_cursors()

    def show_cursors(self, visible: bool) -> None:
        """Show the cursors at a third and two thirds of the visible range, or hide them."""
        for cursor in self.cursors:
            cursor.setVisible(visible)
        if visible:
            self.place_cursors()
        self._read()

    def place_cursors(self) -> None:
        """Move the cursors back into view."""
        self.plotItem.vb.updateAutoRange()  # else the view finds its range when it is painted next
        low, high = self.viewRange()[0]
        for cursor, share in zip(self.cursors, (1 / 3, 2 / 3), strict=True):
            cursor.setPos(low + share * (high - low))

    def _draw(self, one: Shown, depth: int) -> None:
        count, names = len(one.curves.curves), one.curves.names
        alone = len(self._shown) == 1
        for number, (places, values) in enumerate(one.curves.curves, 1):
            colour = pg.mkColor(palette.SERIES[number - 1] if names and alone else one.colour)
            if not (names and alone):
                colour.setAlphaF(0.25 + 0.75 * number / count)  # earlier curves are fainter
            x, y = np.abs(places) if self.log_x else places, np.abs(values) if self.log_y else values
            known = np.isfinite(x) & np.isfinite(y)
            for log, data in ((self.log_x, x), (self.log_y, y)):
                known &= (data > 0.0) | (not log)
            few = len(x) < LINE_FROM
            item = pg.PlotDataItem(
                np.where(known, x, np.nan),
                np.where(known, y, np.nan),
                pen=pg.mkPen(colour, width=1.5 if few else 1),  # wider lines are drawn much slower
                symbol="o" if few and (count == 1 or names) else None,
                symbolSize=4,
                symbolBrush=colour,
                symbolPen=None,
                connect="finite",
                name=names[number - 1] if names and alone else one.name if number == count else None,
            )
            item.setZValue(depth)
            item.setLogMode(self.log_x, self.log_y)
            self.addItem(item)
            if not few:  # possible only after the item has its view
                item.setDownsampling(auto=True, method="peak")
                item.setClipToView(True)
            self.drawn.append(item)

    def _cursor(self, name: str, style: Qt.PenStyle) -> pg.InfiniteLine:
        cursor = pg.InfiniteLine(
            angle=90,
            movable=True,
            pen=pg.mkPen(colours().ink, width=1.2, style=style),
            label=name,
            labelOpts={"position": 0.95, "color": colours().ink},
        )
        cursor.setVisible(False)
        cursor.sigPositionChanged.connect(self._read)
        self.addItem(cursor, ignoreBounds=True)
        return cursor

    def _read(self) -> None:
        """Show the positions of the cursors, the values of the first run's newest curve there, and the differences."""
        if not self._shown or not self._shown[0].curves.curves or not self.cursors[0].isVisible():
            self.read.emit("")
            return
        curves = self._shown[0].curves
        places, values = curves.curves[-1]
        if not len(places):
            self.read.emit("")
            return
        points = []
        for cursor in self.cursors:
            place = 10.0 ** cursor.value() if self.log_x else cursor.value()
            nearest = int(np.nanargmin(np.abs((np.abs(places) if self.log_x else places) - place)))
            points.append((float(places[nearest]), float(values[nearest])))
        (x1, y1), (x2, y2) = points
        parts = [
            f"{name}  {_said(x, curves.axis_unit)}, {_said(y, curves.unit)}"
            for name, (x, y) in zip("AB", points, strict=True)
        ]
        parts.append(f"B − A  {_said(x2 - x1, curves.axis_unit)}, {_said(y2 - y1, curves.unit)}")
        self.read.emit("      ".join(parts))


def _said(value: float, unit: str) -> str:
    return str(pg.siFormat(value, precision=4, suffix=unit)) if unit else f"{value:.4g}"
