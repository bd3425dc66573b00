"""Keeps the picture of one array up to date: only the cells that changed are painted anew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from mho.analysis import palette
from mho.chip_maps.levels import Levels
from mho.gui.chip.canvas import ChipCanvas
from mho.gui.chip.cell_grid import CellGrid
from mho.gui.chip.cell_quantities import CellQuantity, scale
from mho.gui.run_window.pictures import to_bytes

BLOCK = 32  # rows
SAMPLE = 2048  # cells of a block from which the scale is found
RESCALE_PERIOD = 1.0  # s between updates of the scale, and of automatic changes


class CellPainter:
    """Paints a quantity of a grid's cells on a canvas.

    Parameters
    ----------
    canvas : ChipCanvas
        Shows an array of the grid's shape.
    """

    def __init__(
        self, canvas: ChipCanvas, grid: CellGrid, quantity: CellQuantity, levels: Levels | None
    ) -> None:
        self._canvas, self._grid, self._levels = canvas, grid, levels
        self.quantity = quantity
        self.limits = (0.0, 0.0)
        self.pixels = np.zeros(grid.shape, np.uint8)
        self._rescaled = 0.0

    def paint_all(self, now: float) -> None:
        """Find the scale and paint every cell; `now` is the bench time, s."""
        self._rescaled = time.monotonic()
        known = np.concatenate([self._sample(rows, now) for rows in self._blocks()])
        limits = scale(self.quantity, known, self._levels)
        if limits != self.limits:
            self.limits = limits
            self._canvas.set_scale(colours(self.quantity, self._levels), limits, self._label())
        for rows in self._blocks():
            self._paint(rows, now)
        self._canvas.show_pixels(self.pixels)

    def paint(self, cells: NDArray[np.int64] | None, now: float) -> None:
        """Paint the cells (flat indices) that changed; all, where None, and from time to time."""
        due = time.monotonic() - self._rescaled > RESCALE_PERIOD
        if cells is None or due:
            self.paint_all(now)
            return
        self._paint(np.unravel_index(cells, self._grid.shape), now)
        self._canvas.show_pixels(self.pixels)

    def _paint(self, index: Any, now: float) -> None:
        self.pixels[index] = to_bytes(self.quantity.of(self._grid, index, now), self.limits)

    def _blocks(self) -> Iterator[slice]:
        """Rows taken together: what is computed of them stays in the processor's cache."""
        return (slice(start, start + BLOCK) for start in range(0, len(self.pixels), BLOCK))

    def _sample(self, rows: slice, now: float) -> NDArray[np.float64]:
        """Some of the values known in these rows, all where they are few."""
        values = self.quantity.of(self._grid, rows, now).reshape(-1)
        step = (
            np.count_nonzero(np.isfinite(values)) // SAMPLE | 1
        )  # odd, so that it does not always hit the same columns
        some = values[::step]
        return some[np.isfinite(some)]

    def _label(self) -> str:
        return f"{self.quantity.name}, {self.quantity.unit}" if self.quantity.unit else self.quantity.name


def colours(quantity: CellQuantity, levels: Levels | None) -> pg.ColorMap:
    """Return the colours of a quantity: of even lightness, signed around white, in steps for levels."""
    if quantity.signed:
        return pg.ColorMap(None, list(palette.DIVERGING))
    even = pg.colormap.get(palette.SEQUENTIAL)
    if quantity.name != "level" or levels is None:
        return even
    count = levels.top + 1
    steps = even.map(np.linspace(0.0, 1.0, count))
    edges = np.arange(count) / count
    places = np.stack([edges, edges + (1.0 - 1e-6) / count], axis=1).reshape(-1)
    return pg.ColorMap(places, np.repeat(steps, 2, axis=0))
