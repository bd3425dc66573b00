"""``mho bench safe``: the one command on a bench of which the queue hears too, for it may have warned of it."""

from __future__ import annotations

import typer

from instruments.bench_commands import Bench, bench_app

__all__ = ["bench_app"]


@bench_app.command("safe")
def safe(bench: Bench = "simulated") -> None:
    """Bring every output of a bench to 0 V and off, and read that back: after a crash, or what somebody left on."""
    from instruments.safing import make_bench_safe
    from mho_errors import UnsafeError

    try:
        made = make_bench_safe(bench)
    except UnsafeError as error:
        _tell_queue(bench, error)
        raise
    for role, identity in made.items():
        typer.echo(f"{role:7s} safe  {identity}")
    _tell_queue(bench, None)


def _tell_queue(bench: str, error: Exception | None) -> None:
    """Note in the queue of this folder, if there is one, that a bench is safe, or what of it is not."""
    from mho_errors import QueueError, UnsafeError
    from procedures.origin import bench_key
    from procedures.queue.store import Queue, queue_path

    path, key = queue_path(), bench_key(bench)
    if not path.exists():
        return
    try:
        with Queue(path) as queue:
            if isinstance(error, UnsafeError):
                queue.hold_unsafe(key, f"bench {key} is not confirmed safe: {error}", str(error), error.live)
            elif queue.lane(key).unsafe:
                queue.confirm_safe(key)
                typer.echo("the queue warns of it no more")
    except QueueError as trouble:  # the bench is as it is
        typer.echo(f"the queue was not told: {trouble}", err=True)
