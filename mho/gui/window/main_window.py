"""The main window: the panels around one session, commands and STOP above them, and the message bar."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QSettings, Qt, QTimer
from PySide6.QtGui import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QKeySequence,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QFileDialog, QMainWindow, QMenu, QToolBar, QWidget

from mho.gui.queue.table import job_sentence
from mho.gui.session.bench_safety import hold_topic, safety_topic
from mho.gui.session.session import Session
from mho.gui.widgets import theme
from mho.gui.window.command_bar import CommandBar
from mho.gui.window.first_start import GuidedRun
from mho.gui.window.message_bar import CONFIRMED, MessageBar
from mho.gui.window.panel_docks import PANELS, PanelDock, PanelDocks
from mho.gui.window.shortcuts import ShortcutsDialog, rows_of
from mho.gui.window.stop import EscapeTwice
from mho.runs import RunFile

if TYPE_CHECKING:
    from mho.running.queue import Lane

STOP = "stop"  # the topic of what is said of an emergency stop
LAYOUT = 1  # version of the docks; a new number discards saved layouts
THEMES: dict[theme.Choice, str] = {"system": "As the system", "light": "Light", "dark": "Dark"}


class MainWindow(QMainWindow):
    """Everything for one runs folder and one bench; closing it leaves the runner and its job alone.

    Parameters
    ----------
    session : Session
        Becomes the window's; started once the window is seen.
    settings : QSettings, optional
        Where layout and theme are kept.
    """

    def __init__(self, session: Session, settings: QSettings | None = None) -> None:
        super().__init__()
        self.session = session
        session.setParent(self)
        self.settings = settings or QSettings("mho", "mho")
        theme.choose(self._kept_theme())
        self.resize(1280, 800)
        self.setAcceptDrops(True)
        self.commands = CommandBar(session, self)
        self.commands.stop_wanted.connect(self.emergency_stop)
        self.addToolBar(self.commands)
        self.messages = MessageBar()
        self._heights: dict[PanelDock, int] = {}  # of the docks, before the message that is shown
        self._unguided: dict[PanelDock, int] = {}  # the same before the guide
        self._message_strip = self._strip("messages", self.messages)
        self.messages.shown.connect(self._show_messages)
        self._message_strip.setVisible(False)
        self.guide: GuidedRun | None = None
        self._guide_strip: QToolBar | None = None
        self.panels = PanelDocks(self, session)
        self._build_menus()
        self._escape = EscapeTwice(self)
        self._escape.pressed.connect(self.emergency_stop)
        session.run_opened.connect(self._show_title)
        session.jobs_changed.connect(self._offer_guide)
        session.message.connect(self.messages.say)
        session.stop_told.connect(self._take_stop)
        session.event_heard.connect(self._take_event)
        session.lane_changed.connect(self._take_lane)
        session.confirmed_safe.connect(lambda bench: self.messages.withdraw(safety_topic(bench)))
        self._show_title(None)
        self._restore_layout()

    # --- building ---

    def _strip(self, name: str, content: QWidget) -> QToolBar:
        """A line of its own below the commands."""
        strip = QToolBar(name.capitalize(), self)
        strip.setObjectName(name)
        strip.setMovable(False)
        strip.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        strip.addWidget(content)
        self.addToolBarBreak()
        self.addToolBar(strip)
        return strip

    def _build_menus(self) -> None:
        session = self.session
        files = self.menuBar().addMenu("&File")
        self._add(files, "Open run…", "Ctrl+O", "show a run file", self._choose_run)
        self._add(files, "Close run", "Ctrl+W", "show no run", session.close_run)
        self.follow = self._add(
            files, "Follow the running job", "Ctrl+L", "show its run file as it begins", lambda: None
        )
        self.follow.setCheckable(True)
        self.follow.setChecked(session.follows)
        self.follow.toggled.connect(session.follow_current)
        files.addSeparator()
        self._add(files, "Quit", "Ctrl+Q", "close the window; the runner goes on", self.close)
        bench = self.menuBar().addMenu("&Bench")
        self._add(bench, "Simulated bench", "", "no hardware", lambda: self._turn_to("simulated"))
        self._add(bench, "Chip without instruments", "", "many solves, fast", lambda: self._turn_to("arrays"))
        self._add(bench, "Open bench file…", "Ctrl+B", "turn to another bench", self._choose_bench)
        bench.addSeparator()
        bench.addActions(list(self.commands.commands.values()))
        self._add(bench, "Start runner", "", "a process that outlives the window", session.ensure_runner)
        bench.addSeparator()
        self._add(bench, "Emergency stop", "", "as Esc Esc", self.emergency_stop)
        view = self.menuBar().addMenu("&View")
        for number, title in enumerate(PANELS, 1):
            self._add(
                view, title, f"Ctrl+{number}", f"show the panel {title}", partial(self.show_panel, title)
            )
        view.addSeparator()
        view.addMenu(self._theme_menu())
        self._add(view, "Default layout", "", "every panel to its place", self._arrange)
        help_ = self.menuBar().addMenu("&Help")
        self._add(help_, "Keyboard shortcuts", "F1", "list the keys", self.show_shortcuts)
        self._add(help_, "Guided run", "", "two minutes on the simulated bench", self.show_guide)

    def _theme_menu(self) -> QMenu:
        menu = QMenu("Theme", self)
        group = QActionGroup(self)
        for name, text in THEMES.items():
            action = QAction(text, group, checkable=True)
            action.setChecked(name == self._kept_theme())
            action.triggered.connect(partial(self._choose_theme, name))
            menu.addAction(action)
        return menu

    def _add(self, menu: QMenu, text: str, keys: str, tip: str, act: Callable[[], Any]) -> QAction:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(keys))
        action.setToolTip(f"{tip} ({keys})" if keys else tip)
        action.triggered.connect(lambda _checked: act())
        menu.addAction(action)
        return action

    # --- what is shown ---

    def show_panel(self, title: str) -> None:
        """Show a panel in front."""
        self.panels.show(title)

    def panel(self, title: str) -> Any:
        """Return the panel with this title."""
        return self.panels.panel(title)

    def _show_messages(self, visible: bool) -> None:
        if visible and not self._message_strip.isVisible():
            self._heights = self.panels.heights()
        self._message_strip.setVisible(visible)
        if not visible:
            self.panels.restore(self._heights)

    def _show_title(self, run: RunFile | None) -> None:
        shown = "" if run is None else f"{run.path.name} - "
        self.setWindowTitle(f"{shown}{self.session.folder} - mho")

    def _take_event(self, event: Any) -> None:
        """Show errors of a job or the bench; all other events are in the log."""
        kind = type(event).__name__
        if kind == "Message" and event.level in ("ERROR", "CRITICAL"):
            bench = self.session.bench
            topic = safety_topic(bench) if event.unsafe else hold_topic(bench) if event.held else ""
            self.messages.say(event.level, event.text, topic)
        elif kind == "JobChanged" and str(event.job.status) in ("failed", "interrupted"):
            self.messages.say("ERROR", job_sentence(event.job))

    def _take_stop(self, level: str, text: str) -> None:
        """Show the progress of an emergency stop in place of the message before."""
        self.messages.say(CONFIRMED if level == "INFO" else level, text, STOP, instead=True)

    def _take_lane(self, lane: Lane) -> None:
        """Withdraw that the queue is held once it is not, and an emergency stop once the queue of a safe bench goes on."""
        if not lane.held:
            self.messages.withdraw(hold_topic(self.session.bench))
        if not lane.held and not lane.unsafe:
            self.messages.withdraw(STOP)

    def show_shortcuts(self) -> None:
        """List the keys."""
        rows = [("everywhere", "Esc Esc", "emergency stop: break off, make the bench safe, hold the queue")]
        rows += rows_of("window", [one for one in self.findChildren(QAction) if one.parent() is self])
        for title, panel in self.panels:
            rows += rows_of(title, panel.actions())
        dialog = ShortcutsDialog(rows, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.show()

    def _offer_guide(self, jobs: list[Any]) -> None:
        """Offer the guided run once, when queue and folder are empty."""
        self.session.jobs_changed.disconnect(self._offer_guide)
        known = self.settings.value("guided", False, bool)
        if not jobs and not known and not any(self.session.folder.glob("*.h5")):
            self.show_guide()

    def show_guide(self) -> None:
        """Show the strip of the guided run."""
        if self.guide is None:
            self.guide = GuidedRun(self.session)
            self.guide.ended.connect(self._end_guide)
            self.guide.look_at.connect(self.show_panel)
            self._unguided = self.panels.heights()
            self._guide_strip = self._strip("guide", self.guide)

    def _end_guide(self) -> None:
        self.settings.setValue("guided", True)
        if self._guide_strip is not None:
            self.removeToolBar(self._guide_strip)
            self._guide_strip.deleteLater()
            self.panels.restore(self._unguided)
        self.guide = self._guide_strip = None

    # --- what is done ---

    def emergency_stop(self) -> None:
        """Break off the running job at once, make the bench safe, and hold the queue."""
        self.session.emergency_stop()

    def _turn_to(self, bench: str) -> None:
        if bench != self.session.bench:
            self.session.set_bench(bench)

    def _choose_bench(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Bench file", "", "Bench files (*.toml)")
        if path:
            self._turn_to(path)

    def _choose_run(self) -> None:
        folder = str(self.session.folder)
        path, _ = QFileDialog.getOpenFileName(self, "Run file", folder, "Run files (*.h5)")
        if path:
            self.session.open_run(path)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Accept dropped run files."""
        if any(url.toLocalFile().endswith(".h5") for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Show the run file that was dropped."""
        paths = [url.toLocalFile() for url in event.mimeData().urls()]
        self.session.open_run(next(path for path in paths if path.endswith(".h5")))
        event.acceptProposedAction()

    # --- what is kept ---

    def _kept_theme(self) -> theme.Choice:
        kept = self.settings.value("theme", "system")
        return next((name for name in THEMES if name == kept), "system")

    def _arrange(self) -> None:
        self.panels.arrange()
        QTimer.singleShot(0, self, self.panels.remember)

    def _choose_theme(self, name: theme.Choice, _checked: bool = True) -> None:
        self.settings.setValue("theme", name)
        theme.choose(name)

    def _restore_layout(self) -> None:
        """Restore the layout of the last session."""
        geometry, state = self.settings.value("geometry"), self.settings.value("layout")
        if geometry is not None:
            self.restoreGeometry(geometry)
        if state is not None:
            self.restoreState(state, LAYOUT)
        self.commands.setVisible(True)
        self._message_strip.setVisible(False)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Start the session when the window is first shown."""
        super().showEvent(event)
        QTimer.singleShot(0, self, self._begin)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Assign the gained space to the panels in the middle."""
        super().resizeEvent(event)
        self.panels.hold()

    def event(self, event: QEvent) -> bool:
        """Notice when the user has moved the line between two docks."""
        done = super().event(event)
        if event.type() == QEvent.Type.MouseButtonRelease:
            self.panels.remember()
        return done

    def _begin(self) -> None:
        self.panels.remember()
        if not self.session.listens:
            self.session.start()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Save the layout; the runner goes on."""
        self.settings.setValue("geometry", self.saveGeometry())
        self.settings.setValue("layout", self.saveState(LAYOUT))
        self.panels.close()
        self.session.close()
        super().closeEvent(event)
