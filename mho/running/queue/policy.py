"""The queue's policy: what follows when a job fails or is interrupted, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mho.errors import ChipMapError, InputError, LimitError, QueueError, RunFileError, recorded_class


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
