"""Declared figures drawn with pyqtgraph: marks on a plane, levels and bands, read by cursors; and images."""

from __future__ import annotations

from dataclasses import replace
from html import escape  # pyqtgraph takes names for HTML
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QResizeEvent
from PySide6.QtWidgets import QWidget

from mho.analysis import palette
from mho.analysis.figures import BELOW, SHARES, Drawing, MapImage, Mark, ReferenceLevel, normal_quantile
from mho.analysis.reports import handy_unit, with_unit
from mho.array_types import Floats
from mho.gui.pictures import RunPicture, limits_of, to_bytes
from mho.gui.plots import PowersOfTen, ThemedPlot, colours_of, lookup_table, map_plot, number_lines
from mho.gui.signals.cursors import Cursors
from mho.gui.widgets import colours
from mho.runs.figures import PROBABILITY, Band

LEGEND_LINE, LEGEND_MARGINS = 21, 80
"""Height of a name in a legend, and of what is above and below all of them, pixels."""

LINE_FROM = 3_000
"""From so many points on a curve is drawn without dots."""


FEWEST = 0.7
"""Lower end of a logarithmic axis of counts."""

PENS = {
    "solid": Qt.PenStyle.SolidLine, "dash": Qt.PenStyle.DashLine, "dot": Qt.PenStyle.DotLine,
    "dash-dot": Qt.PenStyle.DashDotLine,
}  # fmt: skip
SYMBOLS = {"square": "s", "circle": "o", "diamond": "d", "triangle": "t1", BELOW: "t"}


class FigurePlot(ThemedPlot):
    """Shows a `Drawing` that has no images, of the items `drawn`; its `cursors` read the curve that was clicked last.

    `log` says which of its axes, x and y, are logarithmic. Without `heading` only notes stand above it.
    """

    def __init__(self, parent: QWidget | None = None, *, heading: bool = True) -> None:
        super().__init__(parent, x_axis=PowersOfTen, y_axis=PowersOfTen, legend=True)
        self._heading = heading
        self.drawn: list[pg.GraphicsObject] = []
        self.log = (False, False)
        self.cursors = Cursors(self)

    def paint_ground(self) -> None:
        """Apply the colours of the window, including the cursors."""
        super().paint_ground()
        if cursors := getattr(self, "cursors", None):
            cursors.paint()

    def show_drawing(self, drawing: Drawing) -> None:
        """Show a figure anew; the view stays where the user has moved it."""
        for item in self.drawn:
            self.removeItem(item)
        self.drawn = []
        self.log = drawing.x_scale == "log", drawing.y_scale == "log"
        with np.errstate(over="ignore"):  # of an axis that is logarithmic now and has its linear range still
            self.setLogMode(x=self.log[0], y=self.log[1])
            self._name_axes(drawing)
        self.setAspectLocked(drawing.equal)
        for band in drawing.bands if not drawing.nothing else ():
            self._draw_band(band, drawing)
        for mark in _with_named_fits(drawing):
            self._draw_mark(mark)
        for level in drawing.levels:
            self._draw_level(level)
        named = any(mark.label for mark in drawing.marks)
        self.legend.setVisible(named)
        self._fit_legend()
        self.cursors.read_drawing(drawing)
        heading = drawing.title if self._heading else ""
        self.say(escape(", ".join(filter(None, (heading, drawing.nothing or drawing.note)))))

    @property
    def view(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """The ends of both axes, in SI units, where the user has moved them; None where all is seen."""
        if all(self.plotItem.vb.autoRangeEnabled()):
            return None
        x, y = (
            tuple(10.0**end if log else float(end) for end in ends)
            for log, ends in zip(self.log, self.viewRange(), strict=True)
        )
        return (x[0], x[1]), (y[0], y[1])

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep the legend inside."""
        super().resizeEvent(event)
        if hasattr(self, "cursors"):
            self._fit_legend()

    def _fit_legend(self) -> None:
        """Give the legend as many columns as it needs to be seen whole."""
        room = max((self.height() - LEGEND_MARGINS) // LEGEND_LINE, 1)
        columns = -(-len(self.legend.items) // room) or 1
        if columns != self.legend.columnCount:
            self.legend.setColumnCount(columns)

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
            self._draw_curve(mark, mark.x, mark.y, pen=None, name=name, **symbol)
            return
        if mark.shape == "whiskers":
            assert mark.low is not None
            assert mark.high is not None
            ends = np.stack((mark.low, mark.high), axis=1).ravel()
            self._draw_curve(mark, np.repeat(mark.x, 2), ends, pen=pg.mkPen(colour, width=1), connect="pairs")
        if mark.shape.endswith("band"):
            self._shade_between(mark, colour)
            return
        x, y = _as_steps(mark.x, mark.y) if mark.shape == "steps" else (mark.x, mark.y)
        self._draw_curve(mark, x, y, pen=pen, connect="finite", name=name, **symbol)

    def _draw_curve(self, mark: Mark, x: Floats, y: Floats, **style: Any) -> None:
        x, y = self.visible(x, y)
        if not np.isfinite(
            x
        ).any():  # pyqtgraph looks for the bounds of what it draws, also where there are none
            return
        item = pg.PlotDataItem(x, y, **style)
        self.draw(item)
        if (
            style.get("connect") == "finite" and len(x) >= LINE_FROM
        ):  # possible only after the item has its view
            item.setDownsampling(auto=True, method="peak")
        item.setCurveClickable(True, width=8)
        item.sigClicked.connect(lambda *_: self.cursors.read_curve(mark))
        item.sigPointsClicked.connect(lambda *_: self.cursors.read_curve(mark))

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


def _with_named_fits(drawing: Drawing) -> list[Mark]:
    """Return the marks, of which each fitted line is named by its numbers with their intervals."""
    fits = iter(drawing.fits)
    fitted = [not (mark.front or mark.label) and mark.dash == "dash" for mark in drawing.marks]
    return [
        replace(mark, label=next(fits, "")) if is_fit else mark
        for mark, is_fit in zip(drawing.marks, fitted, strict=True)
    ]


def _as_steps(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the corners of steps that hold each value up to the next x."""
    return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]


