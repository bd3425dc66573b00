"""The bench panel: the state of each instrument, and how close the run has come to the limits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QProcess, Qt
from PySide6.QtGui import QBrush, QColor, QShowEvent
from PySide6.QtWidgets import QLabel, QStackedWidget, QTreeWidget, QTreeWidgetItem, QWidget

from mho.analysis.reports import read_chip
from mho.gui import widgets
from mho.gui.bench.by_hand import BenchByHand
from mho.gui.bench.facts import (
    DescribedInstrument,
    RunExtremes,
    in_units,
    instruments_of,
    last_in_words,
    margin,
)
from mho.gui.session.bench_safety import UNKNOWN_OUTPUT, SafetyVerdict, clock
from mho.gui.session.file_follower import News
from mho.gui.session.session import Session
from mho.gui.widgets import ElidedLabel, end, python_process
from mho.input_files import bench_key
from mho.instruments.bench_file import BenchSource, load_bench_file
from mho.runs import GOING_ON, RunFile

COLUMNS = {
    "Instrument": 90, "Driver": 115, "Terminal": 130, "Connection": 85, "Output": 190, "Known since": 255,
}  # fmt: skip
"""Headings and widths, pixels."""

CONNECTION, OUTPUT, KNOWN = (list(COLUMNS).index(name) for name in ("Connection", "Output", "Known since"))
LIMITS = {"Terminal": 150, "Quantity": 140, "Seen in this run": 140, "Limit": 110, "Margin": 90}
UNSEEN = {"current of reads": "not measured"}
"""Text for a quantity without data of the run; other rows say that they were not used."""


def output_of_settings(settings: dict[str, str]) -> tuple[str, bool]:
    """Return how an instrument's outputs stand by its settings, empty when these do not say, and whether any may be on."""
    outputs = [value for name, value in settings.items() if name == "mode" or name.endswith("output_enabled")]
    if not outputs:
        return "", False
    if any(value not in ("True", "False") for value in outputs):
        return outputs[0], outputs[0] != "SAFE"
    return ("ON", True) if "True" in outputs else ("off", False)


def tell_below(item: QTreeWidgetItem, name: str, value: str) -> QTreeWidgetItem:
    """Add a line below an instrument, over the whole width."""
    line = QTreeWidgetItem(item, [f"{name}: {value}"])
    line.setFirstColumnSpanned(True)
    line.setToolTip(0, value)
    return line


def prepare_tree(tree: QTreeWidget, columns: dict[str, int]) -> None:
    """Set the headings of a tree, and their widths in pixels."""
    tree.setHeaderLabels(list(columns))
    for column, width in enumerate(columns.values()):
        tree.setColumnWidth(column, width)
    tree.setAlternatingRowColors(True)
    tree.setUniformRowHeights(True)


NEVER = "never read"
UNTOLD = "not told"


@dataclass(frozen=True)
class InstrumentState:
    """The state in which an instrument was found.

    `when` is local, `source` such as ``Check bench``, ``job 4``, ``before solve-3.h5``; texts are empty where that does not
    tell. `wrong` is to be put right, and `live` is an output that may be on.
    """

    when: datetime
    source: str
    connection: str = ""
    output: str = ""
    wrong: bool = False
    live: bool = False


@dataclass(frozen=True)
class Details:
    """Lines below the instruments, by role, from one source; each with how it is to be taken, empty where that is open."""

    title: str
    lines: Mapping[str, Sequence[tuple[str, str, str]]]


