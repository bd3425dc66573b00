"""The index of a folder of run files: finds, searches and links runs in milliseconds.

It is the file ``index.sqlite`` beside them, and is built from the files alone; only tags, notes and plots are nowhere else.
"""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Self

from mho import platforms
from mho.errors import InputError, RunFileError
from mho.runs.conclusion import GOING_ON, Conclusion, Status
from mho.runs.index.card import (
    SOURCES,
    UNREADABLE,
    Card,
    CardFacts,
    CardName,
    ResultQuantity,
    read_card,
    unreadable,
)
from mho.runs.index.query import Vocabulary, condition, resolved, sort_key
from mho.runs.index.store import is_on_disk, open_store, restored
from mho.runs.paths import SUFFIX
from mho.runs.sqlite_file import SqliteFile

# Files read between two writes: others may write too, and no more is lost when a rebuild is stopped
BATCH = 200
FACTS = [field.name for field in fields(CardFacts)]
CONCLUSION = ["conclusion", "line", "warnings", "measured", "unsafe"]
_COLUMNS = ", ".join(
    f'"{name}"' for name in ("id", "path", "status", "reason", "end", *CONCLUSION[1:], *FACTS)
)


@dataclass(frozen=True)
class Changes:
    """Result of an update: files read, files gone, and those read that are no readable runs."""

    read: int
    gone: int
    unreadable: int


State = tuple[int, int]  # time of change (ns) and size of a file, as of when it was read
Progress = Callable[[int, int], None]  # called with the numbers of files read and of all files


def _look_at(folder: Path, path: str, state: State) -> tuple[str, State, Card]:
    try:
        return path, state, read_card(folder / path)
    except RunFileError as error:
        # The obstacle may be gone the next time, although the file has not changed.
        passing = isinstance(error.__cause__, PermissionError) or platforms.here.is_locked(error.__cause__)
        return path, (-1, -1) if passing else state, unreadable(Path(path), error)


def _keep(store: SqliteFile, path: str, state: State, card: Card) -> None:
    store.execute("DELETE FROM runs WHERE path = ?", (path,))
    conclusion = zip(CONCLUSION, _concluded(card), strict=True)
    number = store.insert(
        "runs",
        {
            "path": path, "mtime": state[0], "size": state[1], **vars(card.facts), "status": card.status,
            "reason": card.reason, "end": card.end, **dict(conclusion), "words": _words(path, card),
        },
    )  # fmt: skip
    quantities = [
        (number, source, one.name, one.number, one.text, one.unit)
        for source, several in (("parameter", card.parameters), ("result", card.results))
        for one in several
    ]
    store.execute_each("INSERT INTO quantities VALUES (?, ?, ?, ?, ?, ?)", quantities)
    names = {(source, name, unit) for _, source, name, _, _, unit in quantities}
    store.execute_each("INSERT OR IGNORE INTO names VALUES (?, ?, ?)", list(names))


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
    texts = (
        path, *(fact for fact in vars(card.facts).values() if isinstance(fact, str)), card.status,
        card.reason, *filter(None, _concluded(card)),
        *(f"{one.name} {one.text}" for one in (*card.parameters, *card.results)),
    )  # fmt: skip
    return "\n".join(filter(None, texts)).casefold()


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


LONGEST_NAME = 80
"""Characters of the name of a plot."""


