"""The list of actions beside the queue: how each stands, what it said, and what it wrote, to be opened."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, Qt, QTimer, QUrl
from PySide6.QtGui import QAction, QDesktopServices, QFontDatabase
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QMenu,
    QPlainTextEdit,
    QTableView,
    QToolButton,
    QWidget,
)

from mho.gui import widgets
from mho.gui.session.actions import AT_WORK, Action
from mho.gui.session.session import Session
from mho.gui.widgets import RowsModel, TableColumn

BEAT = 1_000
"""Time between two times at which it is shown how long an action has taken, ms."""

OPENED = "what it wrote: a run in the window, everything else with its own program; without a file, what it printed"
SUFFIX = ".h5"
"""Of run files, which are opened in the window."""


def _time(action: Action) -> str:
    from mho.analysis import reports

    return "" if action.seconds is None else reports.duration_text(action.seconds)


COLUMNS = (
    TableColumn("Action", lambda action: action.title, 150),
    TableColumn("Status", lambda action: action.state, 78),
    TableColumn("Time", _time, 56),
    TableColumn("Last line", lambda action: action.said),
)
COLOURS = {"not in order": "aborted", "not converged": "aborted", "stopping": "paused"}
"""The status of a run in whose colour a state is shown, where they differ."""


class ActionsModel(RowsModel):
    """Actions, a row each."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(COLUMNS, parent)

    def tip(self, row: Action, column: TableColumn) -> str:
        """Return the command, what was said, and what was written."""
        return "\n".join(filter(None, [f"mho {' '.join(row.words)}", row.said, str(row.written or "")]))

    def colour(self, row: Action, column: TableColumn) -> str:
        """Return the colour of how the action stands."""
        return widgets.status_colour(COLOURS.get(row.state, row.state)) if column.heading == "Status" else ""


class ActionsView(QWidget):
    """The session's actions with what can be done about them; hidden while there are none."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._actions = session, session.actions
        self.model = ActionsModel(self)
        self.view = QTableView()
        widgets.prepare_table(self.view, self.model, COLUMNS, 24)
        self.view.setAccessibleName("actions")
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setAlternatingRowColors(True)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._menu)
        self.view.activated.connect(lambda _: self._with_chosen(self._open))  # double click, Enter
        self.view.selectionModel().selectionChanged.connect(self._see_what_can_be_done)
        self.acts: dict[str, QAction] = {}
        self._can: dict[str, Callable[[Action], bool]] = {}
        self.count = widgets.ElidedLabel()
        buttons = widgets.row(None, (self.count, 1), margins=0)
        cancel = "end it as Ctrl-C does, or take one that waits out of the line"
        remove = "take it off the list; what it wrote stays"
        for text, tip, act, can in (
            ("Open", OPENED, self._open, _prints),
            ("Output", "all that it printed", self._show_output, _prints),
            ("Cancel", cancel, self._actions.cancel, _pends),
            ("Remove", remove, lambda one: self._actions.remove([one]), _is_over),
        ):
            self.acts[text] = widgets.action(self, text, "", tip, partial(self._with_chosen, act))
            self._can[text] = can
            button = QToolButton()
            button.setDefaultAction(self.acts[text])
            buttons.addWidget(button)
        widgets.column(self, buttons, (self.view, 1), margins=0)
        self._beat = QTimer(self, interval=BEAT)
        self._beat.timeout.connect(self._show)
        self._actions.changed.connect(self._show)
        self._show()

    def chosen(self) -> Action | None:
        """Return the action that is chosen, or None."""
        rows = self.view.selectionModel().selectedRows()
        return self.model.rows[rows[0].row()] if rows and rows[0].row() < len(self.model.rows) else None

    def _show(self) -> None:
        actions = sorted(self._actions.actions, key=_place)
        if self.model.rows == actions:
            last = self.model.index(len(actions) - 1, len(COLUMNS) - 1)
            self.model.dataChanged.emit(self.model.index(0, 0), last)
        else:
            new = [one for one in actions if one not in self.model.rows]
            chosen = new[-1] if new else self.chosen()
            self.model.show_rows(actions)
            if chosen in actions:
                self.view.selectRow(actions.index(chosen))
        pending = len(self._actions.pending)
        self.count.setText(f"actions on runs: {pending or 'none'} pending")
        self.setVisible(bool(actions))
        self._beat.start() if any(one.state in AT_WORK for one in actions) else self._beat.stop()
        self._see_what_can_be_done()

    def _see_what_can_be_done(self) -> None:
        chosen = self.chosen()
        for name, act in self.acts.items():
            act.setEnabled(chosen is not None and self._can[name](chosen))

    def _with_chosen(self, act: Callable[[Action], Any]) -> None:
        if (chosen := self.chosen()) is not None:
            act(chosen)

    def _menu(self, position: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(list(self.acts.values()))
        menu.popup(self.view.viewport().mapToGlobal(position))

    def _open(self, action: Action) -> None:
        path = action.written
        if path is None:
            self._show_output(action)
        elif not path.exists():
            self._session.tell("ERROR", f"{action.title}: {path} is not there any more")
        elif path.suffix == SUFFIX:
            self._session.open_run(path)
        else:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    def _show_output(self, action: Action) -> None:
        ActionOutput(action, self._session, self).show()


class ActionOutput(QDialog):
    """All that an action has printed, as it comes."""

    def __init__(self, action: Action, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(action.title)
        self.resize(900, 520)
        self._action = action
        self._shown: list[str] = []
        self.text = QPlainTextEdit(readOnly=True, lineWrapMode=QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        widgets.column(self, (self.text, 1), buttons)
        session.actions.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        lines = list(self._action.lines)
        if lines[: len(self._shown)] != self._shown:  # the first ones have been dropped
            self._shown = []
            self.text.clear()
        if new := lines[len(self._shown) :]:
            self.text.appendPlainText("\n".join(new))
        self._shown = lines


def _place(action: Action) -> tuple[int, float]:
    """Return the place in the list: what is at work, what waits in its order, and the others, the newest first."""
    if action.state in AT_WORK:
        return 0, 0.0
    return (2, -(action.ended or 0.0)) if action.is_over else (1, 0.0)


def _prints(action: Action) -> bool:
    return bool(action.lines)


def _pends(action: Action) -> bool:
    return action.state in ("waiting", "running")


def _is_over(action: Action) -> bool:
    return action.is_over
