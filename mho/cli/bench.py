"""``mho bench …``: benches checked, made safe, shown and served on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXIT_WRONG = 1

bench_app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Check benches, make them safe, show and serve them.",
)

Bench = Annotated[str, typer.Argument(help="a packaged bench or a bench file")]


@bench_app.command("check")
def check(
    bench: Bench = "simulated",
    force: Annotated[
        bool, typer.Option("--force", help="take limits that can hardly be meant as they are")
    ] = False,
) -> None:
    """Open every instrument of a bench and say what is wrong with it and what to do."""
    from mho.cli.bench_check import print_report
    from mho.cli.terminal import Terminal
    from mho.instruments.checks import check_bench

    report = check_bench(bench, force=force)
    print_report(report, Terminal())
    if not report.ok:
        raise typer.Exit(EXIT_WRONG)


@bench_app.command("show")
def show(
    bench: Bench = "simulated",
) -> None:
    """Print a bench file, to begin one's own with: `mho bench show simulated > lab.toml`."""
    from mho.instruments.bench_file import load_bench_file

    typer.echo(load_bench_file(bench).text, nl=False)


@bench_app.command("serve")
def serve(
    bench: Bench = "simulated",
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
