"""The index of a folder of run files: finds, searches and links runs in milliseconds. It is built from the files alone.

It is the file ``index.sqlite`` beside them. It notices changed files by size and modification time. Only tags and
notes are stored nowhere else, see `mho.runs.index.store`.
"""

from __future__ import annotations

import difflib
import os
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mho.errors import RunFileError
from mho.runs.conclusion import Conclusion
from mho.runs.index.annotations import Annotations
from mho.runs.index.card import Facts, Quantity
from mho.runs.index.query_sql import SOURCES, Vocabulary, condition, resolved, sort_key
from mho.runs.index.store import open_store, restored, rows
from mho.runs.index.update import CONCLUSION, FACTS, Changes, Progress, concluded, quoted, read_anew, update
from mho.runs.paths import SUFFIX
from mho.runs.schema import GOING_ON

NEWEST_FIRST = "-start"


@dataclass(frozen=True, slots=True)
class IndexedRun:
    """A run in the index; `facts`, `status`, `reason`, `end` and `conclusion` as in `mho.runs.index.card.Card`.

    Attributes
    ----------
    id : int
        Row of the index; another after a rebuild.
    path : Path
        Relative to the folder of the index.
    tags : tuple of str
    """

    id: int
    path: Path
    facts: Facts
    status: str
    reason: str
    end: float | None
    tags: tuple[str, ...]
    conclusion: Conclusion | None = None

    @property
    def duration(self) -> float | None:
        """Seconds from start to end, or until now while it runs; None when that is not known."""
        end = time.time() if self.status in GOING_ON else self.end
        return None if end is None or self.facts.start is None else end - self.facts.start


@dataclass(frozen=True)
class Links:
    """The runs that are linked to a run, newest first."""

    resume_of: tuple[IndexedRun, ...]
    rerun_of: tuple[IndexedRun, ...]
    resumed_by: tuple[IndexedRun, ...]
    rerun_by: tuple[IndexedRun, ...]
    same_chip: tuple[IndexedRun, ...]
    same_matrix: tuple[IndexedRun, ...]


def _quietly(done: int, total: int) -> None:
    """Report no progress."""


