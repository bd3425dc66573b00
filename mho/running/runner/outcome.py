"""How an attempt at a job ended: by its worker's last message, else by its run file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mho import runs
from mho.errors import RunFileError
from mho.running.queue.job import JobStatus
from mho.running.runner.messages import JobDone
from mho.runs.conclusion import GOING_ON, Conclusion, Status


@dataclass(frozen=True)
class JobOutcome:
    """How an attempt ended."""

    status: JobStatus
    reason: str
    safe: bool = False  # whether the bench is known to be safe
    seconds: float | None = None
    pulses: int | None = None
    error: str = ""  # the kind of error that ended it
    asked: bool = False  # whether a user requested its stop: it is then never run again automatically
    # when, as its run file says, Unix time, s; None where that says nothing: just now
    ended: float | None = None
    # when its bench was read back as safe, Unix time, s; None where that was not
    confirmed: float | None = None
    live: tuple[str, ...] = ()  # roles that the worker could not confirm safe, as far as it knew
    conclusion: Conclusion | None = None  # of the run; None where nothing tells it


def reported_outcome(done: JobDone) -> JobOutcome:
    """Return the outcome in a worker's last message; its run file says the same."""
    status = JobStatus(done.status)
    return JobOutcome(
        status,
        done.reason,
        done.safe,
        done.seconds,
        done.pulses,
        done.error,
        confirmed=done.confirmed,
        live=done.live,
        conclusion=done.conclusion,
    )


def recorded_outcome(run: Path | None, end: str, asked: str = "") -> JobOutcome:
    """Return the outcome of an attempt whose worker is gone without a last message.

    Parameters
    ----------
    run : Path or None
        The run file that it was to write.
    end : str
        How the worker ended.
    asked : str
        Why it had been asked to stop; empty otherwise.
    """
    why = f"{asked}; {end}" if asked else end
    try:
        if run is None or not run.exists():
            if asked:
                return JobOutcome(JobStatus.ABORTED, why, asked=True)
            return JobOutcome(JobStatus.INTERRUPTED, f"{end}, before its run file was begun")
        with runs.RunFile(run) as file:  # which few attempts need, and HDF5 with it
            status, reason, ended = file.status, file.reason, file.last_sign
            conclusion = file.conclusion
    except RunFileError as error:
        return JobOutcome(JobStatus.INTERRUPTED, f"{why}; {error}", asked=bool(asked))
    if status in GOING_ON:  # the file is not the worker's that is gone, or its end is not yet to be seen
        status = Status.INTERRUPTED
    reason = reason or ("" if status is Status.FINISHED else why)
    return JobOutcome(JobStatus(status), reason, asked=bool(asked), ended=ended, conclusion=conclusion)
