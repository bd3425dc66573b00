"""Exchange of a bench's safety between its queue and commands that bypass it (`mho run`, `mho bench safe`)."""

from __future__ import annotations

from mho.errors import QueueError, UnsafeError
from mho.input_files import bench_key
from mho.processes import SafetyResult, end_whole, make_safe_apart
from mho.running.queue.job import ACTIVE, family_of_workers, unsafe_text, worker_lives
from mho.running.queue.store import Queue, queue_path


def tell_queue(bench: str, safety: SafetyResult) -> str:
    """Write to the queue of the runs folder, if there is one, that a bench is safe, or which outputs are not.

    Return what is to be said of it; empty for nothing.
    """
    path, key = queue_path(), bench_key(bench)
    if not path.exists():
        return ""
    try:
        with Queue(path) as queue:
            if safety.confirmed is None:
                hold = f"bench {key} is not confirmed safe: {safety.reason}"
                queue.hold_unsafe(key, hold, safety.reason, safety.live)
                return "its queue is held"
            warned = queue.lane(key).unsafe
            queue.confirm_safe(key, safety.confirmed)
            return "the queue warns of it no more" if warned else ""
    except QueueError as trouble:  # the bench is as it is
        return f"the queue was not told: {trouble}"
    return ""


def ensure_safe(bench: str) -> str:
    """Make a bench safe if its queue warns of it or a job on it has lost its worker; a runner does this first.

    Return a message for the user; empty when the queue has no warning, or there is no queue. `UnsafeError` when it could
    not be confirmed safe; `live` names the roles, as far as they are known.
    """
    path, key = queue_path(), bench_key(bench)
    if not path.exists():
        return ""
    try:
        with Queue(path) as queue:
            lane = queue.lane(key)
            left = [job.id for job in queue.jobs(key, ACTIVE) if not worker_lives(job)]
    except QueueError:  # it says so wherever it is used; who does not use it is not kept from the bench
        return ""
    if not lane.unsafe and not left:
        return ""
    if left:  # processes started by the worker may still run
        end_whole(None, family_of_workers(path, key))
    state = make_safe_apart(bench)
    if not state.safe:
        live = state.live or lane.live
        raise UnsafeError(
            f"{unsafe_text(key, live, state.reason)}. Nothing was begun; see to the bench, then `mho bench safe {key}`, or "
            f"`mho queue acknowledge --bench {key}` on your own word",
            live=live,
        )
    sentences = (
        f"bench {key} was not confirmed safe, and was made safe by a fresh process first",
        tell_queue(bench, state),
    )
    return "; ".join(filter(None, sentences))
