"""The index of a folder against a plain model of it: the files that are there, and the tags that were given to runs."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from state_machines import daily_and_thorough

from mho import platforms
from mho.errors import InputError, RunFileError
from mho.runs import Layout, RecordedParameter, RunHeader, RunWriter, Status
from mho.runs.index import UNREADABLE, IndexedRun, RunIndex, read_card
from mho.runs.index import index as index_module
from mho.runs.index.store import NAME

PLACES = ("a.h5", "b.h5", "sub/a.h5", "sub/deep/c.h5", "sub/b.h5")
DRAFTS = (".draft.h5", ".hidden/a.h5", "sub/.b.h5")
KINDS = ("first", "second", "failed", "text", "cut")
RUNS = KINDS[:3]
TAGS = ("good", "Good", "Ärger", "ärger", "thesis/fig-3")
WORDS = ("good", "ärger", "thesis/fig-3")

places, kinds, runs, tags = (st.sampled_from(names) for names in (PLACES, KINDS, RUNS, TAGS))
processes = st.integers(0, 1)


@cache
def samples() -> Path:
    """Files to copy from: three runs, a text and half a run."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    for bits, name in enumerate(RUNS, 1):
        header = RunHeader(
            title=name, procedure="Solve", version="1", parameters={"bits": RecordedParameter(bits, "bit")}
        )
        run = RunWriter.create(folder / name, header, Layout())
        run.finish(
            Status.FAILED if name == "failed" else Status.FINISHED, "too much" if name == "failed" else ""
        )
    (folder / "text").write_text("no run at all")
    (folder / "cut").write_bytes((folder / "first").read_bytes()[:2000])
    return folder


@cache
def identity(kind: str) -> str:
    return read_card(samples() / kind).facts.run_id if kind in RUNS else ""


class KilledError(Exception):
    """The process is gone."""


