"""How an attempt at a job ended: by its worker's own words, else by what its run file says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mho_errors import RunFileError
from procedures.queue.job import JobStatus
from procedures.queue.messages import RUNNER_GONE, Done
from runs import RunFile, Status


@dataclass(frozen=True)
class Outcome:
    """How it ended; `safe` only when the bench is known to be, `error` the class of the error that ended it."""

    status: JobStatus
    reason: str
    safe: bool = False
    seconds: float | None = None
    pulses: int | None = None
    error: str = ""


def told(done: Done) -> Outcome:
    """Return the outcome that a worker told; nobody asked for an abort whose reason is that the runner was gone."""
    lost = done.status is Status.ABORTED and done.reason == RUNNER_GONE
    status = JobStatus.INTERRUPTED if lost else JobStatus(done.status)
    return Outcome(status, done.reason, done.safe, done.seconds, done.pulses, done.error)


def found(run: Path | None, end: str, asked: str = "") -> Outcome:
    """Return the outcome of an attempt whose worker is gone without a word.

    Parameters
    ----------
    run : Path or None
        The run file that it was to write.
    end : str
        How the worker ended.
    asked : str
        Why it had been asked to stop; empty otherwise.
    """
    if asked:
        return Outcome(JobStatus.ABORTED, f"{asked}; {end}")
    try:
        if run is None or not run.exists():
            return Outcome(JobStatus.INTERRUPTED, f"{end}, before its run file was begun")
        with RunFile(run) as file:
            status, reason = file.status, file.reason
    except RunFileError as error:
        return Outcome(JobStatus.INTERRUPTED, f"{end}; {error}")
    if status is Status.FINISHED:
        return Outcome(JobStatus.FINISHED, "")
    if status is Status.FAILED:
        return Outcome(JobStatus.FAILED, reason)
    if status is Status.ABORTED and reason != RUNNER_GONE:
        return Outcome(JobStatus.ABORTED, reason)
    return Outcome(JobStatus.INTERRUPTED, reason or end)
