"""The contents of a queue: its jobs with their processes, each bench's `Lane`, and what follows on a failure (`decide`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from mho.errors import ChipMapError, InputError, LimitError, QueueError, RunFileError, recorded_class
from mho.runs.conclusion import Conclusion, outcome_line
from mho.runs.labels import Labels
from mho.runs.liveness import lives


class Reaction(StrEnum):
    """The action on a job that failed or was interrupted."""

    STOP = "stop"  # hold the queue until a user resumes it
    SKIP = "skip"  # continue with the next job
    RETRY = "retry"  # run it again from the beginning; after the last retry, stop
    RESUME = "resume"
    """Run it again, offering the procedure what the last attempt wrote; after the last retry, stop."""


@dataclass(frozen=True)
class Policy:
    """Reaction of a queue to a failed run, and to an interrupted one (its worker or the machine went down).

    A job that failed by its own input, with its bench safe, is never run again and holds no other.
    """

    on_failure: Reaction = Reaction.STOP
    on_interruption: Reaction = Reaction.STOP
    retries: int = 1  # number of times that a job is run again


@dataclass(frozen=True)
class Decision:
    """Decision about the job and the queue."""

    again: bool = False  # whether the job is queued again, before all others
    resume: bool = False  # whether its next attempt continues the last one
    hold: str = ""  # reason for holding the queue; empty when it continues


# Errors that come of a job's own input; another job, or another attempt, has nothing to do with them
BAD_INPUT = (InputError, ChipMapError, LimitError, RunFileError, QueueError)


def decide(policy: Policy, status: str, attempts: int, error: str = "", *, safe: bool = False) -> Decision:
    """Decide about the job and the queue after a job has ended.

    `status`: final status, a `JobStatus`; only "failed" and "interrupted" need a decision, as an abort was
        the user's wish.
    `error`: type of the error that ended it, as `mho.errors.recorded_name` has it.
    """
    if status == "failed" and safe and issubclass(recorded_class(error), BAD_INPUT):
        return Decision()
    answers = {"failed": policy.on_failure, "interrupted": policy.on_interruption}
    answer = answers.get(status, Reaction.SKIP)
    if answer is Reaction.SKIP:
        return Decision()
    if answer is Reaction.STOP:
        return Decision(hold=f"it {_were(status)}, and the policy is to stop")
    if attempts > policy.retries:
        return Decision(
            hold=f"it {_were(status)} {attempts} times, and the policy allows {policy.retries} retries"
        )
    return Decision(again=True, resume=answer is Reaction.RESUME)


def _were(status: str) -> str:
    return "was interrupted" if status == "interrupted" else status


class JobStatus(StrEnum):
    """The status of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    ABORTED = "aborted"
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"


ACTIVE = (JobStatus.RUNNING, JobStatus.PAUSED)  # a worker has the job, or had it when everything went down

ENDED = (
    JobStatus.FINISHED, JobStatus.FAILED, JobStatus.ABORTED, JobStatus.INTERRUPTED, JobStatus.SKIPPED,
)  # fmt: skip


# Before the place, from 1, of another order among those that are added together; in the queue it is that
# job's number
WITHIN = "@"


@dataclass(frozen=True)
class Order:
    """The task of a job."""

    procedure: str  # a name that ``mho`` knows, or ``module:Class``
    parameters: dict[str, Any] = field(default_factory=dict)  # values that differ from the defaults
    bench: str = "simulated"  # a packaged bench's name, or the absolute path of a bench file
    seed: int | None = None  # of everything random; None draws a fresh one at every attempt
    preset: str | None = None  # cells of a simulated bench
    output: Path | None = None  # run file or folder; None for the folder in which the queue lies
    folder: Path = field(default_factory=Path.cwd)  # absolute; relative paths start here
    # a run file, or ``#5`` for the run of job 5: whose simulated chip is gone on with. None for a fresh chip.
    # On real instruments the job that had the chip before, or None.
    after: str | None = None
    force: bool = False  # whether limits of the bench file that can hardly be meant are taken as they are
    labels: Labels = field(default_factory=Labels)  # when the job is added: the runner may be somebody else's

    def in_words(self) -> str:
        """Return procedure and parameters in one line."""
        values = " ".join(f"{key}={value}" for key, value in self.parameters.items())
        return f"{self.procedure} {values}".strip()


