"""Carries out verbs of the command line in the background, one after the other: what is done with run files that exist.

Each is a process of its own, ``python -m mho VERB ...``: the window does what a terminal does, and answers meanwhile.
One that is ended is interrupted as by Ctrl-C: what it wrote to a run file is closed, and drafts of other files are removed.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from mho.gui.widgets import LINES_KEPT, python_process

PATIENCE = 10_000
"""Time for an interrupted verb to end by itself before it is killed, ms: it may be in the midst of a computation."""

AT_THE_END = 10_000
"""The same when the window is closed, which waits for it, ms: a campaign ends its workers first."""

WIDTH = 200
"""Columns of the terminal that a verb takes its output for: tables are not cut, and paths not broken."""

State = Literal[
    "waiting", "running", "stopping", "finished", "not in order", "not converged", "failed", "aborted"
]
AT_WORK: tuple[State, ...] = ("running", "stopping")
EXITS: dict[int, State] = {0: "finished", 1: "not in order", 3: "not converged", 130: "aborted"}
"""What exit codes of `mho` say; every other one is a failure."""

ERROR = "mho: "
"""Before what a verb refuses, which is one sentence."""


@dataclass(eq=False)
class Action:
    """A verb that was asked for: its words, what it is called, how it stands, and what it printed."""

    title: str
    words: tuple[str, ...]
    state: State = "waiting"
    began: float | None = None  # Unix time, s
    ended: float | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    written: Path | None = None  # the file or folder that it named last of those that it has written

    @property
    def is_over(self) -> bool:
        """Whether it is neither waiting nor at work."""
        return self.state not in ("waiting", *AT_WORK)

    @property
    def seconds(self) -> float | None:
        """How long it has taken so far; None before it has begun."""
        return None if self.began is None else (self.ended or time.time()) - self.began

    @property
    def said(self) -> str:
        """The sentence by which it was refused, else the last line that it printed."""
        shown = [line for line in self.lines if line.strip()]
        errors = [line.removeprefix(ERROR) for line in shown if line.startswith(ERROR)]
        return (errors[-1] if errors and self.state in ("failed", "aborted") else shown[-1]) if shown else ""


class Actions(QObject):
    """The actions of a window, in their order; one is at work at a time.

    Signals
    -------
    changed()
        One was added or removed, has begun or ended, or has printed something.
    ended(Action)
        One has come to its end.
    """

    changed = Signal()
    ended = Signal(object)

    def __init__(self, folder: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._folder = folder
        self.actions: list[Action] = []
        self._process: QProcess | None = None
        self._rest = b""  # of a line that has not come to its end

    @property
    def pending(self) -> list[Action]:
        """Those that are at work or wait."""
        return [one for one in self.actions if not one.is_over]

    def add(self, title: str, words: Sequence[str]) -> Action:
        """Append a verb; it begins once those before it are over."""
        action = Action(title, tuple(words))
        self.actions.append(action)
        self._begin_next()
        self.changed.emit()
        return action

    def cancel(self, action: Action) -> None:
        """End an action that is at work, as by Ctrl-C, or take one that waits out of the line."""
        if action.state == "waiting":
            action.state, action.ended = "aborted", time.time()
            action.lines.append(f"{ERROR}cancelled before it began")
            self.ended.emit(action)
        elif action.state == "running" and (process := self._process) is not None:
            action.state = "stopping"
            _interrupt(process)
            QTimer.singleShot(PATIENCE, process, process.kill)
        self.changed.emit()

    def remove(self, actions: Iterable[Action]) -> None:
        """Take actions that are over off the list; what they wrote stays."""
        gone = [one for one in actions if one.is_over]
        self.actions = [one for one in self.actions if one not in gone]
        self.changed.emit()

    def close(self) -> None:
        """End the action at work, begin no other, and wait until it is gone."""
        process, self._process = self._process, None
        for action in self.pending:
            action.state = "aborted"
        if process is not None:
            process.blockSignals(True)
            _interrupt(process)
            if not process.waitForFinished(AT_THE_END):
                process.kill()
                process.waitForFinished(AT_THE_END)

    def _at_work(self) -> Action | None:
        return next((one for one in self.actions if one.state in AT_WORK), None)

    def _begin_next(self) -> None:
        if self._process is not None:
            return
        action = next((one for one in self.actions if one.state == "waiting"), None)
        if action is None:
            return
        action.state, action.began, self._rest = "running", time.time(), b""
        more = {"MHO_RUNS": str(self._folder), "COLUMNS": str(WIDTH), "PYTHONIOENCODING": "utf-8"}
        process = self._process = python_process(["-P", "-m", "mho", *action.words], self, **more)
        if hasattr(process, "setUnixProcessParameters"):  # not on Windows
            parameters = process.UnixProcessParameters()
            parameters.flags = QProcess.UnixProcessFlag.ResetSignalHandlers  # it must hear of an interruption
            process.setUnixProcessParameters(parameters)
        process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        process.setStandardInputFile(QProcess.nullDevice())
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._finish)
        process.errorOccurred.connect(self._fail)
        process.start()

    def _read(self) -> None:
        process, action = self._process, self._at_work()
        if process is None or action is None:
            return
        *lines, self._rest = (self._rest + bytes(process.readAllStandardOutput().data())).split(b"\n")
        action.lines.extend(_text(line) for line in lines)
        self.changed.emit()

    def _fail(self, error: QProcess.ProcessError) -> None:
        """Say why a process could not be begun; of others `_finish` hears."""
        process, action = self._process, self._at_work()
        if error is QProcess.ProcessError.FailedToStart and process is not None and action is not None:
            action.lines.append(f"{ERROR}{process.errorString()}")
            self._end(action, "failed")

    def _finish(self, code: int, status: QProcess.ExitStatus) -> None:
        action = self._at_work()
        if action is None:
            return
        self._read()
        if self._rest:
            action.lines.append(_text(self._rest))
        state: State = EXITS.get(code, "failed")
        if status is not QProcess.ExitStatus.NormalExit:
            state = "failed"
            action.lines.append(f"{ERROR}the process was killed")
        self._end(action, "aborted" if action.state == "stopping" and state != "finished" else state)

    def _end(self, action: Action, state: State) -> None:
        action.state, action.ended = state, time.time()
        action.written = written_by(action)
        if self._process is not None:
            self._process.deleteLater()
        self._process = None
        self.ended.emit(action)
        self._begin_next()
        self.changed.emit()


def written_by(action: Action) -> Path | None:
    """Return the last file or folder of those that an action printed the path of, and that is newer than its beginning."""
    for line in reversed(action.lines):
        for found in re.finditer(r"(?<!\S)(?:/|[A-Za-z]:[\\/])", line):
            rest = line[found.start() :]
            while rest:
                with suppress(OSError):
                    path = Path(rest.rstrip(":;,."))
                    if path.exists() and str(path) not in action.words:
                        if path.stat().st_mtime >= (action.began or 0.0) - 1.0:
                            return path
                        break
                rest = rest.rpartition(" ")[0]
    return None


def _interrupt(process: QProcess) -> None:
    """Interrupt a process as Ctrl-C does; where there are no signals, as on Windows, it ends at once."""
    with suppress(OSError):  # it is gone
        if process.processId():
            os.kill(process.processId(), signal.SIGINT)


def _text(line: bytes) -> str:
    """Return a line as a terminal would leave it: of a bar that was drawn anew the last state."""
    return line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2].rstrip()
