"""The queue's policy: what follows when a job fails or is interrupted, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """The action on a job that failed or was interrupted."""

    STOP = "stop"
    """Hold the queue until somebody lets it go on."""
    SKIP = "skip"
    """Go on with the next job."""
    RETRY = "retry"
    """Run it again from the beginning; after the last retry, stop."""
    RESUME = "resume"
    """Run it again, offering the procedure what the last attempt wrote; after the last retry, stop."""


@dataclass(frozen=True)
class Policy:
    """What a queue does when a run fails, and when one was interrupted (its worker or the machine went down).

    Attributes
    ----------
    retries : int
        How often a job is run again.
    """

    on_failure: Answer = Answer.STOP
    on_interruption: Answer = Answer.STOP
    retries: int = 1


@dataclass(frozen=True)
class Decision:
    """What follows for the job and the queue.

    Attributes
    ----------
    again : bool
        The job waits again, before all others.
    resume : bool
        Its next attempt takes up the last one.
    hold : str
        Why the queue is held; empty when it goes on.
    """

    again: bool = False
    resume: bool = False
    hold: str = ""


def decide(policy: Policy, status: str, attempts: int) -> Decision:
    """Decide what follows on a job that ended.

    Parameters
    ----------
    policy : Policy
    status : str
        How it ended, a `JobStatus`; only "failed" and "interrupted" ask for a decision. What somebody aborted is
        what they wanted.
    attempts : int
        How often it was begun, this time included.
    """
    answers = {"failed": policy.on_failure, "interrupted": policy.on_interruption}
    answer = answers.get(status, Answer.SKIP)
    if answer is Answer.SKIP:
        return Decision()
    if answer is Answer.STOP:
        return Decision(hold=f"it {_were(status)}, and the policy is to stop")
    if attempts > policy.retries:
        return Decision(
            hold=f"it {_were(status)} {attempts} times, and the policy allows {policy.retries} retries"
        )
    return Decision(again=True, resume=answer is Answer.RESUME)


def _were(status: str) -> str:
    return "was interrupted" if status == "interrupted" else status