SIDE_BY_SIDE = 2
MOST_WRITTEN = 16
"""Lines and columns up to which counts are written into an image."""


class FigureImages(pg.GraphicsLayoutWidget):  # type: ignore[misc]
    """Shows a `Drawing` of images; what it shows of each is a `RunPicture` among `pictures`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setBackground("w")  # as all maps: their colours are made for it
        self.pictures: list[RunPicture] = []

    def show_drawing(self, drawing: Drawing) -> None:
        """Show the images anew."""
        self.clear()
        factor, unit = handy_unit(drawing.y.unit)
        self.pictures = [
            RunPicture(image.name, factor * image.values, unit, image.rows, image.columns, drawing.signed)
            for image in drawing.images
        ]
        title = f"{drawing.title}, {drawing.nothing}" if drawing.nothing else drawing.title
        self.addLabel(escape(title), row=0, col=0, colspan=SIDE_BY_SIDE + 1, color=palette.FAINT, size="10pt")
        if not self.pictures:
            return
        every = np.concatenate([one.values.ravel() for one in self.pictures])
        limits = drawing.limits or limits_of(every, drawing.signed)
        for number, picture in enumerate(self.pictures):
            plot = self._draw(picture, limits, drawing, *divmod(number, SIDE_BY_SIDE))
            _write_counts(plot, drawing.images[number])
        bar = pg.ColorBarItem(
            values=limits, width=14, interactive=False, colorMap=colours_of(drawing.signed, drawing.grey),
            label=escape(with_unit(drawing.y.name, unit)),
        )  # fmt: skip
        bar.axis.setWidth()  # as its numbers need: one that is wider than pyqtgraph's 45 pixels is left out
        bar.axis.setPen(palette.FAINT)
        bar.axis.setTextPen(palette.INK)
        self.addItem(bar, row=1, col=SIDE_BY_SIDE, rowspan=-(-len(self.pictures) // SIDE_BY_SIDE))

    def _draw(
        self, picture: RunPicture, limits: tuple[float, float], drawing: Drawing, row: int, column: int
    ) -> pg.PlotItem:
        plot, image = map_plot(self, drawing.lines, row=1 + row, col=column)
        number_lines(plot, picture.rows, picture.columns)
        plot.setTitle(escape(picture.name), color=palette.INK, size="10pt")
        colours = lookup_table(colours_of(picture.signed, drawing.grey))
        image.setImage(to_bytes(picture.values, limits), levels=(0, 255), lut=colours)
        height, width = picture.values.shape
        frame = QRectF(-0.5, -0.5, width, height)
        image.setRect(frame)
        plot.setRange(frame, padding=0.02)
        return plot


def _write_counts(plot: pg.PlotItem, image: MapImage) -> None:
    """Write the counts of an image into it, light on dark colours and dark on light ones."""
    if image.counts is None or max(image.counts.shape) > MOST_WRITTEN:
        return
    for (row, column), count in np.ndenumerate(image.counts):
        if count:
            light = image.values[row, column] > 0.6
            text = pg.TextItem(str(count), color=palette.INK if light else "w", anchor=(0.5, 0.5))
            text.setPos(column, row)
            plot.addItem(text, ignoreBounds=True)
