"""The table of found runs: only visible rows are drawn, so ten thousand rows cost no more than a screenful."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QTableView, QWidget

from mho.analysis.reports import duration_text
from mho.gui.widgets import RowsModel, TableColumn, colours, prepare_table, select_rows, status_colour
from mho.runs import Status, outcome_line
from mho.runs.index import UNREADABLE, IndexedRun


def _started(run: IndexedRun) -> str:
    return "" if run.facts.start is None else f"{datetime.fromtimestamp(run.facts.start):%Y-%m-%d %H:%M:%S}"


def _took(run: IndexedRun) -> str:
    return "" if run.duration is None else duration_text(run.duration)


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
    TableColumn("Started", _started, 136, "start"),
    TableColumn("Run", lambda run: str(run.facts.title), 190, "title"),
    TableColumn("Status", lambda run: str(run.status), 70, "status"),
    TableColumn("Conclusion", _conclusion, 270, "conclusion"),
    TableColumn("Took", _took, 66, "duration"),
    TableColumn("Tags", lambda run: " ".join(run.tags), 84),
    TableColumn("Procedure", lambda run: str(run.facts.procedure), 78, "procedure"),
    TableColumn("File", lambda run: str(run.path.as_posix()), sort="path"),
)


class RunsTable(RowsModel):
    """The model; `sort_wanted` carries a name as `mho.runs.RunIndex.search` takes it."""

    sort_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__(COLUMNS)
        self._matches: list[IndexedRun] | None = None

    def show_runs(self, runs: list[IndexedRun]) -> bool:
        """Show `runs`; return whether the list is another object than the one before."""
        if runs is self._matches:
            return False
        self._matches = runs
        self.show_rows(runs)
        return True

    def tip(self, row: IndexedRun, column: TableColumn) -> str:
        """Return how the run ended with all warnings, or the text of the cell."""
        return _tip(row) if column.heading in ("Status", "Conclusion") else column.text(row)

    def colour(self, row: IndexedRun, column: TableColumn) -> str:
        """Return the colour of the status."""
        return _colour(row) if column.heading == "Status" else ""

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
        prepare_table(self, self.runs, COLUMNS, 22)
        self.setAccessibleName("runs")
        self.setAlternatingRowColors(True)
        self.horizontalHeader().setHighlightSections(True)
        self.horizontalHeader().setSortIndicator(0, Qt.SortOrder.DescendingOrder)
        self.setSortingEnabled(True)

    def chosen(self) -> list[IndexedRun]:
        """Return the runs that are chosen, from the top."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self.runs.rows[row] for row in rows if row < len(self.runs.rows)]

    def show_runs(self, runs: list[IndexedRun]) -> bool:
        """Show `runs`, scrolled as before; return whether that changed anything."""
        paths = {run.path for run in self.chosen()}
        scrolled = self.verticalScrollBar().value()
        changed = self.runs.show_runs(runs)
        if changed and paths:
            select_rows(self, [row for row, run in enumerate(self.runs.rows) if run.path in paths])
        self.verticalScrollBar().setValue(scrolled)
        return changed
