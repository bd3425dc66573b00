"""``mho bench safe``: the one command on a bench of which the queue hears too, for it may have warned of it."""

from __future__ import annotations

import typer

from mho.cli.bench import Bench, bench_app

__all__ = ["bench_app"]


@bench_app.command("safe")
def safe(bench: Bench = "simulated") -> None:
    """Bring every output of a bench to 0 V and off, and read that back: after a crash, or what somebody left on."""
    from mho.errors import UnsafeError
    from mho.instruments.opening import confirm_bench_safe
    from mho.processes import Safed
    from mho.running.queue.bench_notices import tell_queue

    try:
        made, confirmed = confirm_bench_safe(bench)
    except UnsafeError as error:
        if said := tell_queue(bench, Safed(False, str(error), error.live)):
            typer.echo(said, err=True)
        raise
    for role, identity in made.items():
        typer.echo(f"{role:7s} safe  {identity}")
    if said := tell_queue(bench, Safed(True, confirmed=confirmed)):
        typer.echo(said)
