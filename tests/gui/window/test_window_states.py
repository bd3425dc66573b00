"""What the window stores and restores against a plain model of it: docks and theme, after a close, a crash and damage."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from PySide6.QtCore import QByteArray, QSettings, QSize
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QDockWidget
from shiboken6 import Shiboken
from state_machines import daily_and_thorough

import mho.gui as gui
from mho.gui import widgets
from mho.gui.window.main_window import THEMES
from mho.gui.window.panel_docks import BOTTOM, CENTRE, LEFT, PANELS, PLACES

DOCKS = [title for title in PANELS if title != CENTRE]
titles = st.sampled_from(sorted(DOCKS))


@dataclass
class Layout:
    """The docks that are shown, those that float, and where the others are; as in a new window."""

    shown: set[str] = field(default_factory=lambda: set(DOCKS))
    floating: set[str] = field(default_factory=set)
    places: dict[str, object] = field(
        default_factory=lambda: {title: PLACES.get(title, BOTTOM) for title in DOCKS}
    )

    def copy(self) -> Layout:
        return Layout(set(self.shown), set(self.floating), dict(self.places))


class WindowStates(RuleBasedStateMachine):
    """`now` is what the window is to look like, `kept` what was stored when one was closed last."""

    def __init__(self) -> None:
        super().__init__()
        self.app = QApplication.instance() or QApplication([])
        self.folder = Path(tempfile.mkdtemp())
        self.theme: widgets.Choice = "system"
        self.kept = Layout()
        self.open()

    def teardown(self) -> None:
        if Shiboken.isValid(self.window):
            self.close()
        widgets.choose("system")
        shutil.rmtree(self.folder)

    # --- parts of rules ---

    def settings(self) -> QSettings:
        return QSettings(str(self.folder / "settings.ini"), QSettings.Format.IniFormat)

    def open(self) -> None:
        self.now = self.kept.copy()
        self.window = gui.open_main_window(self.folder / "runs", settings=self.settings())

    def close(self) -> None:
        self.window.close()
        Shiboken.delete(self.window)
        self.kept = self.now.copy()

    def dock(self, title: str) -> QDockWidget:
        found = self.window.findChild(QDockWidget, title)
        assert isinstance(found, QDockWidget)
        return found

    def trigger(self, text: str) -> None:
        (action,) = [one for one in self.window.findChildren(QAction) if one.text() == text]
        action.trigger()

    # --- what a user does ---

    @initialize(title=titles)
    def begin_with_a_layout_of_before(self, title: str) -> None:
        self.close_a_panel(title)
        self.close_and_open()

    @rule(title=titles)
    def close_a_panel(self, title: str) -> None:
        self.dock(title).close()
        self.now.shown.discard(title)

    @rule(title=titles)
    def show_a_panel(self, title: str) -> None:
        self.window.show_panel(title)
        self.now.shown.add(title)

    @rule(title=titles, floating=st.booleans())
    def float_a_panel(self, title: str, floating: bool) -> None:
        self.dock(title).setFloating(floating)
        (self.now.floating.add if floating else self.now.floating.discard)(title)

    @rule(title=titles, place=st.sampled_from([LEFT, BOTTOM]))
    def move_a_panel(self, title: str, place: object) -> None:
        if title not in self.now.floating:
            self.window.addDockWidget(place, self.dock(title))
            self.now.places[title] = place

    @rule()
    def choose_the_default_layout(self) -> None:
        self.trigger("Default layout")
        self.now = Layout()

    @rule(theme=st.sampled_from(sorted(THEMES)))
    def choose_a_theme(self, theme: widgets.Choice) -> None:
        self.trigger(THEMES[theme])
        self.theme = theme

    # --- its ends ---

    @rule()
    def close_and_open(self) -> None:
        self.close()
        self.open()

    @rule()
    def crash_and_open(self) -> None:
        """The layout is as a window that was closed has stored it; the theme is stored at once."""
        self.window.panels.close()
        self.window.session.close()
        Shiboken.delete(self.window)
        self.open()

    @rule(
        key=st.sampled_from(["layout", "geometry", "theme"]),
        value=st.sampled_from(["nonsense", QByteArray(b"nonsense"), QSize(1, 2)]),
    )
    def open_with_damaged_settings(self, key: str, value: object) -> None:
        """What cannot be restored is as in a new window."""
        self.close()
        self.settings().setValue(key, value)
        if key == "layout":
            self.kept = Layout()
        if key == "theme":
            self.theme = "system"
        self.open()

    @invariant()
    def the_window_is_as_in_the_model(self) -> None:
        self.app.processEvents()
        assert self.window.commands.stop.isVisible()
        for title in DOCKS:
            dock = self.dock(title)
            assert dock.isHidden() == (title not in self.now.shown), title
            assert dock.isFloating() == (title in self.now.floating), title
            if title not in self.now.floating:
                assert self.window.dockWidgetArea(dock) == self.now.places[title], title
        chosen = [one.text() for one in self.window.findChildren(QAction) if one.isChecked()]
        assert THEMES[self.theme] in chosen


TestWindowStates, TestWindowStatesThoroughly = daily_and_thorough(WindowStates, examples=1, steps=8, times=40)
