"""The fields in which the user writes a plot: a table, what goes on its axes, how curves are told apart, scales and fit."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QCompleter, QLabel, QWidget

from mho.gui import widgets
from mho.gui.signals.own_plot import Plot, make_plot
from mho.gui.signals.reading import Columns
from mho.runs import Figure
from mho.runs.figures import COUNTS, FITS, fit_kind

KINDS = (
    ("lines", "lines"), ("points", "scatter"), ("steps", "steps"), ("medians, quartiles", "errorbars"),
    ("histogram", "histogram"), ("distribution", "distribution"),
)  # fmt: skip
CELL = ("row", "column")
FORMULAS = "a column, or a formula such as abs(current), 1000 / temperature or log10(conductance / 1e-6)"


class ColumnBox(widgets.ChoiceBox):
    """A column, chosen or written, or a formula; `edited` says that another one is wanted."""

    edited = Signal()

    def __init__(self, name: str, nothing: str, tip: str) -> None:
        super().__init__(name, tip=tip)
        self.setEditable(True)
        self.setInsertPolicy(widgets.ChoiceBox.InsertPolicy.NoInsert)
        self.setMinimumContentsLength(7)
        self.setSizeAdjustPolicy(widgets.ChoiceBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        line, completer = self.lineEdit(), self.completer()
        assert line is not None
        assert completer is not None
        line.setPlaceholderText(nothing)
        line.setAccessibleName(name)
        line.editingFinished.connect(self.edited)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseSensitive)
        self.activated.connect(lambda _: self.edited.emit())

    def write(self, text: str) -> None:
        """Show a text without a signal."""
        with QSignalBlocker(self):
            self.setCurrentIndex(self.findText(text))
            self.setEditText(text)


class PlotFields(QWidget):
    """The fields; `changed` says that they hold another plot, `table_chosen` that another table is to be shown."""

    changed = Signal()
    table_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: Columns = {}
        self._like: Figure | None = None
        self._written: tuple[object, ...] = ()
        self.table = widgets.ChoiceBox("table")
        self.x_column = ColumnBox(
            "x", "row number", f"What the plot is over: {FORMULAS}; empty for the row's number"
        )
        self.y_column = ColumnBox(
            "y", "a column", f"What is drawn: {FORMULAS}; several with commas between them"
        )
        self.by = widgets.ChoiceBox("curves by", tip="One curve for each value of these columns")
        self.by.setSizeAdjustPolicy(widgets.ChoiceBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.by.setMinimumContentsLength(8)
        self.colour = ColumnBox("colour", "no column", "Points in the colour of this column")
        self.kind = widgets.ChoiceBox("kind", KINDS)
        self.fit = widgets.ChoiceBox("fit", [("no fit", ""), *((name, name) for name in FITS)])
        self.fit.setToolTip("Its numbers with 95 % intervals are in the legend")
        self.log_x, self.log_y = QCheckBox("log x"), QCheckBox("log y")
        line = widgets.row(
            None, self.table, QLabel("y"), (self.y_column, 3), self.log_y, QLabel("over x"), (self.x_column, 2), self.log_x,
            QLabel("by"), self.by, QLabel("colour"), (self.colour, 2), self.kind, self.fit,
        )  # fmt: skip
        widgets.column(self, line, margins=0)
        self.y_column.edited.connect(self._match)
        for box in (self.x_column, self.y_column, self.colour):
            box.edited.connect(self._say)
        for choice in (self.by, self.kind, self.fit):
            choice.currentIndexChanged.connect(lambda _: self._say())
        for check in (self.log_x, self.log_y):
            check.toggled.connect(lambda _: self._say())
        self.table.currentTextChanged.connect(self.table_chosen)
        self.kind.currentIndexChanged.connect(lambda _: self._allow())

    def offer_tables(self, tables: Sequence[str], *preferred: str) -> None:
        """Offer the tables of a run without a signal, and choose the first of those preferred that is there."""
        self.table.offer(tables, *preferred)

    def show_plot(self, plot: Plot, columns: Columns) -> None:
        """Write a plot of a table with these columns into the fields without a signal."""
        figure, counts = plot.figure, plot.figure.drawn_kind in COUNTS
        self._columns, self._like = columns, figure
        with QSignalBlocker(self):
            self.table.offer([self.table.itemText(one) for one in range(self.table.count())], figure.table)
            for box in (self.x_column, self.y_column, self.colour):
                box.offer(columns)
            self.x_column.write("" if counts else figure.x)
            self.y_column.write(figure.x if counts else ", ".join(figure.values))
            self.colour.write(plot.colour)
            single = [name for name, (_, dimensions) in columns.items() if not dimensions]
            groups = [(name.replace("_", " "), (name,)) for name in single]
            cell = [("cell", CELL)] * (set(CELL) <= set(single))
            own = [(_said(figure.groups), figure.groups)] * (len(figure.groups) > 1 and figure.groups != CELL)
            self.by.offer([("one curve", ()), *cell, *own, *groups], figure.groups)
            self.kind.offer(KINDS, figure.drawn_kind)
            self.fit.offer([("no fit", ""), *((name, name) for name in FITS)], fit_kind(figure.fit))
            self.log_x.setChecked(figure.x_scale == "log")
            self.log_y.setChecked(figure.y_scale == "log")
            self._written = self._texts()
        self._allow()

    def plot(self) -> Plot:
        """Return the plot that is written; `InputError` where it is none."""
        scales = (
            "log" if self.log_x.isChecked() else "linear",
            "log" if self.log_y.isChecked() else "linear",
        )
        return make_plot(
            tuple(self._columns), self.table.currentText(), x=self.x_column.currentText(), y=self.y_column.currentText(),
            by=self.by.currentData() or (), colour=self.colour.currentText(), kind=self.kind.currentData(),
            scales=scales, fit=self.fit.currentData(), like=self._like,
        )  # fmt: skip

    def _texts(self) -> tuple[object, ...]:
        checks = self.log_x.isChecked(), self.log_y.isChecked()
        boxes = self.table, self.x_column, self.y_column, self.by, self.colour, self.kind, self.fit
        return *(box.currentText() for box in boxes), *checks

    def _say(self) -> None:
        """Say that there is another plot, once: a field that is only left says so too."""
        if self._texts() != self._written:
            self._written = self._texts()
            self.changed.emit()

    def _match(self) -> None:
        """Leave out an x that has no value for each of y, as the times of a waveform for its peak."""
        over, drawn = (self._columns.get(box.currentText()) for box in (self.x_column, self.y_column))
        if over is not None and drawn is not None and over[1] != drawn[1]:
            self.x_column.write("")

    def _allow(self) -> None:
        counts = self.kind.currentData() in COUNTS
        self.x_column.setEnabled(not counts)
        self.colour.setEnabled(not counts)


def _said(groups: Sequence[str]) -> str:
    """Return what several columns of groups are called."""
    rest = [name for name in groups if name not in CELL] if set(CELL) <= set(groups) else list(groups)
    return ", ".join(["cell"] * (len(rest) < len(groups)) + [name.replace("_", " ") for name in rest])
