"""Settles a job whose runner was killed: its worker ends or is ended, and the job counts as interrupted."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from mho.processes import end_whole
from mho.running.queue.job import ACTIVE, Job
from mho.running.queue.job_processes import runner_lives, worker_lives
from mho.running.runner.outcome import recorded_outcome


def wait_for_worker(job: Job, family: str, patience: float, attend: Callable[[], object]) -> str:
    """Wait until the worker of `job` and all processes that it started are gone; return how it ended.

    Its input has ended with its runner, so it stops at its next safe point and makes the bench safe; one that
    does not is killed.

    Parameters
    ----------
    job : Job
        As the queue knows it.
    family : str
        Mark of all that it started.
    patience : float
        How long it may take, s.
    attend : callable
        Does other work for a moment.
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
    if hasattr(signal, "SIGUSR1") and worker_lives(job):
        with suppress(ProcessLookupError):
            os.kill(job.worker or 0, signal.SIGUSR1)
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
        job,
        status=outcome.status,
        reason=outcome.reason,
        ended=outcome.ended,
        conclusion=outcome.conclusion,
    )
