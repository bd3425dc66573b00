"""The bar above the panels: commands, the state of the runner, whether the bench is simulated and safe, and STOP."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolBar, QWidget

from mho.gui.run_window.header import Badge
from mho.gui.session.runner_commands import Command
from mho.gui.session.session import Session
from mho.gui.widgets import theme
from mho.gui.widgets.elided_label import ElidedLabel
from mho.gui.window.stop import SafetyLight, StopButton

COMMANDS: tuple[tuple[Command, str, str], ...] = (
    ("pause", "F6", "let the running job rest, outputs idle, and begin no other"),
    ("resume", "F5", "let the job and the queue go on"),
    ("abort", "F8", "stop the running job at its next safe point"),
)


class CommandBar(QToolBar):
    """Commands to the runner of the session's bench; `stop_wanted` is the red button's."""

    stop_wanted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Commands", parent)
        self.setObjectName("commands")
        self.setMovable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)  # by which it could be hidden
        self.toggleViewAction().setEnabled(False)
        self.session = session
        self.commands: dict[str, QAction] = {}
        for name, keys, tip in COMMANDS:
            action = QAction(name.capitalize(), parent or self)
            action.setShortcut(QKeySequence(keys))
            action.setToolTip(f"{tip} ({keys})")
            action.triggered.connect(partial(self._command, name))
            self.addAction(action)
            self.commands[name] = action
        self.standing = ElidedLabel()  # a plain one would push STOP out of sight
        self.simulated = Badge()
        self.simulated.paint("SIMULATED", theme.SIMULATED)
        self.light = SafetyLight()
        self.stop = StopButton()
        self.stop.clicked.connect(self.stop_wanted)
        row = QWidget()
        row.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(12, 2, 4, 2)
        layout.setSpacing(12)
        layout.addWidget(self.standing, 1)
        layout.addWidget(self.simulated)
        layout.addWidget(self.light, 1)
        layout.addWidget(self.stop)
        self.addWidget(row)
        session.bench_changed.connect(self._turn_to)
        session.runner_changed.connect(lambda _: self._show_standing())
        session.lane_changed.connect(lambda _: self._show_standing())
        session.jobs_changed.connect(lambda _: self._show_standing())
        session.safety_changed.connect(self.light.show_safety)
        self.light.show_safety(session.safety)
        self._turn_to(session.bench)

    def _command(self, name: Command, _checked: bool = False) -> None:
        self.session.command(name)

    def _turn_to(self, bench: str) -> None:
        from mho.gui.experiments.orders import is_simulated

        self.simulated.setVisible(bench == "simulated")
        self.session.ask(lambda: is_simulated(bench), self.simulated.setVisible)
        self._show_standing()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._show_standing()

    def _show_standing(self) -> None:
        session, now = self.session, theme.colours()
        state, lane = session.runner, session.lane
        held = lane is not None and lane.held
        job = session.job
        self.commands["pause"].setEnabled(not held)
        self.commands["resume"].setEnabled(held)
        self.commands["abort"].setEnabled(job is not None)
        facts = [f"Bench {Path(session.bench).name}"]
        if job is not None:
            facts.append(f"job {job[0]} {job[1]}")
        if state is None:
            silent = session.silent or job is not None or not session.heard
            facts.append("the runner is not heard" if silent else "no runner")
        elif job is None:
            facts.append(str(state.state))
        elif state.total:
            facts.append(f"{state.stage} {state.done} of {state.total}")
        if lane is not None and held:
            facts.append(f"queue held: {lane.reason}")
        self.standing.setText("   ·   ".join(facts))
        self.standing.setStyleSheet(f"color: {now.bad}; font-weight: bold;" if held else "")
