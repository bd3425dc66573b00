"""The histogram of the shown quantity over an array's cells. It grows with the run and marks the wanted values."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from mho.analysis import palette
from mho.array_types import Floats
from mho.chip_maps.levels import Levels
from mho.gui import widgets
from mho.gui.chip.cell_quantities import MICRO, CellQuantity, ColourScale
from mho.gui.plots import PowersOfTen, ThemedPlot

BINS = 80
FLOOR = 0.5
"""Height of an empty bin: below one cell on a logarithmic axis."""

HINT = "click a cell to see every pulse and read of it"


class CellHistogram(QWidget):
    """Shows one quantity of the cells that the run uses."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.heading, self.hint = widgets.plain_label(), widgets.plain_label(HINT)
        widgets.embolden(self.heading)
        self.plot = ThemedPlot(y="cells", x_axis=PowersOfTen, y_axis=PowersOfTen)
        self.plot.getAxis("left").setLogMode(True)
        self.plot.getAxis("bottom").enableAutoSIPrefix(False)
        self.bars = self.plot.plot(
            stepMode="center", fillLevel=np.log10(FLOOR), pen=None, brush=palette.SERIES[0]
        )
        self.counts = np.empty(0, dtype=np.int64)
        self._target_lines: list[pg.InfiniteLine] = []
        widgets.column(self, self.heading, (self.plot, 1), self.hint, None, margins=0)

    def clear(self) -> None:
        """Show nothing: there is no array."""
        self.heading.clear()
        for widget in (self.plot, self.hint):
            widget.setVisible(False)

    def show_values(
        self, array: str, quantity: CellQuantity, values: Floats, targets: Floats, colours: ColourScale
    ) -> None:
        """Show the distribution of `values`, one a cell of the array, in the quantity's unit, NaN where there is none.

        It goes over the scale of the map's `colours`.

        `targets` are the values that cells were to have, each once; they are marked.
        """
        known = values[np.isfinite(values)]
        self.heading.setText(_spread(array, quantity, known))
        self.plot.setVisible(bool(known.size))
        self.hint.setVisible(bool(known.size))
        for line in self._target_lines:
            self.plot.removeItem(line)
        self._target_lines = []
        if not known.size:
            return
        edges = _edges(quantity, *colours.ends)
        # Values beyond the scale are in the first and the last bin, as they have those colours on the map.
        self.counts, _ = np.histogram(np.clip(colours.along(known), edges[0], edges[-1]), edges)
        self.plot.getAxis("bottom").setLogMode(colours.log)
        self.bars.setData(edges, np.log10(np.maximum(self.counts, FLOOR)))
        self.plot.getAxis("bottom").counts = quantity.counts
        self.plot.setLabel("bottom", f"{quantity.name}, {quantity.unit}".rstrip(", "))
        self.plot.setXRange(edges[0], edges[-1], padding=0.02)
        self.plot.setYRange(np.log10(FLOOR), np.log10(2.0 * self.counts.max()), padding=0.0)
        pen = pg.mkPen(palette.TARGET, width=1.2, style=Qt.PenStyle.DashLine)
        for value in colours.along(targets):
            line = pg.InfiniteLine(float(value), angle=90, pen=pen)
            self.plot.addItem(line, ignoreBounds=True)
            self._target_lines.append(line)


def wanted_values(quantity: CellQuantity, target: Floats, levels: Levels | None) -> Floats:
    """Return the wanted values of a quantity for cells with these targets (S), each value once.

    Of targets that are no levels of the chip there may be as many as cells; they are not marked.
    """
    if quantity.name == "error":
        return np.zeros(1)
    if quantity.name not in ("conductance", "target") or levels is None:
        return np.empty(0)
    values = np.unique(target[np.isfinite(target)])
    return MICRO * values if len(values) <= len(levels.nominal) else np.empty(0)


def _edges(quantity: CellQuantity, low: float, high: float) -> Floats:
    """Return the edges of bins from `low` to `high`: around each whole number, where there are no others."""
    if quantity.counts and high - low <= 2 * BINS:
        first, last = (low if low % 1.0 else low - 0.5), (high if high % 1.0 else high + 0.5)
        return np.arange(first, last + 0.25)
    return np.linspace(low, high, BINS + 1)


def _spread(array: str, quantity: CellQuantity, known: Floats) -> str:
    cells = f"{known.size:,} cell{'' if known.size == 1 else 's'}"
    if not known.size:
        return f"{array}: no {quantity.name} is known of any cell yet"
    unit = f" {quantity.unit}" if quantity.unit else ""
    return f"{array}, {quantity.name} of {cells}: mean {known.mean():.3g}{unit}, sd {known.std():.2g}{unit}"