class RunIndex:
    """The index of the run files in a folder and the folders below it; a context manager.

    Opening it reads no run file: call `update` to find new ones.

    Parameters
    ----------
    folder : path
        Where the run files are.

    Attributes
    ----------
    annotations : Annotations
        Tags and notes.

    Raises
    ------
    RunFileError
        The folder is missing, or the index cannot be opened; by every method: it is damaged or cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._use(open_store(self.folder))

    def _use(self, store: sqlite3.Connection) -> None:
        self._store = store
        self.annotations = Annotations(store)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the index."""
        self._store.close()

    def rebuild(self, progress: Progress = _quietly) -> Changes:
        """Read all files again, into a new index if the old one is damaged; tags and notes stay."""
        self._use(restored(self._store, self.folder))
        return read_anew(self._store, self.folder, progress)

    def update(self, progress: Progress = _quietly) -> Changes:
        """Read the files that are new or have changed, and look again at those that were running."""
        return update(self._store, self.folder, progress)

    def search(self, where: str = "", sort: str = NEWEST_FIRST, limit: int | None = None) -> list[IndexedRun]:
        """Return the runs for which the query `where` holds, all when it is empty.

        Parameters
        ----------
        where : str
            See `mho.runs.index.query`.
        sort : str
            A name to order by, with "-" before it for the largest first. Runs without it come last.
        limit : int, optional
            At most so many.

        Raises
        ------
        InputError
            The query is wrong or asks for a name that no run has.
        """
        vocabulary = self.vocabulary()
        test, values = condition(where, vocabulary, datetime.now())
        order, keys = sort_key(sort, vocabulary)
        most = -1 if limit is None else limit
        return self._select(f"{test} ORDER BY {order}, runs.id LIMIT ?", [*values, *keys, most])

    def count(self, where: str = "") -> int:
        """Return how many runs `search` would find without a limit."""
        test, values = condition(where, self.vocabulary(), datetime.now())
        return int(self._rows(f"SELECT count(*) FROM runs WHERE {test}", values)[0][0])

    def vocabulary(self) -> Vocabulary:
        """Return the names of parameters and results that can be asked for."""
        names: dict[str, dict[str, list[str]]] = {source: {} for source in SOURCES}
        for source, name, unit in self._rows("SELECT source, name, unit FROM names"):
            names[source].setdefault(name, []).append(unit)
        return Vocabulary(**names)

    def resolve(self, name: str) -> tuple[str, str]:
        """Return where a name of a query belongs and how it is spelt there: ``("result", "bits")``, ``("", "preset")``.

        Raises
        ------
        InputError
            No run has anything of that name; the nearest is named.
        """
        return resolved(name, self.vocabulary())

    def quantities(self, runs: Sequence[IndexedRun]) -> dict[int, dict[str, tuple[Quantity, ...]]]:
        """Return, by a run's `id`, its ``parameter`` and ``result`` quantities."""
        found: dict[int, dict[str, tuple[Quantity, ...]]] = {
            run.id: dict.fromkeys(SOURCES, ()) for run in runs
        }
        found_rows = self._rows(
            "SELECT run, source, name, number, text, unit FROM quantities "
            "WHERE run IN (SELECT value FROM json_each(?)) ORDER BY run, source, name",
            [str(list(found))],
        )
        for (run, source), group in groupby(found_rows, key=lambda row: (row[0], row[1])):
            found[run][source] = tuple(Quantity(*row[2:]) for row in group)
        return found

    def find(self, name: str | os.PathLike[str]) -> IndexedRun:
        """Return the run that `name` means: a path, a file's name without suffix, or the beginning of an identity.

        Raises
        ------
        RunFileError
            No run, or more than one, answers to `name`.
        """
        path = Path(name)
        whole, root = path.resolve(), self.folder.resolve()
        inside = whole.relative_to(root).as_posix() if whole.is_relative_to(root) else path.as_posix()
        runs = self._select("path IN (?, ?)", [inside, path.as_posix()])
        if not runs:
            stem = path.name.removesuffix(SUFFIX)
            runs = [run for run in self._select("instr(path, ?) > 0", [stem]) if run.path.stem == stem]
        if not runs and len(str(name)) >= 4:
            runs = self._select("substr(run_id, 1, ?) = ?", [len(str(name)), str(name).lower()])
        if len({run.facts.run_id for run in runs}) > 1:
            several = " or ".join(str(run.path) for run in runs[:5])
            raise RunFileError(f"{str(name)!r} may mean {several}; name one by its path")
        if not runs:
            stems = [Path(row[0]).stem for row in self._rows("SELECT path FROM runs")]
            near = difflib.get_close_matches(path.stem, stems, 1)
            meant = f"did you mean {near[0]}?" if near else "`mho runs` lists those there are"
            raise RunFileError(f"there is no run {str(name)!r} in {self.folder}; {meant}")
        return runs[0]

    def links(self, run: IndexedRun, most: int = 20) -> Links:
        """Return the runs that are linked to `run`, at most so many a kind, without copies of its own file."""

        def others(test: str, value: str) -> tuple[IndexedRun, ...]:
            asked = f"{test} AND run_id <> ? ORDER BY start DESC LIMIT ?"
            return tuple(self._select(asked, [value, run.facts.run_id, most])) if value else ()

        facts = run.facts
        return Links(
            resume_of=others("run_id = ?", facts.resume_of),
            rerun_of=others("run_id = ?", facts.rerun_of),
            resumed_by=others("resume_of = ?", facts.run_id),
            rerun_by=others("rerun_of = ?", facts.run_id),
            same_chip=others("chip_hash = ?", facts.chip_hash),
            same_matrix=others("matrix_hash = ?", facts.matrix_hash),
        )

    def _select(self, rest: str, values: Sequence[object]) -> list[IndexedRun]:
        tags = self.annotations.tags()
        columns = quoted(["id", "path", "status", "reason", "end", *CONCLUSION[1:], *FACTS])
        return [
            IndexedRun(
                number,
                Path(path),
                Facts(*facts),
                status,
                reason,
                end,
                tags.get(facts[0], ()),
                concluded(line, warnings, measured, unsafe),
            )
            for number, path, status, reason, end, line, warnings, measured, unsafe, *facts in self._rows(
                f"SELECT {columns} FROM runs WHERE {rest}", values
            )
        ]

    def _rows(self, asked: str, values: Sequence[object] = ()) -> list[Any]:
        return rows(self._store, asked, values)
