"""`mho run` on Windows: kills, Ctrl-C and a console that is closed, after each of which the bench is safe."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from queue_runners import ROOT, SUPPORT, eventually, served_bench, unsafe_roles
from supervised_runs import LONGEST, ROLES, Runs

from mho.running.safety_statement import SUPERVISOR_GONE
from mho.runs import RunFile, Status

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "win32", reason="consoles, job objects and exit codes are Windows's"),
]


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    with served_bench(tmp_path) as (bench, laboratory):
        made = Runs(tmp_path, bench, laboratory)
        yield made
        for process in made.started:
            process.kill()
            process.communicate()


def test_a_run_that_ends_its_process_leaves_a_safe_bench_and_says_so(runs: Runs) -> None:
    status, said = runs.end(runs.start("leave"))
    assert unsafe_roles(runs.laboratory) == set()
    assert status == 3, said
    words = f"mho: the run ended with exit code 3; bench {runs.bench} was made safe by a fresh process"
    assert words in said, said
    with RunFile(runs.path) as file:
        assert file.status is Status.INTERRUPTED
        assert file.reason.startswith("the run ended with exit code 3")


def test_a_run_that_is_killed_leaves_a_safe_bench(runs: Runs) -> None:
    process = runs.start("block")
    eventually(lambda: unsafe_roles(runs.laboratory) == ROLES)
    runs.worker_of(process).kill()
    status, said = runs.end(process)
    assert unsafe_roles(runs.laboratory) == set()
    assert status == 15, said
    assert f"the run was killed; bench {runs.bench} was made safe by a fresh process" in said


def test_a_process_that_a_run_has_left_is_ended_and_the_bench_made_safe_after_it(runs: Runs) -> None:
    code, said = runs.end(runs.start("start"))
    assert unsafe_roles(runs.laboratory) == set()
    assert code == 0, said
    assert "processes that the run had left could use its bench, and were ended" in said


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_ends_a_procedure_that_sleeps(runs: Runs, presses: int) -> None:
    console = [sys.executable, str(SUPPORT / "in_a_console.py")]
    command = [sys.executable, "-m", "mho", "run", "queue_procedures:Going", "block"]
    command += ["--marker", str(runs.folder / "marker"), "--bench", runs.bench, "--output", str(runs.path)]
    with (runs.folder / "said.txt").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [*console, *command], cwd=SUPPORT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=said, text=True, creationflags=subprocess.CREATE_NO_WINDOW,
        )  # fmt: skip
    runs.started.append(process)
    eventually(lambda: unsafe_roles(runs.laboratory) == ROLES)
    assert process.stdin is not None
    for _ in range(presses):
        process.stdin.write("\n")
        process.stdin.flush()
        time.sleep(1.0)
    process.wait(LONGEST)
    assert unsafe_roles(runs.laboratory) == set()
    assert process.returncode == 130, runs.said()
    with RunFile(runs.path) as file:
        assert (file.status, file.reason) == (Status.ABORTED, "SIGINT received")


def test_a_worker_whose_supervisor_is_killed_ends_on_a_safe_bench(runs: Runs) -> None:
    process = runs.start("block")
    worker = runs.worker_of(process)
    eventually(lambda: unsafe_roles(runs.laboratory) == ROLES)
    process.kill()
    eventually(lambda: not psutil.pid_exists(worker.pid))
    eventually(lambda: unsafe_roles(runs.laboratory) == set())
    with RunFile(runs.path) as file:
        assert (file.status, file.reason) == (Status.INTERRUPTED, SUPERVISOR_GONE)


def test_a_console_that_is_closed_ends_the_run_within_what_the_system_grants(runs: Runs) -> None:
    marker = runs.folder / "marker"
    words = ["run", "queue_procedures:Going", "block", "--marker", str(marker)]
    words += ["--bench", runs.bench, "--output", str(runs.path)]
    told = {"PYTHONPATH": str(ROOT), "STOP_BY": str(marker), "STOP_AS": "close"}
    with (runs.folder / "said.txt").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [sys.executable, str(SUPPORT / "told_by_file.py"), *words],
            cwd=SUPPORT, env=os.environ | told, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=said, text=True, creationflags=subprocess.CREATE_NO_WINDOW,
        )  # fmt: skip
    runs.started.append(process)
    process.wait(LONGEST)
    assert unsafe_roles(runs.laboratory) == set()
    with RunFile(runs.path) as file:
        assert file.status is Status.ABORTED
        assert "closed console" in file.reason or "SIGINT" in file.reason, file.reason
