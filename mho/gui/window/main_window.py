"""The main window: the panels around one session, commands, light and STOP above them, messages below."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QEvent, QObject, QSettings, Qt, QTimer, Signal, qVersion
from PySide6.QtGui import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
    QShowEvent,
    QWindow,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QMainWindow,
    QMenu,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QStatusBar,
    QToolBar,
    QWidget,
)

from mho.analysis import palette
from mho.gui import widgets
from mho.gui.experiments.panel import is_simulated
from mho.gui.queue import job_sentence, name_of
from mho.gui.session.bench_safety import Safety, SafetyVerdict, clock, hold_topic, safety_topic
from mho.gui.session.runner_commands import Command
from mho.gui.session.session import Session
from mho.gui.widgets import Badge, ElidedLabel
from mho.gui.window.first_start import GuidedRun
from mho.gui.window.message_bar import CONFIRMED, HEIGHT, MessageBar
from mho.gui.window.panel_docks import SHARES, PanelDocks

if TYPE_CHECKING:
    from mho.running.queue import Job, Lane
    from mho.runs import RunFile

TWICE_WITHIN = 0.8  # s between the two presses
NEVER = -math.inf


class StopButton(QPushButton):
    """Breaks off the running job at once, makes the bench safe and holds the queue: no question asked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("STOP", parent)
        self.setToolTip(
            "emergency stop (Esc Esc): break off the running job at once, make the bench safe, hold the queue"
        )
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # a Return meant for something else must not press it
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setMinimumSize(110, 34)
        self.setStyleSheet(
            f"QPushButton {{ background: {widgets.STOP}; color: white; font-weight: bold; font-size: 16px;"
            " border-radius: 5px; padding: 4px 18px; }"
            "QPushButton:hover { background: #E01A3A; } QPushButton:pressed { background: #8F0B20; }"
        )


LIGHTS = {
    SafetyVerdict.SAFE: palette.GOOD,
    SafetyVerdict.UNKNOWN: palette.FAINT,
    SafetyVerdict.LIVE: widgets.LIVE,
    SafetyVerdict.UNSAFE: widgets.STOP,
}
"""Red is what is not safe, and STOP, alone."""

AGEING = 20_000  # ms between two times at which the age of what is safe is told anew


