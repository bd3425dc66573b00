"""The runs panel: the index as a table with search and filters; opens, compares and exports runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from mho.analysis.reports import Convergence, read_convergence
from mho.errors import RunFileError
from mho.gui.runs.compare_view import FEWEST, MOST, CompareView, RunConvergence, read_refined
from mho.gui.runs.export_dialog import FIRST_DATA, ExportDialog
from mho.gui.runs.index_thread import Found, IndexThread, Search, Words
from mho.gui.runs.preview import Known, RunPreview, read_known, set_tags
from mho.gui.runs.search import RunsSearch
from mho.gui.runs.table import RunsView
from mho.gui.session.file_follower import News
from mho.gui.session.session import Session
from mho.gui.session.task_thread import TaskThread
from mho.runs import RunFile, Status
from mho.runs.index import NEWEST_FIRST, IndexedRun, RunIndex

UPDATE_PERIOD = 5_000
"""Interval of updates of the folder while the panel is visible, ms."""

MANY = 500
"""Files to be read from which on that is said."""


class RunsPanel(QWidget):
    """The runs in the session's folder."""

    title: ClassVar[str] = "Runs"

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
        self.open = QPushButton("Open")
        self.compare = QPushButton("Compare")
        self.compare.setToolTip(f"{FEWEST} to {MOST} runs, chosen with Ctrl or Shift")
        self.again = QPushButton("To the form")
        self.again.setToolTip("Fill the form of experiments with the parameters of this run")
        self.figure, self.data = QPushButton("Export figure…"), QPushButton("Export data…")
        self.preview = RunPreview()

        buttons = QHBoxLayout()
        buttons.addWidget(self.count, 1)
        for button in (self.open, self.compare, self.again, self.figure, self.data):
            buttons.addWidget(button)
        left = QWidget()
        column_ = QVBoxLayout(left)
        column_.setContentsMargins(0, 0, 0, 0)
        column_.addWidget(self.table, 1)
        column_.addLayout(buttons)
        middle = QSplitter(Qt.Orientation.Horizontal)
        middle.addWidget(left)
        middle.addWidget(self.preview)
        middle.setSizes([880, 320])
        middle.setStretchFactor(0, 1)
        middle.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.search)
        layout.addWidget(middle, 1)

    def _connect(self) -> None:
        self.search.changed.connect(self._search)
        self.model.sort_wanted.connect(self._sort_by)
        self.table.selectionModel().selectionChanged.connect(self._choose)
        self.table.activated.connect(lambda _: self._open())  # double click, Enter
        self.open.clicked.connect(self._open)
        self.compare.clicked.connect(self._compare)
        self.again.clicked.connect(self._fill_form)
        self.figure.clicked.connect(lambda: self._export(0))
        self.data.clicked.connect(lambda: self._export(FIRST_DATA))
        self.preview.tags_wanted.connect(self._tag)
        self.preview.note_wanted.connect(self._note)
        self.index.found.connect(self._show)
        self.index.refused.connect(self._refuse)
        self.index.failed.connect(self._fail)
        self.index.updated.connect(self._take_update)
        self.index.reading.connect(self._say_reading)
        self._session.run_news.connect(self._take_news)
        find = QAction("Find runs", self)
        find.setShortcut(QKeySequence.StandardKey.Find)
        find.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.setToolTip("write a query")
        find.triggered.connect(lambda _checked: self.search.query.setFocus())
        self.addAction(find)
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

    def _show(self, found: Found) -> None:
        self.search.say_mistake("")
        if self.table.show_runs(found.runs):
            self._choose()
        count = len(found.runs)
        some = f"{count} of {found.total}" if count != found.total else f"{count}"
        self.count.setText(f"{some} run{'' if found.total == 1 else 's'}")

    def _refuse(self, text: str) -> None:
        self.search.say_mistake(text)

    def _fail(self, text: str) -> None:
        """Report an error of the index, once."""
        if text != self._trouble:
            self._session.tell("ERROR", text)
        self._trouble = text

    def _take_update(self, changed: bool, words: Words) -> None:
        self._trouble = ""
        self.search.offer(words)
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
            self.preview.show_known(None)
            return
        self._look_up(chosen[0])

    def _look_up(self, run: IndexedRun) -> None:
        """Show the index's facts about a run, then the convergence from its file."""

        def is_chosen() -> bool:
            return [one.path for one in self.chosen()] == [run.path]

        def show(known: Known) -> None:
            if is_chosen():
                self.preview.show_known(known)

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
        self.index.ask(lambda index: read_known(index, run), show)
        self._files.ask(read, draw)

    def _tag(self, words: tuple[str, ...]) -> None:
        known = self.preview.known
        if known is not None:
            self._annotate(lambda index: set_tags(index, known.run, words))

    def _note(self, text: str) -> None:
        known = self.preview.known
        if known is not None:
            self._annotate(lambda index: index.annotations.note(known.run.facts.run_id, text))

    def _annotate(self, change: Callable[[RunIndex], None]) -> None:
        def done(_: None) -> None:
            self._search()
            self._choose()
            self.index.update()  # other tags can be filtered by now

        self.index.ask(change, done)

    # --- what is done with it ---

    def _open(self) -> None:
        chosen = self.chosen()
        if len(chosen) == 1 and self.open.isEnabled():
            self._session.open_run(self._path(chosen[0]))

    def _fill_form(self) -> None:
        def read() -> tuple[str, dict[str, Any]]:
            from mho.procedures.catalogue import find_procedure
            from mho.procedures.manifest import known_entries

            with RunFile(path) as run:
                name, values = run.procedure.lower(), run.given
                if name in known_entries():
                    values = find_procedure(name).from_version(run.version, values)
                return name, values

        path = self._path(self.chosen()[0])
        self._files.ask(
            read,
            lambda told: self._session.form_wanted.emit(*told),
            lambda text: self._session.tell("ERROR", text),
        )

    def _compare(self) -> None:
        runs = self.chosen()
        paths = [self._path(run) for run in runs]

        def look_up(refined: list[RunConvergence]) -> None:
            self.index.ask(
                lambda index: [read_known(index, run) for run in runs],
                lambda known: self._open_comparison(known, refined),
            )

        self._files.ask(lambda: read_refined(paths), look_up)

    def _open_comparison(self, known: list[Known], refined: list[RunConvergence]) -> None:
        CompareView(known, refined, self).show()

    def _export(self, form: int) -> None:
        dialog = ExportDialog(self._path(self.chosen()[0]), self._files, self)
        dialog.form.setCurrentIndex(form)
        dialog.written.connect(lambda path: self._session.tell("INFO", f"written: {path}"))
        dialog.failed.connect(lambda text: self._session.tell("ERROR", text))
        dialog.open()
