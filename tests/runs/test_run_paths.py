from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from mho.errors import RunFileError
from mho.runs import new_run_path

NOW = datetime(2026, 3, 9, 7, 5, 1)
NAME = "20260309-070501-Solve"


def test_the_default_is_data_runs_under_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert new_run_path("Solve", environ={}, now=NOW) == Path("data/runs") / f"{NAME}.h5"
    assert not list(tmp_path.iterdir())


def test_the_environment_names_another_folder_and_output_overrules_it(tmp_path: Path) -> None:
    environ = {"MHO_RUNS": str(tmp_path / "all")}
    assert new_run_path("Solve", environ=environ, now=NOW) == tmp_path / "all" / f"{NAME}.h5"
    assert new_run_path("Solve", tmp_path, environ=environ, now=NOW) == tmp_path / f"{NAME}.h5"
    assert new_run_path("Solve", tmp_path / "a.h5", environ=environ, now=NOW) == tmp_path / "a.h5"


def test_runs_of_one_second_are_numbered(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        path = new_run_path("Solve", tmp_path, environ={}, now=NOW)
        path.touch()
        names.append(path.name)
    assert names == [f"{NAME}.h5", f"{NAME}-2.h5", f"{NAME}-3.h5"]


def test_a_folder_may_end_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "week.h5").mkdir()
    path = new_run_path("Solve", tmp_path / "week.h5", environ={}, now=NOW)
    assert path == tmp_path / "week.h5" / f"{NAME}.h5"


def test_an_existing_file_is_refused(tmp_path: Path) -> None:
    for name, message in (
        ("a.h5", r"a\.h5 exists already.*choose another output"),
        ("a.csv", r"a\.csv is a file and no folder"),
    ):
        (tmp_path / name).touch()
        with pytest.raises(RunFileError, match=message):
            new_run_path("Solve", tmp_path / name, environ={}, now=NOW)


@pytest.mark.parametrize("name", ["o.csv", "o.hdf5", "o.Mat", "runs/o.nc"])
def test_a_file_of_another_kind_is_no_folder_unless_it_is_there(tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    with pytest.raises(RunFileError, match=rf"o\{output.suffix} ends in .*give .*o\.h5.*make it first"):
        new_run_path("Solve", output, environ={}, now=NOW)
    output.mkdir(parents=True)
    assert new_run_path("Solve", output, environ={}, now=NOW) == output / f"{NAME}.h5"


@pytest.mark.parametrize("name", ["2026.03", "chip.sample", "v1.2", ".runs", "at 2.5V"])
def test_a_folder_may_have_a_point_in_its_name(tmp_path: Path, name: str) -> None:
    assert new_run_path("Solve", tmp_path / name, environ={}, now=NOW) == tmp_path / name / f"{NAME}.h5"


def test_the_clock_and_the_environment_are_used_when_none_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MHO_RUNS", str(tmp_path))
    path = new_run_path("Solve")
    assert path.parent == tmp_path
    stamp = datetime.strptime(path.name[:15], "%Y%m%d-%H%M%S")
    assert abs((datetime.now() - stamp).total_seconds()) < 5