class SafetyLight(Badge):
    """Shows at a glance whether the bench is safe by `mho.gui.session.bench_safety`, never cut; `why` has the details."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("safety of the bench")
        self.setMinimumWidth(self.fontMetrics().horizontalAdvance("SAFE 59 min, fresh process") + 24)
        self.why = ElidedLabel()
        self._safety: Safety | None = None
        self._ageing = QTimer(self)
        self._ageing.timeout.connect(self._show)

    def show_safety(self, safety: Safety) -> None:
        """Show the safety of the bench."""
        self._safety = safety
        self.why.setText(safety.text)
        self._ageing.start(AGEING) if safety.since is not None else self._ageing.stop()
        self._show()

    def _show(self) -> None:
        if self._safety is not None:
            self.paint(self._safety.in_short(datetime.now()), LIGHTS[self._safety.verdict])
            self.setMinimumWidth(
                max(self.minimumWidth(), self.sizeHint().width())
            )  # at once, before any layout
            self.setToolTip(self._safety.text)


class EscapeTwice(QObject):
    """Detects Escape pressed twice in any window of the program, where Escape has no other function.

    It sees keys as they reach a window of the system, before Qt decides which widget gets them, and blocks none. A press
    that closes or leaves something (a menu, an open list, a dialog, a cell in editing) does not count: a user who leaves
    a menu by Escape and presses once too often wants no emergency stop. What counts is when the keys were pressed, not
    when the program came to them: a window that is busy between the two loses no stop.
    """

    pressed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._last = NEVER
        app = QGuiApplication.instance()
        assert isinstance(app, QGuiApplication)
        app.focusWindowChanged.connect(self._watch)
        self._watch(QGuiApplication.focusWindow())

    def _watch(self, window: QWindow | None) -> None:
        if window is not None:
            window.removeEventFilter(self)  # so that a press does not count twice
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Count presses of Escape."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and not event.isAutoRepeat():
            if event.key() == Qt.Key.Key_Escape and not _escape_closes_something():
                self._press(event.timestamp() / 1000)
            else:
                self._last = NEVER
        return False

    def _press(self, when: float) -> None:
        before, self._last = self._last, when
        if self._last - before <= TWICE_WITHIN:
            self._last = NEVER
            self.pressed.emit()


def _escape_closes_something() -> bool:
    """Return whether Escape would close or leave something at the current keyboard focus."""
    if QApplication.activePopupWidget() is not None or QApplication.activeModalWidget() is not None:
        return True
    if isinstance(QApplication.activeWindow(), QDialog):
        return True
    focus = QApplication.focusWidget()
    viewport = None if focus is None else focus.parentWidget()
    view = None if viewport is None else viewport.parentWidget()
    return isinstance(view, QAbstractItemView) and viewport is view.viewport()  # an editor in a cell


COMMANDS: tuple[tuple[Command, str, str], ...] = (
    ("pause", "F6", "let the running job rest, outputs idle, and begin no other"),
    ("resume", "F5", "let the job and the queue go on"),
    ("abort", "F8", "stop the running job at its next safe point"),
)


class CommandBar(QToolBar):
    """Commands to the runner of the session's bench, how it stands, and the red button."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Commands", parent)
        self.setObjectName("commands")
        self.setMovable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)  # by which it could be hidden
        self.toggleViewAction().setEnabled(False)
        self.session = session
        self.commands: dict[str, QAction] = {}
        for name, keys, tip in COMMANDS:
            act = partial(lambda one: session.command(one), name)
            action = widgets.action(parent or self, name.capitalize(), keys, tip, act)
            self.addAction(action)
            self.commands[name] = action
        self.standing = ElidedLabel()  # a plain one would push STOP out of sight
        self.simulated = Badge()
        self.simulated.paint("SIMULATED", widgets.SIMULATED)
        self.light = SafetyLight()
        self.stop = StopButton()
        self.stop.clicked.connect(lambda: session.emergency_stop())
        row, lines = QWidget(), widgets.column(None, self.standing, self.light.why, margins=0, spacing=0)
        row.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        parts = (self.light, (lines, 1), self.simulated, self.stop)
        widgets.row(row, *parts, margins=(12, 2, 4, 2), spacing=12)
        self.addWidget(row)
        session.bench_changed.connect(self._turn_to)
        for changed in (session.runner_changed, session.lane_changed, session.jobs_changed):
            changed.connect(lambda _: self._show_standing())
        session.safety_changed.connect(self.light.show_safety)
        self.light.show_safety(session.safety)
        self._turn_to(session.bench)

    def _turn_to(self, bench: str) -> None:
        self.simulated.setVisible(bench == "simulated")
        self.session.ask(lambda: is_simulated(bench), self.simulated.setVisible)
        self._show_standing()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._show_standing()

    def _show_standing(self) -> None:
        session, now = self.session, widgets.colours()
        state, lane = session.runner, session.lane
        is_held = lane is not None and lane.held
        job = session.job
        self.commands["pause"].setEnabled(not is_held)
        self.commands["resume"].setEnabled(is_held)
        self.commands["abort"].setEnabled(job is not None)
        facts = [f"Bench {Path(session.bench).name}"] if job is None else [self._said_of(*job)]
        if state is None:
            silent = session.silent or job is not None or not session.heard
            facts.append("the runner is not heard" if silent else "no runner")
        elif job is None:
            facts.append(str(state.state))
        if lane is not None and is_held:
            facts.append(f"queue held: {lane.reason}")
        self.standing.setText("   ·   ".join(facts))
        self.standing.setStyleSheet(f"font-weight: bold;{f' color: {now.bad};' if is_held else ''}")
        self.light.why.setStyleSheet(f"color: {now.faint};")

    def _said_of(self, number: int, status: str) -> str:
        """Return in one line what the running job does, how far it is and how long it takes: ``programming 57 %``."""
        from mho.analysis import reports  # late, for it loads numpy

        jobs, state = self.session.jobs, self.session.runner
        state = state if state is not None and state.job == number else None
        name = next((name_of(one) for one in jobs if one.id == number), "")
        said = f"job {number} {name}".rstrip() + f" {status}" * (state is None or status != "running")
        if state is not None and state.total:
            said += f": {state.stage} {100 * state.done // state.total} %"
        elif state is not None:
            said += f": {state.stage or state.state}"
        if state is not None and state.seconds_left is not None:
            said += f", {reports.duration_text(state.seconds_left)} left"
        return said


