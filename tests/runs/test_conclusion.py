"""What a run concludes: kept in its file, found by the index, carried into copies, and told in one line."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import h5py
import pytest
from daily import daily

from mho.errors import InputError
from mho.runs import (
    Conclusion,
    Layout,
    RunFile,
    RunHeader,
    RunIndex,
    RunWriter,
    Status,
    Verdict,
    outcome_line,
    recover,
    verify,
)
from mho.runs.conclusion import MOST_WARNINGS, WARNING_BYTES
from mho.runs.index import read_card
from mho.runs.publication import copy_for_publication

NewPath = Callable[[], Path]
END = Conclusion("64 of 64 cells unformed", ("the chuck drifted",), measured=False)


def written(
    path: Path, header: RunHeader, conclusion: Conclusion | None = END, status: Status = Status.FINISHED
) -> Path:
    with RunWriter.create(path, header, Layout()) as run:
        run.log("WARNING", "relay 3 answered late")
        run.log("INFO", "a word")
        if conclusion is not None:
            run.conclude(conclusion)
        run.finish(status, "" if status is Status.FINISHED else "LimitError: too much")
    return path


@pytest.mark.parametrize(
    ("status", "reason", "conclusion", "named", "beside"),
    [
        (
            "finished",
            "",
            Conclusion("converged, 25 bits proved"),
            "finished: converged, 25 bits proved",
            "converged, 25 bits proved",
        ),
        (
            "finished",
            "",
            Conclusion("64 of 64 cells unformed", measured=False),
            "finished, nothing measured: 64 of 64 cells unformed",
            "64 of 64 cells unformed: nothing measured",
        ),
        ("finished", "", Conclusion(measured=False), "finished, nothing measured", "nothing measured"),
        ("finished", "", None, "finished", ""),
        (
            "finished",
            "",
            Conclusion("done", ("a", "b"), unsafe="the smu is silent"),
            "finished: done; bench NOT confirmed safe (2 warnings)",
            "done; bench NOT confirmed safe (2 warnings)",
        ),
        (
            "failed",
            "LimitError:\ntoo much",
            Conclusion("", ("a",)),
            "failed: LimitError: too much (1 warning)",
            "LimitError: too much (1 warning)",
        ),
        (
            "failed",
            "UnsafeError: the smu is silent",
            Conclusion(unsafe="the smu is silent"),
            "failed: UnsafeError: the smu is silent",
            "UnsafeError: the smu is silent",
        ),
        (
            "aborted",
            "",
            Conclusion(unsafe="why"),
            "aborted; bench NOT confirmed safe",
            "bench NOT confirmed safe",
        ),
        ("running", "", Conclusion(), "running", ""),
    ],
)
def test_a_run_is_told_in_one_line(
    status: str, reason: str, conclusion: Conclusion | None, named: str, beside: str
):
    assert outcome_line(status, reason, conclusion) == named
    assert outcome_line(status, reason, conclusion, named=False) == beside


def test_a_line_is_one_line():
    assert Conclusion("two\nlines\t here", ("a\nb",)) == Conclusion("two lines here", ("a b",))


def test_the_file_keeps_it_with_the_warnings_of_the_log(new_path: NewPath, header: RunHeader):
    path = written(new_path(), header)
    with RunFile(path) as run:
        assert run.conclusion == Conclusion(
            "64 of 64 cells unformed", ("relay 3 answered late", "the chuck drifted"), measured=False
        )
    assert verify(path).verdict is Verdict.SOUND
    assert read_card(path).conclusion == Conclusion(
        "64 of 64 cells unformed", ("relay 3 answered late", "the chuck drifted"), measured=False
    )


def test_a_run_that_failed_keeps_its_warnings_and_why_its_bench_is_in_doubt(
    new_path: NewPath, header: RunHeader
):
    path = written(new_path(), header, Conclusion(unsafe="smu does not answer"), Status.FAILED)
    with RunFile(path) as run:
        assert run.conclusion == Conclusion("", ("relay 3 answered late",), True, "smu does not answer")
        assert (
            outcome_line(run.status, run.reason, run.conclusion)
            == "failed: LimitError: too much; bench NOT confirmed safe (1 warning)"
        )


def test_equal_warnings_are_kept_once_and_no_more_than_there_is_room_for(
    new_path: NewPath, header: RunHeader
):
    path = new_path()
    with RunWriter.create(path, header, Layout()) as run:
        for number in range(MOST_WARNINGS + 7):
            for _ in range(3):
                run.log("WARNING", f"\x01{number} " + '"' * 2000)
        kept = run.conclude(Conclusion("done"))
    with RunFile(path) as run:
        assert run.conclusion == kept
        assert len(run.log()) >= 3 * (MOST_WARNINGS + 7)
    *warnings, last = kept.warnings
    assert len(warnings) == len(set(warnings)) == MOST_WARNINGS
    assert max(len(one.encode()) for one in warnings) == WARNING_BYTES
    assert last == "21 more warnings are in the log"


def test_a_killed_run_keeps_the_warnings_so_far(new_path: NewPath):
    path = new_path()
    killed = (
        "import os, sys; from mho.runs import Layout, RunHeader, RunWriter; "
        "run = RunWriter.create(sys.argv[1], RunHeader('t', 'Solve', '1', {}), Layout()); "
        "run.log('WARNING', 'relay 3 answered late'); run.flush(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", killed, str(path)], check=False).returncode == 9
    for _ in range(2):
        with RunFile(path) as found:
            assert found.status is Status.INTERRUPTED
            assert found.conclusion == Conclusion("", ("relay 3 answered late",))
        recover(path)


def test_a_file_of_an_older_version_has_none(new_path: NewPath, header: RunHeader, tmp_path: Path):
    path = written(new_path(), header, None)
    with h5py.File(path, "r+") as file:
        file.attrs["mho_schema"] = 4
        del file["entry/conclusion"]
    with RunFile(path) as run:
        assert run.conclusion is None
        assert outcome_line(run.status, run.reason, run.conclusion) == "finished"
    assert read_card(path).conclusion is None
    with RunIndex(tmp_path) as index:
        index.update()
        assert [run.conclusion for run in index.search()] == [None]
        assert not index.search("measured = yes or measured = no or conclusion or warnings")


@pytest.mark.parametrize("text", daily(['{"a": 1}', "[1]", "no JSON"], 1))
def test_warnings_that_are_none_are_damage(new_path: NewPath, header: RunHeader, text: str):
    path = written(new_path(), header)
    with h5py.File(path, "r+") as file:
        del file["entry/conclusion/warnings"]
        file["entry/conclusion/warnings"] = text
    assert verify(path).verdict is not Verdict.SOUND
    with RunFile(path) as run, pytest.raises(Exception, match="damaged"):
        _ = run.conclusion


def test_runs_are_found_by_what_they_conclude(new_path: NewPath, header: RunHeader, tmp_path: Path):
    nothing = written(new_path(), header)
    good = written(new_path(), header, Conclusion("converged, 25 bits proved"))
    failed = written(new_path(), header, Conclusion(unsafe="smu is silent"), Status.FAILED)
    with RunIndex(tmp_path) as index:
        index.update()

        def names(where: str) -> set[str]:
            return {run.path.name for run in index.search(where)}

        assert names("measured = no") == names("not measured and status = finished") == {nothing.name}
        assert names("measured") == names("measured = yes") == {good.name}
        assert (
            names('conclusion ~ "nothing measured"')
            == names('text ~ "cells unformed: nothing"')
            == {nothing.name}
        )
        assert names("warnings ~ chuck") == {nothing.name}
        assert names("warnings") == {nothing.name, good.name, failed.name}
        assert names("unsafe") == {failed.name}
        found = {run.path.name: run.conclusion for run in index.search()}
        assert found == {path.name: read_card(path).conclusion for path in (nothing, good, failed)}
        with pytest.raises(InputError, match="yes or no"):
            index.search("measured = perhaps")


def test_an_index_of_an_older_version_is_made_anew(new_path: NewPath, header: RunHeader, tmp_path: Path):
    path = written(new_path(), header)
    with RunIndex(tmp_path) as index:
        index.update()
        index.annotations.tag(index.search()[0].facts.run_id, "keep")
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as store, store:
        for column in ("conclusion", "line", "warnings", "measured", "unsafe"):
            store.execute(f"ALTER TABLE runs DROP COLUMN {column}")
        store.execute("PRAGMA user_version = 1")
    with RunIndex(tmp_path) as index:
        index.update()
        (run,) = index.search()
        assert run.conclusion == read_card(path).conclusion
        assert run.tags == ("keep",)


def test_a_published_copy_has_it_without_names(new_path: NewPath, header: RunHeader):
    told = Conclusion("converged", ("no file /data/marie/x.npy on pi17",), unsafe="pi17 is silent")
    personal = {"user": "marie", "host": "pi17", "folder": "/data/marie/lab"}
    named = RunHeader(**{**vars(header), "provenance": personal})
    copy = copy_for_publication(written(new_path(), named, told), new_path())
    with RunFile(copy.path) as run:
        assert run.conclusion is not None
        assert run.conclusion.line == "converged"
        text = " ".join((*run.conclusion.warnings, run.conclusion.unsafe))
        assert not {"marie", "pi17"} & set(text.replace("/", " ").split())
        assert "is silent" in text
