"""Updates the tables of an index from the run files in its folder."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from mho.errors import RunFileError
from mho.runs.conclusion import Conclusion
from mho.runs.index.card import UNREADABLE, Card, Facts, read_card, unreadable
from mho.runs.index.store import rows, writing
from mho.runs.paths import SUFFIX
from mho.runs.schema import GOING_ON, Status

BATCH = 200
"""Files read between two writes: others may write too, and no more is lost when a rebuild is stopped."""

FACTS = [field.name for field in fields(Facts)]
CONCLUSION = ["conclusion", "line", "warnings", "measured", "unsafe"]
_COLUMNS = ["path", "mtime", "size", *FACTS, "status", "reason", "end", *CONCLUSION, "words"]


def quoted(names: Iterable[str]) -> str:
    """Return column names as SQL wants them, some being words of its own."""
    return ", ".join(f'"{name}"' for name in names)


_INSERT = f"INSERT INTO runs ({quoted(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) RETURNING id"


@dataclass(frozen=True)
class Changes:
    """Result of an update: files read, files gone, and those read that are no readable runs."""

    read: int
    gone: int
    unreadable: int


State = tuple[int, int]
"""Time of change (ns) and size of a file, as of when it was read."""

Progress = Callable[[int, int], None]
"""Called with the numbers of files read and of all files."""


def update(store: sqlite3.Connection, folder: Path, progress: Progress) -> Changes:
    """Read the files that are new or have changed, and look again at those that were running."""
    known = {
        path: (mtime, size, status)
        for path, mtime, size, status in rows(store, "SELECT path, mtime, size, status FROM runs")
    }
    found = dict(_run_files(folder))
    stale = [
        (path, state)
        for path, state in found.items()
        if path not in known or known[path][:2] != state or known[path][2] in GOING_ON
    ]
    gone = [(path,) for path in known if path not in found]
    unread = 0
    for start in range(0, len(stale), BATCH):
        progress(start, len(stale))
        batch = stale[start : start + BATCH]
        cards = [_look_at(folder, path, state) for path, state in batch]
        with writing(store):
            for path, state, card in cards:
                _keep(store, path, state, card)
        unread += sum(card.status == UNREADABLE for _, _, card in cards)
    if gone:
        with writing(store):
            store.executemany("DELETE FROM runs WHERE path = ?", gone)
    return Changes(len(stale), len(gone), unread)


def read_anew(store: sqlite3.Connection, folder: Path, progress: Progress) -> Changes:
    """Read every file again; until that is done, the index answers from its old contents."""
    with writing(store):
        store.execute("UPDATE runs SET mtime = -1")
    changes = update(store, folder, progress)
    with writing(store):
        store.execute(
            "DELETE FROM names WHERE NOT EXISTS (SELECT 1 FROM quantities q WHERE q.source = names.source "
            "AND q.name = names.name AND q.unit = names.unit)"
        )
    return changes


def _look_at(folder: Path, path: str, state: State) -> tuple[str, State, Card]:
    try:
        return path, state, read_card(folder / path)
    except RunFileError as error:
        # The obstacle may be gone the next time, although the file has not changed.
        passing = isinstance(error.__cause__, BlockingIOError | PermissionError)
        return path, (-1, -1) if passing else state, unreadable(Path(path), error)


def _keep(store: sqlite3.Connection, path: str, state: State, card: Card) -> None:
    store.execute("DELETE FROM runs WHERE path = ?", (path,))
    row = [
        path,
        *state,
        *vars(card.facts).values(),
        card.status,
        card.reason,
        card.end,
        *_concluded(card),
        _words(path, card),
    ]
    (number,) = store.execute(_INSERT, row).fetchone()
    quantities = [
        (number, source, one.name, one.number, one.text, one.unit)
        for source, several in (("parameter", card.parameters), ("result", card.results))
        for one in several
    ]
    store.executemany("INSERT INTO quantities VALUES (?, ?, ?, ?, ?, ?)", quantities)
    names = {(source, name, unit) for _, source, name, _, _, unit in quantities}
    store.executemany("INSERT OR IGNORE INTO names VALUES (?, ?, ?)", names)


def _concluded(card: Card) -> tuple[str | None, ...]:
    """Return the columns `CONCLUSION` of a run; NULL in that of an older mho."""
    end = card.conclusion
    if end is None:
        return (None,) * len(CONCLUSION)
    finished = card.status == Status.FINISHED
    measured = ("yes" if end.measured else "no") if finished else None
    return end.text if finished else "", end.line, "\n".join(end.warnings), measured, end.unsafe


def concluded(line: str | None, warnings: str, measured: str | None, unsafe: str) -> Conclusion | None:
    """Return the conclusion that an index keeps in its columns; None where there is none."""
    if line is None:
        return None
    return Conclusion(line, tuple(filter(None, warnings.split("\n"))), measured != "no", unsafe)


def _words(path: str, card: Card) -> str:
    """Return all text about a run, folded for a search without regard to case."""
    told = (
        path,
        *(fact for fact in vars(card.facts).values() if isinstance(fact, str)),
        card.status,
        card.reason,
        *filter(None, _concluded(card)),
        *(f"{one.name} {one.text}" for one in (*card.parameters, *card.results)),
    )
    return "\n".join(filter(None, told)).casefold()


def _run_files(folder: Path, below: str = "") -> Iterator[tuple[str, State]]:
    """Yield path (relative, with /) and state of every run file; hidden ones are drafts."""
    try:
        entries = list(os.scandir(folder / below))
    except OSError:
        return  # removed meanwhile, or not for us
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = f"{below}{entry.name}"
        try:
            if entry.name.endswith(SUFFIX):
                stat = entry.stat()
                yield path, (stat.st_mtime_ns, stat.st_size)
            elif entry.is_dir(follow_symlinks=False):
                yield from _run_files(folder, f"{path}/")
        except OSError:
            continue