class Annotations:
    """The tags and notes of an index, and the plots that were kept for all runs of a procedure.

    Runs are named by `run_id`, see `mho.runs.index.card.CardFacts`; a method that writes raises `RunFileError` when the
    index cannot be written.
    """

    def __init__(self, store: SqliteFile) -> None:
        self._store = store

    def tags(self) -> Mapping[str, tuple[str, ...]]:
        """Return the tags of every run that has any."""
        result = self._store.rows("SELECT run_id, tag FROM tags ORDER BY run_id, tag")
        return {
            run: tuple(tag for _, tag in group) for run, group in groupby(result, lambda row: str(row[0]))
        }

    def tag(self, run_id: str, *tags: str) -> None:
        """Add tags to a run; one that it has in other capitals stays. `InputError` where a tag is no plain word."""
        _check_tags(tags)
        with self._writing():
            self._add(run_id, tags)

    def set_tags(self, run_id: str, *tags: str) -> None:
        """Give a run these tags and no others; raises as `tag`."""
        _check_tags(tags)
        with self._writing():
            self._store.execute("DELETE FROM tags WHERE run_id = ?", (run_id,))
            self._add(run_id, tags)

    def _add(self, run_id: str, tags: Sequence[str]) -> None:
        there = "SELECT 1 FROM tags WHERE run_id = ?1 AND fold(tag) = fold(?2)"
        new = f"INSERT INTO tags SELECT ?1, ?2 WHERE NOT EXISTS ({there})"
        self._store.execute_each(new, [(run_id, tag) for tag in tags])

    def untag(self, run_id: str, *tags: str) -> None:
        """Remove tags from a run; `InputError` where the run has no such tag."""
        has = self.tags().get(run_id, ())
        for tag in tags:
            if tag.casefold() not in (one.casefold() for one in has):
                raise InputError(f"the run has no tag {tag!r}; it has {', '.join(has) or 'none'}")
        with self._writing():
            self._store.execute_each(
                "DELETE FROM tags WHERE run_id = ? AND fold(tag) = fold(?)", [(run_id, tag) for tag in tags]
            )

    def note(self, run_id: str, text: str) -> None:
        """Add a note to a run; `InputError` where the note is empty."""
        if not text.strip():
            raise InputError("the note is empty; say something")
        with self._writing():
            self._store.execute("INSERT INTO notes VALUES (?, ?, ?)", (run_id, time.time(), text))

    def notes(self, run_id: str) -> list[tuple[float, str]]:
        """Return the notes on a run, oldest first: when (Unix time, s), and the text."""
        asked = "SELECT time, text FROM notes WHERE run_id = ? ORDER BY time"
        return self._store.rows(asked, (run_id,))

    def plots(self, procedure: str) -> dict[str, str]:
        """Return the plots that were kept for a procedure, by their names: texts, which the index does not look into."""
        asked = "SELECT name, text FROM plots WHERE procedure = ? ORDER BY name COLLATE FOLDED"
        return dict(self._store.rows(asked, (procedure,)))

    def keep_plot(self, procedure: str, name: str, text: str, run_id: str = "") -> None:
        """Keep a plot for a procedure, also which run it was made of; one of that name is replaced.

        `InputError` where the name is empty or too long.
        """
        _check_plot_name(name)
        with self._writing():
            values = (procedure, name, run_id, text)
            self._store.execute("INSERT OR REPLACE INTO plots VALUES (?, ?, ?, ?)", values)

    def rename_plot(self, procedure: str, name: str, new: str) -> None:
        """Give a plot another name; `InputError` where there is no such plot, or the new name is taken or none."""
        _check_plot_name(new)
        there = self.plots(procedure)
        if name not in there:
            raise InputError(f"{procedure} has no plot {name!r}; it has {', '.join(there) or 'none'}")
        if new in there and new != name:
            raise InputError(f"{procedure} has a plot {new!r} already; choose another name")
        with self._writing():
            asked = "UPDATE plots SET name = ? WHERE procedure = ? AND name = ?"
            self._store.execute(asked, (new, procedure, name))

    def remove_plot(self, procedure: str, name: str) -> None:
        """Keep a plot no longer; one that is not there is gone already."""
        with self._writing():
            self._store.execute("DELETE FROM plots WHERE procedure = ? AND name = ?", (procedure, name))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if not is_on_disk(self._store):
            raise RunFileError(
                "the folder of runs cannot be written, and neither can what is said of its runs: see to its rights, or "
                "copy it"
            )
        with self._store.changing():
            yield


def _check_plot_name(name: str) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(
            f"plot name {name[:LONGEST_NAME]!r}: give 1 to {LONGEST_NAME} letters that can be seen"
        )


