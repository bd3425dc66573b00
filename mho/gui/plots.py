"""Plots in the colours of the window, and axes of whole numbers. pyqtgraph is loaded here, which takes a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from mho.gui.widgets import colours


class ThemedPlot(pg.PlotWidget):  # type: ignore[misc]
    """A `PlotWidget` without menu and buttons, with a faint grid."""

    _made = False  # the base changes its palette while it makes itself

    def __init__(self, parent: QWidget | None = None, **options: Any) -> None:
        super().__init__(parent, **options)
        self._made = True
        self.setMenuEnabled(False)
        self.hideButtons()
        self.showGrid(x=True, y=True, alpha=0.15)
        self.paint_ground()

    def paint_ground(self) -> None:
        """Apply the colours of the window; called again whenever they change."""
        now = colours()
        self.setBackground(now.ground)
        for side in ("left", "bottom", "right", "top"):
            axis = self.getAxis(side)
            axis.setPen(now.faint)
            axis.setTextPen(now.ink)
        legend = self.plotItem.legend
        if legend is not None:
            ground = QColor(now.ground)
            ground.setAlpha(208)
            legend.setBrush(ground)
            legend.setLabelTextColor(now.ink)
            for _, label in legend.items:
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
        return whole_spacings(super().tickSpacing(low, high, size))


def whole_spacings(spacings: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return spacings and offsets of ticks for an axis on which there is nothing between whole numbers."""
    return [(max(1.0, round(spacing)), offset) for spacing, offset in spacings[:2]]
