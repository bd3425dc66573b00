"""What becomes of a worker whose runner was killed: it ends by itself, or is ended with all that it started."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from mho_processes import end_whole
from procedures.queue.job import Job
from runs.liveness import START_TOLERANCE


def wait_for_worker(job: Job, mark: str, patience: float, attend: Callable[[], None]) -> str:
    """Wait until the worker that had `job` is gone, with all that it started; say how it ended.

    Its input has ended with its runner, so it stops at its next safe point and makes the bench safe; one that
    does not is killed.

    Parameters
    ----------
    job : Job
    mark : str
        Of the worker, as for `mho_processes.end_whole`.
    patience : float
        How long it may take, s.
    attend : callable
        Does other work for a moment.
    """
    try:
        if _worker(job) is None:
            return "runner and worker were gone"
        deadline = time.monotonic() + patience
        while (process := _worker(job)) is not None:
            if time.monotonic() >= deadline:
                end_whole(process.pid, mark)
                return f"its worker {job.worker} did not end {patience:g} s after its runner was gone, and was killed"
            attend()
        return "the runner was gone"
    finally:
        end_whole(None, mark)


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
