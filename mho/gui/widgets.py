"""Light and dark: the colours of the window in either, following the system unless the user says otherwise."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QCoreApplication,
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QProcess,
    QProcessEnvironment,
    QSignalBlocker,
    Qt,
    QTimer,
)
from PySide6.QtGui import (
    QAction,
    QColor,
    QFontDatabase,
    QIcon,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPalette,
    QPixmap,
    QShortcut,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QBoxLayout,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLayout,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QStyleFactory,
    QStyleOption,
    QTableView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from mho import processes
from mho.analysis import palette

Box = TypeVar("Box", bound=QBoxLayout)

COLUMNS = 104
LINES_KEPT = 5000
PATIENCE = 2000  # ms, time for a process to end by itself


def python_process(arguments: list[str], parent: QObject, **more: str) -> QProcess:
    """Return a process of this Python with mho's modules, not yet started; it ends with `parent`.

    `more` are further variables of its environment.
    """
    process = QProcess(parent)
    environment = QProcessEnvironment.systemEnvironment()
    own = {"PYTHONPATH": processes.environment()["PYTHONPATH"], "COLUMNS": str(COLUMNS), "NO_COLOR": "1"}
    for name, value in (own | more).items():
        environment.insert(name, value)
    process.setProcessEnvironment(environment)
    process.setProgram(sys.executable)
    process.setArguments(arguments)
    return process


Part = QWidget | QLayout | tuple[QWidget | QLayout | None, int] | None
"""A part of a column or a row, with a stretch or without; None is space."""


def column(owner: QWidget | None, *parts: Part, **room: Any) -> QVBoxLayout:
    """Put parts below one another, in `owner` if given; `room` as of `fill`."""
    return fill(QVBoxLayout(owner) if owner is not None else QVBoxLayout(), *parts, **room)


def row(owner: QWidget | None, *parts: Part, **room: Any) -> QHBoxLayout:
    """Put parts side by side, likewise."""
    return fill(QHBoxLayout(owner) if owner is not None else QHBoxLayout(), *parts, **room)


def fill(
    box: Box, *parts: Part, margins: int | tuple[int, int, int, int] | None = None, spacing: int | None = None
) -> Box:
    """Add parts to a layout, and return it.

    `margins` are pixels, the same on all sides or left, top, right and bottom; `spacing` is between two parts.
    """
    if margins is not None:
        box.setContentsMargins(*(margins if isinstance(margins, tuple) else (margins,) * 4))
    if spacing is not None:
        box.setSpacing(spacing)
    for one in parts:
        part, stretch = one if isinstance(one, tuple) else (one, 0)
        if isinstance(part, QWidget):
            box.addWidget(part, stretch)
        elif part is None:
            box.addStretch(stretch)
        else:
            box.addLayout(part, stretch)
    return box


class OutputWindow(QDialog):
    """Shows what a command of this Python writes, by the interpreter's arguments; closing it ends the command."""

    def __init__(self, title: str, arguments: list[str], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.resize(900, 520)
        unwrapped = QPlainTextEdit.LineWrapMode.NoWrap
        self.text = QPlainTextEdit(readOnly=True, lineWrapMode=unwrapped, maximumBlockCount=LINES_KEPT)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.state = QLabel("running…")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column(self, (self.text, 1), self.state, buttons)
        self.process = python_process(arguments, self)
        self.process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        self.process.readyReadStandardOutput.connect(self._read)
        self.process.finished.connect(self._finished)
        self.process.errorOccurred.connect(lambda _: self.state.setText(self.process.errorString()))
        self.process.start()

    def done(self, result: int) -> None:
        """End the command, however the window is closed."""
        end(self.process)
        super().done(result)

    def _read(self) -> None:
        said = bytes(self.process.readAllStandardOutput().data()).decode("utf-8", "replace")
        self.text.appendPlainText(said.rstrip("\n"))

    def _finished(self, code: int) -> None:
        self.state.setText("done" if code == 0 else f"ended with exit code {code}")


def end(process: QProcess) -> None:
    """End a process, by force if need be, without waiting for it; its output is dropped."""
    process.blockSignals(True)
    process.setParent(QCoreApplication.instance())
    process.terminate()

    def bury() -> None:
        process.kill()
        process.deleteLater()

    QTimer.singleShot(PATIENCE, process, bury)


def splitter(orientation: Qt.Orientation, *parts: tuple[QWidget, int]) -> QSplitter:
    """Return widgets with a line between them that can be moved, each with its size in pixels."""
    made = QSplitter(orientation)
    for widget, _ in parts:
        made.addWidget(widget)
    made.setSizes([size for _, size in parts])
    made.setChildrenCollapsible(False)
    return made


def plain_label(text: str = "") -> QLabel:
    """Return a label that shows any text as it is, over several lines if need be."""
    return QLabel(text, textFormat=Qt.TextFormat.PlainText, wordWrap=True)


def button(text: str, act: Callable[[], Any], tip: str = "") -> QPushButton:
    """Return a button that calls `act`."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.clicked.connect(lambda _checked: act())
    return made


class ChoiceBox(QComboBox):
    """A list from which the user chooses, as wide as its longest entry; an entry is a text, or a text and its datum."""

    def __init__(self, name: str, entries: Iterable[str | tuple[str, Any]] = (), tip: str = "") -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(tip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.offer(entries)

    def offer(self, entries: Iterable[str | tuple[str, Any]], *preferred: Any) -> None:
        """Offer other entries without a signal, and choose the first of the data `wanted` that is there, else the first."""
        pairs = [one if isinstance(one, tuple) else (one, one) for one in entries]
        data = [datum for _, datum in pairs]
        with QSignalBlocker(self):
            self.clear()
            for text, datum in pairs:
                self.addItem(text, datum)
            if pairs:
                self.setCurrentIndex(next((data.index(one) for one in preferred if one in data), 0))


class FactsTable(QTableWidget):
    """A table of texts to be read, each with the whole of it as its tool tip; without headings, names and values."""

    def __init__(self, headings: Sequence[str] = ()) -> None:
        super().__init__(0, len(headings) or 2)
        self.setHorizontalHeaderLabels(list(headings))
        self.horizontalHeader().setVisible(bool(headings))
        for column in range(self.columnCount() - 1):
            self.horizontalHeader().setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setStretchLastSection(True)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(22)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)

    def show_rows(self, rows: Iterable[Sequence[str]]) -> None:
        """Show these texts."""
        texts = list(rows)
        self.setRowCount(len(texts))
        for number, row in enumerate(texts):
            for column, text in enumerate(row):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.setItem(number, column, item)


Place = QModelIndex | QPersistentModelIndex
"""A cell of a model; none for the model itself."""

NOWHERE = QModelIndex()


@dataclass(frozen=True)
class TableColumn:
    """A column: its heading, what it says of a row, and its width in pixels; the last one takes the rest.

    `sort` is the name by which whoever has all rows sorts them; empty for none.
    """

    heading: str
    text: Callable[[Any], str]
    width: int = 0
    sort: str = ""


class RowsModel(QAbstractTableModel):
    """A table of `rows`, each an object of which the columns say something."""

    def __init__(self, columns: Sequence[TableColumn], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.columns = columns
        self.rows: list[Any] = []

    def show_rows(self, rows: Sequence[Any]) -> None:
        """Show other rows."""
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def tip(self, row: Any, column: TableColumn) -> str:
        """Return the tool tip of a cell: its whole text."""
        return column.text(row)

    def colour(self, row: Any, column: TableColumn) -> str:
        """Return the colour of a cell's text; empty for that of the theme."""
        return ""

    def rowCount(self, parent: Place = NOWHERE) -> int:  # noqa: N802
        """Return the number of rows, or of those below one."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Place = NOWHERE) -> int:  # noqa: N802
        """Return the number of columns, likewise."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the heading of a column."""
        shown = role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal
        return self.columns[section].heading if shown else None

    def data(self, index: Place, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text, the tool tip or the colour of a cell."""
        if not index.isValid():
            return None
        row, column = self.rows[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.tip(row, column)
        if role == Qt.ItemDataRole.ForegroundRole and (colour := self.colour(row, column)):
            return QColor(colour)
        return None


def prepare_table(
    view: QTableView, model: QAbstractItemModel, columns: Sequence[TableColumn], height: int
) -> None:
    """Let a view show whole rows of a model, of a fixed height in pixels; Ctrl+C copies those that are chosen."""
    view.setModel(model)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.verticalHeader().setVisible(False)
    # A fixed height: else the height of each of ten thousand rows is asked for.
    view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    view.verticalHeader().setDefaultSectionSize(height)
    view.horizontalHeader().setHighlightSections(False)
    view.horizontalHeader().setStretchLastSection(True)
    for place, column in enumerate(columns[:-1]):
        view.setColumnWidth(place, column.width)
    copy = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), view)
    copy.setContext(Qt.ShortcutContext.WidgetShortcut)
    copy.activated.connect(lambda: copy_rows(view))


def select_rows(view: QTableView, rows: Sequence[int]) -> None:
    """Select these rows and no others; the arrow keys go on from the first."""
    model, selection, flags = view.model(), view.selectionModel(), QItemSelectionModel.SelectionFlag
    chosen = QItemSelection()
    for row in rows:
        chosen.select(model.index(row, 0), model.index(row, 0))
    selection.select(chosen, flags.ClearAndSelect | flags.Rows)
    if rows:
        selection.setCurrentIndex(model.index(rows[0], 0), flags.NoUpdate)


def copy_rows(view: QTableView) -> None:
    """Put the chosen rows into the clipboard, below their headings, as a spreadsheet takes them; none, nothing."""
    model = view.model()
    rows = sorted(index.row() for index in view.selectionModel().selectedRows())
    if not rows:
        return
    columns = range(model.columnCount())
    lines = [[model.headerData(column, Qt.Orientation.Horizontal) for column in columns]]
    lines += [[model.index(row, column).data() for column in columns] for row in rows]
    texts = ("\t".join(re.sub(r"\s+", " ", str(one or "")) for one in line) for line in lines)
    QApplication.clipboard().setText("\n".join(texts))


class ElidedLabel(QLabel):
    """One line of plain text, all of which is in the tool tip; a plain label would push what is beside it out of sight."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, textFormat=Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def setText(self, text: str) -> None:  # noqa: N802
        """Show `text`."""
        super().setText(text)
        self.setToolTip(text)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw as much as fits."""
        option = QStyleOption()
        option.initFrom(self)
        painter = QPainter(self)
        self.style().drawItemText(
            painter,
            self.contentsRect(),
            int(self.alignment()),
            option.palette,
            self.isEnabled(),
            self.fontMetrics().elidedText(
                self.text(), Qt.TextElideMode.ElideRight, self.contentsRect().width()
            ),
            self.foregroundRole(),
        )


class Badge(QLabel):
    """A word on a coloured ground."""

    def paint(self, text: str, colour: str) -> None:
        """Show `text` on `colour`."""
        self.setText(text)
        ink = palette.INK if colour == LIVE else "white"
        self.setStyleSheet(
            f"background: {colour}; color: {ink}; font-weight: bold; padding: 3px 10px; border-radius: 4px;"
        )


if TYPE_CHECKING:
    from mho.running.queue import JobStatus

Choice = Literal["system", "light", "dark"]


@dataclass(frozen=True)
class Colours:
    """The colours of a theme, as ``#RRGGBB``.

    Attributes
    ----------
    ground : str
        Behind plots and tables.
    ink, faint, grid : str
        Text and axes; what matters less; grid lines.
    good, busy, bad, doubtful : str
        The colour of a status, as text on `ground`.
    wrong_ground : str
        Behind input that cannot be used.
    """

    ground: str
    ink: str
    faint: str
    grid: str
    good: str
    busy: str
    bad: str
    doubtful: str
    wrong_ground: str


LIGHT = Colours(
    "#FFFFFF", palette.INK, palette.FAINT, "#DDDDDD",
    palette.GOOD, palette.BUSY, palette.BAD, palette.DOUBTFUL, "#FFE1D6",
)  # fmt: skip
DARK = Colours(
    "#1B1D1F", "#ECECEC", "#A5A5A5", "#3A3D40",
    "#3FC79A", "#6DB9F0", "#FF8A4C", "#E6B04A", "#53281A",
)  # fmt: skip

STOP = "#C8102E"  # the red of emergency stops; white text on it is 5.9 to 1
SIMULATED = "#7A3E9D"
LIVE = "#FFB224"  # amber; ink on it is 9 to 1


def is_dark() -> bool:
    """Return whether the window is dark now."""
    return QApplication.palette().color(QPalette.ColorRole.Window).lightness() < 128


def colours() -> Colours:
    """Return the colours of the current theme; a widget learns of another theme by ``QEvent.PaletteChange``."""
    return DARK if is_dark() else LIGHT


def choose(choice: Choice) -> None:
    """Make the window light or dark, or as the system is."""
    app = QApplication.instance()
    if isinstance(app, QApplication) and app.style().objectName() != "fusion":
        app.setStyle(QStyleFactory.create("Fusion"))  # the one style that is dark and light everywhere
    QApplication.setPalette({"system": QPalette(), "light": _palette(False), "dark": _palette(True)}[choice])


def _palette(dark: bool) -> QPalette:
    role = QPalette.ColorRole
    now = DARK if dark else LIGHT
    window, button, other = ("#26282B", "#34373B", "#222427") if dark else ("#EFEFEF", "#E6E6E6", "#F6F6F6")
    made = QPalette(QColor(button), QColor(window))
    for one, colour in {
        role.Window: window, role.WindowText: now.ink, role.Base: now.ground, role.AlternateBase: other,
        role.Text: now.ink, role.Button: button, role.ButtonText: now.ink, role.BrightText: "#FFFFFF",
        role.ToolTipBase: button, role.ToolTipText: now.ink, role.PlaceholderText: now.faint,
        role.Highlight: "#0072B2", role.HighlightedText: "#FFFFFF", role.Link: now.busy,
    }.items():  # fmt: skip
        made.setColor(one, QColor(colour))
    for one in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, one, QColor("#7C7F83" if dark else "#9A9A9A"))
    return made


def action(owner: QObject, text: str, keys: str, tip: str, act: Callable[[], Any]) -> QAction:
    """Return an action that calls `act`, with its keys in its tool tip."""
    made = QAction(text, owner)
    made.setShortcut(QKeySequence(keys))
    made.setToolTip(f"{tip} ({keys})" if keys else tip)
    made.triggered.connect(lambda _checked: act())
    return made


class Themed(QWidget):
    """A widget that paints its own colours, by `paint_theme`, and again when the theme changes."""

    def paint_theme(self) -> None:
        """Apply the colours of the theme."""
        raise NotImplementedError

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow the theme, once the widget has its parts."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self.layout() is not None:
            self.paint_theme()


def embolden(label: QLabel, points: int | None = None) -> None:
    """Make a label's font bold, and of a size; unlike a style sheet this leaves its colour to the theme."""
    font = label.font()
    font.setBold(True)
    if points is not None:
        font.setPointSize(points)
    label.setFont(font)


def status_colour(status: JobStatus | str) -> str:
    """Return the text colour of the status of a job or a run."""
    now = colours()
    known = {
        "running": now.busy, "paused": now.doubtful, "finished": now.good, "failed": now.bad,
        "interrupted": now.bad, "aborted": now.doubtful, "skipped": now.faint,
    }  # fmt: skip
    return known.get(str(status), now.ink)


def swatch(colour: str) -> QIcon:
    """Return a small square of a colour, to stand beside a name."""
    square = QPixmap(12, 12)
    square.fill(QColor(colour))
    return QIcon(square)
