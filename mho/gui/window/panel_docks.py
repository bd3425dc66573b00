"""The places of the window's panels: the chip in the middle, the form at its left, all others in one strip below."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QFrame,
    QLabel,
    QMainWindow,
    QScrollArea,
    QTabBar,
    QTabWidget,
    QWidget,
)

from mho.extension_points import error_text, usable_offers
from mho.gui.session.session import Session

log = logging.getLogger(__name__)

PANELS = {
    "Experiments": ("mho.gui.experiments.panel", "ExperimentsPanel"),
    "Chip": ("mho.gui.chip.panel", "ChipPanel"),
    "Queue": ("mho.gui.queue", "QueuePanel"),
    "Signals": ("mho.gui.signals.panel", "SignalsPanel"),
    "Solve": ("mho.gui.solve.panel", "SolvePanel"),
    "Runs": ("mho.gui.runs.panel", "RunsPanel"),
    "Bench": ("mho.gui.bench.panel", "BenchPanel"),
    "Plan": ("mho.gui.plan.panel", "PlanPanel"),
    "Log": ("mho.gui.log", "LogPanel"),
}
"""Module and class of each panel, by its title."""

ENTRY_POINTS = "mho.panels"
"""Entry-point group of a package's panels: ``import = "my_lab.window:ImportPanel"``, a widget made of a `Session`."""

FROM_THE_START = ("Experiments", "Queue", "Log")
"""Panels that are created with the window: it is used by them, or they collect messages before they are shown."""

CENTRE = "Chip"
"""The panel in the middle, which has all room that the others leave."""

LEFT, BOTTOM = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea
PLACES = {"Experiments": LEFT}
"""Initial places of the docks that are not in the strip at the bottom."""

SHARES = {"left": 330 / 1280, "bottom": 208 / 800}
"""Width of the form and height of the strip, as shares of the window."""

ENLARGED = 0.68
"""Share of the window's height that the strip has when it is enlarged."""


