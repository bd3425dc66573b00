"""``kill -9`` in the middle of ``mho solve``: the run file opens, says interrupted, and holds what was measured."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from fault_table import POSIX, worker_of
from repository import ROOT

from mho.runs import RunFile, Status

pytestmark = pytest.mark.thorough


def rows_of(path: Path) -> int:
    with RunFile(path) as run:
        return run.length("pulses")


@pytest.mark.parametrize("wait", [0.0, 0.4, 1.3])
def test_a_killed_solve_leaves_a_file_that_lacks_the_last_second_at_most(tmp_path: Path, wait: float) -> None:
    path = tmp_path / "run.h5"
    solve = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mho",
            "solve",
            "mimo-16x16",
            "--seed",
            "1",
            "--output",
            str(path),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(wait)
        while wait >= 1.3 and rows_of(path) <= 100 and time.monotonic() < deadline:
            time.sleep(0.1)
        worker_of(solve).kill()  # the worker; its supervisor says how it ended
        assert solve.wait(60) == (137 if POSIX else 15)
    finally:
        solve.kill()
        solve.wait()
    with RunFile(path) as run:
        assert run.status is Status.INTERRUPTED
        rows = run.length("pulses")
        if wait >= 1.3:  # all but the last second is there
            assert rows > 100
        assert all(len(values) == rows for values in run.table("pulses").values())
        assert run.parameters["bits"].value == 24
