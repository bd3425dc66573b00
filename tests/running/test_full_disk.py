"""A disk that fills up under a run: the run fails with the reason, its data are kept, and the bench is safe."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from repository import SUPPORT, TESTS

from mho import run
from mho.errors import RunFileError
from mho.instruments import Bench, Cell, open_bench
from mho.procedures import Procedure
from mho.procedures.stream import Stream
from mho.runs import Column, Layout, RunFile, Status, Table


class Endless(Procedure):
    """Emits rows, with the bench at work, until something stops it."""

    title = "Emit without end"

    def layout(self, plan: None) -> Layout:
        return Layout((Table("rows", (Column("number"), Column("twice")), "twice", "number"),))

    def execute(self, plan: None, bench: Bench, stream: Stream) -> Any:
        bench.read(Cell("multiply", 0, 0))
        for number in range(10**6):
            stream.record("rows", number=number, twice=2 * number)
            if number % 1000 == 0:
                stream.say("still at it")


def check_rows(path: Path) -> int:
    with RunFile(path) as file:
        assert file.status is Status.FAILED
        assert "run file" in file.reason
        rows = file.table("rows")
    np.testing.assert_array_equal(rows["twice"], 2 * rows["number"])
    return len(rows["number"])


def test_a_disk_about_to_be_full_ends_the_run_and_leaves_the_bench_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = iter([10**9] * 5)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(usage, 1_000_000)))
    with open_bench(seed=1) as bench:
        with pytest.raises(RunFileError, match=r"its disk has 1 MB left.*choose another output"):
            run(Endless(), bench, output=tmp_path)
        assert bench.laboratory is not None
        assert bench.laboratory.board.mode == "SAFE"
    (path,) = tmp_path.glob("*.h5")
    assert check_rows(path) > 1000


SCRIPT = """
import sys
import mho.runs.writing.live_file as live_file
from mho.instruments import open_bench
from mho.errors import RunFileError
from mho import run
sys.path[:0] = {paths!r}
from test_full_disk import Endless

live_file.RESERVE = 0
with open_bench(seed=1) as bench:
    try:
        run(Endless(), bench, output={folder!r})
    except RunFileError as error:
        sys.stdout.write(f"{{bench.laboratory.board.mode}}: {{error}}")
"""


@pytest.mark.thorough
def test_a_disk_that_is_really_full_does_so_too(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a disk is not allowed here")
    try:
        script = SCRIPT.format(paths=[str(TESTS / "running"), str(SUPPORT)], folder=str(tmp_path))
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("SAFE: run file")
        assert "No space left on device" in done.stdout
        (path,) = tmp_path.glob("*.h5")
        assert check_rows(path) > 10_000
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], capture_output=True, check=False)
