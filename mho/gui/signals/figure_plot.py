"""Declared figures drawn with pyqtgraph: marks on a plane, levels and bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape  # pyqtgraph takes names for HTML
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from mho.analysis import palette
from mho.analysis.figures import BELOW, SHARES, Drawing, Mark, ReferenceLevel, normal_quantile
from mho.array_types import Floats
from mho.gui.plots import PowersOfTen, ThemedPlot
from mho.gui.signals.reading import Curves
from mho.gui.widgets import colours
from mho.runs.figures import PROBABILITY, Band

LINE_FROM = 3_000
"""From so many points on a curve is drawn without dots."""


@dataclass(frozen=True)
class PlottedRun:
    """The curves of one run, and how they are distinguished."""

    name: str
    colour: str
    curves: Curves


class DrawnPlot(ThemedPlot):
    """A plot that is drawn anew, of the items `drawn`; `log` says which of its axes, x and y, are logarithmic."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, x_axis=PowersOfTen, y_axis=PowersOfTen, legend=True)
        self.drawn: list[pg.GraphicsObject] = []
        self.log = (False, False)

    def clear_drawn(self) -> None:
        """Remove what is drawn."""
        for item in self.drawn:
            self.removeItem(item)
        self.drawn = []

    def draw(self, item: pg.GraphicsObject, **options: Any) -> None:
        """Add an item; options are pyqtgraph's."""
        if isinstance(item, pg.PlotDataItem):
            item.setLogMode(*self.log)
        self.addItem(item, **options)
        self.drawn.append(item)

    def visible(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Drop values that a logarithmic axis cannot show."""
        known = np.isfinite(x) & np.isfinite(y)
        for log, values in zip(self.log, (x, y), strict=True):
            known &= (values > 0.0) | (not log)
        return np.where(known, x, np.nan), np.where(known, y, np.nan)


class SignalsPlot(DrawnPlot):
    """Shows curves, which are its items `drawn`; `read` carries the text of the cursors' read-out."""

    read = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[PlottedRun, ...] = ()
        self.cursors = [self._cursor("A", Qt.PenStyle.DashLine), self._cursor("B", Qt.PenStyle.DotLine)]

    def paint_ground(self) -> None:
        """Apply the colours of the window, including the cursors."""
        super().paint_ground()
        for cursor in getattr(self, "cursors", ()):
            cursor.setPen(pg.mkPen(colours().ink, width=1.2, style=cursor.pen.style()))
            cursor.label.setColor(colours().ink)

    def show_curves(self, shown: Sequence[PlottedRun]) -> None:
        """Show the curves of some runs, the first being the one that the axes and cursors go by."""
        self._shown = tuple(shown)
        self.clear_drawn()
        if not shown:
            return
        first = shown[0].curves
        magnitudes = self.log[1] and any(np.nanmin(values, initial=0.0) < 0.0 for _, values in first.curves)
        self.name_axis("bottom", first.axis, first.axis_unit, log=self.log[0])
        signal = f"|{first.signal}|" if magnitudes else first.signal
        self.name_axis("left", signal, first.unit, log=self.log[1])
        self.getAxis("bottom").counts = first.counts
        self.legend.setVisible(len(shown) > 1 or bool(first.names))
        for place, one in enumerate(shown):
            self._draw(one, depth=-place)  # the first lies over the others
        self._read()

    def set_log(self, x: bool, y: bool) -> None:
        """Make the axes logarithmic, which then show magnitudes; or linear."""
        self.log = x, y
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

    def _draw(self, one: PlottedRun, depth: int) -> None:
        count, names = len(one.curves.curves), one.curves.names
        alone = len(self._shown) == 1
        for number, (places, values) in enumerate(one.curves.curves, 1):
            colour = pg.mkColor(palette.SERIES[number - 1] if names and alone else one.colour)
            if not (names and alone):
                colour.setAlphaF(0.25 + 0.75 * number / count)  # earlier curves are fainter
            x, y = np.abs(places) if self.log[0] else places, np.abs(values) if self.log[1] else values
            few = len(x) < LINE_FROM
            item = pg.PlotDataItem(
                *self.visible(x, y),
                pen=pg.mkPen(colour, width=1.5 if few else 1),  # wider lines are drawn much slower
                symbol="o" if few and (count == 1 or names) else None,
                symbolSize=4,
                symbolBrush=colour,
                symbolPen=None,
                connect="finite",
                name=names[number - 1] if names and alone else one.name if number == count else None,
            )
            item.setZValue(depth)
            self.draw(item)
            if not few:  # possible only after the item has its view
                item.setDownsampling(auto=True, method="peak")
                item.setClipToView(True)

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
            place = 10.0 ** cursor.value() if self.log[0] else cursor.value()
            nearest = int(np.nanargmin(np.abs((np.abs(places) if self.log[0] else places) - place)))
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


FEWEST = 0.7
"""Lower end of a logarithmic axis of counts."""

PENS = {
    "solid": Qt.PenStyle.SolidLine, "dash": Qt.PenStyle.DashLine, "dot": Qt.PenStyle.DotLine,
    "dash-dot": Qt.PenStyle.DashDotLine,
}  # fmt: skip
SYMBOLS = {"square": "s", "circle": "o", "diamond": "d", "triangle": "t1", BELOW: "t"}


class FigurePlot(DrawnPlot):
    """Shows a `Drawing` that has no images; its items are `drawn`."""

    def show_drawing(self, drawing: Drawing) -> None:
        """Show a figure anew; the view stays where the user has moved it."""
        self.clear_drawn()
        self.log = drawing.x_scale == "log", drawing.y_scale == "log"
        self.setLogMode(x=self.log[0], y=self.log[1])
        self.setAspectLocked(drawing.equal)
        self._name_axes(drawing)
        for band in drawing.bands if not drawing.nothing else ():
            self._draw_band(band, drawing)
        for mark in drawing.marks:
            self._draw_mark(mark)
        for level in drawing.levels:
            self._draw_level(level)
        named = any(mark.label for mark in drawing.marks)
        self.legend.setVisible(named)
        self.say(escape(", ".join(filter(None, (drawing.title, drawing.nothing or drawing.note)))))

    def _name_axes(self, drawing: Drawing) -> None:
        for side, axis, log in (("bottom", drawing.x, self.log[0]), ("left", drawing.y, self.log[1])):
            self.name_axis(side, escape(axis.name), axis.unit, log=log)
        self.getAxis("bottom").counts = drawing.counts
        shares = None
        if drawing.y_scale == PROBABILITY:
            places = normal_quantile(np.array(SHARES)).tolist()
            shares = [[(place, f"{100 * share:g} %") for place, share in zip(places, SHARES, strict=True)]]
        self.getAxis("left").setTicks(shares)

    def _draw_mark(self, mark: Mark) -> None:
        colour = QColor(colours().faint if mark.colour == palette.IDEAL else mark.colour)
        colour.setAlphaF(mark.opacity)
        pen = pg.mkPen(colour, width=2 if mark.marker else 1, style=PENS[mark.dash])
        symbol = {
            "symbol": SYMBOLS.get(mark.marker), "symbolSize": 7, "symbolBrush": colour, "symbolPen": None,
        }  # fmt: skip
        name = escape(mark.label) or None
        if mark.shape == "bars":
            ground = FEWEST if self.log[1] else 0.0
            level = np.log10(FEWEST) if self.log[1] else 0.0
            style = {"stepMode": "center", "fillLevel": level, "brush": colour, "pen": pg.mkPen(colour)}
            self.draw(pg.PlotDataItem(mark.x, np.maximum(mark.y, ground), name=name, **style))
            return
        if mark.shape == "points":
            symbol |= {"symbol": symbol["symbol"] or "o", "symbolSize": 6 if mark.marker else 4}
            self._draw_curve(mark.x, mark.y, pen=None, name=name, **symbol)
            return
        if mark.shape == "whiskers":
            assert mark.low is not None
            assert mark.high is not None
            ends = np.stack((mark.low, mark.high), axis=1).ravel()
            self._draw_curve(np.repeat(mark.x, 2), ends, pen=pg.mkPen(colour, width=1), connect="pairs")
        if mark.shape.endswith("band"):
            self._shade_between(mark, colour)
            return
        x, y = _as_steps(mark.x, mark.y) if mark.shape == "steps" else (mark.x, mark.y)
        self._draw_curve(x, y, pen=pen, connect="finite", name=name, **symbol)

    def _draw_curve(self, x: Floats, y: Floats, **style: Any) -> None:
        x, y = self.visible(x, y)
        if np.isfinite(x).any():  # pyqtgraph looks for the bounds of what it draws, also where there are none
            self.draw(pg.PlotDataItem(x, y, **style))

    def _shade_between(self, mark: Mark, colour: QColor) -> None:
        """Shade from the lower to the upper curve of a band; values that are missing interrupt it."""
        assert mark.low is not None
        assert mark.high is not None
        ends = []
        for values in (mark.low, mark.high):
            x, y = _as_steps(mark.x, values) if mark.shape == "step band" else (mark.x, values)
            ends.append(self.visible(x, y))
        known = np.isfinite(ends[0][1]) & np.isfinite(ends[1][1])
        if not known.any():
            return
        curves = [pg.PlotDataItem(x[known], y[known], pen=pg.mkPen(None)) for x, y in ends]
        for curve in curves:
            self.draw(curve)
        shade = pg.FillBetweenItem(*curves, brush=colour)
        shade.setZValue(-5)
        self.draw(shade)

    def _draw_level(self, level: ReferenceLevel) -> None:
        value = level.x if level.y is None else level.y
        assert value is not None
        log = self.log[level.y is not None]
        line = pg.InfiniteLine(
            pos=float(np.log10(value)) if log else value,
            angle=0 if level.y is not None else 90,
            pen=pg.mkPen(palette.TARGET, style=Qt.PenStyle.DotLine),
            label=level.label,
            labelOpts={
                "position": 0.03 if level.y is not None else 0.97,
                "color": palette.TARGET,
                "anchors": [(0, 0), (0, 0)],
            },
        )
        self.draw(line, ignoreBounds=True)

    def _draw_band(self, band: Band, drawing: Drawing) -> None:
        marked = np.concatenate([mark.x[np.isfinite(mark.x)] for mark in drawing.marks] or [np.zeros(1)])
        low = float(marked.min(initial=np.inf)) if band.low is None else band.low
        high = float(marked.max(initial=-np.inf)) if band.high is None else band.high
        ends = np.array([low, high])
        if not (np.isfinite(ends).all() and low < high) or (self.log[0] and low <= 0.0):
            return
        shade = QColor(palette.WINDOW)
        shade.setAlphaF(0.25)
        region = pg.LinearRegionItem(
            np.log10(ends) if self.log[0] else ends, movable=False, brush=shade, pen=pg.mkPen(None)
        )
        region.setZValue(-10)
        pg.InfLineLabel(region.lines[0], band.label, position=0.97, color=colours().ink, anchor=(0, 0))
        self.draw(region)


def _as_steps(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the corners of steps that hold each value up to the next x."""
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
