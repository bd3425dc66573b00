from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from queue_runners import eventually

from mho.runs import Layout, RunFile, RunHeader, RunWriter, Status

StartChild = Callable[[str, Path], "subprocess.Popen[str]"]


def check_points(points: dict[str, np.ndarray], start: int = 0) -> None:
    """Each row of the child's table follows from its index; anything not yet written would not."""
    index = np.arange(start, start + len(points["index"]), dtype=float)
    np.testing.assert_array_equal(points["index"], index)
    np.testing.assert_array_equal(points["a"], index + 0.25)
    np.testing.assert_array_equal(points["b"], -index)


@pytest.mark.thorough
def test_another_process_is_followed_to_its_end(tmp_path: Path, start_child: StartChild) -> None:
    child = start_child("brief", tmp_path / "run.h5")
    seen, looks = 0, 0
    with RunFile(tmp_path / "run.h5") as file:
        assert file.procedure == "brief"
        while file.status is Status.RUNNING:
            file.refresh()
            points = file.table("points", start=seen)
            check_points(points, seen)
            seen += len(points["index"])
            assert file.length("points") == seen
            looks += 1
        file.refresh()
        check_points(file.table("points"))
        assert file.status is Status.FINISHED
        assert file.length("points") == file.summary["rows"] >= 30_000
        assert file.map("image")[0, 0] == file.summary["rows"]
        np.testing.assert_array_equal(file.array("solution"), [1, 2])
        assert [entry.message for entry in file.log()] == ["done"]
        assert file.end_time is not None
    assert looks > 3
    assert child.wait(10) == 0


@pytest.mark.thorough
def test_an_array_filled_in_is_seen_by_who_has_looked_before(tmp_path: Path, start_child: StartChild) -> None:
    child = start_child("filling in", tmp_path / "run.h5")
    with RunFile(tmp_path / "run.h5") as file:
        assert np.isnan(file.array("solution")).all()
        assert child.stdin is not None
        child.stdin.write("go on\n")
        child.stdin.flush()
        eventually(lambda: not np.isnan(file.array("solution")).any())
        assert file.status is Status.RUNNING
        assert file.array("solution")[1] == 2.0
        for _ in range(3):
            seen = file.array("solution")[0]
            eventually(lambda last=seen: (file.refresh(), file.array("solution")[0])[1] != last)


def test_rows_become_visible_though_the_procedure_falls_silent(
    tmp_path: Path, start_child: StartChild
) -> None:
    child = start_child("silent", tmp_path / "run.h5")
    with RunFile(tmp_path / "run.h5") as file:
        eventually(lambda: (file.refresh(), file.length("points"))[1] >= 3)
        check_points(file.table("points"))
        assert file.length("points") == 3
        assert file.status is Status.RUNNING
        assert file.end_time is None
        child.communicate("go on\n")
        assert file.status is Status.FINISHED


@pytest.mark.thorough
def test_the_heart_beats_while_the_procedure_is_silent(tmp_path: Path, start_child: StartChild) -> None:
    start_child("silent", tmp_path / "run.h5")

    def beat() -> float:
        with h5py.File(tmp_path / "run.h5", "r", swmr=True) as file:
            return float(file["entry/heartbeat"][()])

    first = beat()
    eventually(lambda: beat() != first)
    assert first + 0.9 < beat() <= time.time()


def test_a_run_is_read_within_the_process_that_writes_it(
    tmp_path: Path, header: RunHeader, layout: Layout
) -> None:
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        with RunFile(run.path) as file:
            assert file.status is Status.RUNNING
            run.emit("reads", current=1.0)
            run.flush()
            file.refresh()
            assert file.length("reads") == 1
        run.emit("reads", current=2.0)
        run.set_result({"n": 2})
        staying = RunFile(run.path)
        staying.table("reads")
    with RunFile(run.path) as another:
        assert another.length("reads") == 2
    staying.refresh()
    assert staying.status is Status.FINISHED
    assert staying.summary == {"n": 2}
    np.testing.assert_array_equal(staying.column("reads", "current"), [1, 2])
    staying.close()
    with h5py.File(run.path, "r") as plain:
        assert len(plain["entry/reads/current"]) == 2


def test_a_reader_never_locks_the_writer_out(tmp_path: Path, header: RunHeader, layout: Layout) -> None:
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        readers = [RunFile(run.path) for _ in range(3)]
        run.emit("reads", current=1.0)
    for reader in readers:
        reader.refresh()
        assert reader.length("reads") == 1
        reader.close()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_fast_writer_is_followed_for_long(tmp_path: Path, start_child: StartChild) -> None:
    start_child("steady", tmp_path / "run.h5")
    until = time.monotonic() + 20
    seen = 0
    with RunFile(tmp_path / "run.h5") as file:
        while time.monotonic() < until:
            file.refresh()
            points = file.table("points", start=seen)
            check_points(points, seen)
            seen += len(points["index"])
            assert file.map("image")[0, 0] % 50 == 0 if len(file.map_times("image")) else True
    assert seen > 100_000
