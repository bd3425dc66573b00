"""A SQLite file that many processes use at once: a change is made whole or not at all, and errors are said in words."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from mho.errors import MhoError

BUSY = 20.0  # s to wait for another process's change; each takes milliseconds
HELD = 2.0  # s to wait for a log that cannot be opened: on Windows what ends, or a virus scanner, holds it

T = TypeVar("T")


class SqliteFile:
    """An open SQLite file.

    `explain`: makes the error to raise of one of SQLite's, and of what cannot be done: ``read`` or ``written``.
    """

    def __init__(
        self, connection: sqlite3.Connection, explain: Callable[[sqlite3.Error, str], MhoError]
    ) -> None:
        self._connection, self._explain = connection, explain

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._connection.close()

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows that a statement gives."""
        with self._explained("read"):
            return _patiently(
                lambda: self._connection.execute(statement, values).fetchall(), sqlite3.SQLITE_CANTOPEN, HELD
            )

    def value(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Return the first value that a statement gives."""
        return self.rows(statement, values)[0][0]

    def execute(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> sqlite3.Cursor:
        """Carry out a statement, as a part of a change."""
        return self._connection.execute(statement, values)

    def execute_each(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Carry out a statement with the values of each row, as a part of a change."""
        self._connection.executemany(statement, rows)

    def insert(self, table: str, row: Mapping[str, Any], verb: str = "INSERT") -> int:
        """Add a row, given by column, as a part of a change; return its number."""
        columns, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        number = self.execute(
            f"{verb} INTO {table} ({columns}) VALUES ({marks})", tuple(row.values())
        ).lastrowid
        assert number is not None  # as after every INSERT
        return number

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Run the block as one transaction: others see all of it, on the disk, or nothing."""
        with self._explained("written"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk may have ended it
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Run the block on one snapshot of the file; changes by others do not show in it."""
        with self._explained("read"):
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._explain(error, what) from error


def use_write_ahead_log(connection: sqlite3.Connection, synchronous: str) -> None:
    """Switch to WAL mode; SQLite itself does not wait here for other processes that do the same."""
    _patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"), sqlite3.SQLITE_BUSY, BUSY)
    connection.execute(f"PRAGMA synchronous = {synchronous}")


def _patiently(do: Callable[[], T], code: int, seconds: float) -> T:
    """Do it again as long as SQLite answers with a code, for some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return do()
        except sqlite3.OperationalError as error:
            found = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the extended codes say more in higher bits
            if found != code or time.monotonic() > deadline:
                raise
        time.sleep(0.01)
