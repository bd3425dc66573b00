"""The docks of the window's panels: the list of panels, their first layout, and bringing one to the front."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QLabel, QMainWindow, QTabBar, QTabWidget, QVBoxLayout, QWidget

from mho.extension_points import error_text, usable_offers
from mho.gui.session.session import Session

log = logging.getLogger(__name__)

PANELS = {
    "Experiments": ("mho.gui.experiments.panel", "ExperimentsPanel"),
    "Chip": ("mho.gui.chip.panel", "ChipPanel"),
    "Solve": ("mho.gui.solve.panel", "SolvePanel"),
    "Signals": ("mho.gui.signals.panel", "SignalsPanel"),
    "Runs": ("mho.gui.runs.panel", "RunsPanel"),
    "Bench": ("mho.gui.bench.panel", "BenchPanel"),
    "Queue": ("mho.gui.queue", "QueuePanel"),
    "Log": ("mho.gui.log", "LogPanel"),
}
"""Module and class of each panel, by its title."""

ENTRY_POINTS = "mho.panels"
"""Entry-point group of a package's panels: ``import = "my_lab.window:ImportPanel"``, a widget made of a `Session`."""

FROM_THE_START = ("Experiments", "Queue", "Log")
"""Panels that are created with the window: it is used by them, or they collect messages before they are shown."""

LEFT, MIDDLE, BOTTOM = (
    Qt.DockWidgetArea.LeftDockWidgetArea,
    Qt.DockWidgetArea.RightDockWidgetArea,
    Qt.DockWidgetArea.BottomDockWidgetArea,
)
PLACES = {"Experiments": LEFT, "Queue": BOTTOM, "Log": BOTTOM}
"""Initial places of the panels, by title; panels in the same place are tabs."""

SIZES = (
    (Qt.Orientation.Horizontal, {LEFT: 370, MIDDLE: 910}),
    (Qt.Orientation.Vertical, {MIDDLE: 500, BOTTOM: 215}),
)


