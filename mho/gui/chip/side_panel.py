"""The panel beside the map: the histogram over all cells or, after a click on a cell, its history."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from mho.gui.chip.cell_histogram import CellHistogram
from mho.gui.chip.cell_history_view import CellHistoryView

PERIOD = 500
"""Interval of updates of a quantity's histogram while cells change, ms."""


class CellSide(QStackedWidget):
    """Histogram or history.

    Parameters
    ----------
    draw : callable
        Shows in a `CellHistogram` what is known now.
    """

    def __init__(self, draw: Callable[[CellHistogram], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.histogram, self.history = CellHistogram(), CellHistoryView()
        self.addWidget(self.histogram)
        self.addWidget(self.history)
        self.history.closed.connect(self.show_all)
        self._draw = draw
        self._stale = False
        self._soon = QTimer(self, singleShot=True, interval=PERIOD)
        self._soon.timeout.connect(self._catch_up)

    def show_all(self) -> None:
        """Show the spread over all cells."""
        self.history.clear()
        self.setCurrentWidget(self.histogram)
        self.cells_changed(at_once=True)

    def show_history(self) -> None:
        """Show the history of a cell."""
        self.setCurrentWidget(self.history)

    def cells_changed(self, *, at_once: bool = False) -> None:
        """Redraw the visible view after cells have changed, now or within half a second."""
        self._stale = True
        if at_once:
            self._catch_up()
        elif not self._soon.isActive():
            self._soon.start()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Process the updates that arrived while the panel was hidden."""
        super().showEvent(event)
        self._catch_up()

    def _catch_up(self) -> None:
        if self._stale and self.isVisible() and self.currentWidget() is self.histogram:
            self._stale = False
            self._draw(self.histogram)