class InstrumentTable(QTreeWidget):
    """A row per instrument with its latest state, and below it all findings by source."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        prepare_tree(self, COLUMNS)
        self._instruments: tuple[DescribedInstrument, ...] = ()
        self._seen: dict[str, InstrumentState] = {}
        self._details: dict[str, Details] = {}  # by kind: one of a kind takes the other's place

    def show_instruments(self, instruments: Iterable[DescribedInstrument]) -> None:
        """Show these instruments, of which nothing is known yet."""
        self.clear()
        self._instruments, self._seen, self._details = tuple(instruments), {}, {}
        for one in self._instruments:
            QTreeWidgetItem(self, [one.title, one.driver, one.terminals])
        self.redraw()

    @property
    def roles(self) -> list[str]:
        """The roles of the instruments, in order."""
        return [one.role for one in self._instruments]

    def see(self, role: str, seen: InstrumentState) -> None:
        """Store an instrument's state unless a newer one is known; empty texts do not replace known ones."""
        old = self._seen.get(role)
        if role in self.roles and (old is None or seen.when >= old.when):
            self._seen[role] = seen
            self._show_seen(role)

    def detail(self, kind: str, details: Details | None) -> None:
        """Show lines below the instruments in the place of those of the same kind; None for none."""
        if details is None:
            self._details.pop(kind, None)
        else:
            self._details[kind] = details
        self.redraw()

    def redraw(self) -> None:
        """Show all states in the colours of the theme."""
        now = widgets.colours()
        colours = {"ok": now.good, "note": now.doubtful, "wrong": now.bad}
        for one in self._instruments:
            item = self._row(one.role)
            open_ = item.isExpanded()
            item.takeChildren()
            if one.address:
                tell_below(item, "address", one.address)
            for details in self._details.values():
                lines = details.lines.get(one.role, ())
                if lines:
                    heading = QTreeWidgetItem(item, [details.title])
                    heading.setFirstColumnSpanned(True)
                    heading.setForeground(0, QBrush(QColor(now.faint)))
                for name, text, verdict in lines:
                    line = tell_below(item, name, text)
                    if verdict in colours:
                        line.setForeground(0, QBrush(QColor(colours[verdict])))
            item.setExpanded(open_)
            self._show_seen(one.role)

    def _row(self, role: str) -> QTreeWidgetItem:
        item = self.topLevelItem(self.roles.index(role))
        assert item is not None
        return item

    def _show_seen(self, role: str) -> None:
        item, seen, now = self._row(role), self._seen.get(role), widgets.colours()
        if seen is None:
            texts = {CONNECTION: NEVER, OUTPUT: "", KNOWN: ""}
        else:
            known = f"{clock(seen.when)}, {seen.source}"
            texts = {CONNECTION: seen.connection or UNTOLD, OUTPUT: seen.output or UNTOLD, KNOWN: known}
        for column, text in texts.items():
            item.setText(column, text)
            item.setToolTip(column, text)
            loud = seen is not None and (seen.wrong or (column == OUTPUT and seen.live))
            colour = (
                now.bad if loud and column != KNOWN else now.faint if text in (NEVER, UNTOLD) else now.ink
            )
            item.setForeground(column, QBrush(QColor(colour)))
        item.setTextAlignment(KNOWN, Qt.AlignmentFlag.AlignLeft)


def of_findings(
    findings: Sequence[Mapping[str, Any]], when: datetime
) -> tuple[Details, dict[str, InstrumentState]]:
    """Return what *Check bench* has found of each instrument: all of it, and how it stands."""
    lines: dict[str, list[tuple[str, str, str]]] = {}
    details: dict[str, dict[str, Any]] = {}
    wrong = set()
    for one in findings:
        role, what = one["subject"], one["what"]
        text = f"{one['detail']}; {one['advice']}" if one["advice"] else str(one["detail"])
        lines.setdefault(role, []).append((what, text, one["verdict"]))
        column = {"connection": "connection", "output": "output", "mode": "output"}.get(what)
        if column is not None:
            details.setdefault(role, {})[column] = str(one["detail"])
            if column == "output":
                details[role]["live"] = one["verdict"] != "ok"
            if one["verdict"] == "wrong":
                wrong.add(role)
    seen = {
        role: InstrumentState(when, "Check bench", **words, wrong=role in wrong)
        for role, words in details.items()
    }
    return Details(f"read at {clock(when)} by Check bench", lines), seen


if TYPE_CHECKING:
    from mho.running.queue import Lane


