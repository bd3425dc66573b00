"""``mho bench …``: benches checked, made safe, shown and served on the command line.

What a verb needs is imported when it is called: `mho bench --help` is to be there at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mho.cli.exit_codes import UNFINISHED
from mho.cli.options import BenchArgument, Force

bench_app = typer.Typer(no_args_is_help=True)


@bench_app.command()
def check(
    bench: BenchArgument = "simulated",
    force: Force = False,
) -> None:
    """Open every instrument of a bench and say what is wrong with it and what to do."""
    from mho.cli.benches.bench_check import print_report
    from mho.cli.terminal.terminal import Terminal
    from mho.instruments.checks import check_bench

    report = check_bench(bench, force=force)
    print_report(report, Terminal())
    if not report.ok:
        raise typer.Exit(UNFINISHED)


@bench_app.command()
def safe(bench: BenchArgument = "simulated") -> None:
    """Take every output of a bench to 0 V and off, confirmed by read-back: after a crash, or when outputs were left on."""
    from mho.errors import UnsafeError
    from mho.instruments.opening import confirm_bench_safe
    from mho.processes import SafetyResult
    from mho.running.queue import tell_queue  # the queue may have warned of it, and is to hear

    try:
        done = confirm_bench_safe(bench)
    except UnsafeError as error:
        if said := tell_queue(bench, SafetyResult(False, str(error), error.live)):
            typer.echo(said, err=True)
        raise
    for role, identity in done.identities.items():
        typer.echo(f"{role:7s} safe  {identity}{'  (was on)' if role in done.left_on else ''}")
    if said := tell_queue(bench, SafetyResult(True, confirmed=done.at)):
        typer.echo(said)


@bench_app.command()
def show(
    bench: BenchArgument = "simulated",
) -> None:
    """Print a bench file, to begin one's own with: `mho bench show simulated > lab.toml`."""
    from mho.instruments.bench_file import load_bench_file

    typer.echo(load_bench_file(bench).text, nl=False)


@bench_app.command()
def serve(
    bench: BenchArgument = "simulated",
    port: Annotated[int, typer.Option(help="of the first instrument; 0 takes any that are free")] = 5025,
    write: Annotated[
        Path | None, typer.Option(help="a bench file to write that reaches them as real instruments")
    ] = None,
) -> None:
    """Offer the instruments of a bench, simulated, on loopback sockets until Ctrl-C."""
    from mho.instruments.bench_file import BenchSource
    from mho.instruments.laboratory import Server, serve_bench, served_text, write_served

    def announce(source: BenchSource, server: Server) -> None:
        typer.echo(server.listing())
        if write is not None:
            write_served(write, served_text(source, server.endpoints))
            typer.echo(f"{write}  reaches them as real instruments")

    serve_bench(bench, port, announce)