class IndexStates(RuleBasedStateMachine):
    """`files` are the kinds of the files that are there, `known` those that the index shows; None where it is behind."""

    def __init__(self) -> None:
        super().__init__()
        self.batch, index_module.BATCH = index_module.BATCH, 1  # a process may be killed after any file
        self.folder = Path(tempfile.mkdtemp())
        self.files: dict[str, str] = {}
        self.known: dict[str, str] | None = {}
        self.tags: dict[str, dict[str, str]] = {
            name: {} for name in RUNS
        }  # as first spelt, by the word in small letters
        self.indexes = [RunIndex(self.folder), RunIndex(self.folder)]

    def teardown(self) -> None:
        index_module.BATCH = self.batch
        for index in self.indexes:
            index.close()
        shutil.rmtree(self.folder)

    def reopened(self, between: Callable[[Path], object]) -> None:
        for index in self.indexes:
            index.close()
        between(self.folder / NAME)
        self.indexes = [RunIndex(self.folder), RunIndex(self.folder)]

    # --- files ---

    @initialize(several=st.dictionaries(places, kinds, min_size=1))
    def begin_with_some(self, several: dict[str, str]) -> None:
        for place, kind in several.items():
            self.write(place, kind)

    @rule(place=places, kind=kinds)
    def write(self, place: str, kind: str) -> None:
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(samples() / kind, path)
        self.files[place] = kind

    @rule(place=st.sampled_from(DRAFTS), kind=kinds)
    def write_a_draft(self, place: str, kind: str) -> None:
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(samples() / kind, path)

    @precondition(lambda self: self.files)
    @rule(place=places)
    def delete(self, place: str) -> None:
        if self.files.pop(place, None):
            (self.folder / place).unlink()

    @rule(place=places, to=places)
    def rename(self, place: str, to: str) -> None:
        if place in self.files:
            (self.folder / to).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / place).replace(self.folder / to)
            self.files[to] = self.files.pop(place)

    # --- the index ---

    @rule(process=processes)
    def update(self, process: int) -> None:
        changes = self.indexes[process].update()
        if self.known is not None:
            assert changes.gone == len(self.known.keys() - self.files.keys())
        self.known = dict(self.files)
        assert self.indexes[1 - process].update().read == 0  # nothing is new to the other process

    @rule(process=processes)
    def rebuild(self, process: int) -> None:
        changes = self.indexes[process].rebuild()
        unreadable = sum(kind not in RUNS for kind in self.files.values())
        assert (changes.read, changes.unreadable) == (len(self.files), unreadable)
        self.known = dict(self.files)
        names = {("parameter", "bits")} if unreadable < len(self.files) else set()
        assert {("parameter", name) for name in self.indexes[process].vocabulary()["parameter"]} == names

    @rule(process=processes, whole=st.booleans(), files=st.integers(0, 4))
    def update_and_be_killed(self, process: int, whole: bool, files: int) -> None:
        def killed(done: int, total: int) -> None:
            if done >= files:
                raise KilledError

        index = self.indexes[process]
        try:
            (index.rebuild if whole else index.update)(killed)
            self.known = dict(self.files)
        except KilledError:
            self.known = None
        index.close()
        self.indexes[process] = RunIndex(self.folder)

    @rule(process=processes, place=places, kind=st.none() | kinds, whole=st.booleans())
    def update_while_things_happen(self, process: int, place: str, kind: str | None, whole: bool) -> None:
        """While one process reads files, one is written or deleted, and the other process updates, too."""
        happened: list[int] = []

        def meanwhile(done: int, total: int) -> None:
            if not happened:
                happened.append(done)
                self.delete(place) if kind is None else self.write(place, kind)
                other = self.indexes[1 - process]
                other.rebuild() if whole else other.update()

        self.indexes[process].update(meanwhile)
        self.known = None

    @rule(damage=st.sampled_from(["none", "text", "page", "version", "deleted"]))
    def close_and_open(self, damage: str) -> None:
        def harm(path: Path) -> None:
            if damage == "text":
                path.write_bytes(b"this is no database at all" * 100)
            elif damage == "deleted":
                path.unlink()
            elif damage != "none":
                with closing(sqlite3.connect(path)) as store, store:
                    if damage == "version":
                        store.execute("PRAGMA user_version = 999")
                    (page,) = store.execute(
                        "SELECT rootpage FROM sqlite_master WHERE name = 'runs'"
                    ).fetchone()
                    (size,) = store.execute("PRAGMA page_size").fetchone()
                store.close()
                if damage == "page":
                    with path.open("r+b") as file:
                        file.seek((page - 1) * size)
                        file.write(b"\xff" * size)

        self.reopened(harm)
        if damage == "page":
            with pytest.raises(RunFileError, match="mho runs --rebuild"):
                self.indexes[0].search()
            if not platforms.here.renames_open_files:
                self.indexes[1].close()
            self.indexes[0].rebuild()  # tags are saved
            self.indexes[1].close()
            self.indexes[1] = RunIndex(self.folder)
            self.known = dict(self.files)
        elif damage != "none":
            self.known = {}
        if damage in ("text", "deleted"):
            self.tags = {name: {} for name in RUNS}

    # --- what people say ---

    @rule(process=processes, kind=runs, tag=tags)
    def tag(self, process: int, kind: str, tag: str) -> None:
        self.indexes[process].annotations.tag(identity(kind), tag)
        self.tags[kind].setdefault(tag.casefold(), tag)

    @rule(process=processes, kind=runs, tag=tags)
    def untag(self, process: int, kind: str, tag: str) -> None:
        annotations = self.indexes[process].annotations
        if tag.casefold() in self.tags[kind]:
            annotations.untag(identity(kind), tag)
            del self.tags[kind][tag.casefold()]
        else:
            with pytest.raises(InputError, match="has no tag"):
                annotations.untag(identity(kind), tag)

    @rule(process=processes, kind=runs, words=st.lists(tags))
    def set_tags(self, process: int, kind: str, words: list[str]) -> None:
        self.indexes[process].annotations.set_tags(identity(kind), *words)
        self.tags[kind] = {word.casefold(): word for word in reversed(words)}

    @rule(process=processes, kind=runs, tag=st.sampled_from(["", "two words", 'quo"te']))
    def tag_wrongly(self, process: int, kind: str, tag: str) -> None:
        with pytest.raises(InputError, match="a tag is one word"):
            self.indexes[process].annotations.tag(identity(kind), "good", tag)
        with pytest.raises(InputError, match="a tag is one word"):
            self.indexes[process].annotations.set_tags(identity(kind), "good", tag)

    # --- looking ---

    @precondition(lambda self: self.known is not None)
    @rule(process=processes, place=places)
    def find(self, process: int, place: str) -> None:
        assert self.known is not None
        index, stem = self.indexes[process], Path(place).stem
        alike = {self.known[one] for one in self.known if Path(one).stem == stem}
        for name, several in ((place, [place] if place in self.known else alike), (stem, alike)):
            if name == place and place in self.known:
                assert index.find(name).path == Path(place)
            elif not several:
                with pytest.raises(RunFileError, match="there is no run"):
                    index.find(name)
            elif len(several) > 1 or (several & {"text", "cut"} and self.how_many(stem) > 1):
                with pytest.raises(RunFileError, match="name one by its path"):
                    index.find(name)
            else:
                assert index.find(name).path.stem == stem

    def how_many(self, stem: str) -> int:
        return sum(Path(one).stem == stem for one in self.known or ())

    @precondition(lambda self: self.known is not None)
    @rule(process=processes, tag=st.sampled_from(WORDS), bits=st.integers(1, 3), most=st.integers(0, 3))
    def search(self, process: int, tag: str, bits: int, most: int) -> None:
        assert self.known is not None
        index = self.indexes[process]
        bearing = {kind for kind in RUNS if tag in self.tags[kind]}
        if any(kind in RUNS for kind in self.known.values()):
            expected = {
                one for one, kind in self.known.items() if kind in RUNS[bits - 1 :] or kind in bearing
            }
            query = f'bits >= {bits} or tag ~ "{tag}"'
            assert {run.path.as_posix() for run in index.search(query)} == expected
            assert index.count(query) == len(expected)
        listed = index.search(sort="title", limit=most)
        titles = sorted(kind if kind in RUNS else Path(one).name for one, kind in self.known.items())
        assert [run.facts.title for run in listed] == titles[:most]

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        if self.known is None:
            return
        for index in self.indexes:
            listed = index.search()
            assert {run.path.as_posix(): described(run) for run in listed} == {
                place: (
                    identity(kind),
                    STATUSES.get(kind, UNREADABLE),
                    sorted(self.tags.get(kind, {}).values()),
                )
                for place, kind in self.known.items()
            }


STATUSES = {"first": "finished", "second": "finished", "failed": "failed"}


def described(run: IndexedRun) -> tuple[Any, ...]:
    return run.facts.run_id, run.status, sorted(run.tags)


TestIndexStates, TestIndexStatesThoroughly = daily_and_thorough(IndexStates, examples=10, steps=30, times=25)
