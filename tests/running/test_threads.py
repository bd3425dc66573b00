"""Runs beside each other in threads of one process: each has its file, its seed, its warnings and its bench."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

import mho
from mho.errors import BenchError, BenchInUseError
from mho.procedures.origin import import_procedure
from mho.runs import Layout, RunHeader, RunIndex, RunWriter, Status, new_run_path
from mho.runs.writing import writer

Item = TypeVar("Item")
Result = TypeVar("Result")
MATRIX, RHS = np.array([[2.0, 0.5], [0.3, 1.5]]), np.array([1.0, 2.0])
BOTH = ["arrays", "simulated"]


@pytest.fixture(autouse=True)
def often_switched() -> Iterator[None]:
    """Let threads take turns a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def by_threads(function: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """Apply a function to all items, in threads that begin at once."""
    start = threading.Barrier(threads)

    def first_together(numbered: tuple[int, Item]) -> Result:
        if numbered[0] < threads:
            start.wait(timeout=60)
        return function(numbered[1])

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(first_together, enumerate(items)))


def read(seed: int, bench: str, folder: Path) -> Any:
    return mho.run(mho.Read(rows="0:2", columns="0:2"), bench, seed=seed, output=folder)


def solve(seed: int, bench: str, folder: Path) -> Any:
    return mho.solve(MATRIX + 0.01 * seed, RHS, bench=bench, seed=seed, output=folder)


def tables_of(path: Path) -> dict[str, dict[str, Any]]:
    with mho.open_run(path) as run:
        return {name: dict(run.table(name)) for name in run.tables}


@pytest.mark.parametrize(
    ("carry_out", "threads", "of_each"),
    [
        (read, 4, {"arrays": 4, "simulated": 2}),
        pytest.param(
            solve, 8, {"arrays": 48, "simulated": 6}, marks=[pytest.mark.thorough, pytest.mark.timeout(1200)]
        ),
    ],
)
def test_runs_in_threads_are_those_of_one_after_the_other(
    carry_out: Callable[..., Any], threads: int, of_each: dict[str, int], tmp_path: Path
) -> None:
    asked = [(seed, bench) for bench in BOTH for seed in range(of_each[bench])]
    beside = by_threads(lambda one: carry_out(*one, tmp_path / "beside"), asked, threads)
    assert len({result.path for result in beside}) == len(asked)
    for (seed, bench), result in zip(asked, beside, strict=True):
        alone = carry_out(seed, bench, tmp_path / "alone")
        with mho.open_run(result.path) as run:
            assert (run.status, int(run.seed)) == (Status.FINISHED, seed)
            assert run.result["run_file"] == str(result.path)
        np.testing.assert_equal(tables_of(result.path), tables_of(alone.path))
    with RunIndex(tmp_path / "beside") as index:
        index.update()
        assert index.count("status=finished") == len(asked)


@pytest.mark.parametrize("runs", [4, pytest.param(40, marks=pytest.mark.thorough)])
def test_runs_that_asyncio_awaits_in_threads_all_end(runs: int, tmp_path: Path) -> None:
    async def all_runs() -> list[Any]:
        todo = (asyncio.to_thread(read, seed, "arrays", tmp_path) for seed in range(runs))
        return await asyncio.gather(*todo)

    results = asyncio.run(all_runs())
    assert len({result.path for result in results}) == runs
    assert len({result.conductance.tobytes() for result in results}) == runs


class Outer(mho.Procedure):
    """Runs another procedure, on a bench of its own or on this one, in the middle of its rows."""

    same_bench = mho.BooleanParameter("On the same bench", default=False)
    folder = mho.Parameter("Folder of the inner run")

    def layout(self, plan: None) -> Layout:
        return Layout((mho.Table("rows", (mho.Column("number", dtype="u1"),)),))

    def execute(self, plan: None, bench: mho.Bench, stream: Any) -> dict[str, Any]:
        stream.record("rows", number=1)
        inner = mho.run(mho.Read(rows="0:1"), bench if self.same_bench else "arrays", output=self.folder)
        stream.record("rows", number=2)
        return {"inner": str(inner.path)}


@pytest.mark.parametrize("same", [False, True])
def test_a_run_within_a_run_has_a_file_of_its_own(same: bool, tmp_path: Path) -> None:
    def outer(seed: int) -> dict[str, Any]:
        procedure = Outer(same_bench=same, folder=str(tmp_path / "inner"))
        with mho.open_bench("arrays", seed=seed) as bench:
            result: dict[str, Any] = mho.run(procedure, bench, output=tmp_path / f"{seed}.h5")
        return result

    inner = {result["inner"] for result in by_threads(outer, range(4), 4)}
    assert len(inner) == 4
    for path in (*inner, *(str(tmp_path / f"{seed}.h5") for seed in range(4))):
        with mho.open_run(path) as run:
            assert run.status == Status.FINISHED
    np.testing.assert_array_equal(tables_of(tmp_path / "3.h5")["rows"]["number"], [1, 2])


