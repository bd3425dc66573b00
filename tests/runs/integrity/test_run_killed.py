from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from daily import daily
from queue_runners import eventually

from mho.errors import RunFileError
from mho.runs import RunFile, Status, Verdict, clear_writer_flag, recover, verify
from mho.runs.reading.opening import SIZE, checksum, is_marked

StartChild = Callable[[str, Path], "subprocess.Popen[str]"]
MOMENTS = np.random.default_rng(20251).uniform(0.0, 0.6, 10)


@pytest.mark.thorough
@pytest.mark.parametrize("moment", MOMENTS)
def test_kill_9_costs_at_most_the_last_second(tmp_path: Path, start_child: StartChild, moment: float) -> None:
    path = tmp_path / "run.h5"
    child = start_child("steady", path)
    time.sleep(moment)
    child.kill()  # not waited for yet: a dead child that nobody has reaped is dead all the same
    with RunFile(path) as file:
        eventually(lambda: file.status is Status.INTERRUPTED)
        assert file.end_time is None
    child.wait()

    told = np.fromfile(path.with_suffix(".told"))
    emitted = told[: len(told) // 2 * 2].reshape(-1, 2)
    with RunFile(path) as file:
        assert file.status is Status.INTERRUPTED
        points = file.table("points")
        kept = len(points["index"])
        index = np.arange(kept, dtype=float)
        np.testing.assert_array_equal(points["index"], index)
        np.testing.assert_array_equal(points["a"], index + 0.25)
        np.testing.assert_array_equal(points["b"], -index)
        known = min(kept, len(emitted))
        np.testing.assert_array_equal(points["time"][:known], emitted[:known, 1])
        lost = emitted[kept:, 1]
        assert len(lost) == 0 or emitted[-1, 1] - lost[0] < 1.0

        blocks = file.table("blocks")
        np.testing.assert_array_equal(blocks["index"], np.arange(len(blocks["index"])))
        images = len(file.map_times("image"))
        for number in range(images):
            np.testing.assert_array_equal(file.map("image", number), np.full((3, 4), 50 * number))
        assert [entry.message for entry in file.log()] == [f"row {50 * n}" for n in range(len(file.log()))]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_kill_9_ten_times_ten_and_every_file_can_be_recovered(
    tmp_path: Path, start_child: StartChild, seed: int
) -> None:
    for number, moment in enumerate(np.random.default_rng(seed).uniform(0.0, 0.8, 10)):
        path = tmp_path / f"{number}.h5"
        child = start_child("steady", path)
        time.sleep(moment)
        child.kill()
        child.communicate()
        assert verify(path).verdict is Verdict.INTERRUPTED
        with RunFile(path) as file:
            before = file.table("points")
        emitted = np.fromfile(path.with_suffix(".told"))
        emitted = emitted[: len(emitted) // 2 * 2].reshape(-1, 2)
        lost = emitted[len(before["index"]) :, 1]
        assert len(lost) == 0 or emitted[-1, 1] - lost[0] < 1.0
        assert recover(path)
        assert verify(path).verdict is Verdict.SOUND
        with RunFile(path) as file:
            for name, values in file.table("points").items():
                np.testing.assert_array_equal(values, before[name])


@pytest.fixture
def left(tmp_path: Path, killed: Callable[[Path], Path]) -> Path:
    return killed(tmp_path / "left.h5")


def test_mending_lets_plain_viewers_in_and_changes_nothing_else(left: Path) -> None:
    before = left.read_bytes()
    with pytest.raises(OSError, match="already open for write"):
        h5py.File(left, "r")
    clear_writer_flag(left)
    with h5py.File(left, "r") as plain:
        np.testing.assert_array_equal(plain["entry/points/index"], [0, 1, 2])
    with RunFile(left) as file:
        assert file.status is Status.INTERRUPTED
        assert file.length("points") == 3
    assert left.read_bytes()[SIZE:] == before[SIZE:]
    mended = left.read_bytes()
    clear_writer_flag(left)
    assert left.read_bytes() == mended


def test_a_file_still_being_written_is_not_mended(tmp_path: Path, start_child: StartChild) -> None:
    start_child("silent", tmp_path / "run.h5")
    with pytest.raises(RunFileError, match="still being written"):
        clear_writer_flag(tmp_path / "run.h5")
    assert is_marked(tmp_path / "run.h5")


def test_our_checksum_is_the_one_hdf5_writes(left: Path) -> None:
    head = left.read_bytes()[:SIZE]
    assert is_marked(left)
    assert checksum(head[:44]) == int.from_bytes(head[44:], "little")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("part", daily([0.02, 0.3, 0.7], 1))
def test_a_killed_run_whose_file_was_cut_short_too_is_named_damaged(left: Path, part: float) -> None:
    contents = left.read_bytes()
    left.write_bytes(contents[: int(len(contents) * part)])
    with pytest.raises(RunFileError, match=r"left\.h5 is damaged"):
        read_everything(left)


@pytest.mark.timeout(20)
def test_damage_to_a_killed_run_is_told_at_once(left: Path) -> None:
    """In SWMR mode HDF5 would wait for hours for the metadata to become whole."""
    contents = left.read_bytes()
    random = np.random.default_rng(8)
    headers = [i for i in range(len(contents)) if contents.startswith(b"OHDR", i)]
    for place in random.choice(headers, 10, replace=False):
        damaged = bytearray(contents)
        damaged[place + 9] ^= 0xFF
        left.write_bytes(damaged)
        found = verify(left)
        assert found.verdict in (Verdict.DAMAGED, Verdict.UNREADABLE)
        assert "left.h5 is damaged" in found.findings[0] or found.findings[0].startswith("/entry")


def read_everything(path: Path) -> None:
    with RunFile(path) as file:
        assert file.status is Status.INTERRUPTED
        members = "title reason start_time end_time procedure version parameters bench chip cells provenance"
        for name in [*members.split(), "instruments", "settings_after", "summary", "default"]:
            getattr(file, name)
        file.log()
        for name in file.tables:
            file.table(name)
            file.units(name)
        for name in file.maps:
            file.map_times(name)
            file.map_axes(name)
        for name in file.arrays:
            file.array(name)
