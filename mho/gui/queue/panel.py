"""The queue panel: the jobs of this bench, the state of its runner, and the buttons for a job."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QPoint, Qt, QUrl
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionProgressBar,
    QStyleOptionViewItem,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mho.gui.queue.table import DONE, PROGRESS, RUNNING, JobsModel, is_left
from mho.gui.session.session import Session
from mho.gui.widgets import theme
from mho.gui.widgets.elided_label import ElidedLabel

if TYPE_CHECKING:
    from mho.running.queue import Job, Queue

Act = Callable[["Job"], None]


class QueuePanel(QWidget):
    """The table of jobs with buttons for the one that is chosen."""

    title = "Queue"

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
        self.start = QPushButton("Start runner")
        self.start.setToolTip(
            "start the process that carries the queue out; it goes on when this window is closed"
        )
        self.start.clicked.connect(session.ensure_runner)
        self.release = QPushButton("Resume")
        self.release.clicked.connect(lambda: session.command("resume"))
        self._actions = self._make_actions()
        top = QHBoxLayout()
        top.addWidget(self.standing, 1)
        top.addWidget(self.start)
        top.addWidget(self.release)
        for action in self._actions.values():
            button = QToolButton()
            button.setDefaultAction(action)
            top.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addWidget(self.view, 1)
        session.jobs_changed.connect(self._show_jobs)
        session.runner_changed.connect(self._show_runner)
        session.lane_changed.connect(lambda _: self._show_standing())
        self._show_jobs(session.jobs)
        self._show_runner(session.runner)

    def _make_actions(self) -> dict[str, QAction]:
        rows: tuple[tuple[str, str, str, Act], ...] = (
            (
                "Abort",
                "Del",
                "stop it at its next safe point; take one that waits out of the line",
                self._abort,
            ),
            ("Clone", "Ctrl+D", "put a copy at the end of the line", self._clone),
            ("Up", "Alt+Up", "earlier in the line; rows can be dragged too", partial(self._shift, by=-1)),
            ("Down", "Alt+Down", "later in the line", partial(self._shift, by=1)),
            ("Open", "Return", "show its run file", self._open),
            (
                "Edit",
                "F2",
                "change it in the form while it waits; later, make another of its values",
                self._edit,
            ),
            ("Reveal", "Ctrl+R", "show its run file's folder", self._reveal),
            ("Forget", "Shift+Del", "take it off the list; its run file stays", self._remove),
        )
        made = {}
        for text, keys, tip, act in rows:
            action = QAction(text, self)
            action.setShortcut(QKeySequence(keys))
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            action.setToolTip(f"{tip} ({keys})")
            action.triggered.connect(partial(self._with_chosen, act))
            self.addAction(action)
            made[text] = action
        return made

    # --- what is shown ---

    def _show_jobs(self, jobs: list[Job]) -> None:
        chosen = self.chosen()
        at_end = self.view.verticalScrollBar().value() == self.view.verticalScrollBar().maximum()
        self.model.show_jobs(jobs)
        if chosen is not None:
            self.select(chosen.id)
        elif at_end:
            self.view.scrollToBottom()
        self._see_what_can_be_done()
        self._show_standing()

    def _show_runner(self, state: Any) -> None:
        self.model.show_runner(state)
        self._show_standing()

    def _show_standing(self) -> None:
        """Show the state of the queue and its runner."""
        now, session = theme.colours(), self.session
        state, lane = session.runner, session.lane
        held = lane is not None and lane.held
        self.start.setVisible(state is None and session.heard and not session.silent)
        self.release.setVisible(held)
        if held:
            assert lane is not None
            self.standing.setText(f"held: {lane.reason}")
            self.standing.setStyleSheet(f"color: {now.bad}; font-weight: bold;")
            return
        waiting = sum(job.status == "queued" for job in self.model.jobs)
        text = "the queue has not been read yet" if lane is None else f"{waiting} waiting"
        if not session.heard:
            text += "; looking for its runner"
        elif state is None:
            text += f"; {session.silent or f'no runner serves bench {session.bench}'}"
        else:
            text += f"; runner {state.state}" + (f", job {state.job}" if state.job is not None else "")
        self.standing.setText(text)
        self.standing.setStyleSheet("")

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._show_standing()

    def _see_what_can_be_done(self) -> None:
        job = self.chosen()
        status = "" if job is None else str(job.status)
        waits, runs = status == "queued", status in RUNNING
        can = {
            "Abort": waits or runs, "Clone": bool(job), "Up": waits, "Down": waits, "Edit": bool(job),
            "Open": job is not None and job.run is not None, "Reveal": job is not None and job.run is not None,
            "Forget": job is not None and not runs and not is_left(job),
        }  # fmt: skip
        for name, action in self._actions.items():
            action.setEnabled(bool(can[name]))

    # --- which job ---

    def chosen(self) -> Job | None:
        """Return the job that is chosen, or None."""
        rows = self.view.selectionModel().selectedRows()
        return self.model.jobs[rows[0].row()] if rows and rows[0].row() < len(self.model.jobs) else None

    def select(self, number: int) -> None:
        """Choose the job with this number."""
        row = self.model.row_of(number)
        if row is not None:
            self.view.selectRow(row)

    def _with_chosen(self, act: Act, _checked: bool = False) -> None:
        job = self.chosen()
        if job is not None:
            act(job)

    def _menu(self, position: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(list(self._actions.values()))
        menu.popup(self.view.viewport().mapToGlobal(position))

    # --- what is done with it ---

    def _abort(self, job: Job) -> None:
        if str(job.status) in RUNNING:
            self.session.command("abort", job.id)
        else:
            self._change(lambda queue: queue.skip(job.id, "skipped by hand"))

    def _clone(self, job: Job) -> None:
        self._change(lambda queue: queue.clone(job.id))

    def _shift(self, job: Job, *, by: int) -> None:
        place = self.model.place(job.id)
        if place is not None:
            self._move(job.id, max(place + by, 1))

    def _move(self, number: int, place: int) -> None:
        self._change(lambda queue: queue.move(number, place))

    def _open(self, job: Job) -> None:
        if job.run is not None:
            self.session.open_run(job.run)

    def _edit(self, job: Job) -> None:
        if str(job.status) == "queued":
            self.session.edit_wanted.emit(job)
        else:
            self.session.form_wanted.emit(job.order.procedure, job.order.parameters)

    def _reveal(self, job: Job) -> None:
        if job.run is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(job.run.parent)))

    def _remove(self, job: Job) -> None:
        self._change(lambda queue: queue.remove(job.id))

    def _change(self, act: Callable[[Queue], Any]) -> None:
        self.session.change_queue(act)


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
    view.setModel(model)
    view.setItemDelegateForColumn(PROGRESS, ProgressBars(view))
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
    view.setDragDropOverwriteMode(False)
    view.setDropIndicatorShown(True)
    view.setAlternatingRowColors(True)
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    view.verticalHeader().setVisible(False)
    view.verticalHeader().setDefaultSectionSize(24)
    header = view.horizontalHeader()
    header.setHighlightSections(False)
    header.setStretchLastSection(True)
    for column, width in enumerate((38, 74, 248, 184, 112)):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
        header.resizeSection(column, width)
    return view
