"""The queue panel: the jobs of this bench, the state of its runner, and the buttons for a job."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QModelIndex, QObject, QPersistentModelIndex, QPoint, Qt, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices, QFont, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionProgressBar,
    QStyleOptionViewItem,
    QTableView,
    QToolButton,
    QWidget,
)

from mho.analysis import reports
from mho.gui import widgets
from mho.gui.runs.actions_view import ActionsView
from mho.gui.session.session import Session
from mho.gui.widgets import ElidedLabel, TableColumn
from mho.running import queue as job_queue
from mho.running import runner as runners

MANY = 10_000
"""Number of steps from which their share is shown instead, as the number would not fit."""

MIME = "application/x-mho-job"
RUNNING = ("running", "paused")


@dataclass(frozen=True)
class JobLine:
    """A job, and the state of its bench's runner; None where no runner answers."""

    job: job_queue.Job
    runner: runners.RunnerState | None

    @property
    def state(self) -> runners.RunnerState | None:
        """The runner's state while it carries out this job."""
        state = self.runner
        return state if state is not None and state.job == self.job.id and self.runs else None

    @property
    def runs(self) -> bool:
        """Whether the job runs, or rests while it does."""
        return str(self.job.status) in RUNNING

    @property
    def doubtful(self) -> bool:
        """Whether the job finished and measured nothing."""
        conclusion = self.job.conclusion
        return str(self.job.status) == "finished" and conclusion is not None and not conclusion.measured


def _order(line: JobLine) -> tuple[int, int]:
    """Return the place of a job in the table; equal ones stay in the queue's order."""
    if line.runs:
        return 0, 0
    return (1, 0) if str(line.job.status) == "queued" else (2, -line.job.id)


def _progress(line: JobLine) -> str:
    state = line.state
    if state is None:
        return ""
    if not state.total:
        return state.stage or str(state.state)
    if state.total >= MANY:
        return f"{state.stage} {100 * state.done // state.total} %"
    return f"{state.stage} {state.done} of {state.total}"


def _time(line: JobLine) -> str:
    job, state = line.job, line.state
    if job.started is not None and job.ended is not None:
        return reports.duration_text(job.ended - job.started)
    if state is not None and state.seconds_left is not None:
        return f"{reports.duration_text(state.seconds_left)} left"
    if line.runs and job.started is not None:
        return f"since {reports.duration_text(max(time.time() - job.started, 0.0))}"
    return job_queue.expected_text(job.estimate) if str(job.status) == "queued" else ""


def _outcome(line: JobLine) -> str:
    return line.job.outcome or ("" if line.job.run is None else line.job.run.name)


def _tip(line: JobLine) -> str:
    job = line.job
    lines = [what(job), *(f"{name} = {value}" for name, value in job.order.parameters.items())]
    lines += [f"{name} {label}" for name, label in job.order.labels.given().items()]
    if job.order.seed is not None:
        lines.append(f"seed {job.order.seed}")
    if job.order.force:
        lines.append("takes limits that can hardly be meant as they are (--force)")
    if job.priority:
        lines.append(f"priority {job.priority}")
    if job.attempts > 1:
        lines.append(f"attempt {job.attempts}")
    if is_left(job) and line.runner is None:
        lines.append(
            "no runner answers for it; the next one will say what became of it, and make the bench safe"
        )
    warnings = () if job.conclusion is None else job.conclusion.warnings
    return "\n".join([*lines, job.outcome, *warnings, "" if job.run is None else str(job.run)]).strip()


COLUMNS = (
    TableColumn("Job", lambda line: str(line.job.id), 38),
    TableColumn("Status", lambda line: str(line.job.status), 74),
    TableColumn("What", lambda line: what(line.job), 248),
    TableColumn("Progress", _progress, 184),
    TableColumn("Time", _time, 112),
    TableColumn("Outcome", _outcome),
)
PROGRESS = 3
DONE = Qt.ItemDataRole.UserRole
"""Role of the progress column with done and total; None without a bar."""


