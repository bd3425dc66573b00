"""Sends notifications about a queue: a job has ended, the queue is held, the bench is not safe."""

from __future__ import annotations

from collections.abc import Callable

from mho.procedures import stream
from mho.running.notifications import Notifier, occasion_of
from mho.running.runner.messages import Event, JobChanged
from mho.runs import status_words


def notifying(notifier: Notifier) -> Callable[[Event], None]:
    """Return a listener that sends the notifications; an aborted job causes none."""

    def listen(event: Event) -> None:
        if isinstance(event, JobChanged):
            job = event.job
            if occasion := occasion_of(job.status, job.error):
                title = f"mho: job {job.id} {status_words(job.status, job.conclusion)}"
                notifier.send(title, f"{job.outcome or job.order.in_words()}\n{job.run}", occasion)
        elif isinstance(event, stream.Message) and event.level in ("ERROR", "CRITICAL"):
            is_held = event.held or event.unsafe
            title = "the queue is held" if is_held else f"{event.level.lower()} on the bench"
            notifier.send(f"mho: {title}", event.text, "failure")

    return listen
