"""`recover` makes an ordinary file of an interrupted one, or leaves the original as it was."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

import mho.runs.writing.recovery as recovery
from mho.errors import RunFileError
from mho.runs import Layout, RunFile, RunHeader, RunWriter, Status, Verdict, Verification, recover, verify
from mho.runs.reading.opening import is_marked

StartChild = Callable[[str, Path], "subprocess.Popen[str]"]
Killed = Callable[[Path], Path]


@pytest.fixture
def left(tmp_path: Path, killed: Killed) -> Path:
    return killed(tmp_path / "left.h5")


def test_a_recovered_file_opens_everywhere_and_says_interrupted(left: Path) -> None:
    with pytest.raises(OSError, match="already open for write"):
        h5py.File(left, "r")
    assert recover(left)
    with h5py.File(left, "r") as plain:
        np.testing.assert_array_equal(plain["entry/points/a"], [0.25, 1.25, 2.25])
        assert plain["entry/status"].asstr()[()] == "interrupted"
    with RunFile(left) as file:
        assert file.status is Status.INTERRUPTED
        assert "recovered" in file.reason
        assert file.end_time is not None
        assert abs((file.end_time - file.start_time).total_seconds()) < 30
    found = verify(left)
    assert (found.verdict, found.status, found.findings) == (Verdict.SOUND, "interrupted", ())
    assert [path.name for path in left.parent.iterdir()] == ["left.h5"]
    assert not recover(left)


def test_everything_that_was_in_the_file_is_in_it_afterwards(
    tmp_path: Path, header: RunHeader, layout: Layout, start_child: StartChild
) -> None:
    path = tmp_path / "run.h5"
    child = start_child("steady", path)
    with RunFile(path) as file:
        while file.length("points") < 1000:
            file.refresh()
    child.kill()
    child.wait()
    with RunFile(path) as file:
        before = (file.table("points"), file.table("blocks"), file.map_times("image"), file.log())
        members = (file.title, file.parameters, file.provenance, file.start_time, file.default, file.summary)
        arrays = {name: file.array(name) for name in file.arrays}
        last = file.map("image")
    assert recover(path)
    with RunFile(path) as file:
        after = (file.table("points"), file.table("blocks"), file.map_times("image"), file.log())
        assert list(after[0]) == list(before[0])
        for then, now in zip(before[:2], after[:2], strict=True):
            for name in then:
                np.testing.assert_array_equal(then[name], now[name])
        np.testing.assert_array_equal(before[2], after[2])
        assert before[3] == after[3]
        assert members == (
            file.title, file.parameters, file.provenance, file.start_time, file.default, file.summary,
        )  # fmt: skip
        np.testing.assert_array_equal(file.map("image"), last)
        for name in file.arrays:
            np.testing.assert_array_equal(file.array(name), arrays[name])
    with h5py.File(path, "r") as plain:
        lengths = {len(plain[f"entry/points/{name}"]) for name in ("index", "time", "a", "b")}
        assert len(lengths) == 1


def test_nothing_is_done_to_a_finished_file(tmp_path: Path, header: RunHeader, layout: Layout) -> None:
    with RunWriter.create(tmp_path / "run.h5", header, layout) as run:
        run.emit("reads", current=1.0)
    before = run.path.read_bytes()
    assert not recover(run.path)
    assert run.path.read_bytes() == before


def test_the_file_of_a_living_writer_is_left_alone(tmp_path: Path, start_child: StartChild) -> None:
    child = start_child("silent", tmp_path / "run.h5")
    with pytest.raises(RunFileError, match="still being written"):
        recover(tmp_path / "run.h5")
    child.communicate("go on\n")
    with RunFile(tmp_path / "run.h5") as file:
        assert file.status is Status.FINISHED


def test_a_run_that_ended_and_was_killed_before_its_file_was_closed_keeps_its_status(left: Path) -> None:
    with RunFile(left) as file:
        status = file._file["entry/status"]
        place = status.id.get_offset()
    with left.open("r+b") as raw:
        raw.seek(place)
        raw.write(b"finished\0\0\0")
    assert is_marked(left)
    assert verify(left).verdict is Verdict.INTERRUPTED
    assert recover(left)
    assert verify(left) == Verification(left, Verdict.SOUND, "finished")


def test_a_damaged_original_is_kept_and_told(left: Path) -> None:
    with RunFile(left) as file:
        header = h5py.h5o.get_info(file._file["entry/points/a"].id).addr
    contents = bytearray(left.read_bytes())
    contents[header + 20] ^= 0xFF
    left.write_bytes(contents)
    with pytest.raises(RunFileError, match=r"left\.h5 (is damaged|cannot be recovered)"):
        recover(left)
    assert left.read_bytes() == contents
    assert [path.name for path in left.parent.iterdir()] == ["left.h5"]


def test_a_copy_that_is_not_sound_never_takes_the_place(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = left.read_bytes()
    settle = recovery._settle

    def settle_and_spoil(entry: h5py.Group, reason: str) -> None:
        settle(entry, reason)
        entry.file.attrs["mho_schema"] = 99

    monkeypatch.setattr(recovery, "_settle", settle_and_spoil)
    with pytest.raises(RunFileError, match=r"its copy is unreadable.*schema 99"):
        recover(left)
    assert left.read_bytes() == original
    assert [path.name for path in left.parent.iterdir()] == ["left.h5"]


def test_without_room_for_the_copy_nothing_is_begun(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=33_000_000))
    left.write_bytes(left.read_bytes() + bytes(2_000_000))
    original = left.read_bytes()
    with pytest.raises(RunFileError, match=r"the copy needs 3\d MB and its disk has 33 MB left"):
        recover(left)
    assert left.read_bytes() == original


@pytest.mark.thorough
def test_a_disk_that_fills_up_under_the_copy_leaves_the_original(left: Path) -> None:
    """In a process of its own: what HDF5 could not write must not crash it at its end either."""
    script = f"""
import resource, sys
from mho.errors import RunFileError
from mho.runs import recover
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
try:
    recover({str(left)!r})
except RunFileError as error:
    sys.stdout.write(str(error))
"""
    original = left.read_bytes()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cannot be recovered" in done.stdout
    assert "stays as it is" in done.stdout
    assert left.read_bytes() == original
    assert [path.name for path in left.parent.iterdir()] == ["left.h5"]
    assert recover(left)


def test_a_viewer_that_has_the_file_open_keeps_what_it_sees(left: Path) -> None:
    with RunFile(left) as viewer:
        assert recover(left)
        np.testing.assert_array_equal(viewer.column("points", "a"), [0.25, 1.25, 2.25])
    assert verify(left).verdict is Verdict.SOUND
