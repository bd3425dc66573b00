"""The runs panel: the index as a table with search and filters; opens, compares and exports runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QWidget,
)

import mho.analysis as analysis
from mho.analysis.exports import export
from mho.analysis.reports import Convergence, read_convergence
from mho.errors import MhoError, RunFileError
from mho.gui import widgets
from mho.gui.runs.action_form import ActionForm
from mho.gui.runs.actions import ACTIONS, RunAction, Selection
from mho.gui.runs.compare_view import FEWEST, MOST, CompareView, RunConvergence, read_refined
from mho.gui.runs.index_thread import IndexThread, Search
from mho.gui.runs.preview import IndexedFacts, RunPreview, read_facts
from mho.gui.runs.table import RunsView
from mho.gui.runs.verbs import Verb, read_verb
from mho.gui.session.file_follower import News
from mho.gui.session.session import Session
from mho.gui.session.task_thread import TaskThread
from mho.gui.widgets import ChoiceBox, colours
from mho.runs import RunFile, Status
from mho.runs.index import NEWEST_FIRST, UNREADABLE, IndexedRun, RunIndex

REST = 150
"""Pause in typing after which the search begins, ms."""

QUERY_HELP = """bits >= 24 and status = finished
mimo date >= 2026-11                  a word is searched everywhere, as a "quoted text"
read_voltage >= 200mV or duration < 5min
converged and not tag                 = != < <= > >= ~ (contains) !~"""


class RunsSearch(QWidget):
    """Query and filters; `changed` says that another search is wanted."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        hint = "words, or a query: bits >= 24 and status = finished"
        self.query = QLineEdit(placeholderText=hint, clearButtonEnabled=True)
        self.query.setAccessibleName("query")
        self.query.setToolTip(QUERY_HELP)
        self.status = self._filter("status", "any status", [*map(str, Status), UNREADABLE])
        self.procedure = self._filter("procedure", "any procedure")
        self.tag = self._filter("tag", "any tag")
        self.mistake = widgets.plain_label()
        self.mistake.setVisible(False)
        self._timer = QTimer(self, singleShot=True, interval=REST)
        self._timer.timeout.connect(self.changed)
        self.query.textEdited.connect(lambda _: self._timer.start())
        self.query.textChanged.connect(lambda text: None if text else self._timer.start())
        line = widgets.row(None, (self.query, 1), self.status, self.procedure, self.tag)
        widgets.column(self, line, self.mistake, margins=0)

    @property
    def filters(self) -> tuple[tuple[str, str], ...]:
        """Names and values that must be met."""
        boxes = (self.status, self.procedure, self.tag)
        return tuple((box.accessibleName(), box.currentText()) for box in boxes if box.currentIndex() > 0)

    def offer(self, procedures: Sequence[str], tags: Sequence[str]) -> None:
        """Set the words for filtering; the present choice is kept."""
        for box, offered in ((self.procedure, procedures), (self.tag, tags)):
            box.offer([box.itemText(0), *offered], box.currentText())

    def say_mistake(self, text: str) -> None:
        """Mark the query as wrong and say why; "" for one that is right."""
        self.query.setStyleSheet(f"background: {colours().wrong_ground};" if text else "")
        self.mistake.setStyleSheet(f"color: {colours().bad};")
        self.mistake.setText(text)
        self.mistake.setVisible(bool(text))

    def _filter(self, name: str, everything: str, offered: Sequence[str] = ()) -> ChoiceBox:
        box = ChoiceBox(name, [everything, *offered])
        box.currentIndexChanged.connect(lambda _: self.changed.emit())
        return box


@dataclass(frozen=True)
class ExportForm:
    """A form in which a run is written, and what is added to its name; `form` is that of `mho export`, "" for a figure."""

    name: str
    ending: str
    form: str = ""

    def write(self, run: Path, output: Path) -> Path:
        """Write a run file in this form, and return where."""
        return export(run, self.form, output) if self.form else analysis.plot(run, output)


FORMS = (
    ExportForm("figure, PNG", ".png"),
    ExportForm("figure, SVG", ".svg"),
    ExportForm("figure, PDF", ".pdf"),
    ExportForm("data, CSV tables (a folder)", "-csv", "csv"),
    ExportForm("data, MATLAB", ".mat", "mat"),
    ExportForm("data, NetCDF", ".nc", "netcdf"),
    ExportForm("everything, to publish (a folder)", "-published", "folder"),
    ExportForm("everything, for an electronic lab notebook", ".eln", "eln"),
    ExportForm("chip map with a measured response", "-chip.toml", "chip-map"),
    ExportForm("netlist of the INV loop, for SPICE", ".cir", "spice"),
)
FIRST_DATA = 3


