"""Tags and notes that people add to a run later, kept in the index by the run's identity."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby

from mho.errors import InputError, RunFileError
from mho.runs.index.store import is_kept, rows, writing


class Annotations:
    """The tags and notes of an index.

    Runs are named by `run_id`, see `mho.runs.index.card.Facts`; a method that writes raises `RunFileError` when the index
    cannot be written.
    """

    def __init__(self, store: sqlite3.Connection) -> None:
        self._store = store

    def tags(self) -> Mapping[str, tuple[str, ...]]:
        """Return the tags of every run that has any."""
        found = rows(self._store, "SELECT run_id, tag FROM tags ORDER BY run_id, tag")
        return {run: tuple(tag for _, tag in group) for run, group in groupby(found, lambda row: str(row[0]))}

    def tag(self, run_id: str, *tags: str) -> None:
        """Add tags to a run.

        Raises
        ------
        InputError
            A tag is no plain word.
        """
        for tag in tags:
            if not tag or not all(mark.isalnum() or mark in "-_.:/+" for mark in tag):
                raise InputError(f"tag {tag!r}: a tag is one word of letters, digits and - _ . : / +")
        with self._writing():
            self._store.executemany(
                "INSERT OR IGNORE INTO tags VALUES (?, ?)", [(run_id, tag) for tag in tags]
            )

    def untag(self, run_id: str, *tags: str) -> None:
        """Remove tags from a run.

        Raises
        ------
        InputError
            The run has no such tag.
        """
        has = self.tags().get(run_id, ())
        for tag in tags:
            if tag.lower() not in (one.lower() for one in has):
                raise InputError(f"the run has no tag {tag!r}; it has {', '.join(has) or 'none'}")
        with self._writing():
            self._store.executemany(
                "DELETE FROM tags WHERE run_id = ? AND tag = ?", [(run_id, tag) for tag in tags]
            )

    def note(self, run_id: str, text: str) -> None:
        """Add a note to a run.

        Raises
        ------
        InputError
            The note is empty.
        """
        if not text.strip():
            raise InputError("the note is empty; say something")
        with self._writing():
            self._store.execute("INSERT INTO notes VALUES (?, ?, ?)", (run_id, time.time(), text))

    def notes(self, run_id: str) -> list[tuple[float, str]]:
        """Return the notes on a run, oldest first: when (Unix time, s), and the text."""
        asked = "SELECT time, text FROM notes WHERE run_id = ? ORDER BY time"
        return rows(self._store, asked, (run_id,))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if not is_kept(self._store):
            raise RunFileError(
                "the folder of runs cannot be written, and neither can what is said of its runs: see to its rights, or "
                "copy it"
            )
        with writing(self._store):
            yield
