"""The log panel: messages of the shown run, of the runner, and of the window."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QModelIndex, QObject, QSortFilterProxyModel
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QTableView, QWidget

from mho.gui import widgets
from mho.gui.queue import job_sentence
from mho.gui.session.session import Session
from mho.gui.widgets import TableColumn

if TYPE_CHECKING:
    from mho.gui.session.file_follower import News
    from mho.runs import RunFile

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
KEPT = 20_000
REMEMBERED = 500  # texts of the runner that the run file will tell once more

WINDOW, RUNNER = "window", "runner"


@dataclass(frozen=True)
class LogLine:
    """One line of the log."""

    time: datetime
    level: str
    source: str
    text: str


COLUMNS = (
    TableColumn("Time", lambda line: f"{line.time:%H:%M:%S}", 70),
    TableColumn("Level", lambda line: str(line.level), 76),
    TableColumn("From", lambda line: str(line.source), 150),
    TableColumn("Message", lambda line: str(line.text)),
)


class LogModel(widgets.RowsModel):
    """Entries in the order in which they came; beyond `KEPT` the oldest are forgotten."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(COLUMNS, parent)

    def add(self, entries: Iterable[LogLine]) -> None:
        """Add entries at the end."""
        new = list(entries)[-KEPT:]
        surplus = len(self.rows) + len(new) - KEPT
        if surplus > 0:
            self.beginRemoveRows(QModelIndex(), 0, surplus - 1)
            del self.rows[:surplus]
            self.endRemoveRows()
        if new:
            count = len(self.rows)
            self.beginInsertRows(QModelIndex(), count, count + len(new) - 1)
            self.rows += new
            self.endInsertRows()

    def forget(self, source: str | None = None) -> None:
        """Delete the entries from one source, or all."""
        self.show_rows([one for one in self.rows if source is not None and one.source != source])

    def tip(self, row: LogLine, column: TableColumn) -> str:
        """Return date and text of an entry."""
        return f"{row.time:%Y-%m-%d %H:%M:%S}\n{row.text}"

    def colour(self, row: LogLine, column: TableColumn) -> str:
        """Return the colour of a warning or an error."""
        if rank(row.level) < rank("WARNING"):
            return ""
        return widgets.colours().doubtful if row.level == "WARNING" else widgets.colours().bad


class LogFilter(QSortFilterProxyModel):
    """Leaves entries of a level and above that hold a text."""

    def __init__(self, model: LogModel) -> None:
        super().__init__(model)
        self._lowest, self._text = rank("INFO"), ""
        self._model = model
        self.setSourceModel(model)

    def choose(self, level: str, text: str) -> None:
        """Show only entries of `level` and above that contain `text`, ignoring case."""
        self._lowest, self._text = rank(level), text.lower()
        self.invalidate()

    def filterAcceptsRow(self, row: int, parent: widgets.Place) -> bool:  # noqa: N802
        """Return whether an entry is shown."""
        entry = self._model.rows[row]
        return rank(entry.level) >= self._lowest and (
            not self._text or self._text in f"{entry.source} {entry.text}".lower()
        )


class LogPanel(QWidget):
    """The log as a table, with a level and a text to filter by."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.model = LogModel(self)
        self.filter = LogFilter(self.model)
        self.level = QComboBox()
        self.level.addItems(LEVELS)
        self.level.setCurrentText("INFO")
        self.level.setToolTip("show this level and above")
        self.search = QLineEdit(placeholderText="filter", clearButtonEnabled=True)
        self.clear = widgets.button("Clear", self.model.forget)
        self.level.currentTextChanged.connect(self._choose)
        self.search.textChanged.connect(self._choose)
        self.view = QTableView()
        widgets.prepare_table(self.view, self.filter, COLUMNS, 20)
        top = widgets.row(None, QLabel("From level"), self.level, (self.search, 1), self.clear)
        widgets.column(self, top, (self.view, 1))
        self._source, self._began = "", datetime.now()
        self._recent: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)
        session.run_opened.connect(self._turn_to)
        session.run_news.connect(self._take_news)
        session.event_heard.connect(self._take_event)
        for signal in (session.message, session.stop_told):
            signal.connect(lambda level, text: self._add([LogLine(datetime.now(), level, WINDOW, text)]))

    def _turn_to(self, run: RunFile | None) -> None:
        """Show the log of another run from its start."""
        if run is None:
            return
        self._source, self._began = run.path.name, run.start_time.astimezone().replace(tzinfo=None)
        self.model.forget(self._source)

    def _take_news(self, news: News) -> None:
        entries = []
        for entry in news.log:
            said = (entry.level, entry.message)
            if said in self._recent:  # the runner announced it a moment ago
                self._recent.remove(said)
                continue
            when = self._began + timedelta(seconds=entry.time)
            entries.append(LogLine(when, entry.level, self._source, entry.message))
        self._add(entries)

    def _take_event(self, event: Any) -> None:
        if type(event).__name__ == "Message":
            self._recent.append((event.level, event.text))
            self._add([LogLine(datetime.now(), event.level, RUNNER, event.text)])
        elif type(event).__name__ == "JobChanged":
            level = {"failed": "ERROR", "interrupted": "ERROR", "aborted": "WARNING"}.get(
                str(event.job.status), "INFO"
            )
            self._add([LogLine(datetime.now(), level, RUNNER, job_sentence(event.job))])
        elif type(event).__name__ == "Missed":
            text = (
                f"{event.count} announcements came faster than they were taken; the run file has everything"
            )
            self._add([LogLine(datetime.now(), "DEBUG", RUNNER, text)])

    def _add(self, entries: list[LogLine]) -> None:
        if not entries:
            return
        bar = self.view.verticalScrollBar()
        at_end = bar.value() >= bar.maximum()
        self.model.add(entries)
        if at_end:
            self.view.scrollToBottom()

    def _choose(self) -> None:
        self.filter.choose(self.level.currentText(), self.search.text())


def rank(level: str) -> int:
    """Return the rank of a level; an unknown one counts as INFO."""
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("INFO")
