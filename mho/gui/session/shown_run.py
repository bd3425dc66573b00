"""The run file that the window shows: opens it, follows it while it grows, and retries when it cannot be read."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from mho.errors import MhoError, RunFileError
from mho.gui.session.background import BackgroundTasks
from mho.gui.session.file_follower import RunFollower
from mho.runs import GOING_ON, RunFile

LOOK_PERIOD = 100
"""Interval of updates while the run lasts, ms."""

REST_PERIOD = 1000
"""Interval of updates of a file whose run is over, or which cannot be read, ms."""


class ShownRun(QObject):
    """One run file at a time.

    Attributes
    ----------
    run : RunFile or None
        The open file.
    path : Path or None
        Its path; also while it cannot be read.

    Signals
    -------
    opened(RunFile or None)
        Another file is open; `news` with all there is follows.
    news(file_follower.News)
        It has grown, or its run has ended.
    unreadable(text)
        What is wrong with the file, said once.
    """

    opened = Signal(object)
    news = Signal(object)
    unreadable = Signal(str)

    def __init__(self, background: BackgroundTasks, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run: RunFile | None = None
        self.path: Path | None = None
        self._background = background
        self._follower: RunFollower | None = None
        self._trouble = ""
        self._looking = QTimer(self, singleShot=True)
        self._looking.timeout.connect(self._look)

    def open(self, path: str | os.PathLike[str]) -> None:
        """Show the file at `path` now."""
        self._leave_file()
        self.path, self._trouble = Path(path).resolve(), ""
        self._look()

    def open_soon(self, path: Path) -> None:
        """Open the file at `path` in another thread and show it, unless another file is requested meanwhile."""
        before = self.path

        def then(follower: RunFollower) -> None:
            if self.path != before:
                follower.close()
                return
            self._leave_file()
            self.path, self._trouble = path, ""
            self._take(follower)
            self._looking.start(0)  # its contents a moment later: the panels have enough to do with the file

        def refused(error: MhoError) -> None:
            if self.path == before:
                self.path = path
                self._give_up(error)

        self._background.run(lambda: RunFollower(path), then, refused)

    def close(self) -> None:
        """Show none."""
        self.stop()
        self.opened.emit(None)

    def stop(self) -> None:
        """Close the file, and send no more signals."""
        self._looking.stop()
        self.path = None
        self._leave_file()

    def _look(self) -> None:
        """Open the file if it is not open, and pass on what has come since the last look."""
        if self.path is None:
            return
        try:
            if self._follower is None:
                self._take(RunFollower(self.path))
            assert self._follower is not None
            news = self._follower.look()
            self._looking.start(LOOK_PERIOD if news.status in GOING_ON else REST_PERIOD)
            self.news.emit(news)
        except RunFileError as error:
            self._give_up(error)

    def _take(self, follower: RunFollower) -> None:
        self._follower, self.run = follower, follower.run
        self.opened.emit(self.run)

    def _give_up(self, error: MhoError) -> None:
        """Report the error once and retry after a pause, in another thread, since a damaged file takes long."""
        if self._follower is not None:
            self._leave_file()
            self.opened.emit(None)
        if str(error) != self._trouble:
            self.unreadable.emit(str(error))
        self._trouble = str(error)
        QTimer.singleShot(REST_PERIOD, self, partial(self._try_again, self.path))

    def _try_again(self, path: Path | None) -> None:
        if path is not None and self.path == path and self._follower is None:
            self.open_soon(path)

    def _leave_file(self) -> None:
        if self._follower is not None:
            self._follower.close()
        self._follower = self.run = None
