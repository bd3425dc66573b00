"""The panels of the window as docks: which there are, where they are at first, and how they come to the front."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabWidget, QWidget

from gui.session import Session

PANELS = (
    ("gui.experiments", "ExperimentsPanel"),
    ("gui.chip_panel", "ChipPanel"),
    ("gui.solve_panel", "SolvePanel"),
    ("gui.signals_panel", "SignalsPanel"),
    ("gui.runs_panel", "RunsPanel"),
    ("gui.bench_panel", "BenchPanel"),
    ("gui.queue_panel", "QueuePanel"),
    ("gui.log_panel", "LogPanel"),
)
LEFT, MIDDLE, BOTTOM = (
    Qt.DockWidgetArea.LeftDockWidgetArea,
    Qt.DockWidgetArea.RightDockWidgetArea,
    Qt.DockWidgetArea.BottomDockWidgetArea,
)
PLACES = {"Experiments": LEFT, "Queue": BOTTOM, "Log": BOTTOM}
"""Where panels are at first, by title; those that share a place are tabs."""

SIZES = (
    (Qt.Orientation.Horizontal, {LEFT: 370, MIDDLE: 910}),
    (Qt.Orientation.Vertical, {MIDDLE: 500, BOTTOM: 215}),
)


class PanelDocks:
    """The docks of a window, by the titles of their panels."""

    def __init__(self, window: QMainWindow, session: Session) -> None:
        self._window = window
        self._docks: dict[str, QDockWidget] = {}
        window.setDockNestingEnabled(True)
        window.setCorner(Qt.Corner.BottomLeftCorner, LEFT)
        window.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        for module, name in PANELS:
            panel = getattr(importlib.import_module(module), name)(session)
            dock = QDockWidget(panel.title, window)
            dock.setObjectName(panel.title)
            dock.setWidget(panel)
            self._docks[panel.title] = dock
        self.arrange()

    def __iter__(self) -> Iterator[tuple[str, QWidget]]:
        """Titles and panels."""
        for title in self._docks:
            yield title, self.panel(title)

    def panel(self, title: str) -> Any:
        """Return the panel with this title."""
        return self._docks[title].widget()

    def show(self, title: str) -> None:
        """Bring a panel to the front."""
        self._docks[title].setVisible(True)
        self._docks[title].raise_()

    def arrange(self) -> None:
        """Put every panel where it is at first."""
        first: dict[Qt.DockWidgetArea, QDockWidget] = {}
        for title, dock in self._docks.items():
            area = PLACES.get(title, MIDDLE)
            dock.setFloating(False)
            self._window.addDockWidget(area, dock)
            if area in first:
                self._window.tabifyDockWidget(first[area], dock)
            first.setdefault(area, dock)
            dock.setVisible(True)
        for dock in first.values():
            dock.raise_()
        for way, sizes in SIZES:
            self._window.resizeDocks([first[area] for area in sizes], list(sizes.values()), way)

    def close(self) -> None:
        """Let panels that have something going on end it."""
        for _, panel in self:
            close_down = getattr(panel, "close_down", None)
            if close_down is not None:
                close_down()