class ExportDialog(QDialog):
    """Exports the run file at `run`; what is written, or an error after it was closed, the session is told."""

    def __init__(self, run: Path, task_thread: TaskThread, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self._run, self._task_thread, self._session = run, task_thread, session
        self._writing = False
        self.setWindowTitle(f"Export {run.name}")
        self.resize(620, 160)
        self.form = ChoiceBox("form", [form.name for form in FORMS])
        self.target = QLineEdit()
        self.target.setAccessibleName("output")
        browse = widgets.button("Browse…", self._browse)
        self.message = widgets.plain_label()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.export = self.buttons.addButton("Export", QDialogButtonBox.ButtonRole.AcceptRole)
        self.form.currentIndexChanged.connect(self._suggest)
        self.buttons.accepted.connect(self._export)
        self.buttons.rejected.connect(self.reject)
        self.finished.connect(lambda _: self._go())
        line = widgets.row(None, (self.target, 1), browse)
        fields = QFormLayout()
        fields.addRow("Form", self.form)
        fields.addRow("To", line)
        widgets.column(self, fields, self.message, (None, 1), self.buttons)
        self._suggest()

    def _suggest(self) -> None:
        ending = FORMS[self.form.currentIndex()].ending
        self.target.setText(str(self._run.with_name(self._run.stem + ending)))

    def _browse(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Export to", self.target.text())
        if name:
            self.target.setText(name)

    def _export(self) -> None:
        form, output = FORMS[self.form.currentIndex()], Path(self.target.text()).expanduser()
        run = self._run
        self._writing = True
        self.export.setEnabled(False)
        self._say("writing…", colours().faint)
        self._task_thread.ask(lambda: form.write(run, output), self._end, self._fail)

    def _end(self, path: Path) -> None:
        self._writing = False
        self._session.tell("INFO", f"written: {path}")
        if self.isVisible():
            self.accept()
        else:
            self._go()

    def _fail(self, text: str) -> None:
        self._writing = False
        self.export.setEnabled(True)
        self._say(text, colours().bad)
        if not self.isVisible():
            self._session.tell("ERROR", text)
            self._go()

    def _say(self, text: str, colour: str) -> None:
        self.message.setText(text)
        self.message.setStyleSheet(f"color: {colour};")

    def _go(self) -> None:
        """Delete the dialog, but only after the result of a running export was reported."""
        if not self._writing:
            self.deleteLater()


def read_given(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the procedure of the run file at `path`, and the parameters that it was given, as it has them now."""
    from mho.procedures.catalogue import find_procedure
    from mho.procedures.manifest import known_entries

    with RunFile(path) as run:
        name, values = run.procedure.lower(), run.given
        if name in known_entries():
            values = find_procedure(name).from_version(run.version, values)
        return name, values


UPDATE_PERIOD = 5_000
"""Interval of updates of the folder while the panel is visible, ms."""

MANY = 500
"""Files to be read from which on that is said."""


class RunsPanel(QWidget):
    """The runs in the session's folder."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._sort = NEWEST_FIRST
        self._status: Status | None = None
        self._trouble = ""
        self.index = IndexThread(session.folder, self)
        self._files = TaskThread("run files", self)
        self._build()
        self._connect()
        self._timer = QTimer(self, interval=UPDATE_PERIOD)
        self._timer.timeout.connect(lambda: self.index.update() if self.isVisible() else None)
        self._timer.start()

    def _build(self) -> None:
        self.search = RunsSearch()
        self.table = RunsView()
        self.model = self.table.runs
        self.count = QLabel("looking for runs…")
        self.open = widgets.button("Open", self._open)
        self.compare = widgets.button(
            "Compare", self._compare, f"{FEWEST} to {MOST} runs, chosen with Ctrl or Shift"
        )
        self.again = widgets.button(
            "To the form", self._fill_form, "Fill the form of experiments with the parameters of this run"
        )
        self.figure = widgets.button("Export figure…", lambda: self._export(0))
        self.data = widgets.button("Export data…", lambda: self._export(FIRST_DATA))
        self.actions_button = widgets.button(
            "Actions…",
            self._show_actions,
            "All that can be done with the chosen runs; the right button shows it, too",
        )
        self.preview = RunPreview()

        buttons = widgets.row(
            None, (self.count, 1), self.open, self.compare, self.again, self.figure, self.data
        )
        left = QWidget()
        widgets.column(left, (self.table, 1), buttons, margins=0)
        middle = widgets.splitter(Qt.Orientation.Horizontal, (left, 880), (self.preview, 320))
        middle.setStretchFactor(0, 1)
        top = widgets.row(None, (self.search, 1), self.actions_button)
        top.setAlignment(self.actions_button, Qt.AlignmentFlag.AlignTop)
        widgets.column(self, top, (middle, 1), margins=6)

    def _connect(self) -> None:
        self.search.changed.connect(self._search)
        self.model.sort_wanted.connect(self._sort_by)
        self.table.selectionModel().selectionChanged.connect(self._choose)
        self.table.activated.connect(lambda _: self._open())  # double click, Enter
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(
            lambda place: self._show_actions(self.table.viewport().mapToGlobal(place))
        )
        self.preview.tags_wanted.connect(self._tag)
        self.preview.note_wanted.connect(self._note)
        self.index.found.connect(self._show)
        self.index.refused.connect(self.search.say_mistake)
        self.index.failed.connect(self._fail)
        self.index.updated.connect(self._take_update)
        self.index.reading.connect(self._say_reading)
        self._session.run_news.connect(self._take_news)
        self._session.actions.ended.connect(lambda _: self.index.update() if self.isVisible() else None)
        find = widgets.action(self, "Find runs", "", "write a query", self.search.query.setFocus)
        find.setShortcut(QKeySequence.StandardKey.Find)
        find.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.addAction(find)
        offer = widgets.action(
            self, "Actions", "Alt+A", "offer what can be done with the chosen runs", self._show_actions
        )
        offer.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.addAction(offer)
        self._choose()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Show the contents of the index, and update it from the files."""
        super().showEvent(event)
        self._search()
        self.index.update()

    def close_down(self) -> None:
        """End the work in other threads."""
        self._timer.stop()
        self.index.close()
        self._files.close()

    # --- searching ---

    def _search(self) -> None:
        self.index.search(Search(self.search.query.text(), self.search.filters, self._sort))

    def _sort_by(self, name: str) -> None:
        self._sort = name
        self._search()

    def _show(self, runs: list[IndexedRun], total: int) -> None:
        self.search.say_mistake("")
        if self.table.show_runs(runs):
            self._choose()
        some = f"{len(runs)} of {total}" if len(runs) != total else f"{total}"
        self.count.setText(f"{some} run{'' if total == 1 else 's'}")

    def _fail(self, text: str) -> None:
        """Report an error of the index, once."""
        if text != self._trouble:
            self._session.tell("ERROR", text)
        self._trouble = text

    def _take_update(self, changed: bool, procedures: Sequence[str], tags: Sequence[str]) -> None:
        self._trouble = ""
        self.search.offer(procedures, tags)
        if changed:
            self._search()

    def _say_reading(self, done: int, total: int) -> None:
        if total >= MANY:
            self.count.setText(f"reading run files: {done} of {total}")

    def _take_news(self, news: News) -> None:
        if news.status is not self._status:
            self._status = news.status
            if self.isVisible():
                self.index.update()

    # --- what is chosen ---

    def chosen(self) -> list[IndexedRun]:
        """Return the runs that are chosen, from the top."""
        return self.table.chosen()

    def _path(self, run: IndexedRun) -> Path:
        return self._session.folder / run.path

    def _choose(self) -> None:
        chosen = self.chosen()
        readable = [run for run in chosen if run.facts.run_id]
        for button in (self.open, self.figure, self.data, self.again):
            button.setEnabled(len(readable) == len(chosen) == 1)
        self.compare.setEnabled(FEWEST <= len(readable) <= MOST and len(readable) == len(chosen))
        if len(chosen) != 1:
            self.preview.show_facts(None)
            return
        self._look_up(chosen[0])

    def _look_up(self, run: IndexedRun) -> None:
        """Show the index's facts about a run, then the convergence from its file."""

        def is_chosen() -> bool:
            return [one.path for one in self.chosen()] == [run.path]

        def show(known: IndexedFacts) -> None:
            if is_chosen():
                self.preview.show_facts(known)
                self._files.ask(read, draw)  # after the facts, which hide an earlier run's

        def read() -> Convergence | None:
            try:
                with RunFile(path) as opened:
                    return read_convergence(opened)
            except RunFileError:
                return None  # the table says what is wrong with it

        def draw(convergence: Convergence | None) -> None:
            if is_chosen():
                self.preview.show_convergence(convergence)

        path = self._path(run)
        self.index.ask_index(lambda index: read_facts(index, run), show)

    def _tag(self, words: tuple[str, ...]) -> None:
        known = self.preview.known
        if known is not None:
            self._annotate(lambda index: index.annotations.set_tags(known.run.facts.run_id, *words))

    def _note(self, text: str) -> None:
        known = self.preview.known
        if known is not None:
            self._annotate(lambda index: index.annotations.note(known.run.facts.run_id, text))

    def _annotate(self, change: Callable[[RunIndex], None]) -> None:
        def done(_: None) -> None:
            self._search()
            self._choose()
            self.index.update()  # other tags can be filtered by now

        self.index.ask_index(change, done)

    # --- what is done with it ---

    def _open(self) -> None:
        chosen = self.chosen()
        if len(chosen) == 1 and self.open.isEnabled():
            self._session.open_run(self._path(chosen[0]))

    def _fill_form(self) -> None:
        path = self._path(self.chosen()[0])
        self._files.ask(
            lambda: read_given(path),
            lambda filled_in: self._session.form_wanted.emit(*filled_in),
            lambda text: self._session.tell("ERROR", text),
        )

    def selection(self) -> Selection:
        """Return the runs that are chosen, with the bench and the cells that actions on them begin with."""
        session = self._session
        return Selection(self.chosen(), session.folder, session.bench, session.cells, self._busy())

    def _busy(self) -> str:
        """Return why the bench's instruments cannot be used now: a job has them; "" where they are simulated, or free."""
        from mho.gui.experiments.panel import is_simulated

        job, bench = self._session.job, self._session.bench
        with suppress(MhoError):  # of a faulty bench file the verb tells
            if job is not None and not is_simulated(bench):
                return f"job {job[0]} has the instruments of bench {Path(bench).name}; wait until it is over"
        return ""

    def action_menu(self) -> QMenu:
        """Return the menu of actions; what the chosen runs do not allow is grey, with the reason in its tool tip."""
        chosen, menu = self.selection(), QMenu(self)
        menu.setToolTipsVisible(True)
        for heading, actions in ACTIONS.items():
            menu.addSection(heading)
            for one in actions:
                entry = menu.addAction(one.text, partial(self._ask_action, one))
                reason = one.why_not(chosen)
                entry.setEnabled(not reason)
                entry.setToolTip(reason or f"mho {one.verb}" * bool(one.verb))
        return menu

    def _show_actions(self, place: QPoint | None = None) -> None:
        menu = self.action_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place or self.actions_button.mapToGlobal(QPoint(0, -menu.sizeHint().height())))

    def _ask_action(self, action: RunAction) -> None:
        """Show the form of an action on the chosen runs."""
        chosen = self.selection()
        if action.procedure:
            self._session.form_wanted.emit(action.procedure, {action.takes: str(chosen.paths[0])})
            return

        def read() -> tuple[Verb, dict[str, Any]]:
            verb = read_verb(action.verb)
            return verb, read_given(chosen.paths[0])[1] if verb.procedure else {}

        def show(answer: tuple[Verb, dict[str, Any]]) -> None:
            ActionForm(
                action, answer[0], chosen, self._session, answer[1], self
            ).show()  # STOP stays in reach

        self._files.ask(read, show, lambda text: self._session.tell("ERROR", text))

    def _compare(self) -> None:
        runs = self.chosen()
        paths = [self._path(run) for run in runs]

        def look_up(refined: list[RunConvergence]) -> None:
            self.index.ask_index(
                lambda index: [read_facts(index, run) for run in runs],
                lambda known: CompareView(self._session.folder, known, refined, self._files.ask, self).show(),
            )

        self._files.ask(lambda: read_refined(paths), look_up)

    def _export(self, form: int) -> None:
        dialog = ExportDialog(self._path(self.chosen()[0]), self._files, self._session, self)
        dialog.form.setCurrentIndex(form)
        dialog.open()