@dataclass(frozen=True)
class Job:
    """An order in the queue, with its state and outcome."""

    id: int  # unique number, never reused
    order: Order
    status: JobStatus
    priority: int  # the highest goes first; 0 unless said otherwise
    position: int  # the lowest goes first among jobs of one priority
    reason: str  # why it ended as it did, or why it waits again
    run: Path | None  # the run file of the last attempt
    resume_of: Path | None  # the run file of the attempt that the next one takes up
    attempts: int  # how often it was begun
    worker: int | None  # process id of the worker that has it
    worker_birth: str | None  # tells that process from others, see `System.birth_of`
    runner: int | None  # the same of the runner that began it
    runner_birth: str | None
    added: float  # Unix time, s, as the two below
    started: float | None
    ended: float | None
    estimate: float | None  # wall time it was expected to take, s
    seconds: float | None  # what the finished run took, s: without its worker's start, and without pauses
    pulses: int | None  # pulses that it took
    error: str = ""  # kind of error that ended it, as `mho.errors.recorded_name` has it; "" without one
    conclusion: Conclusion | None = None  # of the run of its last attempt; None where there is none

    @property
    def outcome(self) -> str:
        """How it ended, or why it waits again, in one line beside its status; empty where there is nothing to say."""
        return outcome_line(self.status, self.reason, self.conclusion, named=False)


LOUD = "NOT CONFIRMED SAFE"


@dataclass(frozen=True)
class Total:
    """The number of jobs of one status on a bench, and the total duration of those with a known one, s."""

    bench: str
    status: JobStatus
    count: int
    known: int
    seconds: float


def unsafe_text(bench: str, live: Sequence[str], reason: str) -> str:
    """Format the warning that outputs of a bench are not confirmed safe: by role, or any when none is named."""
    what = " and ".join(filter(None, [", ".join(live[:-1]), *live[-1:]])) or "any output"
    why = reason.removeprefix(f"{LOUD}: ")
    return f"{LOUD}: bench {bench}, {what} may be live" + (f" ({why})" if why else "")


@dataclass(frozen=True)
class Lane:
    """The state of one bench's queue."""

    bench: str
    held: bool = False  # whether no further job is started, and a running one is paused
    reason: str = ""  # why it is held
    # whether the bench is not confirmed safe. It stays so until somebody has made it safe, whatever becomes
    # of the queue, and it is made safe before anything else.
    unsafe: bool = False
    policy: Policy = field(default_factory=Policy)  # what follows on a failure or an interruption
    unsafe_reason: str = ""  # why it could not be confirmed
    live: tuple[str, ...] = ()  # roles that may be live; empty when nothing is known of any
    confirmed: float | None = None  # when every output of the bench was last read back as off, Unix time, s
    confirmed_by: str = ""  # in words, who did that
    acknowledged: float | None = None  # when a user last stated that the outputs are safe, Unix time, s

    @property
    def on_word(self) -> str:
        """The note that the outputs were acknowledged as safe but not read back since; empty otherwise."""
        if self.unsafe or self.acknowledged is None or self.acknowledged <= (self.confirmed or 0.0):
            return ""
        when = datetime.fromtimestamp(self.acknowledged)
        return (
            f"bench {self.bench} is taken for safe on somebody's word at {when:%Y-%m-%d %H:%M:%S}; nobody has read that "
            "back since"
        )

    @property
    def warning(self) -> str:
        """The warning to show first; empty for a bench that is safe as far as the queue knows."""
        return unsafe_text(self.bench, self.live, self.unsafe_reason) if self.unsafe else ""


def duration(seconds: float | None) -> str:
    """Format seconds for people: ``12 s``, ``3 min``, ``2 h 5 min``."""
    if seconds is None:
        return ""
    if seconds < 1.0:
        return "< 1 s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


BY_HAND = "mho.running.by_hand:ByHand"
"""The procedure of a session by hand, as an order names it."""


def expected_text(seconds: float | None) -> str:
    """Format an expected duration: ``about 12 s``, or ``unknown``."""
    return "unknown" if seconds is None else f"about {duration(seconds)}".replace("about <", "<")


def expected_together(seconds: Sequence[float | None]) -> str:
    """Format the expected duration of several jobs in sequence, and how many of them have none."""
    known = [one for one in seconds if one is not None]
    return expected_sum(sum(known), len(known), len(seconds) - len(known))


def expected_sum(seconds: float, known: int, unknown: int) -> str:
    """Format the expected duration of `known` jobs together, and say how many others have none."""
    if not known:
        return "how long is unknown" if unknown else "nothing to do"
    return f"{expected_text(seconds)} expected" + (f", and {unknown} of unknown length" if unknown else "")


def family_of_workers(queue: Path, bench: str) -> str:
    """Return the family mark of all that workers of a queue on a bench start, as `mho.processes.end_whole` looks for it."""
    return f"{queue} {bench}"


def worker_lives(job: Job) -> bool:
    """Return whether the job's worker lives; a later process with the same number does not count."""
    return job.worker is not None and lives(job.worker, job.worker_birth or "")


def runner_lives(job: Job) -> bool:
    """Return whether the runner that began the job lives, in another process."""
    return job.runner not in (None, os.getpid()) and lives(job.runner or 0, job.runner_birth or "")