class PanelDock(QDockWidget):
    """One panel, loaded and created when it is first shown, and hidden while another one covers it.

    What draws takes a while to load: a thread does it, and the window answers meanwhile. Qt treats all tabs of a place as
    visible; a hidden panel need not draw.
    """

    def __init__(self, title: str, target: str, package: str, session: Session, window: QMainWindow) -> None:
        super().__init__(title, window)
        self.setObjectName(title)
        self._session = session
        self._target, self._package = target, package
        self.panel: QWidget | None = None
        self._in_view = False
        holder = QWidget()
        self._place = QVBoxLayout(holder)
        self._place.setContentsMargins(0, 0, 0, 0)
        self.setWidget(holder)
        self.visibilityChanged.connect(self._look)

    def made(self) -> QWidget:
        """Return the panel, made if it is not there yet."""
        if self.panel is None:
            self.panel = self._load()
            policy = self.panel.sizePolicy()
            policy.setRetainSizeWhenHidden(True)  # its neighbours keep their sizes when tabs are changed
            self.panel.setSizePolicy(policy)
            self._place.addWidget(self.panel)
            self.panel.setVisible(self._in_view)
        return self.panel

    def _load(self) -> QWidget:
        module, _, name = self._target.partition(":")
        try:
            panel: QWidget = getattr(importlib.import_module(module), name)(self._session)
            panel.sizePolicy()  # which only a widget has that is alive
        except (Exception, SystemExit) as error:
            if not self._package:
                raise
            text = f"The panel {self._target} of {self._package} cannot be shown: {error_text(error)}"
            log.warning(text)
            panel = QLabel(text, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        return panel

    def is_in_view(self) -> bool:
        """Whether it is in the window, and not covered."""
        return self._in_view and not self.isFloating()

    def _look(self, in_view: bool) -> None:
        self._in_view = in_view
        module = self._target.partition(":")[0]
        if self.panel is not None or (in_view and (module in sys.modules or self._package)):
            self.made().setVisible(in_view)
        elif in_view:
            self._session.load(module, self._make)

    def _make(self) -> None:
        if self._in_view:
            self.made()


class PanelDocks:
    """The docks of a window, by the titles of their panels."""

    def __init__(self, window: QMainWindow, session: Session) -> None:
        self._window = window
        self._widths: dict[PanelDock, int] = {}
        self._heights: dict[PanelDock, int] = {}
        window.setDockNestingEnabled(True)
        window.setCorner(Qt.Corner.BottomLeftCorner, LEFT)
        window.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        places = {title: (":".join(place), "") for title, place in PANELS.items()}
        own = {title.lower() for title in PANELS}
        for offer in usable_offers(ENTRY_POINTS, "panel", own).values():
            places[offer.name.capitalize()] = offer.target, offer.package
        self._docks = {title: PanelDock(title, *place, session, window) for title, place in places.items()}
        for title in FROM_THE_START:
            self._docks[title].made()
        self.arrange()

    def __iter__(self) -> Iterator[tuple[str, QWidget]]:
        """Titles and panels, all of them made."""
        for title, dock in self._docks.items():
            yield title, dock.made()

    @property
    def titles(self) -> list[str]:
        """Of all panels."""
        return list(self._docks)

    def panel(self, title: str) -> Any:
        """Return the panel with this title."""
        return self._docks[title].made()

    def show(self, title: str) -> None:
        """Show a panel in front."""
        self._docks[title].setVisible(True)
        self._docks[title].raise_()

    def arrange(self) -> None:
        """Move every panel to its initial place."""
        first: dict[Qt.DockWidgetArea, PanelDock] = {}
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

    def hide_stray_bars(self) -> None:
        """Hide the tab bars that Qt has made on the way to this layout, and deletes when the event loop turns."""
        bars = self._tab_bars()
        newest = {tuple(bar.tabText(tab) for tab in range(bar.count())): bar for bar in bars}
        for bar in bars:
            # On Windows one may have lost its tabs already
            bar.setVisible(bar.count() > 0 and bar in newest.values())

    def _tab_bars(self) -> list[QTabBar]:
        return self._window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)

    def heights(self) -> dict[PanelDock, int]:
        """Return how high the docks in view are, with their tabs, in pixels."""
        tabs = max((bar.height() for bar in self._tab_bars() if bar.isVisible()), default=0)
        return {
            dock: dock.height() + (tabs if self._window.tabifiedDockWidgets(dock) else 0)
            for dock in self._docks.values()
            if dock.is_in_view()
        }

    def restore(self, heights: dict[PanelDock, int]) -> None:
        """Restore the heights of docks after the widget that took their space is gone."""
        layout = self._window.layout()
        assert layout is not None
        layout.activate()
        in_view = {dock: height for dock, height in heights.items() if dock.is_in_view()}
        self._window.resizeDocks(list(in_view), list(in_view.values()), Qt.Orientation.Vertical)

    def remember(self) -> None:
        """Remember the user's widths of the docks at the left and heights of those at the bottom."""
        self._widths = {dock: dock.width() for dock in self._in(LEFT)}
        heights = self.heights()
        self._heights = {dock: heights[dock] for dock in self._in(BOTTOM)}

    def hold(self) -> None:
        """Change the docks in the middle by the whole change of the window's size.

        Qt would distribute it among all.
        """
        heights = self.heights()
        widths = {dock: dock.width() for dock in heights}
        for way, now, sizes in (
            (Qt.Orientation.Horizontal, widths, self._widths),
            (Qt.Orientation.Vertical, heights, self._heights),
        ):
            asked = {dock: size for dock, size in sizes.items() if dock in now}
            gained = sum(now[dock] - size for dock, size in asked.items())
            middle = self._in(MIDDLE)
            if gained and middle:
                asked |= {dock: now[dock] + gained for dock in middle}
                self._window.resizeDocks(list(asked), list(asked.values()), way)

    def _in(self, area: Qt.DockWidgetArea) -> list[PanelDock]:
        """Return the docks of an area that are in view."""
        return [
            dock
            for dock in self._docks.values()
            if dock.is_in_view() and self._window.dockWidgetArea(dock) == area
        ]

    def close(self) -> None:
        """End the work of all panels."""
        for dock in self._docks.values():
            close_down = getattr(dock.panel, "close_down", None)
            try:
                if close_down is not None:
                    close_down()
            except Exception as error:  # the others are closed, and the session
                log.warning("panel %s: %s", dock.windowTitle(), error_text(error))
