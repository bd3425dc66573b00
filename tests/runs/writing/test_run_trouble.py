from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from daily import daily
from queue_runners import eventually

from mho import platforms
from mho.errors import RunFileError
from mho.runs import Layout, RunFile, RunHeader, RunWriter, Status, Verdict, recover, verify

StartChild = Callable[[str, Path], "subprocess.Popen[str]"]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call to let the disk be full from then on, as far as anyone asks."""
    return lambda: monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_500_000))


def test_a_disk_that_fills_up_ends_the_run_and_keeps_its_data(
    tmp_path: Path, header: RunHeader, layout: Layout, full_disk: Callable[[], None]
) -> None:
    def fill_up() -> None:
        with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
            run.emit("reads", current=1.0)
            full_disk()
            run.log("INFO", "too much")

    with pytest.raises(
        RunFileError, match=r"run\.h5 cannot grow: its disk has 2 MB left.*choose another output"
    ) as raised:
        fill_up()
    assert not hasattr(raised.value, "__notes__")
    with RunFile(tmp_path / "run.h5") as file:
        assert file.status is Status.FAILED
        assert "cannot grow" in file.reason
        np.testing.assert_array_equal(file.column("reads", "current"), [1.0])
        assert file.log() == []


@pytest.mark.thorough
def test_a_full_disk_noticed_in_silence_is_told_by_the_next_call(
    tmp_path: Path, header: RunHeader, layout: Layout, full_disk: Callable[[], None]
) -> None:
    run = RunWriter.create(tmp_path / "run.h5", header, layout)
    full_disk()
    (flushing,) = (thread for thread in threading.enumerate() if thread.name == "flush run.h5")
    flushing.join(30)  # a heartbeat comes, and nothing else
    with pytest.raises(RunFileError, match="cannot grow"):
        run.emit("reads", current=1.0)
    with pytest.raises(RunFileError, match="cannot grow"):
        run.finish(Status.FINISHED)
    run.finish(Status.FINISHED)
    with RunFile(run.path) as file:
        assert file.status is Status.FAILED
        assert file.length("reads") == 0


def test_a_run_that_failed_keeps_its_own_error(
    tmp_path: Path, header: RunHeader, layout: Layout, full_disk: Callable[[], None]
) -> None:
    def fail_twice() -> None:
        with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
            full_disk()
            with pytest.raises(RunFileError):
                run.flush()
            raise ZeroDivisionError("first")

    with pytest.raises(ZeroDivisionError) as raised:
        fail_twice()
    assert "cannot grow" in raised.value.__notes__[0]
    with RunFile(tmp_path / "run.h5") as file:
        assert (file.status, file.reason) == (Status.FAILED, "ZeroDivisionError: first")


@pytest.mark.thorough
def test_a_write_that_fails_ends_the_run_without_a_crash(
    tmp_path: Path, start_child: Callable[[str, Path], subprocess.Popen[str]]
) -> None:
    child = start_child("starving", tmp_path / "run.h5")
    said, _ = child.communicate(timeout=30)
    assert child.returncode == 0
    assert "cannot be written any more (" in said
    assert "too large" in said.lower()
    with RunFile(tmp_path / "run.h5") as file:
        assert file.status is Status.FAILED
        assert "cannot be written any more" in file.reason
        assert file.end_time is not None
        points = file.table("points")
        assert len(points["index"]) > 1000
        for values in points.values():
            assert len(values) == len(points["index"])
        index = np.arange(len(points["index"]), dtype=float)
        np.testing.assert_array_equal(points["index"], index)
        np.testing.assert_array_equal(points["a"], index + 0.25)
        np.testing.assert_array_equal(points["b"], -index)


# ---------------------------------------------------------------------- real disks


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a small disk in memory, with options; only root may."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def do(options: str) -> Path:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("mounting a disk is not allowed here")
        return folder

    yield do
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


@pytest.mark.thorough
def test_a_disk_that_is_really_full_costs_nothing_that_was_flushed(
    mount: Callable[[str], Path], start_child: StartChild
) -> None:
    path = mount("size=2m") / "run.h5"
    child = start_child("filling", path)
    said, _ = child.communicate(timeout=30)
    assert child.returncode == 0
    assert "cannot be written any more (No space left on device)" in said
    with RunFile(path) as file:
        assert file.status is Status.FAILED
        assert "No space left on device" in file.reason
        points = file.table("points")
    index = np.arange(len(points["index"]), dtype=float)
    assert len(index) > 10_000
    np.testing.assert_array_equal(points["index"], index)
    np.testing.assert_array_equal(points["b"], -index)
    with pytest.raises(RunFileError, match="the copy needs"):
        recover(path)
    elsewhere = path.parents[1] / "elsewhere.h5"
    shutil.copy(path, elsewhere)
    assert recover(elsewhere)
    found = verify(elsewhere)
    assert (found.verdict, found.status) == (Verdict.SOUND, Status.FAILED)
    with RunFile(elsewhere) as file:
        np.testing.assert_array_equal(file.column("points", "index"), index)


def test_a_disk_that_cannot_be_written_is_told_before_anything_is_done(
    mount: Callable[[str], Path], header: RunHeader, layout: Layout
) -> None:
    folder = mount("ro")
    with pytest.raises(
        RunFileError, match=r"run\.h5 cannot be created.*Read-only file system.*choose another output"
    ):
        RunWriter.create(folder / "run.h5", header, layout)


def test_a_disk_without_room_for_a_beginning_is_told_in_one_line(
    mount: Callable[[str], Path], header: RunHeader, layout: Layout
) -> None:
    folder = mount("size=64k")
    with pytest.raises(
        RunFileError, match=r"run\.h5 cannot be created: its disk has 0 MB left.*choose another output"
    ):
        RunWriter.create(folder / "run.h5", header, layout)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("kilobytes", daily([1, 4, 12], [4]))
def test_a_beginning_that_cannot_be_written_is_told_and_crashes_nothing(
    tmp_path: Path, kilobytes: int, start_child: StartChild
) -> None:
    path = tmp_path / "run.h5"
    child = start_child(f"cramped-{kilobytes}", path)  # as with a quota: the disk says that it has room
    said, _ = child.communicate(timeout=30)
    assert child.returncode == 0
    assert "run.h5 cannot be created: File too large; choose another output" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.thorough
def test_a_copy_that_cannot_be_made_leaves_the_original(
    mount: Callable[[str], Path], killed: Callable[[Path], Path]
) -> None:
    path = killed(mount("size=100m") / "run.h5")
    before = path.read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(path.parent)], capture_output=True, check=True)
    with pytest.raises(RunFileError, match=r"no copy can be made beside it \(Read-only file system\)"):
        recover(path)
    assert path.read_bytes() == before
    assert verify(path).verdict is Verdict.INTERRUPTED


def test_a_viewer_that_holds_a_lock_does_not_stop_the_writer(
    tmp_path: Path, header: RunHeader, layout: Layout
) -> None:
    import fcntl

    with RunWriter.create(tmp_path / "run.h5", header, layout) as run, run.path.open("rb") as viewer:
        fcntl.flock(viewer, fcntl.LOCK_EX)
        run.emit("reads", current=1.0)
        run.flush()
        with RunFile(run.path) as reader:
            assert reader.length("reads") == 1
        run.finish(Status.FINISHED)
    assert verify(run.path).verdict is Verdict.SOUND


@pytest.mark.thorough
def test_a_folder_removed_under_a_run_is_told_and_put_back(tmp_path: Path, start_child: StartChild) -> None:
    path = tmp_path / "runs" / "run.h5"
    child = start_child("homeless", path)
    shutil.rmtree(path.parent)
    said, _ = child.communicate("gone\n", timeout=30)
    assert (child.returncode, said) == (0, "")
    found = verify(path)
    assert (found.verdict, found.status) == (Verdict.SOUND, Status.FINISHED)
    with RunFile(path) as file:
        np.testing.assert_array_equal(file.column("points", "index"), np.arange(1000.0))
        assert ["removed or renamed" in entry.message for entry in file.log()] == [True]


@pytest.mark.thorough
def test_a_file_renamed_under_a_run_is_whole_where_it_went(tmp_path: Path, start_child: StartChild) -> None:
    child = start_child("homeless", tmp_path / "run.h5")
    (tmp_path / "run.h5").rename(tmp_path / "moved.h5")
    child.communicate("gone\n", timeout=30)
    assert child.returncode == 0
    assert verify(tmp_path / "moved.h5").verdict is Verdict.SOUND
    assert not (tmp_path / "run.h5").exists()


def test_a_removed_file_never_replaces_one_that_came_in_its_place(
    tmp_path: Path, header: RunHeader, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spare").mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "spare"))
    path = tmp_path / "run.h5"
    with RunWriter.create(path, header, layout) as run:
        run.emit("reads", current=1.0)
        path.unlink()
        path.write_text("mine")
    assert path.read_text() == "mine"
    assert verify(tmp_path / "spare" / "run.h5").verdict is Verdict.SOUND


def test_a_removed_file_that_no_place_takes_is_told(
    tmp_path: Path, header: RunHeader, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "run.h5"))
    run = RunWriter.create(tmp_path / "run.h5", header, layout)
    run.path.unlink()
    run.path.write_text("mine")
    with pytest.raises(RunFileError, match="was removed while it was written, and cannot be put back"):
        run.finish(Status.FINISHED)


# ---------------------------------------------------------------------- the clock on the wall


@pytest.mark.thorough
def test_a_clock_set_back_is_noted_and_moves_no_time_in_the_file(
    tmp_path: Path, header: RunHeader, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_time = time.time
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        run.log("INFO", "before")
        monkeypatch.setattr(time, "time", lambda: true_time() - 3600)
        with RunFile(run.path) as file:
            eventually(lambda: (file.refresh(), len(file.log()))[1] >= 2)
            assert file.status is Status.RUNNING
        run.log("INFO", "after")
    with RunFile(run.path) as file:
        assert file.end_time is not None
        assert 0 < (file.end_time - file.start_time).total_seconds() < 1800
        times = [entry.time for entry in file.log()]
        assert times == sorted(times)
        _, note, _ = file.log()
    assert note.level == "WARNING"
    assert "clock was set back by 3600 s" in note.message


# ---------------------------------------------------------------------- sleep


class Clocks:
    """Clocks of a computer that sleeps when it is told to."""

    def __init__(self, counted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asleep = 0.0
        clock, wall = time.monotonic, time.time
        monkeypatch.setattr(platforms.here, "clocks", lambda: (clock() + self.asleep, clock()))
        monkeypatch.setattr(time, "time", lambda: wall() + self.asleep)
        if counted:  # as on Windows
            monkeypatch.setattr(time, "monotonic", lambda: clock() + self.asleep)
            monkeypatch.setattr(platforms.here, "clocks", lambda: (time.monotonic(), clock()))


@pytest.mark.parametrize(
    ("counted", "seconds", "words"),
    [
        (False, 2520, "42 min from"),
        (True, 2520, "42 min from"),
        (False, 30, "30 s from"),
        (False, 27000, "7.5 h from"),
    ],
)
def test_a_run_that_a_sleep_interrupted_says_so_and_takes_it_for_no_clock_that_was_set(
    counted: bool, seconds: float, words: str, tmp_path: Path, header: RunHeader, layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    clocks = Clocks(counted, monkeypatch)
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        run.log("INFO", "before")
        clocks.asleep = seconds
        with RunFile(run.path) as file:
            eventually(lambda: (file.refresh(), len(file.log()))[1] >= 2)
    with RunFile(run.path) as file:
        _, note = file.log()
        assert len(file.conclusion.warnings) == 1
    assert note.level == "WARNING"
    assert f"the computer slept for {words} " in note.message
    assert f"the times in this file {'count it' if counted else 'leave it out'}" in note.message
    assert "was set" not in note.message


def test_a_run_that_lasts_asks_once_to_stay_awake_and_keeps_a_refusal_in_its_log(
    tmp_path: Path, header: RunHeader, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    @contextmanager
    def kept_awake(reason: str) -> Iterator[str]:
        asked.append(reason)
        yield "logind refuses"
        asked.append("over")

    monkeypatch.setattr(platforms.here, "kept_awake", kept_awake)
    with RunWriter.create(tmp_path / "short.h5", header, layout):
        pass
    assert not [one for one in asked if "short" in one]
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        with RunFile(run.path) as file:
            eventually(lambda: (file.refresh(), len(file.log()))[1] >= 1)
            sign = file.last_sign
            eventually(lambda: (file.refresh(), file.last_sign)[1] > sign)
        assert asked == ["a run is measured: run.h5"]
    eventually(lambda: asked[1:] == ["over"])
    with RunFile(run.path) as file:
        (note,) = file.log()
        assert (note.level, note.message) == (
            "INFO",
            "the computer may fall asleep meanwhile: logind refuses",
        )
        assert not file.conclusion.warnings
