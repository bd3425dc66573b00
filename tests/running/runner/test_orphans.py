"""Workers and runners told apart from other processes by what the kernel says, whatever the clock does meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from queue_runners import Desk, eventually, order, running
from repository import ROOT

from mho import platforms
from mho.running.queue import Job, JobStatus, Queue
from mho.running.queue.job import runner_lives, worker_lives
from mho.running.runner.outcome import break_off, wait_for_worker

DEAF = """
import signal, time
from mho import platforms
signal.signal(signal.SIGINT, signal.SIG_IGN)
platforms.here.on_emergency(lambda: None)
print(flush=True)
time.sleep(600)
"""
FAMILY = "a queue and a bench of their own"


@pytest.fixture
def hanging() -> Iterator[subprocess.Popen[bytes]]:
    """A worker that hears nothing."""
    process = subprocess.Popen(
        [sys.executable, "-c", DEAF], cwd=ROOT, stdout=subprocess.PIPE, **platforms.here.apart()
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def job(tmp_path: Path, hanging: subprocess.Popen[bytes]) -> Job:
    with Queue(tmp_path / "queue.sqlite") as queue:
        number = queue.add(order()).id
        begun = queue.begin(
            number, run=None, worker=hanging.pid, worker_birth=platforms.here.birth_of(hanging.pid)
        )
        assert begun is not None
        return begun


@pytest.mark.parametrize("ahead", [0.0, 3600.0])
def test_a_clock_that_was_set_does_not_let_a_hanging_worker_pass_for_gone(job, hanging, ahead, monkeypatch):
    true = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: true(self) + ahead)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + ahead)
    assert worker_lives(job)
    attended = []
    end = wait_for_worker(job, FAMILY, 0.2, lambda: attended.append(time.sleep(0.01)))
    assert end.endswith("and was killed")
    assert attended
    assert platforms.here.is_kill(hanging.wait(5))
    assert wait_for_worker(job, FAMILY, 0.2, lambda: None) == "runner and worker were gone"


def test_a_worker_that_does_not_hear_is_broken_off_all_the_same(job, hanging):
    break_off(job, FAMILY, 0.3)
    assert not worker_lives(job)
    assert platforms.here.is_kill(hanging.wait(5))


def test_a_process_that_only_has_the_number_is_left_alone(job, hanging):
    other = replace(job, worker_birth=f"{job.worker_birth}0")
    for unknown in (other, replace(job, worker_birth=""), replace(job, worker_birth=None)):
        break_off(unknown, FAMILY, 0.1)
        assert wait_for_worker(unknown, FAMILY, 0.1, lambda: None) == "runner and worker were gone"
    assert hanging.poll() is None


def test_the_runner_that_began_a_job_is_known(job, hanging):
    assert (job.runner, job.runner_birth) == (os.getpid(), platforms.here.birth_of(os.getpid()))
    assert not runner_lives(job)  # it is this process, which is about to look after it
    theirs = replace(job, runner=hanging.pid, runner_birth=platforms.here.birth_of(hanging.pid))
    assert runner_lives(theirs)
    hanging.kill()
    eventually(lambda: not runner_lives(theirs))


@pytest.mark.thorough
def test_a_runner_that_starts_makes_safe_what_was_not_even_when_the_queue_is_held(tmp_path):
    desk = Desk(tmp_path / "queue.sqlite")
    (number,) = desk.add(order())
    desk.change(lambda queue: queue.hold_unsafe("simulated", "emergency stop", "not confirmed yet"))
    with running(desk):
        pass
    lane = desk.change(lambda queue: queue.lane("simulated"))
    assert (lane.held, lane.reason, lane.unsafe) == (True, "emergency stop", False)
    assert desk.job(number).status is JobStatus.QUEUED
