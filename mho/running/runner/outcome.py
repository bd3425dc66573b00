"""How an attempt at a job ended: by its worker's last message, else by its run file, also when its runner was killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mho import platforms, runs
from mho.errors import RunFileError
from mho.processes import end_whole
from mho.running.queue.job import ACTIVE, Job, JobStatus, runner_lives, worker_lives
from mho.running.runner.messages import JobDone
from mho.runs.conclusion import GOING_ON, Status


@dataclass(frozen=True)
class JobOutcome(JobDone):
    """How an attempt ended, also where its worker could not say it."""

    asked: bool = False  # whether a user requested its stop: it is then never run again automatically
    ended: float | None = None  # when, as its run file says, Unix time, s; None for just now


def recorded_outcome(run: Path | None, end: str, asked: str = "") -> JobOutcome:
    """Return the outcome of an attempt whose worker is gone without a last message.

    `asked`: why it had been asked to stop; empty otherwise.
    """
    why = f"{asked}; {end}" if asked else end
    try:
        if run is None or not run.exists():
            if asked:
                return JobOutcome(Status.ABORTED, why, asked=True)
            return JobOutcome(Status.INTERRUPTED, f"{end}, before its run file was begun")
        with runs.RunFile(run) as file:  # which few attempts need, and HDF5 with it
            status, reason, ended = file.status, file.reason, file.last_sign
            conclusion = file.conclusion
    except RunFileError as error:
        return JobOutcome(Status.INTERRUPTED, f"{why}; {error}", asked=bool(asked))
    if status in GOING_ON:  # the file is not the worker's that is gone, or its end is not yet to be seen
        status = Status.INTERRUPTED
    reason = reason or ("" if status is Status.FINISHED else why)
    return JobOutcome(status, reason, asked=bool(asked), ended=ended, conclusion=conclusion)


def wait_for_worker(job: Job, family: str, patience: float, attend: Callable[[], object]) -> str:
    """Wait until the worker of `job` and all processes that it started are gone; return how it ended.

    Its input has ended with its runner, so it stops at its next safe point and makes the bench safe; one that
    does not is killed.

    `family`: mark of all that it started.
    `patience`: how long it may take, s.
    `attend`: does other work for a moment.
    """
    try:
        if not worker_lives(job):
            return "runner and worker were gone"
        deadline = time.monotonic() + patience
        while worker_lives(job):
            if time.monotonic() >= deadline:
                end_whole(job.worker, family)
                late = f"did not end within {patience:g} s after its runner was gone, and was killed"
                return f"its worker {job.worker} {late}"
            attend()
        return "the runner was gone"
    finally:
        end_whole(None, family)


def break_off(job: Job, family: str, patience: float) -> None:
    """End the worker of `job` at once, without its runner: it makes the bench safe itself, or is killed."""
    deadline = time.monotonic() + patience
    if job.worker is not None and worker_lives(job):
        platforms.here.call_emergency(job.worker)
    while worker_lives(job) and time.monotonic() < deadline:
        time.sleep(patience / 50)
    end_whole(job.worker if worker_lives(job) else None, family)


def as_it_stands(job: Job) -> Job:
    """Return a job in its true state: a job whose worker is gone does not run, whatever the queue still says.

    The word for it is that of its run file, so that it is called the same wherever it is shown. A runner settles it: its
    own, which may take its time to make the bench safe, or the next one.
    """
    if job.status not in ACTIVE or worker_lives(job):
        return job
    end = "its runner settles it" if runner_lives(job) else "left by a runner that is gone"
    outcome = recorded_outcome(job.run, end, job.reason)
    return replace(
        job, status=JobStatus(outcome.status), reason=outcome.reason, ended=outcome.ended,
        conclusion=outcome.conclusion,
    )  # fmt: skip
