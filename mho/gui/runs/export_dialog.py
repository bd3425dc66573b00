"""The export dialog: asks for format and path, and writes figure or data in another thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

import mho.analysis as analysis
from mho.analysis.exports import export
from mho.gui.session.task_thread import TaskThread
from mho.gui.widgets.theme import colours


@dataclass(frozen=True)
class Form:
    """A form, what is added to the run's name, and what writes it (run file, output)."""

    name: str
    ending: str
    write: Callable[[Path, Path], Path]


def _data(form: str) -> Callable[[Path, Path], Path]:
    return lambda run, output: export(run, form, output)


FORMS = (
    Form("figure, PNG", ".png", analysis.plot),
    Form("figure, SVG", ".svg", analysis.plot),
    Form("figure, PDF", ".pdf", analysis.plot),
    Form("data, CSV tables (a folder)", "-csv", _data("csv")),
    Form("data, MATLAB", ".mat", _data("mat")),
    Form("data, NetCDF", ".nc", _data("netcdf")),
    Form("everything, to publish (a folder)", "-published", _data("folder")),
    Form("everything, for an electronic lab notebook", ".eln", _data("eln")),
    Form("chip map with a measured response", "-chip.toml", _data("chip-map")),
    Form("netlist of the INV loop, for SPICE", ".cir", _data("spice")),
)
FIRST_DATA = 3


class ExportDialog(QDialog):
    """Exports the run file at `run`.

    Signals
    -------
    written(str)
        The path of the written file, also after the dialog was closed.
    failed(str)
        The error after the dialog was closed; before that the dialog shows it.
    """

    written = Signal(str)
    failed = Signal(str)

    def __init__(self, run: Path, task_thread: TaskThread, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run, self._task_thread = run, task_thread
        self._writing = False
        self.setWindowTitle(f"Export {run.name}")
        self.resize(620, 160)
        self.form = QComboBox()
        self.form.setAccessibleName("form")
        self.form.addItems([form.name for form in FORMS])
        self.target = QLineEdit()
        self.target.setAccessibleName("output")
        browse = QPushButton("Browse…")
        self.message = QLabel()
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setWordWrap(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.export = self.buttons.addButton("Export", QDialogButtonBox.ButtonRole.AcceptRole)
        self.form.currentIndexChanged.connect(self._suggest)
        browse.clicked.connect(self._browse)
        self.buttons.accepted.connect(self._export)
        self.buttons.rejected.connect(self.reject)
        self.finished.connect(lambda _: self._go())
        line = QHBoxLayout()
        line.addWidget(self.target, 1)
        line.addWidget(browse)
        fields = QFormLayout()
        fields.addRow("Form", self.form)
        fields.addRow("To", line)
        layout = QVBoxLayout(self)
        layout.addLayout(fields)
        layout.addWidget(self.message)
        layout.addStretch(1)
        layout.addWidget(self.buttons)
        self._suggest()

    def _suggest(self) -> None:
        ending = FORMS[self.form.currentIndex()].ending
        self.target.setText(str(self._run.with_name(self._run.stem + ending)))

    def _browse(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Export to", self.target.text())
        if name:
            self.target.setText(name)

    def _export(self) -> None:
        form, output = FORMS[self.form.currentIndex()], Path(self.target.text()).expanduser()
        run = self._run
        self._writing = True
        self.export.setEnabled(False)
        self._say("writing…", colours().faint)
        self._task_thread.ask(lambda: form.write(run, output), self._end, self._fail)

    def _end(self, path: Path) -> None:
        self._writing = False
        self.written.emit(str(path))
        if self.isVisible():
            self.accept()
        else:
            self._go()

    def _fail(self, text: str) -> None:
        self._writing = False
        self.export.setEnabled(True)
        self._say(text, colours().bad)
        if not self.isVisible():
            self.failed.emit(text)
            self._go()

    def _say(self, text: str, colour: str) -> None:
        self.message.setText(text)
        self.message.setStyleSheet(f"color: {colour};")

    def _go(self) -> None:
        """Delete the dialog, but only after the result of a running export was reported."""
        if not self._writing:
            self.deleteLater()
