"""Many run files in one pass: every one measured or its reason given, on workers too, and one table of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow.parquet
import pytest

from mho.analysis.reports.collection import find_runs, left_out_tries, measure_runs, tabulate
from mho.errors import InputError
from mho.runs import RunFile
from mho.runs.index.parquet import write_parquet


@pytest.fixture
def folder(tmp_path: Path, solved: Path) -> Path:
    for number in range(5):
        place = tmp_path / "runs" / f"day{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(solved, place / f"{number}.h5")
    (tmp_path / "runs" / "broken.h5").write_bytes(b"no run")
    (tmp_path / "runs" / "notes.txt").write_text("no run either")
    return tmp_path / "runs"


def test_folders_are_searched_whole_and_in_order(folder):
    names = [path.relative_to(folder).as_posix() for path in find_runs(folder)]
    assert names == ["broken.h5", "day0/0.h5", "day0/2.h5", "day0/4.h5", "day1/1.h5", "day1/3.h5"]
    assert list(find_runs(folder / "day1/1.h5")) == [folder / "day1/1.h5"]
    with pytest.raises(InputError, match="nowhere does not exist"):
        list(find_runs(folder / "nowhere"))


def test_of_a_run_that_was_tried_again_only_the_last_try_is_found(folder):
    tried = folder / "day0"
    for name in (
        "0.failed-1.h5",
        "0.failed-2.h5",
        "7.failed-1.h5",
        "7.failed-2.h5",
        "8.failed-10.h5",
        "8.failed-9.h5",
    ):
        shutil.copy(tried / "2.h5", tried / name)
    names = [path.name for path in find_runs(tried)]
    assert names == ["0.h5", "2.h5", "4.h5", "7.failed-2.h5", "8.failed-10.h5"]
    assert left_out_tries(folder) == (
        "4 earlier tries of runs that were tried again are left out: 0.failed-1.h5, 0.failed-2.h5, 7.failed-1.h5 and 1 more"
    )
    assert len(list(find_runs(tried, every_try=True))) == 9
    named = tried / "0.failed-1.h5"
    assert list(find_runs(named)) == [named]
    assert left_out_tries(named) == ""


def test_one_earlier_try_is_said_in_the_singular(folder):
    shutil.copy(folder / "day1/1.h5", folder / "day1/1.failed-1.h5")
    told = "1 earlier try of a run that was tried again is left out: 1.failed-1.h5"
    assert left_out_tries(folder) == told
    assert left_out_tries(folder / "day0") == ""


def facts(run):
    return {"status": str(run.status), "bits": run.parameters["bits"].value}


def test_every_file_gives_a_row_or_its_reason(folder):
    measured = list(measure_runs(find_runs(folder), facts))
    broken = measured[0]
    assert broken.row is None
    assert "broken.h5" in broken.reason
    rows = [one.row for one in measured[1:]]
    assert all(row == rows[0] for row in rows)
    with RunFile(folder / "day0/0.h5") as run:
        assert rows[0]["status"] == run.status
        assert rows[0]["bits"] == run.parameters["bits"].value


def test_files_are_opened_one_at_a_time_as_rows_are_asked_for(folder):
    opened: list[Path] = []

    def paths():
        for path in find_runs(folder):
            opened.append(path)
            yield path

    pass_over = measure_runs(paths(), facts)
    next(pass_over)
    next(pass_over)
    assert len(opened) == 2


def test_what_a_measurement_does_not_find_is_a_reason_too(folder):
    measured = list(measure_runs(find_runs(folder / "day0"), lambda run: {"x": run.column("nothing", "x")}))
    assert all(one.row is None and "nothing" in one.reason for one in measured)


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_workers_make_the_same_table(folder, tmp_path):
    alone, spread = tmp_path / "alone.csv", tmp_path / "spread.csv"
    assert tabulate([folder], alone) == tabulate([folder], spread, workers=1)
    assert spread.read_text("utf-8") == alone.read_text("utf-8")


def test_a_table_bears_rows_that_differ(tmp_path):
    rows = [{"a": 1, "b": "x", "c": None}, {"a": 2.5, "b": 3}, {"d": True}]
    write_parquet(rows, tmp_path / "t.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pylist() == [
        {"a": 1.0, "b": "x", "c": None, "d": None},
        {"a": 2.5, "b": "3", "c": None, "d": None},
        {"a": None, "b": None, "c": None, "d": True},
    ]


@pytest.mark.parametrize("what", ["pipe", "broken", "empty"])
def test_where_no_run_is_found_the_table_stays_as_it_is(what, tmp_path):
    place = tmp_path / "place.h5"
    if what == "pipe":
        os.mkfifo(place)
    elif what == "broken":
        place.write_bytes(b"no run")
    else:
        place.mkdir()
    table = tmp_path / "runs.parquet"
    table.write_bytes(b"of yesterday")
    told = "is a pipe, a device or a socket" if what == "pipe" else "no run was found, so"
    with pytest.raises(InputError, match=told) as refused:
        tabulate([place], table)
    assert str(table if what != "pipe" else place) in str(refused.value)
    assert ("is not an HDF5 file" in str(refused.value)) is (what == "broken")
    assert table.read_bytes() == b"of yesterday"


def test_a_table_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_parquet([{"a": 1}], tmp_path / "nowhere" / "t.parquet")
    (tmp_path / "t.parquet").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_parquet([{"a": 1}], tmp_path / "t.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
