from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mho_errors import RunFileError
from runs import Layout, RunFile, RunHeader, RunWriter, Status


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
        RunFileError, match=r"run\.h5 cannot grow: its disk has 2 MB left.*--output"
    ) as raised:
        fill_up()
    assert not hasattr(raised.value, "__notes__")
    with RunFile(tmp_path / "run.h5") as file:
        assert file.status is Status.FAILED
        assert "cannot grow" in file.reason
        np.testing.assert_array_equal(file.column("reads", "current"), [1.0])
        assert file.log() == []


def test_a_full_disk_noticed_in_silence_is_told_by_the_next_call(
    tmp_path: Path, header: RunHeader, layout: Layout, full_disk: Callable[[], None]
) -> None:
    run = RunWriter.create(tmp_path / "run.h5", header, layout)
    full_disk()
    time.sleep(1.3)  # a heartbeat comes, and nothing else
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
