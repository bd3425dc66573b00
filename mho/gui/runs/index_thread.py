"""Keeps and searches the index of runs in its own thread; the window asks and receives the results by signals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from mho.gui.session.task_thread import TaskThread
from mho.runs.index import NEWEST_FIRST, IndexedRun, RunIndex, condition


@dataclass(frozen=True)
class Search:
    """A search: a query of `mho.runs.index.query`, filters in addition to it, and a name to sort by."""

    query: str = ""
    filters: tuple[tuple[str, str], ...] = ()
    sort: str = NEWEST_FIRST

    @property
    def where(self) -> str:
        """Query and filters as one query."""
        query = [f"({self.query})"] if self.query.strip() else []
        return " and ".join(query + [f"{name} = {_quoted(value)}" for name, value in self.filters])


class IndexThread(TaskThread):
    """The index of the runs in `folder`, which is opened and used in this thread only.

    Signals
    -------
    found(runs, total)
        The runs, of `total` ones, by the last search: the same list object as before if nothing is new. The result of an
        earlier search that it has overtaken is dropped.
    refused(str)
        What is wrong with the query of the last search.
    failed(str)
        What is wrong with the index or a change of it.
    updated(bool, procedures, tags)
        The index is in step with the files; whether anything was new, and the names in it by which a user can filter.
    reading(int, int)
        How many files have been read, of how many, while many are new.
    """

    found = Signal(object, int)
    refused = Signal(str)
    failed = Signal(str)
    updated = Signal(bool, object, object)
    reading = Signal(int, int)

    def __init__(self, folder: Path, parent: QObject) -> None:
        super().__init__("index of runs", parent)
        self._folder = folder
        self._index: RunIndex | None = None
        self._runs: list[IndexedRun] = []  # of the last result
        self._procedures: tuple[str, ...] | None = None
        self._last = Search()
        self._updating = False

    def _open(self) -> RunIndex:
        if self._index is None:
            self._index = self.opened.enter_context(RunIndex(self._folder))
        return self._index

    def search(self, search: Search) -> None:
        """Look for runs; the answer comes by `found` or `refused`."""
        self._last = search

        def work() -> tuple[list[IndexedRun], int] | None:
            if search is not self._last:
                return None
            index = self._open()
            if search.query.strip():  # alone, so that a mistake is shown where the user made it
                condition(search.query, index.vocabulary(), datetime.now())
            runs = index.search(search.where, search.sort)
            if runs != self._runs:  # compared here, not where it would hold up the window
                self._runs = runs
            return self._runs, index.count()

        def then(matches: tuple[list[IndexedRun], int] | None) -> None:
            if matches is not None and search is self._last:
                self.found.emit(*matches)

        self.ask(work, then, lambda text: self.refused.emit(text) if search is self._last else None)

    def update(self) -> None:
        """Update the index from the files, unless an update is in progress."""
        if self._updating:
            return
        self._updating = True

        def progress(done: int, total: int) -> None:
            self.tell(lambda: self.reading.emit(done, total))
            self.run_pending()

        def work() -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
            index = self._open()
            changes = index.update(progress)
            tags = {tag for some in index.annotations.tags().values() for tag in some}
            changed = bool(changes.read or changes.gone)
            if changed or self._procedures is None:
                procedures = {run.facts.procedure for run in index.search()}
                self._procedures = tuple(sorted(procedures - {""}))
            return changed, self._procedures, tuple(sorted(tags))

        def then(result: tuple[bool, tuple[str, ...], tuple[str, ...]]) -> None:
            self._updating = False
            self.updated.emit(*result)

        def refused(text: str) -> None:
            self._updating = False
            self.failed.emit(text)

        self.ask(work, then, refused)

    def ask_index(self, work: Callable[[RunIndex], Any], then: Callable[[Any], None]) -> None:
        """Do work on the index in its thread; errors come by `failed`."""
        self.ask(lambda: work(self._open()), then, self.failed.emit)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
