"""Follows a run file and returns what is new since the last look. It does not use Qt."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mho.analysis.reports import Convergence, read_convergence
from mho.errors import RunFileError
from mho.runs import Conclusion, LogEntry, RunFile, Status


@dataclass(frozen=True)
class News:
    """Changes in the file since the last read.

    Attributes
    ----------
    status, reason, conclusion
        Present status of the run; no conclusion in files of older versions.
    log : tuple of LogEntry
        New entries only.
    convergence : Convergence or None
        The whole refinement, when cycles or a forecast have come; None when nothing has.
    """

    status: Status
    reason: str
    log: tuple[LogEntry, ...]
    convergence: Convergence | None
    conclusion: Conclusion | None = None


class RunFollower:
    """An open run file, and how much of it has been seen; `RunFileError` for one that cannot be read, also by `look`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self.run = RunFile(path)
        self._entries = 0
        self._cycles = -1
        self._forecast_known = False

    def close(self) -> None:
        """Close the file."""
        self.run.close()

    def look(self) -> News:
        """Return what is new since the last look; the first look returns everything."""
        if not self._path.exists():
            raise RunFileError(f"run file {self._path} has been moved or deleted while it was open")
        # Status first: what was written before it changed is all there to be refreshed.
        status = self.run.status
        self.run.refresh()
        entries = self.run.log(self._entries)
        self._entries += len(entries)
        return News(
            status,
            self.run.reason,
            tuple(entries),
            self._new_convergence(said_something=bool(entries)),
            self.run.conclusion,
        )

    def _new_convergence(self, *, said_something: bool) -> Convergence | None:
        if "cycles" not in self.run.tables:
            return None
        # The same without the chip is recorded when the refinement has ended.
        count = sum(self.run.length(name) for name in ("cycles", "without_chip") if name in self.run.tables)
        # A forecast is an array filled in place: it shows in no length, but a procedure says it when it has it.
        if count == self._cycles and (self._forecast_known or not said_something):
            return None
        self._cycles = count
        convergence = read_convergence(self.run)
        self._forecast_known = convergence is not None and convergence.rho is not None
        return convergence
