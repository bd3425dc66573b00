"""Sends notifications about a queue: a job has ended, the queue is held, the bench is not safe."""

from __future__ import annotations

from collections.abc import Callable

from mho.errors import LimitError, recorded_class
from mho.procedures import stream
from mho.running.notifications import Notifier, Occasion
from mho.running.queue.job import JobStatus
from mho.running.runner.messages import Event, JobChanged
from mho.runs import status_words

OCCASIONS: dict[JobStatus, Occasion] = {
    JobStatus.FINISHED: "finish",
    JobStatus.FAILED: "failure",
    JobStatus.INTERRUPTED: "failure",
}


def notifying(notifier: Notifier) -> Callable[[Event], None]:
    """Return a listener that sends the notifications; an aborted job causes none."""

    def listen(event: Event) -> None:
        if isinstance(event, JobChanged) and event.job.status in OCCASIONS:
            job = event.job
            beyond = issubclass(recorded_class(job.error), LimitError)
            occasion: Occasion = "limit" if beyond else OCCASIONS[job.status]
            notifier.send(
                f"mho: job {job.id} {status_words(job.status, job.conclusion)}",
                f"{job.outcome or job.order.in_words()}\n{job.run}",
                occasion,
            )
        elif isinstance(event, stream.Message) and event.level in ("ERROR", "CRITICAL"):
            title = (
                "the queue is held" if event.held or event.unsafe else f"{event.level.lower()} on the bench"
            )
            notifier.send(f"mho: {title}", event.text, "failure")

    return listen
