"""The SQLite file of an index: its tables, and opening it, also when it is damaged or cannot be written.

Tags, notes and plots cannot be rebuilt from run files: they go by a run's identity or its procedure, not by its path, and
no rebuild touches them.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path

from mho import platforms
from mho.errors import RunFileError
from mho.runs.sqlite_file import BUSY, SqliteFile, use_write_ahead_log

log = logging.getLogger(__name__)

NAME = "index.sqlite"
VERSION = 3  # version of the tables made from run files; when it changes they are rebuilt

_FROM_FILES = """
DROP TABLE IF EXISTS quantities;
DROP TABLE IF EXISTS names;
DROP TABLE IF EXISTS runs;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, mtime INTEGER NOT NULL, size INTEGER NOT NULL,
    run_id TEXT, title TEXT, procedure TEXT, version TEXT, start REAL, chip TEXT, chip_hash TEXT, matrix_hash TEXT,
    bench TEXT, preset TEXT, seed TEXT, host TEXT, user TEXT, mho TEXT, "commit" TEXT, resume_of TEXT,
    rerun_of TEXT, sample TEXT, operator TEXT, project TEXT,
    status TEXT NOT NULL, reason TEXT, "end" REAL, conclusion TEXT, line TEXT, warnings TEXT,
    measured TEXT, unsafe TEXT, words TEXT NOT NULL
);
CREATE INDEX runs_by_start ON runs (start);
CREATE INDEX runs_by_identity ON runs (run_id);
CREATE INDEX runs_by_chip ON runs (chip_hash, start);
CREATE INDEX runs_by_matrix ON runs (matrix_hash, start);
CREATE INDEX runs_by_status ON runs (status);
CREATE TABLE quantities (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, source TEXT NOT NULL, name TEXT NOT NULL,
    number REAL, text TEXT NOT NULL, unit TEXT NOT NULL, PRIMARY KEY (run, source, name)
) WITHOUT ROWID;
CREATE INDEX quantities_by_number ON quantities (source, name, number);
CREATE INDEX quantities_by_text ON quantities (source, name, text COLLATE NOCASE);
CREATE TABLE names (source TEXT, name TEXT, unit TEXT, PRIMARY KEY (source, name, unit)) WITHOUT ROWID;
"""

_FROM_PEOPLE = """
CREATE TABLE IF NOT EXISTS tags (run_id TEXT, tag TEXT COLLATE NOCASE, PRIMARY KEY (run_id, tag)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (run_id TEXT, time REAL, text TEXT, PRIMARY KEY (run_id, time)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plots (
    procedure TEXT, name TEXT, run_id TEXT, text TEXT, PRIMARY KEY (procedure, name)
) WITHOUT ROWID;
"""

_WIDTHS = {"tags": 2, "notes": 3, "plots": 4}  # columns of the tables that people fill


def open_store(folder: Path) -> SqliteFile:
    """Open the index of the run files in `folder`, making it where there is none.

    In a folder that cannot be written, a copy is opened in memory. A damaged index is renamed and replaced.

    `RunFileError` where the folder is missing, or the index is busy or cannot be opened.
    """
    if not folder.is_dir():
        raise RunFileError(f"there is no folder of runs {folder}; name one with --runs or MHO_RUNS")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise RunFileError(f"folder of runs {folder} cannot be read; see to its permissions")
    path = folder / NAME
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return _in_memory(path)
    try:
        try:
            return _on_disk(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            return _put_aside(path, str(error))
    except (sqlite3.Error, OSError) as error:
        raise RunFileError(
            f"index {path} cannot be opened: {error}; see to the disk, or try again"
        ) from error


def restored(store: SqliteFile, folder: Path) -> SqliteFile:
    """Return `store` when it is sound; else a new one in its place, with what tags and notes can be saved.

    `RunFileError` where the new one cannot be made.
    """
    try:
        (verdict,) = store.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict == "ok":
        return store
    saved = {table: _rows_of(store, table) for table in _WIDTHS}
    store.close()
    try:
        new = _put_aside(folder / NAME, verdict)
    except (sqlite3.Error, OSError) as error:
        raise RunFileError(
            f"index {folder / NAME} cannot be made anew: {error}; close what has it open, or see to the disk"
        ) from error
    with new.changing():
        for table, lines in saved.items():
            marks = ", ".join("?" * _WIDTHS[table])
            new.execute_each(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", lines)
    return new


def _explained(error: sqlite3.Error, what: str) -> RunFileError:
    first = "" if what == "read" else "see to the disk, or "
    return RunFileError(
        f"the index of runs cannot be {what} ({error}); {first}make it anew: mho runs --rebuild"
    )


def is_on_disk(store: SqliteFile) -> bool:
    """Return whether an index is on disk, not only in memory."""
    return bool(store.rows("PRAGMA database_list")[0][2])


def _on_disk(path: Path) -> SqliteFile:
    return _ready(sqlite3.connect(path, timeout=BUSY, isolation_level=None))


def _put_aside(path: Path, why: str) -> SqliteFile:
    """Rename a damaged index, and start a new one."""
    aside = path.with_name(f"{NAME}.damaged-{time.time_ns()}")
    platforms.here.replace(path, aside)
    for companion in ("-wal", "-shm"):
        path.with_name(NAME + companion).unlink(missing_ok=True)
    log.error("index %s was damaged (%s); it is kept as %s and made anew", path, why, aside.name)
    return _on_disk(path)


def _rows_of(store: SqliteFile, table: str) -> list[tuple[object, ...]]:
    try:
        return store.execute(f"SELECT * FROM {table}").fetchall()
    except sqlite3.DatabaseError:
        log.error("the %s of the damaged index cannot be read; they are left in it", table)
        return []


def _in_memory(path: Path) -> SqliteFile:
    store = sqlite3.connect(":memory:", isolation_level=None)
    if path.exists():
        disk = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            disk.backup(store)
        except sqlite3.Error as error:
            log.warning("index %s cannot be read (%s): tags and notes are missing", path, error)
            store.close()
            store = sqlite3.connect(":memory:", isolation_level=None)
        finally:
            disk.close()
    return _ready(store)


def _order(one: str, other: str) -> int:
    one, other = one.casefold(), other.casefold()
    return (one > other) - (one < other)


def _version(store: sqlite3.Connection) -> int:
    return int(store.execute("PRAGMA user_version").fetchone()[0])


def _ready(store: sqlite3.Connection) -> SqliteFile:
    try:
        use_write_ahead_log(store, "NORMAL")
        store.execute("PRAGMA foreign_keys = ON")
        store.executescript(_FROM_PEOPLE)
        if _version(store) != VERSION:
            store.execute("BEGIN IMMEDIATE")
            if (
                _version(store) != VERSION
            ):  # else another thread or process made the tables, and may have filled them
                for statement in (*_FROM_FILES.split(";"), f"PRAGMA user_version = {VERSION}"):
                    store.execute(statement)
            store.execute("COMMIT")
        store.create_function("fold", 1, lambda text: str(text or "").casefold(), deterministic=True)
        store.create_collation("FOLDED", _order)  # NOCASE knows no letter beyond ASCII
    except BaseException:
        store.close()
        raise
    return SqliteFile(store, _explained)
