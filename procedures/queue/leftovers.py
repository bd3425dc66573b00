"""What becomes of a job whose runner was killed: its worker ends by itself, or is ended, and it is interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import psutil

from procedures.queue.job import ACTIVE, Job
from procedures.queue.outcome import found
from runs.liveness import START_TOLERANCE


def wait_for_worker(job: Job, patience: float, attend: Callable[[], None]) -> str:
    """Wait until the worker that had `job` is gone; say how it ended.

    Its input has ended with its runner, so it stops at its next safe point and makes the bench safe; one that
    does not is killed.

    Parameters
    ----------
    job : Job
    patience : float
        How long it may take, s.
    attend : callable
        Does other work for a moment.
    """
    process = _worker(job)
    if process is None:
        return "runner and worker were gone"
    deadline = time.monotonic() + patience
    while _worker(job) is not None:
        if time.monotonic() >= deadline:
            process.kill()
            process.wait(patience)
            return f"its worker {job.worker} did not end within {patience:g} s after its runner was gone, and was killed"
        attend()
    return "the runner was gone"


def as_it_stands(job: Job) -> Job:
    """Return a job as it is now: one whose worker is gone is no longer being run, whatever the queue still says.

    The word for it is that of its run file, so that it is called the same wherever it is shown. A runner settles it.
    """
    if job.status not in ACTIVE or _worker(job) is not None:
        return job
    outcome = found(job.run, "left by a runner that is gone")
    return replace(job, status=outcome.status, reason=outcome.reason)


def _worker(job: Job) -> psutil.Process | None:
    """Return the job's worker if it lives; a process that only has its number by now is another."""
    if job.worker is None or job.worker_started is None:
        return None
    try:
        process = psutil.Process(job.worker)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process if abs(process.create_time() - job.worker_started) <= START_TOLERANCE else None
    except psutil.NoSuchProcess:
        return None
