"""The images of a declared figure on the screen: side by side, on one scale of colours."""

from __future__ import annotations

from html import escape  # pyqtgraph takes names for HTML

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QWidget

from mho.analysis import palette
from mho.analysis.figures import Drawing
from mho.analysis.reports import handy_unit
from mho.gui.run_window.map_view import LineAxis, colours_of, lookup_table
from mho.gui.run_window.pictures import Picture, to_bytes

SIDE_BY_SIDE = 2


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
        limits = Picture("", every, unit, *lines, drawing.signed).limits
        for number, picture in enumerate(self.pictures):
            self._draw(picture, limits, *divmod(number, SIDE_BY_SIDE))
        bar = pg.ColorBarItem(
            values=limits, width=14, interactive=False, colorMap=colours_of(drawing.signed),
            label=escape(f"{drawing.y.name} / {unit}" if unit else drawing.y.name),
        )  # fmt: skip
        bar.axis.setPen(palette.FAINT)
        bar.axis.setTextPen(palette.INK)
        self.addItem(bar, row=1, col=SIDE_BY_SIDE, rowspan=-(-len(self.pictures) // SIDE_BY_SIDE))

    def _draw(self, picture: Picture, limits: tuple[float, float], row: int, column: int) -> None:
        axes = {"bottom": LineAxis("bottom"), "left": LineAxis("left")}
        axes["bottom"].lines, axes["left"].lines = picture.columns, picture.rows
        plot = self.addPlot(row=1 + row, col=column, axisItems=axes)
        plot.setTitle(escape(picture.name), color=palette.INK, size="10pt")
        plot.setLabel("bottom", "column")
        plot.setLabel("left", "row")
        plot.invertY(True)
        plot.setAspectLocked(True)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        image = pg.ImageItem(axisOrder="row-major")
        colours = lookup_table(colours_of(picture.signed))
        image.setImage(to_bytes(picture.values, limits), levels=(0, 255), lut=colours)
        height, width = picture.values.shape
        frame = QRectF(-0.5, -0.5, width, height)
        image.setRect(frame)
        plot.addItem(image)
        plot.setRange(frame, padding=0.02)