def _check_tags(tags: Sequence[str]) -> None:
    for tag in tags:
        if not tag or not all(mark.isalnum() or mark in "-_.:/+" for mark in tag):
            raise InputError(f"tag {tag!r}: a tag is one word of letters, digits and - _ . : / +")


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
    facts: CardFacts
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

    def _use(self, store: SqliteFile) -> None:
        self._store = store
        self.annotations = Annotations(store)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the index."""
        self._store.close()

    def rebuild(self, progress: Progress = _quietly) -> Changes:
        """Read all files again, into a new index if the old one is damaged; tags and notes stay.

        Until that is done, the index answers from its old contents.
        """
        self._use(restored(self._store, self.folder))
        with self._store.changing():
            self._store.execute("UPDATE runs SET mtime = -1")
        changes = self.update(progress)
        with self._store.changing():
            self._store.execute(
                "DELETE FROM names WHERE NOT EXISTS (SELECT 1 FROM quantities q WHERE q.source = names.source "
                "AND q.name = names.name AND q.unit = names.unit)"
            )
        return changes

    def update(self, progress: Progress = _quietly) -> Changes:
        """Read the files that are new or have changed, and look again at those that were running."""
        store, files = self._store, dict(_run_files(self.folder))
        known = {
            path: (mtime, size, status)
            for path, mtime, size, status in store.rows("SELECT path, mtime, size, status FROM runs")
        }
        stale = [
            (path, state)
            for path, state in files.items()
            if path not in known or known[path][:2] != state or known[path][2] in GOING_ON
        ]
        gone = [(path,) for path in known if path not in files]
        unread = 0
        for start in range(0, len(stale), BATCH):
            progress(start, len(stale))
            cards = [_look_at(self.folder, path, state) for path, state in stale[start : start + BATCH]]
            with store.changing():
                for path, state, card in cards:
                    _keep(store, path, state, card)
            unread += sum(card.status == UNREADABLE for _, _, card in cards)
        if gone:
            with store.changing():
                store.execute_each("DELETE FROM runs WHERE path = ?", gone)
        return Changes(len(stale), len(gone), unread)

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
        return int(self._store.rows(f"SELECT count(*) FROM runs WHERE {test}", values)[0][0])

    def vocabulary(self) -> Vocabulary:
        """Return the names of parameters and results that can be asked for."""
        names: dict[str, dict[str, list[str]]] = {source: {} for source in SOURCES}
        for source, name, unit in self._store.rows("SELECT source, name, unit FROM names"):
            names[source].setdefault(name, []).append(unit)
        return names

    def resolve(self, name: str) -> CardName:
        """Return where a name of a query belongs and how it is spelt there: ``("result", "bits")``, ``("", "preset")``.

        Raises
        ------
        InputError
            No run has anything of that name; the nearest is named.
        """
        return resolved(name, self.vocabulary())

    def quantities(self, runs: Sequence[IndexedRun]) -> dict[int, dict[str, tuple[ResultQuantity, ...]]]:
        """Return, by a run's `id`, its ``parameter`` and ``result`` quantities."""
        result: dict[int, dict[str, tuple[ResultQuantity, ...]]] = {
            run.id: dict.fromkeys(SOURCES, ()) for run in runs
        }
        found_rows = self._store.rows(
            "SELECT run, source, name, number, text, unit FROM quantities "
            "WHERE run IN (SELECT value FROM json_each(?)) ORDER BY run, source, name",
            [str(list(result))],
        )
        for (run, source), group in groupby(found_rows, key=lambda row: (row[0], row[1])):
            result[run][source] = tuple(ResultQuantity(*row[2:]) for row in group)
        return result

    def find(self, name: str | os.PathLike[str]) -> IndexedRun:
        """Return the run that `name` means: a path, a file's name without suffix, or the beginning of an identity.

        Raises
        ------
        RunFileError
            No run, or more than one, answers to `name`; copies of one run are one, files that cannot be read are not.
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
        if len({run.facts.run_id or run.path for run in runs}) > 1:
            several = " or ".join(sorted(str(run.path) for run in runs)[:5])
            raise RunFileError(f"{str(name)!r} may mean {several}; name one by its path")
        if not runs:
            stems = [Path(row[0]).stem for row in self._store.rows("SELECT path FROM runs")]
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
        return [
            IndexedRun(
                number, Path(path), CardFacts(*facts), status, reason, end, tags.get(facts[0], ()),
                concluded(line, warnings, measured, unsafe),
            )
            for number, path, status, reason, end, line, warnings, measured, unsafe, *facts in self._store.rows(
                f"SELECT {_COLUMNS} FROM runs WHERE {rest}", values
            )
        ]  # fmt: skip
