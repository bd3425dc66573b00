"""The worker of the next job waits loaded: what it is used for, when it is not, and how it ends."""

from __future__ import annotations

from pathlib import Path
from queue import SimpleQueue

import psutil
import pytest
from daily import daily
from queue_runners import Desk, eventually, order, running

from mho.processes import end_whole
from mho.running.queue import JobStatus
from mho.running.runner import Runner, worker_process
from mho.running.runner.messages import JobChanged
from mho.running.runner.worker_process import Child, ChildEnded


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "runs" / "queue.sqlite")


def waiting(runner: Runner, but: int = 0) -> int:
    """Wait for a worker without a job, another than the one with the process id `but`; return its process id."""
    return eventually(lambda: (spare := runner._spare) is not None and spare.pid != but and spare.pid)


def workers(desk: Desk) -> dict[int, int]:
    """Return the process ids of the workers that jobs had, by job."""
    changed = [event.job for event in desk.heard if isinstance(event, JobChanged)]
    return {job.id: job.worker for job in changed if job.worker is not None}


@pytest.mark.thorough
def test_each_job_has_the_worker_that_waited_and_none_is_left(desk: Desk) -> None:
    with running(desk, drain=False) as runner:
        first = waiting(runner)
        (job,) = desk.add(order(seconds=0.2))
        second = waiting(runner, but=first)
        desk.wait(job, JobStatus.FINISHED)
        (later,) = desk.add(order(seconds=0))
        third = waiting(runner, but=second)  # the end of the first job has not ended the second worker
        desk.wait(later, JobStatus.FINISHED)
    assert workers(desk) == {job: first, later: second}
    assert not any(map(psutil.pid_exists, (first, second, third)))


@pytest.mark.thorough
def test_a_runner_that_ends_with_its_last_job_starts_no_worker_ahead(desk: Desk) -> None:
    first, second = desk.add(order(seconds=0), order(seconds=0.2))
    with running(desk) as runner:
        ahead = waiting(runner)
    assert workers(desk)[first] != workers(desk)[second] == ahead
    assert (desk.job(second).status, runner._spare) == (JobStatus.FINISHED, None)


@pytest.mark.parametrize("how", daily(["killed", "of older code", "of code being edited"], ["of older code"]))
def test_a_worker_that_cannot_be_used_is_replaced(desk: Desk, how: str, tmp_path: Path, monkeypatch) -> None:
    with running(desk, drain=False) as runner:
        before = waiting(runner)
        if how == "killed":
            psutil.Process(before).kill()
        else:
            (tmp_path / "mho").mkdir()
            if how == "of older code":
                (tmp_path / "mho" / "edited.py").touch()
            else:
                (tmp_path / "mho" / ".#edited.py").symlink_to("nowhere")
            monkeypatch.setattr(worker_process, "CHECKOUT", tmp_path)
        (job,) = desk.add(order(seconds=0))
        assert desk.wait(job, JobStatus.FINISHED, JobStatus.INTERRUPTED).status == JobStatus.FINISHED
    assert workers(desk)[job] != before
    assert not psutil.pid_exists(before)


@pytest.mark.thorough
def test_a_worker_whose_runner_is_gone_before_it_has_a_job_ends_by_itself() -> None:
    inbox: SimpleQueue[ChildEnded] = SimpleQueue()
    child = Child(inbox, modules=["mho.instruments.laboratory", "no.such.module"])
    child.close_stdin()
    assert inbox.get(timeout=60).child is child
    assert (child.done, child.exit_description()) == (None, "the worker ended with exit code 0")


def test_a_family_of_workers_is_ended_together_and_no_other() -> None:
    inbox: SimpleQueue[ChildEnded] = SimpleQueue()
    here, there = [Child(inbox, "queue a") for _ in range(2)], Child(inbox, "queue a2")
    here[0].discard()
    assert here[1].usable
    end_whole(None, "queue a")
    eventually(lambda: not here[1].usable)
    assert there.usable
    there.discard()
