"""A window that shows the output of a command in its own process, and can end it."""

from __future__ import annotations

import sys

from PySide6.QtCore import QCoreApplication, QProcess, QProcessEnvironment, Qt, QTimer
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from mho import processes

COLUMNS = 104
LINES_KEPT = 5000
PATIENCE = 2000  # ms, time for a process to end by itself


def python_process(arguments: list[str], parent: QWidget) -> QProcess:
    """Return a process of this Python with mho's modules, not yet started; it ends with `parent`."""
    process = QProcess(parent)
    environment = QProcessEnvironment.systemEnvironment()
    for name, value in (
        ("PYTHONPATH", processes.environment()["PYTHONPATH"]),
        ("COLUMNS", str(COLUMNS)),
        ("NO_COLOR", "1"),
    ):
        environment.insert(name, value)
    process.setProcessEnvironment(environment)
    process.setProgram(sys.executable)
    process.setArguments(arguments)
    return process


class OutputWindow(QDialog):
    """Shows what a command of this Python writes; closing it ends the command.

    Parameters
    ----------
    title : str
    arguments : list of str
        Of the interpreter.
    """

    def __init__(self, title: str, arguments: list[str], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.resize(900, 520)
        self.text = QPlainTextEdit(readOnly=True)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setMaximumBlockCount(LINES_KEPT)
        self.state = QLabel("running…")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.state)
        layout.addWidget(buttons)
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
