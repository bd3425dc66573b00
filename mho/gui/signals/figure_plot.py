"""Declared figures drawn with pyqtgraph: marks on a plane, levels and bands."""

from __future__ import annotations

from html import escape  # pyqtgraph takes names for HTML

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from mho.analysis import palette
from mho.analysis.figures import BELOW, SHARES, Drawing, Mark, ReferenceLevel, normal_quantile
from mho.gui.solve.convergence_view import PowersOfTen
from mho.gui.widgets.theme import colours
from mho.gui.widgets.themed_plot import ThemedPlot
from mho.runs.figures import PROBABILITY, Band

Floats = NDArray[np.float64]

FEWEST = 0.7
"""Lower end of a logarithmic axis of counts."""

PENS = {
    "solid": Qt.PenStyle.SolidLine, "dash": Qt.PenStyle.DashLine, "dot": Qt.PenStyle.DotLine,
    "dash-dot": Qt.PenStyle.DashDotLine,
}  # fmt: skip
SYMBOLS = {"square": "s", "circle": "o", "diamond": "d", "triangle": "t1", BELOW: "t"}


class FigurePlot(ThemedPlot):
    """Shows a `Drawing` that has no images; its items are `drawn`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, axisItems={side: PowersOfTen(side) for side in ("left", "bottom")})
        self._legend = self.addLegend(offset=(-10, 10))
        self.drawn: list[pg.GraphicsObject] = []
        self._log = (False, False)
        self.paint_ground()

    def show_drawing(self, drawing: Drawing) -> None:
        """Show a figure anew; the view stays where the user has moved it."""
        for item in self.drawn:
            self.removeItem(item)
        self.drawn = []
        self._log = drawing.x_scale == "log", drawing.y_scale == "log"
        self.setLogMode(x=self._log[0], y=self._log[1])
        self.setAspectLocked(drawing.equal)
        self._name_axes(drawing)
        for band in drawing.bands if not drawing.nothing else ():
            self._draw_band(band, drawing)
        for mark in drawing.marks:
            self._draw_mark(mark)
        for level in drawing.levels:
            self._draw_level(level)
        named = any(mark.label for mark in drawing.marks)
        self._legend.setVisible(named)
        self.say(escape(", ".join(filter(None, (drawing.title, drawing.nothing or drawing.note)))))

    def _name_axes(self, drawing: Drawing) -> None:
        for side, axis, log in (("bottom", drawing.x, self._log[0]), ("left", drawing.y, self._log[1])):
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
            ground = FEWEST if self._log[1] else 0.0
            self._add(
                pg.PlotDataItem(
                    mark.x,
                    np.maximum(mark.y, ground),
                    stepMode="center",
                    fillLevel=np.log10(FEWEST) if self._log[1] else 0.0,
                    brush=colour,
                    pen=pg.mkPen(colour),
                    name=name,
                )
            )
            return
        if mark.shape == "points":
            symbol |= {"symbol": symbol["symbol"] or "o", "symbolSize": 6 if mark.marker else 4}
            x, y = self._visible(mark.x, mark.y)
            if np.isfinite(x).any():
                self._add(pg.PlotDataItem(x, y, pen=None, name=name, **symbol))
            return
        if mark.shape == "whiskers":
            assert mark.low is not None
            assert mark.high is not None
            ends = np.stack((mark.low, mark.high), axis=1).ravel()
            x, y = self._visible(np.repeat(mark.x, 2), ends)
            if np.isfinite(x).any():
                self._add(pg.PlotDataItem(x, y, pen=pg.mkPen(colour, width=1), connect="pairs"))
        if mark.shape.endswith("band"):
            self._shade_between(mark, colour)
            return
        x, y = mark.x, mark.y
        if mark.shape == "steps":
            x, y = _as_steps(x, y)
        x, y = self._visible(x, y)
        if np.isfinite(x).any():  # pyqtgraph looks for the bounds of what it draws, also where there are none
            self._add(pg.PlotDataItem(x, y, pen=pen, connect="finite", name=name, **symbol))

    def _shade_between(self, mark: Mark, colour: QColor) -> None:
        """Shade from the lower to the upper curve of a band; values that are missing interrupt it."""
        assert mark.low is not None
        assert mark.high is not None
        ends = []
        for values in (mark.low, mark.high):
            x, y = _as_steps(mark.x, values) if mark.shape == "step band" else (mark.x, values)
            ends.append(self._visible(x, y))
        known = np.isfinite(ends[0][1]) & np.isfinite(ends[1][1])
        if not known.any():
            return
        curves = [pg.PlotDataItem(x[known], y[known], pen=pg.mkPen(None)) for x, y in ends]
        for curve in curves:
            self._add(curve)
        shade = pg.FillBetweenItem(*curves, brush=colour)
        shade.setZValue(-5)
        self.addItem(shade)
        self.drawn.append(shade)

    def _visible(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Drop values that a logarithmic axis cannot show."""
        known = np.isfinite(x) & np.isfinite(y)
        for log, values in zip(self._log, (x, y), strict=True):
            known &= (values > 0.0) | (not log)
        return np.where(known, x, np.nan), np.where(known, y, np.nan)

    def _add(self, item: pg.PlotDataItem) -> None:
        item.setLogMode(*self._log)
        self.addItem(item)
        self.drawn.append(item)

    def _draw_level(self, level: ReferenceLevel) -> None:
        value = level.x if level.y is None else level.y
        assert value is not None
        log = self._log[level.y is not None]
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
        self.addItem(line, ignoreBounds=True)
        self.drawn.append(line)

    def _draw_band(self, band: Band, drawing: Drawing) -> None:
        marked = np.concatenate([mark.x[np.isfinite(mark.x)] for mark in drawing.marks] or [np.zeros(1)])
        low = float(marked.min(initial=np.inf)) if band.low is None else band.low
        high = float(marked.max(initial=-np.inf)) if band.high is None else band.high
        ends = np.array([low, high])
        if not (np.isfinite(ends).all() and low < high) or (self._log[0] and low <= 0.0):
            return
        shade = QColor(palette.WINDOW)
        shade.setAlphaF(0.25)
        region = pg.LinearRegionItem(
            np.log10(ends) if self._log[0] else ends, movable=False, brush=shade, pen=pg.mkPen(None)
        )
        region.setZValue(-10)
        pg.InfLineLabel(region.lines[0], band.label, position=0.97, color=colours().ink, anchor=(0, 0))
        self.addItem(region)
        self.drawn.append(region)


def _as_steps(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the corners of steps that hold each value up to the next x."""
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