class BenchPanel(widgets.Themed):
    """Instruments with identity, outputs and settings; limits with margins; a check that opens each instrument."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.source: BenchSource | None = None
        self._extremes = RunExtremes()
        self._arrays: tuple[str, ...] = ()
        self._process: QProcess | None = None
        self._stood: set[str] = set()  # reported by a running job
        self._shown: bool | None = None  # whether the shown run is over; None if none is shown
        self.name = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.standing, self.last = ElidedLabel(), ElidedLabel()
        widgets.embolden(self.name)
        tip = "open each instrument and look at it: identity, error queue, outputs; changes no output"
        self.check = widgets.button("Check bench", self._check, tip)
        self.turn = widgets.button("By hand", self._turn_over, "set and read the instruments by hand")
        self.turn.setCheckable(True)
        self.by_hand = BenchByHand(session)
        self.instruments, self.limits = InstrumentTable(), QTreeWidget()
        prepare_tree(self.limits, LIMITS)
        self.limits.setRootIsDecorated(False)
        for tree in (self.instruments, self.limits):
            tree.setMinimumHeight(50)
        top = widgets.row(None, self.name)
        top.addSpacing(8)
        top.addWidget(self.standing, 1)
        top.addWidget(self.turn)
        top.addWidget(self.check)
        halves = widgets.splitter(Qt.Orientation.Vertical, (self.instruments, 200), (self.limits, 220))
        state = QWidget()
        widgets.column(state, (halves, 1), self.last, margins=0)
        self.sides = QStackedWidget()
        self.sides.addWidget(state)
        self.sides.addWidget(self.by_hand)
        widgets.column(self, top, (self.sides, 1))
        session.bench_changed.connect(self._turn_to)
        session.runner_changed.connect(lambda _: self._show_standing())
        session.safety_changed.connect(lambda _: self._show_standing())
        session.jobs_changed.connect(lambda _: self._show_standing())
        session.lane_changed.connect(self._take_lane)
        session.event_heard.connect(self._take_event)
        session.run_opened.connect(self._take_run)
        session.run_news.connect(self._take_news)
        self._turn_to(session.bench)

    def _turn_over(self) -> None:
        """Show how the instruments stand, or what can be done with them by hand."""
        self.sides.setCurrentIndex(int(self.turn.isChecked()))

    # --- the bench file ---

    def _turn_to(self, bench: str) -> None:
        self.source = None
        self.name.setText(f"Bench {bench}")
        self.instruments.show_instruments(())
        self.by_hand.show_bench(None)
        self._extremes = RunExtremes()
        self._show_limits()
        self._show_standing()
        self.session.ask(lambda: load_bench_file(bench), partial(self._show_source, bench))

    def _show_source(self, bench: str, source: BenchSource) -> None:
        if bench != self.session.bench:
            return
        self.source, file, key = source, source.bench, Path(bench_key(bench))
        real = file.simulation is None
        cells = "" if file.simulation is None else f", SIMULATED with cells {file.simulation.preset!r}"
        name = f"{key.name} ({file.name!r})" if real and key.suffix else file.name
        self.name.setText(f"Bench {name}{cells}, chip {file.chip}")
        self.name.setToolTip(file.description)
        self.instruments.show_instruments(instruments_of(file))
        self.by_hand.show_bench(source)
        self._take_lane(self.session.lane)
        self._show_limits()
        self._show_standing()
        self._take_run(self.session.run)

    # --- how it stands ---

    def paint_theme(self) -> None:
        """Apply the colours of the theme."""
        self.instruments.redraw()
        self._show_limits()
        self._show_standing()

    def _show_standing(self) -> None:
        state, safety, now = self.session.runner, self.session.safety, widgets.colours()
        busy = self.session.job is not None or (state is not None and state.state != "idle")
        self.check.setEnabled(not busy and self._process is None)
        colour = {SafetyVerdict.SAFE: now.good, SafetyVerdict.UNKNOWN: now.faint}.get(safety.verdict, now.bad)
        self.standing.setText(f"{safety.verdict.value}: {safety.text}")
        self.standing.setStyleSheet(f"color: {colour}; font-weight: bold;")

    def _take_event(self, event: Any) -> None:
        """Show the state of the outputs during a run, and that they were confirmed off at its end."""
        kind = type(event).__name__  # the classes are in a package that takes its time to load
        if kind == "Standing":
            state = self.session.runner
            job = "a job" if state is None or state.job is None else f"job {state.job}"
            for role, words in event.outputs.items():
                live = event.live is None or role in event.live
                source = "not confirmed by" if words == UNKNOWN_OUTPUT else "confirmed by"
                seen = InstrumentState(datetime.now(), f"{source} {job}", "answers", words, live=live)
                self.instruments.see(role, seen)
            self._stood = set(event.outputs)
        elif kind == "Ended" and event.safe:
            for role in self._stood:
                source = f"read back when {event.path.name} had ended"
                when = datetime.fromtimestamp(event.confirmed) if event.confirmed else datetime.now()
                self.instruments.see(role, InstrumentState(when, source, "answers", "off"))

    def _take_lane(self, lane: Lane | None) -> None:
        """Show what was read of the outputs when the bench was made safe, or which of them were not confirmed off."""
        if lane is None:
            return
        if lane.unsafe:
            for role in lane.live or self.instruments.roles:
                self.instruments.see(
                    role, InstrumentState(datetime.now(), "not confirmed", "", "may be on", live=True)
                )
        elif lane.confirmed is not None:
            when = datetime.fromtimestamp(lane.confirmed)
            for role in self.instruments.roles:
                words = {"board": "SAFE", "switch": "open"}.get(role, "off")
                self.instruments.see(role, InstrumentState(when, lane.confirmed_by, "answers", words))

    # --- data of the run ---

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Show what has come while the panel was hidden."""
        super().showEvent(event)
        if self.session.run is not None:
            self._show_run(self.session.run)

    def _take_run(self, run: RunFile | None) -> None:
        self._extremes, self._arrays, self._shown = RunExtremes(), (), None
        self.last.clear()
        self.instruments.detail("run", None)
        self._show_limits()
        if run is not None and self.isVisible():
            self._show_run(run)

    def _show_run(self, run: RunFile) -> None:
        """Show what `run` says about this bench; a run on another bench is ignored."""
        if self.source is None:
            return
        with self.session.reporting_damage("WARNING"):
            bench = run.provenance.get("bench", "")
            if bench != bench_key(self.session.bench) and run.bench != self.source.text:
                name = Path(bench).name or "a bench that was handed over open"
                self.last.setText(
                    f"{run.path.name} was run on another bench ({name}): nothing of it is shown here"
                )
                return
            chip = read_chip(run)
            self._arrays = () if chip is None else tuple(array.name for array in chip.arrays)
            self._show_settings(run)
            self._extend(run)

    def _take_news(self, news: News) -> None:
        run = self.session.run
        if run is None or not self.isVisible() or self._shown is None:
            return
        with self.session.reporting_damage("WARNING"):
            self._extend(run)
            if (news.status not in GOING_ON) != self._shown:
                self._show_settings(run)

    def _extend(self, run: RunFile) -> None:
        if self.source is None:
            return
        reading = self.source.bench.read
        if self._extremes.take(run, (reading.voltage, reading.gate)):
            self._show_limits()
            if self._extremes.last is not None:
                self.last.setText(f"last: {last_in_words(self._extremes.last, self._arrays)}")

    def _show_settings(self, run: RunFile) -> None:
        """Show each instrument's settings from the run file: before the run and, once it is over, after it."""
        self._shown = over = run.status not in GOING_ON
        after, end = run.settings_after, run.end_time
        left = over and bool(after) and end is not None
        when = (end if left and end is not None else run.start_time).astimezone().replace(tzinfo=None)
        source = f"{'after' if left else 'before'} {run.path.name}"
        settings = after if left else run.instruments
        lines = {
            role: [(name.replace("_", " "), value, "") for name, value in of_role.items() if value]
            for role, of_role in settings.items()
        }
        self.instruments.detail("run", Details(f"read at {clock(when)} {source}", lines))
        for role, of_role in settings.items():
            # The state of an output before a run does not tell its state afterwards.
            output, live = output_of_settings(of_role) if left else ("", False)
            self.instruments.see(role, InstrumentState(when, source, "answered", output, live=live))

    def _show_limits(self) -> None:
        self.limits.clear()
        if self.source is None:
            return
        now = widgets.colours()
        for terminal, limits in self.source.bench.terminal_limits().terminals.items():
            for name, unit, limit in (
                ("voltage", "V", limits.voltage), ("current of reads", "A", limits.current),
                ("pulse width", "s", limits.pulse_width),
            ):  # fmt: skip
                if limit == float("inf"):
                    continue
                seen = self._extremes.seen.get((terminal, unit))
                unseen = "" if self._extremes.last is None else UNSEEN.get(name, "not used")
                extreme = unseen if seen is None else in_units(seen, unit)
                left = "" if seen is None else margin(limit, seen)
                item = QTreeWidgetItem(self.limits, [terminal, name, extreme, in_units(limit, unit), left])
                if seen is None:
                    item.setForeground(2, QBrush(QColor(now.faint)))
                elif seen > limit * (1.0 + 1e-6):
                    item.setForeground(4, QBrush(QColor(now.bad)))

    # --- the check ---

    def _check(self) -> None:
        process = python_process(["-m", "mho.gui.bench.check", self.session.bench], self)
        bench = self.session.bench
        process.finished.connect(lambda code, _: self._checked(bench, code))
        process.errorOccurred.connect(
            lambda _: self.session.tell("ERROR", f"the check: {process.errorString()}")
        )
        self._process = process
        self.check.setEnabled(False)
        self.check.setText("Checking…")
        process.start()

    def _checked(self, bench: str, code: int) -> None:
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
        if bench == self.session.bench:
            self._show_findings(json.loads(said))

    def _show_findings(self, findings: list[dict[str, Any]]) -> None:
        """Show the findings of the check until the next one, and report what is wrong."""
        details, seen = of_findings(findings, datetime.now())
        self.instruments.detail("check", details)
        for role, state in seen.items():
            self.instruments.see(role, state)
        self.session.take_findings(self.session.bench, findings)
        remarks: dict[str, list[str]] = {"wrong": [], "note": []}
        for one in findings:
            if one["verdict"] in remarks:
                remarks[one["verdict"]].append(
                    f"{one.get('title') or one['subject']}, {one['what']}: {one['detail']}; {one['advice']}"
                )
        level = "ERROR" if remarks["wrong"] else "WARNING" if remarks["note"] else "INFO"
        counts = f"{len(remarks['wrong']) or 'nothing'} wrong, {len(remarks['note']) or 'nothing'} to note"
        self.session.tell(level, ". ".join([f"bench check: {counts}", *remarks["wrong"], *remarks["note"]]))

    def close_down(self) -> None:
        """End a running check."""
        if self._process is not None:
            process, self._process = self._process, None
            end(process)
