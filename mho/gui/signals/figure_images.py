"""The images of a declared figure on the screen: side by side, on one scale of colours."""

from __future__ import annotations

from html import escape  # pyqtgraph takes names for HTML

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QWidget

from mho.analysis import palette
from mho.analysis.figures import Drawing, MapImage
from mho.analysis.reports import handy_unit
from mho.gui.run_window.map_view import LineAxis, colours_of, lookup_table
from mho.gui.run_window.pictures import Picture, to_bytes

SIDE_BY_SIDE = 2
MOST_WRITTEN = 16
"""Lines and columns up to which counts are written into an image."""


class FigureImages(pg.GraphicsLayoutWidget):  # type: ignore[misc]
    """Shows a `Drawing` of images; what it shows of each is a `Picture` among `pictures`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setBackground("w")  # as all maps: their colours are made for it
        self.pictures: list[Picture] = []

    def show_drawing(self, drawing: Drawing) -> None:
        """Show the images anew."""
        self.clear()
        factor, unit = handy_unit(drawing.y.unit)
        self.pictures = [
            Picture(image.name, factor * image.values, unit, image.rows, image.columns, drawing.signed)
            for image in drawing.images
        ]
        title = f"{drawing.title}, {drawing.nothing}" if drawing.nothing else drawing.title
        self.addLabel(escape(title), row=0, col=0, colspan=SIDE_BY_SIDE + 1, color=palette.FAINT, size="10pt")
        if not self.pictures:
            return
        every = np.concatenate([one.values.ravel() for one in self.pictures])[None, :]
        lines = np.arange(1), np.arange(every.size)
        limits = drawing.limits or Picture("", every, unit, *lines, drawing.signed).limits
        for number, picture in enumerate(self.pictures):
            plot = self._draw(picture, limits, drawing, *divmod(number, SIDE_BY_SIDE))
            _write_counts(plot, drawing.images[number])
        bar = pg.ColorBarItem(
            values=limits, width=14, interactive=False, colorMap=colours_of(drawing.signed, drawing.grey),
            label=escape(f"{drawing.y.name} / {unit}" if unit else drawing.y.name),
        )  # fmt: skip
        bar.axis.setPen(palette.FAINT)
        bar.axis.setTextPen(palette.INK)
        self.addItem(bar, row=1, col=SIDE_BY_SIDE, rowspan=-(-len(self.pictures) // SIDE_BY_SIDE))

    def _draw(
        self, picture: Picture, limits: tuple[float, float], drawing: Drawing, row: int, column: int
    ) -> pg.PlotItem:
        axes = {"bottom": LineAxis("bottom"), "left": LineAxis("left")}
        axes["bottom"].lines, axes["left"].lines = picture.columns, picture.rows
        plot = self.addPlot(row=1 + row, col=column, axisItems=axes)
        plot.setTitle(escape(picture.name), color=palette.INK, size="10pt")
        plot.setLabel("bottom", drawing.lines[0])
        plot.setLabel("left", drawing.lines[1])
        plot.invertY(True)
        plot.setAspectLocked(True)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        image = pg.ImageItem(axisOrder="row-major")
        colours = lookup_table(colours_of(picture.signed, drawing.grey))
        image.setImage(to_bytes(picture.values, limits), levels=(0, 255), lut=colours)
        height, width = picture.values.shape
        frame = QRectF(-0.5, -0.5, width, height)
        image.setRect(frame)
        plot.addItem(image)
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