class Warns(mho.Procedure):
    """Warns through the instruments' loggers."""

    word = mho.Parameter("Word")
    others: threading.Barrier

    def layout(self, plan: None) -> Layout:
        return Layout()

    def execute(self, plan: None, bench: mho.Bench, stream: Any) -> None:
        self.others.wait(timeout=60)
        logging.getLogger("mho.instruments.test").warning("word is %s", self.word)
        self.others.wait(timeout=60)


def test_a_warning_is_in_the_file_of_the_run_that_it_is_of(tmp_path: Path) -> None:
    others = threading.Barrier(3)

    def warn(word: str) -> None:
        procedure = Warns(word=word)
        procedure.others = others
        mho.run(procedure, "arrays", output=tmp_path / f"{word}.h5")

    words = ["one", "two", "three"]
    by_threads(warn, words, 3)
    for word in words:
        with mho.open_run(tmp_path / f"{word}.h5") as run:
            said = [entry.message for entry in run.log() if entry.level == "WARNING"]
        assert said == [f"word is {word}"]


class WarnsAround(Warns):
    """Warns, and runs a procedure that warns."""

    def execute(self, plan: None, bench: mho.Bench, stream: Any) -> None:
        inner = Warns(word="inner")
        inner.others = self.others
        mho.run(inner, "arrays", output=Path(str(self.word)).with_name("inner.h5"))
        super().execute(plan, bench, stream)


def test_a_warning_of_a_run_within_a_run_is_in_that_ones_file_only(tmp_path: Path) -> None:
    outer = WarnsAround(word=str(tmp_path / "outer.h5"))
    outer.others = threading.Barrier(1)
    mho.run(outer, "arrays", output=outer.word)
    for name, word in (("inner", "inner"), ("outer", outer.word)):
        with mho.open_run(tmp_path / f"{name}.h5") as run:
            said = [entry.message for entry in run.log() if entry.level == "WARNING"]
        assert said == [f"word is {word}"]


class Waiting(mho.Procedure):
    """Waits until it is let go."""

    begun: threading.Event
    let_go: threading.Event

    def layout(self, plan: None) -> Layout:
        return Layout()

    def execute(self, plan: None, bench: mho.Bench, stream: Any) -> None:
        self.begun.set()
        assert self.let_go.wait(timeout=60)


def test_an_open_bench_is_one_threads_at_a_time(tmp_path: Path) -> None:
    waiting = Waiting()
    waiting.begun, waiting.let_go = threading.Event(), threading.Event()
    with mho.open_bench("arrays", seed=1) as bench, ThreadPoolExecutor(1) as pool:
        first = pool.submit(mho.run, waiting, bench, output=tmp_path)
        assert waiting.begun.wait(timeout=60)
        with pytest.raises(BenchInUseError, match="in use by a run in another thread; open one for each"):
            mho.run(mho.Read(rows="0:1"), bench, output=tmp_path)
        waiting.let_go.set()
        first.result()
        mho.run(mho.Read(rows="0:1"), bench, output=tmp_path)
    with pytest.raises(BenchError, match="bench 'arrays' is closed"):
        mho.run(mho.Read(rows="0:1"), bench, output=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("threads", [8, pytest.param(64, marks=pytest.mark.thorough)])
def test_runs_of_one_second_take_names_one_after_the_other(
    threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = datetime(2026, 11, 25, 12, 3, 1)
    monkeypatch.setattr(writer, "new_run_path", partial(new_run_path, now=moment))

    def create(number: int) -> None:
        with RunWriter.create_new("read", tmp_path, RunHeader(str(number), "Read", "1", {}), Layout()):
            pass

    by_threads(create, range(threads), threads)
    stem = "20261125-120301-read"
    names = {f"{stem}.h5", *(f"{stem}-{number}.h5" for number in range(2, threads + 1))}
    assert {path.name for path in tmp_path.iterdir()} == names
    titles = set()
    for path in tmp_path.iterdir():
        with mho.open_run(path) as run:
            titles.add(run.title)
    assert titles == set(map(str, range(threads)))


def test_threads_that_open_a_new_index_at_once_all_have_all_runs(tmp_path: Path) -> None:
    for seed in range(3):
        read(seed, "arrays", tmp_path)

    def count(number: int) -> int:
        with RunIndex(tmp_path) as index:
            index.update()
            return index.count()

    for _ in range(5):
        assert by_threads(count, range(8), 8) == [3] * 8
        for path in tmp_path.glob("index.sqlite*"):
            path.unlink()


def test_threads_that_load_one_file_have_one_class(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "import time\nfrom mho import Procedure\ntime.sleep(0.05)\nclass Own(Procedure):\n    pass\n"
    )
    assert len(set(by_threads(import_procedure, [f"{own}:Own"] * 8, 8))) == 1
