"""The processes behind a job: whether its worker lives, and the runner that began it."""

from __future__ import annotations

import os
from pathlib import Path

from mho.running.queue.job import Job
from mho.runs.liveness import lives


def family_of_workers(queue: Path, bench: str) -> str:
    """Return the family mark of all that workers of a queue on a bench start, as `mho.processes.end_whole` looks for it."""
    return f"{queue} {bench}"


def worker_lives(job: Job) -> bool:
    """Return whether the job's worker lives; a later process with the same number does not count."""
    return job.worker is not None and lives(job.worker, job.worker_birth or "")


def runner_lives(job: Job) -> bool:
    """Return whether the runner that began the job lives, in another process."""
    return job.runner not in (None, os.getpid()) and lives(job.runner or 0, job.runner_birth or "")
