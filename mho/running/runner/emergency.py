"""The one emergency stop that every surface calls: through the runner of a bench, else from a fresh process."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mho.errors import QueueError, UnsafeError
from mho.processes import make_safe_apart
from mho.running.queue.job import ACTIVE, family_of_workers, unsafe_text
from mho.running.queue.store import Queue, queue_path
from mho.running.runner.client import NoRunnerError, RunnerClient
from mho.running.runner.messages import EMERGENCY
from mho.running.runner.outcome import break_off
from mho.running.runner.worker_process import STOP_TIMEOUTS


def emergency_stop(path: Path | None = None, bench: str = "simulated") -> str:
    """Break off the job on a bench, make the bench safe, hold its queue; return a sentence that says what was confirmed.

    The runner does it. Without one, or when it does not answer, its worker is ended, and a fresh process makes the
    bench safe.

    `UnsafeError` where the bench could not be confirmed safe; `live` names what may be live, as far as that
    is known.
    """
    path = (path or queue_path()).resolve()
    client = RunnerClient(path, bench)
    try:
        client.emergency_stop()
        return client.confirm_safe()
    except NoRunnerError:
        return _stop_without_runner(path, client.bench, "no runner was there")
    except QueueError as error:
        return _stop_without_runner(path, client.bench, str(error))


def _stop_without_runner(path: Path, bench: str, why: str) -> str:
    hold = "the queue is held"
    try:
        with Queue(path) as jobs:
            jobs.hold_unsafe(bench, EMERGENCY, f"{EMERGENCY}, not confirmed yet")
    except QueueError as error:  # a full disk, or a queue of a newer version, must not prevent the stop
        hold = f"the queue is NOT held ({error})"
    with suppress(QueueError), Queue(path) as jobs:
        for job in jobs.jobs(bench, ACTIVE):  # left behind by its runner, or by one that does not answer
            with suppress(QueueError):
                jobs.note_stop(job.id, EMERGENCY)
            break_off(job, family_of_workers(path, bench), STOP_TIMEOUTS.emergency)
    done = make_safe_apart(bench, patience=STOP_TIMEOUTS.safing)
    with suppress(QueueError), Queue(path) as jobs:
        if done.confirmed is not None:
            jobs.confirm_safe(bench, done.confirmed)
        else:
            jobs.hold_unsafe(bench, EMERGENCY, done.reason, done.live)
    if not done.safe:
        raise UnsafeError(
            f"emergency stop: {why}; {unsafe_text(bench, done.live, done.reason)}; {hold}. See to the bench",
            live=done.live,
        )
    return f"emergency stop: {why}; bench {bench} is safe, {hold}"
