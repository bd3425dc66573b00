"""Keeps and searches the index of runs in its own thread; the window asks and receives the results by signals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class SearchResult:
    """The runs that a search found, of `total` ones; the same list object as before if nothing is new."""

    search: Search
    runs: list[IndexedRun]
    total: int


@dataclass(frozen=True)
class FilterWords:
    """The names in the index by which a user can filter."""

    procedures: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass
class _StoredIndex:
    """The open index and its last result; opened and used in the other thread only."""

    folder: Path
    index: RunIndex | None = None
    runs: list[IndexedRun] = field(default_factory=list)
    procedures: tuple[str, ...] | None = None

    def open(self) -> RunIndex:
        if self.index is None:
            self.index = RunIndex(self.folder)
        return self.index


class IndexThread(QObject):
    """The index of the runs in `folder`.

    Signals
    -------
    found(SearchResult)
        By the last search; the result of an earlier one that it has overtaken is dropped.
    refused(str)
        What is wrong with the query of the last search.
    failed(str)
        What is wrong with the index or a change of it.
    updated(bool, FilterWords)
        The index is in step with the files; whether anything was new.
    reading(int, int)
        How many files have been read, of how many, while many are new.
    """

    found = Signal(object)
    refused = Signal(str)
    failed = Signal(str)
    updated = Signal(bool, object)
    reading = Signal(int, int)

    def __init__(self, folder: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._task_thread = TaskThread("index of runs", self)
        self._stored = _StoredIndex(folder)
        self._last = Search()
        self._updating = False

    def search(self, search: Search) -> None:
        """Look for runs; the answer comes by `found` or `refused`."""
        self._last = search
        stored = self._stored

        def work() -> SearchResult | None:
            if search is not self._last:
                return None
            index = stored.open()
            if search.query.strip():  # alone, so that a mistake is shown where the user made it
                condition(search.query, index.vocabulary(), datetime.now())
            runs = index.search(search.where, search.sort)
            if runs != stored.runs:  # compared here, not where it would hold up the window
                stored.runs = runs
            return SearchResult(search, stored.runs, index.count())

        def then(found: SearchResult | None) -> None:
            if found is not None and search is self._last:
                self.found.emit(found)

        self._task_thread.ask(
            work, then, lambda text: self.refused.emit(text) if search is self._last else None
        )

    def update(self) -> None:
        """Update the index from the files, unless an update is in progress."""
        if self._updating:
            return
        self._updating = True
        task_thread, stored = self._task_thread, self._stored

        def progress(done: int, total: int) -> None:
            task_thread.tell(lambda: self.reading.emit(done, total))
            task_thread.run_pending()

        def work() -> tuple[bool, FilterWords]:
            index = stored.open()
            changes = index.update(progress)
            tags = {tag for some in index.annotations.tags().values() for tag in some}
            changed = bool(changes.read or changes.gone)
            if changed or stored.procedures is None:
                procedures = {run.facts.procedure for run in index.search()}
                stored.procedures = tuple(sorted(procedures - {""}))
            return changed, FilterWords(stored.procedures, tuple(sorted(tags)))

        def then(result: tuple[bool, FilterWords]) -> None:
            self._updating = False
            self.updated.emit(*result)

        def refused(text: str) -> None:
            self._updating = False
            self.failed.emit(text)

        task_thread.ask(work, then, refused)

    def ask(self, work: Callable[[RunIndex], Any], then: Callable[[Any], None]) -> None:
        """Do work on the index in its thread; errors come by `failed`."""
        stored = self._stored
        self._task_thread.ask(lambda: work(stored.open()), then, self.failed.emit)

    def close(self) -> None:
        """Close the index."""
        self._task_thread.close()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
