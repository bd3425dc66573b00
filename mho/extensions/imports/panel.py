"""The window's panel for foreign tables: it shows what a table seems to hold, takes what is said of it, and imports it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from mho.extensions.imports.extraction import import_measurement
from mho.extensions.imports.guessing import COLUMN_WORDS, Guess, guess
from mho.extensions.imports.measurements import MEASUREMENTS
from mho.extensions.imports.table_import import TableReading
from mho.extensions.imports.tables import DECIMAL_MARKS
from mho.gui import Session, TaskThread

MEANING, UNIT = 1, 2  # columns of the table that can be edited
FILES = "Tables (*.csv *.tsv *.txt *.gz *.xlsx *.mat *.npz *.npy *.json *.h5);;All files (*)"
KEPT = "kept as it is"
TAKEN = "none, taken as "


class ImportPanel(QWidget):
    """Choose a table, correct what its columns are, and import it."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._files = TaskThread("imports", self)  # a table may be large: nobody else waits for it
        self._proposal: Guess | None = None
        self._asked = TableReading()
        self._path: Path | None = None
        self._question = 0  # only the last one's answer counts
        choose = QPushButton("Choose a table…")
        choose.clicked.connect(self._choose)
        self.file = QLabel("no table is chosen")
        self.kind = QComboBox()
        self.kind.addItem("what it seems to be", "")
        for one in MEASUREMENTS.values():
            self.kind.addItem(f"{one.name}: {one.title}", one.name)
        self.kind.currentIndexChanged.connect(self._look)
        self.decimal = QComboBox()
        for label, mark in (
            ("comma: as the numbers show", ""), *((f"a comma is a {one}", one) for one in DECIMAL_MARKS),
        ):  # fmt: skip
            self.decimal.addItem(label, mark)
        self.decimal.currentIndexChanged.connect(self._look)
        self.array = QLineEdit(placeholderText="array of the chip")
        self.chip = QLineEdit(placeholderText="chip map, by name or file")
        self.columns = QTableWidget(0, len(COLUMN_WORDS))
        self.columns.setHorizontalHeaderLabels(list(COLUMN_WORDS))
        self.columns.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.columns.verticalHeader().hide()
        self.columns.horizontalHeader().setStretchLastSection(True)
        self.columns.cellChanged.connect(self._edited)
        self.verdict = QLabel()
        self.verdict.setWordWrap(True)
        self.verdict.setTextFormat(Qt.TextFormat.PlainText)
        self.start = QPushButton("Import")
        self.start.setEnabled(False)
        self.start.clicked.connect(self._import)
        above, below = QHBoxLayout(), QHBoxLayout()
        for widget in (choose, self.file):
            above.addWidget(widget)
        above.addStretch(1)
        above.addWidget(self.decimal)
        above.addWidget(self.kind)
        for field in (self.array, self.chip):
            below.addWidget(field, 1)
        below.addWidget(self.start)
        column = QVBoxLayout(self)
        column.addLayout(above)
        column.addWidget(self.columns, 1)
        column.addWidget(self.verdict)
        column.addLayout(below)

    def open(self, path: Path) -> None:
        """Show what a table seems to hold; what was said of another is forgotten."""
        self._path, self._asked = path, TableReading()
        self.file.setText(path.name)
        self.columns.setRowCount(0)
        self._look()

    def close_down(self) -> None:
        """Let no table begin any more."""
        self._files.close()

    def _choose(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Table of measurements", "", FILES)
        if path:
            self.open(Path(path))

    def _look(self) -> None:
        """Guess anew, by all that was said."""
        if self._path is None:
            return
        self._question += 1
        question, path, asked, kind = self._question, self._path, self._asked, self.kind.currentData()
        asked = replace(asked, decimal=self.decimal.currentData())
        self.start.setEnabled(False)

        def show(proposal: Guess) -> None:
            if question == self._question:
                self._show(proposal)

        def refuse(error: str) -> None:
            if question == self._question:
                self._proposal = None
                self.verdict.setText(error)

        self._files.ask(lambda: guess(path, asked, [kind] if kind else ()), show, refuse)

    def _show(self, proposal: Guess) -> None:
        self._proposal = proposal
        self.columns.blockSignals(True)
        rows = proposal.columns_in_words()
        self.columns.setRowCount(len(rows))
        for row, texts in enumerate(rows):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text or (KEPT if column == MEANING else ""))
                if column not in (MEANING, UNIT):
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                self.columns.setItem(row, column, item)
        self.columns.resizeColumnsToContents()
        self.columns.blockSignals(False)
        best = proposal.best
        fits = best.assignment is not None
        said = f"{best.measurement.name}, {best.measurement.title}" if fits else "no kind of measurement fits"
        doubt = "" if proposal.sure or not fits else " (not sure)"
        lines = [f"{said}{doubt}: {'; '.join(best.reasons)}", *(proposal.grounds.lines if fits else ())]
        self.verdict.setText("\n".join([*lines, *proposal.remarks, *proposal.notes]))
        self.start.setEnabled(fits and not (proposal.table.form.doubtful and not self.decimal.currentData()))

    def _edited(self, row: int, column: int) -> None:
        """Take what was typed: which quantity a column is, or its unit."""
        text, meaning, unit = (self._text(row, one) for one in (0, MEANING, UNIT))
        meaning = meaning.partition(" (")[0]
        asked = self._asked
        columns = {name: one for name, one in asked.columns.items() if one != text}
        units = {name: one for name, one in asked.units.items() if name in columns}
        if meaning and meaning != KEPT:
            columns[meaning] = text
            if unit and not unit.startswith(TAKEN):
                units[meaning] = unit
        self._asked = TableReading(columns=columns, units=units)
        self._look()

    def _text(self, row: int, column: int) -> str:
        item = self.columns.item(row, column)
        return item.text().strip() if item is not None else ""

    def _import(self) -> None:
        proposal, session = self._proposal, self._session
        if proposal is None:
            return
        folder, path, array, chip = session.folder, proposal.table.path, self.array.text(), self.chip.text()
        self.start.setEnabled(False)

        def work() -> Path:
            return import_measurement(
                path, proposal.best.reading, folder, array=array, chip=chip, grounds=proposal.grounds.lines
            )

        def done(run: Path) -> None:
            session.tell("INFO", f"{path.name} is imported as {run.name}")
            session.open_run(run)

        def refuse(error: str) -> None:
            self.verdict.setText(error)
            self.start.setEnabled(True)

        self._files.ask(work, done, refuse)