Row = tuple[str, str, str]
"""The shortcuts: place, keys and action."""


def rows_of(place: str, actions: Iterable[QAction]) -> list[Row]:
    """Return a row for each of the actions that has keys."""
    native = QKeySequence.SequenceFormat.NativeText
    return [
        (place, action.shortcut().toString(native), action.toolTip().partition(" (")[0] or action.text())
        for action in actions
        if not action.shortcut().isEmpty()
    ]


class ShortcutsDialog(QDialog):
    """A table of keys."""

    def __init__(self, rows: Sequence[Row], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        self.resize(620, 520)
        self.table = widgets.FactsTable(("Where", "Keys", "What they do"))
        self.table.show_rows(rows)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        widgets.column(self, self.table, buttons)


STOP = "stop"  # the topic of what is said of an emergency stop
MOST_RECENT = 10  # files in a menu of recent ones
LAYOUT = 2  # version of the docks; a new number discards saved layouts
THEMES: dict[widgets.Choice, str] = {"system": "As the system", "light": "Light", "dark": "Dark"}


class MainWindow(QMainWindow):
    """Everything for one runs folder and one bench; closing it leaves the runner and its job alone.

    The session becomes the window's and is started once the window is seen; `settings` keep layout and theme.
    """

    def __init__(self, session: Session, settings: QSettings | None = None) -> None:
        super().__init__()
        self.session = session
        session.setParent(self)
        self.settings = settings or QSettings("mho", "mho")
        widgets.choose(self._theme_setting())
        self.resize(1280, 800)
        self.setAcceptDrops(True)
        self.commands = CommandBar(session, self)
        self.addToolBar(self.commands)
        self.messages = MessageBar()
        status = QStatusBar(sizeGripEnabled=False)
        status.setContentsMargins(0, 0, 0, 0)
        status.addWidget(self.messages, 1)
        status.setFixedHeight(HEIGHT + 6)  # with the margins that Qt leaves around it
        self.setStatusBar(status)
        self.messages.history_wanted.connect(lambda: self.show_panel("Log"))
        self.guide: GuidedRun | None = None
        self.panels = PanelDocks(self, session)
        self._build_menus()
        self._escape = EscapeTwice(self)
        self._escape.pressed.connect(lambda: session.emergency_stop())
        session.run_opened.connect(self._show_title)
        session.bench_changed.connect(self._keep_bench)
        session.jobs_changed.connect(self._offer_guide)
        session.message.connect(self.messages.say)
        session.stop_told.connect(self._take_stop)
        session.event_heard.connect(self._take_event)
        session.lane_changed.connect(self._take_lane)
        session.runs_planned.connect(self._add_to_plan)
        session.plan_wanted.connect(self._open_plan)
        session.release_asked.connect(self._ask_release)
        session.confirmed_safe.connect(lambda bench: self.messages.withdraw(safety_topic(bench)))
        self._show_title(None)
        self._restore_layout()
        self.panels.on_made("Chip", lambda panel: panel.bar.recall(str(self.settings.value("selection", ""))))
        self.panels.on_made(
            "Bench", lambda panel: panel.by_hand.recall(str(self.settings.value("touches", "")))
        )

    # --- building ---

    def _build_menus(self) -> None:
        session = self.session
        files = self.menuBar().addMenu("&File")
        self._add(files, "Open run…", "Ctrl+O", "show a run file", self._choose_run)
        files.addMenu(self._recent_menu("Recent runs", "recent runs", session.open_run))
        self._add(files, "Close run", "Ctrl+W", "show no run", session.close_run)
        self.follow = self._add(
            files, "Follow the running job", "Ctrl+L", "show its run file as it begins", lambda: None
        )
        self.follow.setCheckable(True)
        self.follow.setChecked(session.follows)
        self.follow.toggled.connect(session.follow_current)
        files.addSeparator()
        self._add(files, "New experiment", "Ctrl+N", "search for a procedure", self._new_experiment)
        self._add(files, "Quit", "Ctrl+Q", "close the window; the runner goes on", self._quit)
        bench = self.menuBar().addMenu("&Bench")
        self._add(bench, "Simulated bench", "", "no hardware", lambda: self._turn_to("simulated"))
        self._add(bench, "Chip without instruments", "", "many solves, fast", lambda: self._turn_to("arrays"))
        self._add(bench, "Open bench file…", "Ctrl+B", "turn to another bench", self._choose_bench)
        bench.addMenu(self._recent_menu("Recent benches", "recent benches", self._turn_to))
        bench.addSeparator()
        bench.addActions(list(self.commands.commands.values()))
        self._add(bench, "Start runner", "", "a process that outlives the window", session.ensure_runner)
        bench.addSeparator()
        self._add(bench, "Emergency stop", "", "as Esc Esc", lambda: session.emergency_stop())
        view = self.menuBar().addMenu("&View")
        for number, title in enumerate(self.panels.titles, 1):
            key = f"Ctrl+{number}" if number < 10 else ""
            self._add(view, title, key, f"show the panel {title}", partial(self.show_panel, title))
        view.addSeparator()
        view.addMenu(self._theme_menu())
        tip = "give the strip of panels most of the window, or its height of before"
        self._add(view, "Enlarge the strip", "F11", tip, self.panels.enlarge_strip)
        self._add(view, "Default layout", "", "every panel to its place", self.panels.arrange)
        help_ = self.menuBar().addMenu("&Help")
        self._add(help_, "Documentation", "Ctrl+F1", "the pages, offline", self.show_documentation)
        self._add(help_, "Keyboard shortcuts", "F1", "list the keys", self.show_shortcuts)
        self._add(help_, "Guided run", "", "two minutes on the simulated bench", self.show_guide)
        self._add(help_, "About mho", "", "version, licence, where things are kept", self.show_about)

    def _recent_menu(self, text: str, setting: str, act: Callable[[str], Any]) -> QMenu:
        """Return a menu of the files that were opened last, of which `act` opens one again."""
        menu = QMenu(text, self)

        def fill() -> None:
            menu.clear()
            paths = self._recent(setting)
            for path in paths:
                menu.addAction(path.replace("&", "&&"), partial(act, path))
            if not paths:
                menu.addAction("none yet").setEnabled(False)

        menu.aboutToShow.connect(fill)
        return menu

    def _recent(self, setting: str) -> list[str]:
        """Return the files that were opened last and are still there, the last one first."""
        kept = self.settings.value(setting, [])
        paths = (
            [kept] if isinstance(kept, str) else kept if isinstance(kept, list) else []
        )  # one alone is no list
        return [path for path in paths if isinstance(path, str) and path and Path(path).exists()]

    def _remember(self, setting: str, path: Path) -> None:
        """Keep a file among those that were opened last."""
        text = str(path.absolute())
        others = [one for one in self._recent(setting) if one != text]
        self.settings.setValue(setting, [text, *others][:MOST_RECENT])

    def _theme_menu(self) -> QMenu:
        menu = QMenu("Theme", self)
        group = QActionGroup(self)
        for name, text in THEMES.items():
            action = QAction(text, group, checkable=True)
            action.setChecked(name == self._theme_setting())
            action.triggered.connect(partial(self._choose_theme, name))
            menu.addAction(action)
        return menu

    def _add(self, menu: QMenu, text: str, keys: str, tip: str, act: Callable[[], Any]) -> QAction:
        action = widgets.action(self, text, keys, tip, act)
        menu.addAction(action)
        return action

    # --- what is shown ---

    def show_panel(self, title: str) -> None:
        """Show a panel in front."""
        self.panels.show(title)

    def panel(self, title: str) -> Any:
        """Return the panel with this title."""
        return self.panels.panel(title)

    def _show_title(self, run: RunFile | None) -> None:
        if run is not None:
            self._remember("recent runs", run.path)
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

    def _add_to_plan(self, orders: list[Any]) -> None:
        self.show_panel("Plan")
        self.panel("Plan").add(orders)

    def _open_plan(self, path: str) -> None:
        self.show_panel("Plan")
        self.panel("Plan").open(path)

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

    def show_documentation(self) -> None:
        """Show the pages of the documentation, in a window of their own."""
        from mho.gui.window.documentation import Documentation, pages_folder

        folder = pages_folder()
        if folder is None:
            self.session.tell(
                "WARNING", "the pages did not come with this installation; install mho again, from its wheel"
            )
            return
        Documentation(folder, self).show()

    def show_about(self) -> None:
        """Say which mho this is, on what, and where its files are."""
        from importlib.metadata import version  # takes its time

        rows = (
            ("Version", version("mho")), ("Python", platform.python_version()), ("Qt", qVersion()),
            ("System", platform.platform()), ("Licence", "MIT"), ("Runs", str(self.session.folder)),
            ("Queue", str(self.session.queue_path)), ("Settings", self.settings.fileName()),
        )  # fmt: skip
        box = QMessageBox(
            QMessageBox.Icon.NoIcon, "About mho", "mho: analogue matrix computing on RRAM chips", parent=self
        )
        box.setInformativeText("\n".join(f"{name}: {value}" for name, value in rows))
        box.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def _offer_guide(self, jobs: list[Any]) -> None:
        """Offer the guided run once, when queue and folder are empty."""
        self.session.jobs_changed.disconnect(self._offer_guide)
        known = self.settings.value("guided", False, bool)
        if not jobs and not known and not any(self.session.folder.glob("*.h5")):
            self.show_guide()

    def show_guide(self) -> None:
        """Show the card of the guided run over the chip."""
        if self.guide is None:
            self.guide = GuidedRun(self.session, self.panels.centre)
            self.guide.ended.connect(self._end_guide)
            self.guide.look_at.connect(self.show_panel)

    def _end_guide(self) -> None:
        self.settings.setValue("guided", True)
        if self.guide is not None:
            self.guide.hide()
            self.guide.deleteLater()
        self.guide = None

    # --- what is done ---

    def _turn_to(self, bench: str) -> None:
        if bench != self.session.bench:
            self.session.set_bench(bench)

    def _keep_bench(self, bench: str) -> None:
        if bench.endswith(".toml"):
            self._remember("recent benches", Path(bench))

    def _choose_bench(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Bench file", "", "Bench files (*.toml)")
        if path:
            self._turn_to(path)

    def _new_experiment(self) -> None:
        self.show_panel("Experiments")
        search = self.panel("Experiments").list.search
        search.setFocus()
        search.selectAll()

    def _choose_run(self) -> None:
        folder = str(self.session.folder)
        path, _ = QFileDialog.getOpenFileName(self, "Run file", folder, "Run files (*.h5)")
        if path:
            self.session.open_run(path)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Accept files; what is none of use is said when it is dropped."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Show the run, turn to the bench, show the plan, or solve with the matrix whose file was dropped."""
        from mho.gui.window.dropped_files import SortedFiles, sort_files  # which reads TOML

        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()

        def take(files: SortedFiles) -> None:
            acts: dict[str, Callable[[str], Any]] = {
                "run": self.session.open_run, "bench": self._turn_to, "plan": self.session.plan_wanted.emit,
                "matrix": self._take_matrix,
            }  # fmt: skip
            for kind, path in files.of_kind.items():
                acts[kind](str(path))
            for trouble in files.troubles:
                self.session.tell("WARNING", trouble)

        self.session.ask(lambda: sort_files(paths), take)

    def _take_matrix(self, path: str) -> None:
        """Enter a matrix into the form, which becomes that of a solve if it asks for none."""
        form = self.panel("Experiments").form
        self.show_panel("Experiments")
        if form is not None and "matrix" in form.fields:
            form.fields["matrix"].show_value(path)
        else:
            self.session.form_wanted.emit("solve", {"matrix": path})

    # --- what is kept ---

    def _theme_setting(self) -> widgets.Choice:
        setting = self.settings.value("theme", "system")
        return next((name for name in THEMES if name == setting), "system")

    def _choose_theme(self, name: widgets.Choice, _checked: bool = True) -> None:
        self.settings.setValue("theme", name)
        widgets.choose(name)

    def _restore_layout(self) -> None:
        """Restore the layout of the last session, unless the settings were damaged."""
        geometry, state = self.settings.value("geometry"), self.settings.value("layout")
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        if isinstance(state, QByteArray):
            self.restoreState(state, LAYOUT)
        self.commands.setVisible(True)
        self.panels.divide(self._share_settings())

    def _share_settings(self) -> dict[str, float]:
        kept = {name: self.settings.value(f"shares/{name}") for name in SHARES}
        shares = {}
        for name, value in kept.items():
            with suppress(TypeError, ValueError):  # of damaged settings
                shares[name] = float(value)
        return shares

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Start the session when the window is first shown."""
        super().showEvent(event)
        self.panels.hide_stray_bars()
        QTimer.singleShot(0, self, self._begin)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep the shares of form and strip."""
        super().resizeEvent(event)
        self.panels.divide({})

    def event(self, event: QEvent) -> bool:
        """Notice when the user has moved the line between two docks."""
        done = super().event(event)
        if event.type() == QEvent.Type.MouseButtonRelease:
            self.panels.remember()
        return done

    def _begin(self) -> None:
        self.panels.divide({})
        if not self.session.listens:
            self.session.start()

    def _ask_release(self, held: Job, why: str) -> None:
        """Ask whether the session by hand of another window is to end; that window is told who has ended it, and why."""
        since = "" if held.started is None else f" since {clock(datetime.fromtimestamp(held.started))}"
        box = QMessageBox(
            QMessageBox.Icon.Question,
            "Another window holds the bench",
            f"Another window holds the bench by hand{since}, as job {held.id}: end that session{why and f' {why}'}?",
            parent=self,
        )
        box.setInformativeText(
            "It may be in the middle of a measurement. What waits begins when it has ended."
        )
        end = box.addButton("End that session", QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton("Leave it", QMessageBox.ButtonRole.RejectRole))
        by = f"another window (process {os.getpid()}) {why}".rstrip()
        end.clicked.connect(lambda _checked: self.session.release(held.id, by))
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def _quit(self) -> None:
        """Close the window, unless actions are pending and the user would rather wait for them."""
        pending = self.session.actions.pending
        if not pending:
            self.close()
            return
        words = f"{pending[0].title} is {pending[0].state}" + (
            f", {len(pending) - 1} more wait" if len(pending) > 1 else ""
        )
        box = QMessageBox(
            QMessageBox.Icon.Question,
            "Actions are pending",
            f"{words}: end them and close the window?",
            parent=self,
        )
        box.setInformativeText(
            "They are ended as by Ctrl-C: no file is left half written. The runner goes on."
        )
        end = box.addButton("End them and close", QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton("Stay", QMessageBox.ButtonRole.RejectRole))
        end.clicked.connect(lambda _checked: self.close())
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Save the layout; the runner goes on, and actions are ended, which a user is asked about."""
        if event.spontaneous() and self.session.actions.pending:
            event.ignore()
            self._quit()
            return
        self.settings.setValue("geometry", self.saveGeometry())
        self.settings.setValue("layout", self.saveState(LAYOUT))
        for name, share in self.panels.shares().items():
            self.settings.setValue(f"shares/{name}", share)
        if (chip := self.panels.made("Chip")) is not None:
            self.settings.setValue("selection", chip.bar.keep())
        if (bench := self.panels.made("Bench")) is not None:
            self.settings.setValue("touches", bench.by_hand.keep())
        self.panels.close()
        if self.session.actions.pending:
            self.hide()  # they may take seconds to end
        self.session.close()
        super().closeEvent(event)
