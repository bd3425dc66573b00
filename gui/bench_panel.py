"""The bench: its instruments and what is known of each, its limits and how near to them the run has come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PySide6.QtCore import QEvent, QProcess, Qt
from PySide6.QtGui import QBrush, QColor, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from analysis.cells import read_chip
from gui import theme
from gui.bench_facts import BenchFacts, Extremes, in_units, last_in_words, margin, read_facts
from gui.bench_trees import (
    ADDRESS,
    COLUMNS,
    CONNECTION,
    LIMITS,
    OUTPUT,
    UNKNOWN,
    UNSEEN,
    output_in_words,
    show_known,
    table,
    tell_below,
)
from gui.elided_label import ElidedLabel
from gui.following import News
from gui.output_window import end, python_process
from gui.session import Session
from mho_errors import RunFileError
from runs import RunFile


class BenchPanel(QWidget):
    """Instruments with identity, outputs and settings; limits with margins; a check that opens each instrument."""

    title = "Bench"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.facts: BenchFacts | None = None
        self._extremes = Extremes()
        self._arrays: tuple[str, ...] = ()
        self._process: QProcess | None = None
        self.name, self.standing, self.last = QLabel(), ElidedLabel(), ElidedLabel()
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        theme.embolden(self.name)
        self.check = QPushButton("Check bench")
        self.check.setToolTip(
            "open each instrument and look at it: identity, error queue, outputs; changes no output"
        )
        self.check.clicked.connect(self._check)
        self.instruments, self.limits = table(COLUMNS), table(LIMITS)
        self.limits.setRootIsDecorated(False)
        top = QHBoxLayout()
        top.addWidget(self.name)
        top.addSpacing(8)
        top.addWidget(self.standing, 1)
        top.addWidget(self.check)
        halves = QSplitter(Qt.Orientation.Vertical)
        halves.addWidget(self.instruments)
        halves.addWidget(self.limits)
        halves.setSizes([200, 220])
        halves.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(halves, 1)
        layout.addWidget(self.last)
        session.bench_changed.connect(self._turn_to)
        session.runner_changed.connect(lambda _: self._show_standing())
        session.lane_changed.connect(lambda _: self._show_standing())
        session.event_heard.connect(self._take_event)
        session.run_opened.connect(self._take_run)
        session.run_news.connect(self._take_news)
        self._turn_to(session.bench)

    # --- the bench file ---

    def _turn_to(self, bench: str) -> None:
        self.facts = None
        self.name.setText(f"Bench {bench}")
        self.session.ask(lambda: read_facts(bench), self._show_facts)

    def _show_facts(self, facts: BenchFacts) -> None:
        self.facts = facts
        cells = "" if facts.preset is None else f", SIMULATED with cells {facts.preset!r}"
        self.name.setText(f"Bench {facts.name}{cells}, chip {facts.chip}")
        self.name.setToolTip(facts.description)
        self.instruments.clear()
        for one in facts.instruments:
            item = QTreeWidgetItem(self.instruments, [one.role, one.driver, one.terminals, UNKNOWN, ""])
            item.setData(0, ADDRESS, one.address)
            show_known(item, {})
        self._show_limits()
        self._show_standing()
        self._take_run(self.session.run)

    # --- how it stands ---

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._show_limits()
            self._show_standing()

    def _show_standing(self) -> None:
        state, lane, now = self.session.runner, self.session.lane, theme.colours()
        busy = state is not None and state.state != "idle"
        self.check.setEnabled(not busy and self._process is None)
        if lane is not None and lane.unsafe:
            text, colour = (
                f"NOT CONFIRMED SAFE: {lane.reason or 'it is made safe before the next job'}",
                now.bad,
            )
        elif state is None:
            text, colour = "no runner: nothing of this queue drives it", now.faint
        elif busy:
            text, colour = (
                f"{state.state}, job {state.job}" if state.job is not None else str(state.state),
                now.busy,
            )
        else:
            text, colour = "idle: outputs off", now.good
        self.standing.setText(text)
        self.standing.setStyleSheet(f"color: {colour}; font-weight: bold;")

    def _take_event(self, event: Any) -> None:
        """Show how the outputs stand while a run goes on; at its end the run file says how they were left."""
        if type(event).__name__ != "Standing":  # the class is in a package that takes its time to load
            return
        for index in range(self.instruments.topLevelItemCount()):
            item = self.instruments.topLevelItem(index)
            words = "" if item is None else event.outputs.get(item.text(0), "")
            if item is not None and words:
                item.setText(CONNECTION, "answers")
                item.setText(OUTPUT, words)
                item.setToolTip(OUTPUT, words)

    # --- what the run tells ---

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Catch up with what came while nobody looked."""
        super().showEvent(event)
        if self.session.run is not None:
            self._show_run(self.session.run)

    def _take_run(self, run: RunFile | None) -> None:
        self._extremes, self._arrays = Extremes(), ()
        self.last.clear()
        if run is None:
            self._show_limits()
            return
        if self.isVisible():
            self._show_run(run)

    def _show_run(self, run: RunFile) -> None:
        with self._said_if_damaged():
            chip = read_chip(run)
            self._arrays = () if chip is None else tuple(array.name for array in chip.arrays)
            over = run.status != "running"
            self._show_settings(run.settings_after or run.instruments, run.path.name, over=over)
            self._extend(run)

    def _take_news(self, news: News) -> None:
        run = self.session.run
        if run is None or not self.isVisible():
            return
        with self._said_if_damaged():
            self._extend(run)
            if news.status != "running":
                self._show_settings(run.settings_after or run.instruments, run.path.name, over=True)

    @contextmanager
    def _said_if_damaged(self) -> Iterator[None]:
        try:
            yield
        except RunFileError as error:
            self.session.tell("WARNING", str(error))

    def _extend(self, run: RunFile) -> None:
        if self.facts is not None and self._extremes.take(run, self.facts.reading):
            self._show_limits()
            if self._extremes.last is not None:
                self.last.setText(f"last: {last_in_words(self._extremes.last, self._arrays)}")

    def _show_settings(self, instruments: dict[str, dict[str, str]], source: str, *, over: bool) -> None:
        """Show below each instrument what the run file keeps of it, and how a run that is `over` left its outputs."""
        for index in range(self.instruments.topLevelItemCount()):
            item = self.instruments.topLevelItem(index)
            settings = dict(instruments.get(item.text(0), {})) if item is not None else {}
            if item is None or not settings:
                continue
            show_known(item, settings)
            item.setText(CONNECTION, "answered")
            item.setToolTip(CONNECTION, f"in {source}: {settings.get('identity', '')}")
            item.setText(OUTPUT, output_in_words(settings) if over else item.text(OUTPUT))

    def _show_limits(self) -> None:
        self.limits.clear()
        if self.facts is None:
            return
        now = theme.colours()
        for terminal, (volts, amperes, seconds) in self.facts.limits.items():
            quantities = (
                ("voltage", "V", volts, self._extremes.volts.get(terminal)),
                ("current of reads", "A", amperes, self._extremes.amperes.get(terminal)),
                ("pulse width", "s", seconds, self._extremes.seconds.get(terminal)),
            )
            for name, unit, limit, seen in quantities:
                if limit == float("inf"):
                    continue
                unseen = "" if self._extremes.last is None else UNSEEN.get(name, "not used")
                texts = [
                    terminal,
                    name,
                    unseen if seen is None else in_units(seen, unit),
                    in_units(limit, unit),
                ]
                item = QTreeWidgetItem(self.limits, [*texts, "" if seen is None else margin(limit, seen)])
                if seen is None:
                    item.setForeground(2, QBrush(QColor(now.faint)))
                elif seen > limit * (1.0 + 1e-6):
                    item.setForeground(4, QBrush(QColor(now.bad)))

    # --- the check ---

    def _check(self) -> None:
        process = python_process(["-m", "gui.bench_check", self.session.bench], self)
        process.finished.connect(self._checked)
        process.errorOccurred.connect(
            lambda _: self.session.tell("ERROR", f"the check: {process.errorString()}")
        )
        self._process = process
        self.check.setEnabled(False)
        self.check.setText("Checking…")
        process.start()

    def _checked(self, code: int) -> None:
        process, self._process = self._process, None
        assert process is not None
        self.check.setText("Check bench")
        self._show_standing()
        said = bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace")
        complaint = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip()
        process.deleteLater()
        if code:
            self.session.tell(
                "ERROR", complaint.rpartition("\n")[2] or f"the check ended with exit code {code}"
            )
            return
        self._show_findings(json.loads(said))

    def _show_findings(self, findings: list[dict[str, Any]]) -> None:
        now = theme.colours()
        colour = {"ok": now.good, "note": now.doubtful, "wrong": now.bad}
        rows = {
            item.text(0): item
            for index in range(self.instruments.topLevelItemCount())
            if (item := self.instruments.topLevelItem(index)) is not None
        }
        for item in rows.values():
            show_known(item, {})
        worst = {"ok": 0, "note": 1, "wrong": 2}
        for one in findings:
            text = f"{one['detail']}; {one['advice']}" if one["advice"] else str(one["detail"])
            parent = rows.get(one["subject"])
            if one["verdict"] != "ok":
                level = "WARNING" if one["verdict"] == "note" else "ERROR"
                self.session.tell(level, f"{one['subject']}, {one['what']}: {text}")
            if parent is None:
                continue
            child = tell_below(parent, one["what"], text)
            child.setForeground(0, QBrush(QColor(colour[one["verdict"]])))
            column = {"connection": CONNECTION, "output": OUTPUT, "mode": OUTPUT}.get(one["what"])
            if column is not None:
                parent.setText(column, one["detail"] if worst[one["verdict"]] < 2 else "fails")
                parent.setForeground(column, QBrush(QColor(colour[one["verdict"]])))
        wrong = sum(one["verdict"] == "wrong" for one in findings)
        self.session.tell(
            "ERROR" if wrong else "INFO",
            f"bench check: {wrong} {'thing is' if wrong == 1 else 'things are'} wrong; see below each instrument"
            if wrong
            else "bench check: nothing is wrong",
        )

    def close_down(self) -> None:
        """End a check that is going on."""
        if self._process is not None:
            process, self._process = self._process, None
            end(process)