class PanelPlace(QScrollArea):
    """The place of one panel: loads and makes it when it is first seen, and scrolls one that is too large.

    What draws takes a while to load: a thread does it, and the window answers meanwhile. As a panel's own size asks for
    nothing, no panel moves another. `panel_made` carries the panel.
    """

    panel_made = Signal(object)

    def __init__(self, target: str, package: str, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self._session = session
        self._target, self._package = target, package
        self.panel: QWidget | None = None
        self.in_view = False

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Ask for next to nothing."""
        return QSize(60, 40)

    def made(self) -> QWidget:
        """Return the panel, made if it is not there yet."""
        if self.panel is None:
            self.panel = self._load()
            self.setWidget(self.panel)
            self.panel.setVisible(self.in_view)
            self.panel_made.emit(self.panel)
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

    def look(self, in_view: bool) -> None:
        """Take notice that the place is in view now, or covered: a hidden panel need not draw."""
        self.in_view = in_view
        module = self._target.partition(":")[0]
        if self.panel is not None or (in_view and (module in sys.modules or self._package)):
            self.made().setVisible(in_view)
        elif in_view:
            self._session.load(module, self._make)

    def _make(self) -> None:
        if self.in_view:
            self.made()


class CentralPlace(PanelPlace):
    """The place in the middle, which is in view as long as it is shown."""

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Make the panel."""
        super().showEvent(event)
        self.look(True)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802
        """Let the panel rest."""
        super().hideEvent(event)
        self.look(False)


class PanelDock(QDockWidget):
    """The dock of one panel. Qt treats all tabs of a strip as visible, so it tells its place what is in view.

    In the strip its tab is its title; only a floating one has a bar to be moved and closed by.
    """

    def __init__(self, title: str, place: PanelPlace, window: QMainWindow) -> None:
        super().__init__(title, window)
        self.setObjectName(title)
        self.place = place
        self.setWidget(place)
        self._no_bar = QWidget()
        self._no_bar.setFixedHeight(0)
        self.setTitleBarWidget(self._no_bar)
        self.topLevelChanged.connect(self._show_bar)
        self.visibilityChanged.connect(place.look)

    def _show_bar(self, floating: bool) -> None:
        self.setTitleBarWidget(None if floating else self._no_bar)  # type: ignore[arg-type]

    @property
    def panel(self) -> QWidget | None:
        """The panel, once it was made."""
        return self.place.panel


class PanelDocks(QObject):
    """The panels of a window by their titles, and the shares of the window that form and strip have."""

    def __init__(self, window: QMainWindow, session: Session) -> None:
        super().__init__(window)
        self._window = window
        self._shares = dict(SHARES)
        self._enlarged = False
        window.setDockNestingEnabled(True)
        window.setCorner(Qt.Corner.BottomLeftCorner, BOTTOM)
        window.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        targets = {title: (":".join(place), "") for title, place in PANELS.items()}
        own = {title.lower() for title in PANELS}
        for offer in usable_offers(ENTRY_POINTS, "panel", own).values():
            targets[offer.name.capitalize()] = offer.target, offer.package
        self._places: dict[str, PanelPlace] = {
            title: (CentralPlace if title == CENTRE else PanelPlace)(*target, session)
            for title, target in targets.items()
        }
        window.setCentralWidget(self._places[CENTRE])
        self._docks = {
            title: PanelDock(title, place, window) for title, place in self._places.items() if title != CENTRE
        }
        for title in FROM_THE_START:
            self._places[title].made()
        self.arrange()

    def __iter__(self) -> Iterator[tuple[str, QWidget]]:
        """Titles and panels, all of them made."""
        for title, place in self._places.items():
            yield title, place.made()

    @property
    def centre(self) -> QWidget:
        """The place in the middle of the window."""
        return self._places[CENTRE]

    @property
    def titles(self) -> list[str]:
        """Of all panels."""
        return list(self._places)

    def panel(self, title: str) -> Any:
        """Return the panel with this title."""
        return self._places[title].made()

    def made(self, title: str) -> Any:
        """Return the panel with this title if it was made; None otherwise."""
        return self._places[title].panel

    def on_made(self, title: str, act: Callable[[Any], None]) -> None:
        """Call `act` with a panel once it is made."""
        self._places[title].panel_made.connect(act)

    def show(self, title: str) -> None:
        """Show a panel in front."""
        if title != CENTRE:
            self._docks[title].setVisible(True)
            self._docks[title].raise_()

    def arrange(self) -> None:
        """Move every panel to its initial place, and give it its initial share."""
        first: dict[Qt.DockWidgetArea, PanelDock] = {}
        for title, dock in self._docks.items():
            area = PLACES.get(title, BOTTOM)
            dock.setFloating(False)
            self._window.addDockWidget(area, dock)
            if area in first:
                self._window.tabifyDockWidget(first[area], dock)
            first.setdefault(area, dock)
            dock.setVisible(True)
        for dock in first.values():
            dock.raise_()
        self._enlarged = False
        self.divide(SHARES)

    def hide_stray_bars(self) -> None:
        """Hide the tab bars that Qt has made on the way to this layout, and deletes when the event loop turns."""
        bars = self._tab_bars()
        newest = {tuple(bar.tabText(tab) for tab in range(bar.count())): bar for bar in bars}
        for bar in bars:
            # On Windows one may have lost its tabs already
            bar.setVisible(bar.count() > 0 and bar in newest.values())

    def _tab_bars(self) -> list[QTabBar]:
        return self._window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)

    # --- shares ---

    def shares(self) -> dict[str, float]:
        """Return the shares of the window that the user has given to form and strip."""
        return dict(self._shares)

    def divide(self, shares: Mapping[str, float]) -> None:
        """Give form and strip these shares of the window; a strip that is enlarged stays so."""
        self._shares |= {
            name: share for name, share in shares.items() if name in SHARES and 0.0 < share < 1.0
        }
        bottom = ENLARGED if self._enlarged else self._shares["bottom"]
        width, height = self._window.width(), self._window.height()
        for area, size, way in (
            (LEFT, round(self._shares["left"] * width), Qt.Orientation.Horizontal),
            (BOTTOM, round(bottom * height), Qt.Orientation.Vertical),
        ):
            docks = self._in_view(area)[:1]
            self._window.resizeDocks(docks, [size] * len(docks), way)

    def remember(self) -> None:
        """Take the shares that the docks have now, after the user has moved the line between two."""
        for dock in self._in_view(LEFT):
            self._shares["left"] = dock.width() / max(self._window.width(), 1)
        for dock in self._in_view(BOTTOM):
            if not self._enlarged:
                self._shares["bottom"] = self.height_of(dock) / max(self._window.height(), 1)

    def height_of(self, dock: PanelDock) -> int:
        """Return the height of a dock in view with its tabs, as Qt is asked for it."""
        tabs = max((bar.height() for bar in self._tab_bars() if bar.isVisible()), default=0)
        return dock.height() + (tabs if self._window.tabifiedDockWidgets(dock) else 0)

    def enlarge_strip(self) -> None:
        """Give the strip most of the window's height, or what it had before."""
        self._enlarged = not self._enlarged
        self.divide({})

    def _in_view(self, area: Qt.DockWidgetArea) -> list[PanelDock]:
        return [
            dock
            for dock in self._docks.values()
            if dock.place.in_view and not dock.isFloating() and self._window.dockWidgetArea(dock) == area
        ]

    def close(self) -> None:
        """End the work of all panels."""
        for title, place in self._places.items():
            close_down = getattr(place.panel, "close_down", None)
            try:
                if close_down is not None:
                    close_down()
            except Exception as error:  # the others are closed, and the session
                log.warning("panel %s: %s", title, error_text(error))
