"""The table of found runs: only visible rows are drawn, so ten thousand rows cost no more than a screenful."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QItemSelection, QItemSelectionModel, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from mho.analysis.reports import duration_text
from mho.gui.widgets import Place, TableModel, colours, status_colour
from mho.runs import Status, outcome_line
from mho.runs.index import UNREADABLE, IndexedRun


@dataclass(frozen=True)
class TableColumn:
    """A column: heading, the name by which a search sorts it ("" for none), and the text of a run."""

    heading: str
    sort: str
    text: Callable[[IndexedRun], str]


def _started(run: IndexedRun) -> str:
    return "" if run.facts.start is None else f"{datetime.fromtimestamp(run.facts.start):%Y-%m-%d %H:%M:%S}"


def _conclusion(run: IndexedRun) -> str:
    return outcome_line(run.status, run.reason, run.conclusion, named=False)


def _tip(run: IndexedRun) -> str:
    warnings = () if run.conclusion is None else run.conclusion.warnings
    return "\n".join(filter(None, [_conclusion(run), *warnings]))


def _colour(run: IndexedRun) -> str:
    """Return the colour of the status: a run that finished and measured nothing does not look like the others."""
    if run.status == Status.FINISHED and run.conclusion is not None and not run.conclusion.measured:
        return colours().doubtful
    return status_colour("failed" if run.status == UNREADABLE else run.status)


COLUMNS = (
    TableColumn("Started", "start", _started),
    TableColumn("Run", "title", lambda run: run.facts.title),
    TableColumn("Status", "status", lambda run: run.status),
    TableColumn("Conclusion", "conclusion", _conclusion),
    TableColumn("Took", "duration", lambda run: "" if run.duration is None else duration_text(run.duration)),
    TableColumn("Tags", "", lambda run: " ".join(run.tags)),
    TableColumn("Procedure", "procedure", lambda run: run.facts.procedure),
    TableColumn("File", "path", lambda run: run.path.as_posix()),
)
STATUS = 2
WIDTHS = (136, 190, 70, 270, 66, 84, 78)  # pixels; the last column takes the rest


class RunsTable(TableModel):
    """The model; `sort_wanted` carries a name as `mho.runs.RunIndex.search` takes it."""

    sort_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__([column.heading for column in COLUMNS])
        self.runs: list[IndexedRun] = []

    def show_runs(self, runs: list[IndexedRun]) -> bool:
        """Show `runs`; return whether the list differs from the one before."""
        if runs is self.runs:
            return False
        self.beginResetModel()
        self.runs = runs
        self.endResetModel()
        return True

    def count(self) -> int:
        """Return the number of rows."""
        return len(self.runs)

    def data(self, index: Place, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text, the colour of the status, or the tool tip."""
        if not index.isValid():
            return None
        run, column = self.runs[index.row()], COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(run)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(run) if index.column() in (STATUS, STATUS + 1) else column.text(run)
        if role == Qt.ItemDataRole.ForegroundRole and index.column() == STATUS:
            return QColor(_colour(run))
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Request the runs in another order: the index sorts, not the table."""
        if 0 <= column < len(COLUMNS) and COLUMNS[column].sort:
            falling = order is Qt.SortOrder.DescendingOrder
            self.sort_wanted.emit(("-" if falling else "") + COLUMNS[column].sort)


class RunsView(QTableView):
    """The view of the table; the selection survives a new list of runs."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = RunsTable()
        self.setModel(self.runs)
        self.setAccessibleName("runs")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().setVisible(False)
        # A fixed height: else the height of each of ten thousand rows is asked for.
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(22)
        self.horizontalHeader().setStretchLastSection(True)
        self.horizontalHeader().setSortIndicator(0, Qt.SortOrder.DescendingOrder)
        self.setSortingEnabled(True)
        for column, width in enumerate(WIDTHS):
            self.setColumnWidth(column, width)

    def chosen(self) -> list[IndexedRun]:
        """Return the runs that are chosen, from the top."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self.runs.runs[row] for row in rows if row < len(self.runs.runs)]

    def show_runs(self, runs: list[IndexedRun]) -> bool:
        """Show `runs`, scrolled as before; return whether that changed anything."""
        paths = {run.path for run in self.chosen()}
        scrolled = self.verticalScrollBar().value()
        changed = self.runs.show_runs(runs)
        if changed and paths:
            self._choose(paths)
        self.verticalScrollBar().setValue(scrolled)
        return changed

    def _choose(self, paths: set[Path]) -> None:
        chosen = QItemSelection()
        for row, run in enumerate(self.runs.runs):
            if run.path in paths:
                chosen.select(self.runs.index(row, 0), self.runs.index(row, len(COLUMNS) - 1))
        selection = self.selectionModel()
        selection.select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        if chosen.count():  # from where the arrow keys go on
            first = self.runs.index(chosen.at(0).top(), 0)
            selection.setCurrentIndex(first, QItemSelectionModel.SelectionFlag.NoUpdate)