class JobsModel(widgets.RowsModel):
    """Jobs, a row each; `moved` carries a job and its new place among those that wait."""

    moved = Signal(int, int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(COLUMNS, parent)
        self._runner: runners.RunnerState | None = None

    @property
    def jobs(self) -> list[job_queue.Job]:
        """The jobs, a row each."""
        return [line.job for line in self.rows]

    def show_jobs(self, jobs: Sequence[job_queue.Job]) -> None:
        """Show these jobs: the one that runs, those that wait in their order, and the others, the newest first."""
        lines = sorted((JobLine(job, self._runner) for job in jobs), key=_order)
        if [line.job.id for line in lines] == [line.job.id for line in self.rows]:
            self.rows = lines
            self._redraw(0, len(lines) - 1)
        else:
            self.show_rows(lines)

    def show_runner(self, state: runners.RunnerState | None) -> None:
        """Show how far the running job is."""
        self._runner = state
        for row, line in enumerate(self.rows):
            if line.runs or is_left(line.job):
                self.rows[row] = JobLine(line.job, state)
                self._redraw(row, row)

    def row_of(self, number: int) -> int | None:
        """Return the row of a job, or None."""
        return next((row for row, job in enumerate(self.jobs) if job.id == number), None)

    def place(self, number: int) -> int | None:
        """Return the place (from 1) of a job among those that wait, or None."""
        waiting = [job.id for job in self.jobs if job.status == "queued"]
        return waiting.index(number) + 1 if number in waiting else None

    # --- what Qt asks ---

    def tip(self, row: JobLine, column: TableColumn) -> str:
        """Return all that is known of the job."""
        return _tip(row)

    def colour(self, row: JobLine, column: TableColumn) -> str:
        """Return the colour of how the job stands."""
        status = row.job.status
        if column.heading not in ("Status", "Outcome") or (str(status) == "finished" and not row.doubtful):
            return ""
        return widgets.colours().doubtful if row.doubtful else widgets.status_colour(status)

    def data(self, index: widgets.Place, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return also fonts, alignments and the progress."""
        row, heading = self.rows[index.row()], COLUMNS[index.column()].heading
        if role == Qt.ItemDataRole.FontRole and heading == "Status" and row.runs:
            bold = QFont()
            bold.setBold(True)
            return bold
        if role == Qt.ItemDataRole.TextAlignmentRole and heading in ("Job", "Time"):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == DONE:
            state = row.state
            return (state.done, state.total) if state is not None and heading == "Progress" else None
        return super().data(index, role)

    def flags(self, index: widgets.Place) -> Qt.ItemFlag:
        """Jobs that wait can be dragged; they land between rows."""
        usual = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled
        waits = self.rows[index.row()].job.status == "queued"
        return usual | Qt.ItemFlag.ItemIsDragEnabled if waits else usual

    def supportedDropActions(self) -> Qt.DropAction:  # noqa: N802
        """Jobs are moved, not copied."""
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:  # noqa: N802
        """MIME types that can be dropped here."""
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:  # noqa: N802
        """The job that is dragged."""
        data = QMimeData()
        numbers = sorted({self.rows[index.row()].job.id for index in indexes})
        data.setData(MIME, json.dumps(numbers).encode())
        return data

    def dropMimeData(  # noqa: N802
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: widgets.Place
    ) -> bool:
        """Request the move; returns False, as the rows are updated after the queue has changed."""
        if not data.hasFormat(MIME):
            return False
        (number, *_) = json.loads(bytes(data.data(MIME).data()))
        if row < 0:
            row = parent.row() if parent.isValid() else len(self.rows)
        before = [job for job in self.jobs[:row] if job.status == "queued" and job.id != number]
        self.moved.emit(number, len(before) + 1)
        return False

    def _redraw(self, first: int, last: int) -> None:
        if last >= first:
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(COLUMNS) - 1))


def is_left(job: job_queue.Job) -> bool:
    """Whether the job's worker is gone and no runner has settled the job yet."""
    return str(job.status) not in ("queued", *RUNNING) and job.started is not None and job.ended is None


def what(job: job_queue.Job) -> str:
    """Name a job's procedure, and its parameters in short: of a file its name alone."""
    values = (
        f"{name}={Path(value).name if isinstance(value, str) and '/' in value else value}"
        for name, value in job.order.parameters.items()
    )
    return " ".join([name_of(job), *values])


def name_of(job: job_queue.Job) -> str:
    """Return what a job's procedure is called."""
    by_hand = job.order.procedure == job_queue.BY_HAND
    return "session by hand" if by_hand else job.order.procedure.rpartition(":")[2]


def job_sentence(job: job_queue.Job) -> str:
    """Return a job's status and the reason, in words."""
    text = f"job {job.id} {job.status}: {what(job)}"
    return f"{text}: {job.outcome}" if job.outcome else text


Act = Callable[["job_queue.Job"], None]


class QueuePanel(widgets.Themed):
    """The table of jobs with buttons for the one that is chosen."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.model = JobsModel(self)
        self.model.moved.connect(self._move)
        self.view = _table(self.model)
        self.view.selectionModel().selectionChanged.connect(self._see_what_can_be_done)
        self.view.doubleClicked.connect(lambda _: self._with_chosen(self._open))
        self.view.customContextMenuRequested.connect(self._menu)
        self.standing = ElidedLabel()
        tip = "start the process that carries the queue out; it goes on when this window is closed"
        self.start = widgets.button("Start runner", session.ensure_runner, tip)
        self.release = widgets.button("Resume", lambda: session.command("resume"))
        self._removed: list[Any] = []  # the jobs of each removal, the last one last
        self._actions: dict[str, QAction] = {}
        self._can: dict[str, Callable[[JobLine], bool]] = {}  # whether it can be done with a job
        self._make_actions()
        top = widgets.row(None, (self.standing, 1), self.start, self.release)
        for action in self._actions.values():
            button = QToolButton()
            button.setDefaultAction(action)
            top.addWidget(button)
        jobs, self.on_runs = QWidget(), ActionsView(session)
        widgets.column(jobs, top, (self.view, 1), margins=0)
        parts = widgets.splitter(Qt.Orientation.Horizontal, (jobs, 800), (self.on_runs, 440))
        widgets.column(self, parts)
        session.jobs_changed.connect(self._show_jobs)
        session.runner_changed.connect(self._show_runner)
        session.lane_changed.connect(lambda _: self._show_standing())
        self._show_jobs(session.jobs)
        self._show_runner(session.runner)

    def _make_actions(self) -> None:
        change = self.session.change_queue

        def reveal(job: job_queue.Job) -> None:
            assert job.run is not None
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(job.run.parent)))

        def waits(line: JobLine) -> bool:
            return line.job.status == "queued"

        def has_run(line: JobLine) -> bool:
            return line.job.run is not None

        stop = "stop it at its next safe point; take one that waits out of the line"
        edit = "change it in the form while it waits; later, make another of its values"
        earlier = "earlier in the line; rows can be dragged too"
        rows: tuple[tuple[str, str, str, Act, Callable[[JobLine], bool]], ...] = (
            ("Abort", "Del", stop, self._abort, lambda line: waits(line) or line.runs),
            (
                "Clone", "Ctrl+D", "put a copy at the end of the line",
                lambda job: change(lambda queue: queue.clone(job.id)), lambda _: True,
            ),
            ("Up", "Alt+Up", earlier, partial(self._shift, by=-1), waits),
            ("Down", "Alt+Down", "later in the line", partial(self._shift, by=1), waits),
            ("Open", "Return", "show its run file", self._open, has_run),
            ("Edit", "F2", edit, self._edit, lambda _: True),
            ("Show file", "Ctrl+R", "show its run file's folder", reveal, has_run),
            (
                "Remove", "Shift+Del", "take all that are selected off the list (Ctrl+Z puts them back); run files stay",
                self._remove, lambda line: not line.runs and not is_left(line.job),
            ),
        )  # fmt: skip
        for text, keys, tip, act, can in rows:
            action = widgets.action(self, text, keys, tip, partial(self._with_chosen, act))
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            self.addAction(action)
            self._actions[text], self._can[text] = action, can
        undo = widgets.action(self, "Undo remove", "Ctrl+Z", "put back what was removed last", self._put_back)
        undo.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.addAction(undo)

    def _remove(self, _: job_queue.Job) -> None:
        """Remove all selected jobs but those that run, as one step that can be taken back."""
        numbers = [line.job.id for line in self._selected() if self._can["Remove"](line)]
        self.session.change_queue(lambda queue: queue.remove(*numbers), self._removed.append)

    def _put_back(self) -> None:
        """Put back the jobs that were removed last, all at once."""
        if not self._removed:
            self.session.tell("INFO", "no job was removed in this window that could be put back")
            return
        removed = self._removed.pop()
        self.session.change_queue(lambda queue: queue.put_back(*removed))

    # --- what is shown ---

    def _show_jobs(self, jobs: list[job_queue.Job]) -> None:
        chosen = [line.job.id for line in self._selected()]
        self.model.show_jobs(jobs)
        if [line.job.id for line in self._selected()] != chosen:
            self.select(*chosen)
        self._see_what_can_be_done()
        self._show_standing()

    def _show_runner(self, state: Any) -> None:
        self.model.show_runner(state)
        self._show_standing()

    def paint_theme(self) -> None:
        """Apply the colours of the theme."""
        self._show_standing()

    def _show_standing(self) -> None:
        """Show the state of the queue and its runner."""
        now, session = widgets.colours(), self.session
        state, lane = session.runner, session.lane
        is_held = lane is not None and lane.held
        self.start.setVisible(state is None and session.heard and not session.silent)
        self.release.setVisible(is_held)
        if is_held:
            assert lane is not None
            self.standing.setText(f"held: {lane.reason}")
            self.standing.setStyleSheet(f"color: {now.bad}; font-weight: bold;")
            return
        waiting = sum(job.status == "queued" for job in self.model.jobs)
        text = "reading the queue…" if lane is None else f"{waiting} waiting"
        if not session.heard:
            text += "; looking for its runner"
        elif state is None:
            text += f"; {session.silent or f'no runner serves bench {session.bench}'}"
        else:
            text += f"; runner {state.state}" + (f", job {state.job}" if state.job is not None else "")
        self.standing.setText(text)
        self.standing.setStyleSheet("")

    def _see_what_can_be_done(self) -> None:
        lines = self._selected()
        for name, action in self._actions.items():
            which = lines if name == "Remove" else lines[:1]
            action.setEnabled(any(map(self._can[name], which)))

    # --- which job ---

    def chosen(self) -> job_queue.Job | None:
        """Return the job that is chosen, the uppermost of several, or None."""
        return next((line.job for line in self._selected()), None)

    def _selected(self) -> list[JobLine]:
        """Return the selected rows, from the top."""
        rows = sorted(index.row() for index in self.view.selectionModel().selectedRows())
        return [self.model.rows[row] for row in rows if row < len(self.model.rows)]

    def select(self, *numbers: int) -> None:
        """Choose the jobs with these numbers."""
        rows = [row for row, job in enumerate(self.model.jobs) if job.id in numbers]
        widgets.select_rows(self.view, rows)

    def _with_chosen(self, act: Act) -> None:
        job = self.chosen()
        if job is not None:
            act(job)

    def _menu(self, position: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(list(self._actions.values()))
        menu.popup(self.view.viewport().mapToGlobal(position))

    # --- what is done with it ---

    def _abort(self, job: job_queue.Job) -> None:
        if str(job.status) in RUNNING:
            self.session.command("abort", job.id)
        else:
            self.session.change_queue(lambda queue: queue.skip(job.id, "skipped by hand"))

    def _shift(self, job: job_queue.Job, *, by: int) -> None:
        place = self.model.place(job.id)
        if place is not None:
            self._move(job.id, max(place + by, 1))

    def _move(self, number: int, place: int) -> None:
        self.session.change_queue(lambda queue: queue.move(number, place))

    def _open(self, job: job_queue.Job) -> None:
        if job.run is not None:
            self.session.open_run(job.run)

    def _edit(self, job: job_queue.Job) -> None:
        if str(job.status) == "queued":
            self.session.edit_wanted.emit(job)
        else:
            self.session.form_wanted.emit(job.order.procedure, job.order.parameters)


class ProgressBars(QStyledItemDelegate):
    """Draws a progress bar in the rows for which the model has a progress."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one cell."""
        progress = index.data(DONE)
        if progress is None:
            super().paint(painter, option, index)
            return
        bar = QStyleOptionProgressBar()
        bar.rect = option.rect.adjusted(2, 3, -2, -3)
        bar.palette = option.palette
        bar.state = QStyle.StateFlag.State_Enabled | QStyle.StateFlag.State_Horizontal
        bar.minimum, bar.maximum = 0, max(progress[1], 1)
        bar.progress = min(progress)
        bar.text, bar.textVisible = index.data(), True
        bar.textAlignment = Qt.AlignmentFlag.AlignCenter
        QApplication.style().drawControl(QStyle.ControlElement.CE_ProgressBar, bar, painter)


def _table(model: JobsModel) -> QTableView:
    view = QTableView()
    widgets.prepare_table(view, model, COLUMNS, 24)
    view.setItemDelegateForColumn(PROGRESS, ProgressBars(view))
    view.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
    view.setDragDropOverwriteMode(False)
    view.setDropIndicatorShown(True)
    view.setAlternatingRowColors(True)
    view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    return view
