"""The verbs for many runs: campaigns, the runner of a queue, and the page that shows both.

What a verb needs is imported when it is called: `mho --help` is to be there at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mho.cli.exit_codes import UNFINISHED
from mho.cli.options import (
    Authority,
    Bench,
    Certificate,
    Key,
    Operator,
    OutputFolder,
    Plan,
    Project,
    Sample,
    Scheduler,
)


def campaign(
    context: typer.Context,
    plan: Plan,
    workers: Annotated[int, typer.Option(min=1, help="processes on this machine")] = 2,
    scheduler: Scheduler = "",
    output: OutputFolder = None,
    tries: Annotated[int, typer.Option(min=1, help="how often a run that fails is tried")] = 2,
    share: Annotated[
        str,
        typer.Option(
            metavar="K/N",
            help="only every N-th run, from the K-th on: a job array runs all shares",
            show_default=False,
        ),
    ] = "",
    tls_ca: Authority = None,
    tls_cert: Certificate = None,
    tls_key: Key = None,
    sample: Sample = None,
    operator: Operator = None,
    project: Project = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list what would happen")] = False,
    bench: Annotated[str | None, typer.Option(hidden=True)] = None,
    preset: Annotated[str | None, typer.Option(hidden=True)] = None,
    seed: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Carry out a plan's runs on simulated benches, several at once; what is finished is not repeated."""
    from mho.cli.experiments.plan import check_beside_plan, print_plan
    from mho.cli.many_runs.campaign import carry_out_campaign
    from mho.cli.terminal.terminal import Terminal
    from mho.running.campaign import parse_share
    from mho.running.plan import load_plan
    from mho.runs import Labels
    from mho.workers import Certificates

    check_beside_plan(context, str(plan), *(context.params.keys() - {"bench", "preset", "seed"}))
    part, certificates = parse_share(share), Certificates(tls_ca, tls_cert, tls_key)
    planned = load_plan(plan)
    if dry_run:
        raise typer.Exit(UNFINISHED if print_plan(planned, Terminal()) else 0)
    if not carry_out_campaign(
        planned, workers, scheduler, output, tries, share=part, certificates=certificates,
        labels=Labels(sample, operator, project),
    ):  # fmt: skip
        raise typer.Exit(UNFINISHED)


def runner(
    bench: Bench = "simulated",
    once: Annotated[bool, typer.Option("--once", help="end after one job")] = False,
    drain: Annotated[bool, typer.Option("--drain", help="end when no job waits any more")] = False,
    notify: Annotated[
        list[str] | None, typer.Option(help="an apprise address to tell when jobs end; default MHO_NOTIFY")
    ] = None,
) -> None:
    """Carry out the queue's jobs for a bench one by one until Ctrl-C; a second Ctrl-C does not wait."""
    from mho.cli.many_runs.queue_display import run_queue

    if run_queue(bench, once=once, drain=drain, notify=notify or []):
        raise typer.Exit(UNFINISHED)


def watch(
    port: Annotated[int, typer.Option(help="on 127.0.0.1; 0 takes any that is free")] = 8080,
    folder: Annotated[
        Path | None, typer.Option("--runs", help="folder of runs, default MHO_RUNS or data/runs")
    ] = None,
) -> None:
    """Serve a read-only page about queue, progress, map and convergence on loopback, until Ctrl-C."""
    from mho.gui.watch import watch as serve

    serve(port, lambda address: typer.echo(f"{address}   Ctrl-C ends it"), folder)
