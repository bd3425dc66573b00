"""The table model of the queue: a row a job, with the runner's progress; waiting rows can be dragged to another place."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont

from mho.analysis.reports import duration_text
from mho.gui.widgets import theme

if TYPE_CHECKING:
    from mho.running.queue import Job
    from mho.running.runner import RunnerState

Index = QModelIndex | QPersistentModelIndex

COLUMNS = ("Job", "Status", "What", "Progress", "Time", "Outcome")
PROGRESS = COLUMNS.index("Progress")
DONE = Qt.ItemDataRole.UserRole
"""Role of the progress column with done and total; None without a bar."""

MANY = 10_000
"""Number of steps from which their share is shown instead, as the number would not fit."""

MIME = "application/x-mho-job"
RUNNING = ("running", "paused")


class JobsModel(QAbstractTableModel):
    """Jobs in the order in which `mho.running.queue.Queue.jobs` gives them; `moved` carries a job and its new place."""

    moved = Signal(int, int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.jobs: list[Job] = []
        self._runner: RunnerState | None = None

    def show_jobs(self, jobs: Sequence[Job]) -> None:
        """Show these jobs."""
        if [job.id for job in jobs] == [job.id for job in self.jobs]:
            self.jobs = list(jobs)
            self._redraw(0, len(jobs) - 1)
            return
        self.beginResetModel()
        self.jobs = list(jobs)
        self.endResetModel()

    def show_runner(self, state: RunnerState | None) -> None:
        """Show how far the running job is."""
        self._runner = state
        for row, job in enumerate(self.jobs):
            if str(job.status) in RUNNING:
                self._redraw(row, row)

    def row_of(self, number: int) -> int | None:
        """Return the row of a job, or None."""
        return next((row for row, job in enumerate(self.jobs) if job.id == number), None)

    def place(self, number: int) -> int | None:
        """Return the place (from 1) of a job among those that wait, or None."""
        waiting = [job.id for job in self.jobs if job.status == "queued"]
        return waiting.index(number) + 1 if number in waiting else None

    # --- what Qt asks ---

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """Jobs."""
        return 0 if parent.isValid() else len(self.jobs)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """Facts about a job."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Names of the columns."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """One fact about one job."""
        job, column = self.jobs[index.row()], COLUMNS[index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._text(job, column)
            case Qt.ItemDataRole.ToolTipRole:
                return self._tip(job)
            case Qt.ItemDataRole.ForegroundRole:
                if column in ("Status", "Outcome") and (str(job.status) != "finished" or _is_doubtful(job)):
                    return QColor(
                        theme.colours().doubtful if _is_doubtful(job) else theme.status_colour(job.status)
                    )
            case Qt.ItemDataRole.FontRole:
                if column == "Status" and str(job.status) in RUNNING:
                    bold = QFont()
                    bold.setBold(True)
                    return bold
            case Qt.ItemDataRole.TextAlignmentRole:
                if column in ("Job", "Time"):
                    return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            case _ if role == DONE:
                state = self._state_of(job)
                return (state.done, state.total) if state is not None and column == "Progress" else None
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Jobs that wait can be dragged; they land between rows."""
        usual = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled
        waits = self.jobs[index.row()].status == "queued"
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
        numbers = sorted({self.jobs[index.row()].id for index in indexes})
        data.setData(MIME, json.dumps(numbers).encode())
        return data

    def dropMimeData(  # noqa: N802
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index
    ) -> bool:
        """Request the move; returns False, as the rows are updated after the queue has changed."""
        if not data.hasFormat(MIME):
            return False
        (number, *_) = json.loads(bytes(data.data(MIME).data()))
        if row < 0:
            row = parent.row() if parent.isValid() else len(self.jobs)
        before = [job for job in self.jobs[:row] if job.status == "queued" and job.id != number]
        self.moved.emit(number, len(before) + 1)
        return False

    # --- texts ---

    def _text(self, job: Job, column: str) -> str:
        match column:
            case "Job":
                return str(job.id)
            case "Status":
                return str(job.status)
            case "What":
                return what(job)
            case "Progress":
                state = self._state_of(job)
                return "" if state is None else _progress(state)
            case "Time":
                return self._time(job)
        return job.outcome or ("" if job.run is None else job.run.name)

    def _time(self, job: Job) -> str:
        if job.started is not None and job.ended is not None:
            return duration_text(job.ended - job.started)
        state = self._state_of(job)
        if state is not None and state.seconds_left is not None:
            return f"{duration_text(state.seconds_left)} left"
        if str(job.status) in RUNNING and job.started is not None:
            return f"since {duration_text(max(time.time() - job.started, 0.0))}"
        from mho.running.queue import expected_text  # loaded with the job

        return expected_text(job.estimate) if str(job.status) == "queued" else ""

    def _tip(self, job: Job) -> str:
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
        if is_left(job) and self._runner is None:
            lines.append(
                "no runner answers for it; the next one will say what became of it, and make the bench safe"
            )
        warnings = () if job.conclusion is None else job.conclusion.warnings
        return "\n".join([*lines, job.outcome, *warnings, "" if job.run is None else str(job.run)]).strip()

    def _state_of(self, job: Job) -> RunnerState | None:
        state = self._runner
        return state if state is not None and state.job == job.id and str(job.status) in RUNNING else None

    def _redraw(self, first: int, last: int) -> None:
        if last >= first:
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(COLUMNS) - 1))


def is_left(job: Job) -> bool:
    """Whether the job's worker is gone and no runner has settled the job yet."""
    return str(job.status) not in ("queued", *RUNNING) and job.started is not None and job.ended is None


def what(job: Job) -> str:
    """Name a job's procedure, and its parameters in short: of a file its name alone."""
    values = (
        f"{name}={Path(value).name if isinstance(value, str) and '/' in value else value}"
        for name, value in job.order.parameters.items()
    )
    return " ".join([job.order.procedure.rpartition(":")[2], *values])


def job_sentence(job: Job) -> str:
    """Return a job's status and the reason, in words."""
    text = f"job {job.id} {job.status}: {what(job)}"
    return f"{text}: {job.outcome}" if job.outcome else text


def _is_doubtful(job: Job) -> bool:
    """Whether a job finished and measured nothing."""
    return str(job.status) == "finished" and job.conclusion is not None and not job.conclusion.measured


def _progress(state: RunnerState) -> str:
    if not state.total:
        return state.stage or str(state.state)
    if state.total >= MANY:
        return f"{state.stage} {100 * state.done // state.total} %"
    return f"{state.stage} {state.done} of {state.total}"
