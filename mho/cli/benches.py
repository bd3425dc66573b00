"""``mho bench …`` and ``mho chip …``: benches checked, made safe, shown and served; what is kept of a chip beside its map.

What connects and what reads is imported when it is called: the help is to be there at once.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.analysis import reports
from mho.cli.abilities import ability_matrix, print_abilities
from mho.cli.bench_report import print_report
from mho.cli.exit_codes import UNFINISHED
from mho.cli.new_bench import new
from mho.cli.options import AsJson, BenchArgument, BenchArguments, Force, Runs
from mho.cli.terminal.sentences import say
from mho.cli.terminal.terminal import Terminal
from mho.errors import UnsafeError
from mho.instruments import opening
from mho.lazy_names import late_imports
from mho.processes import SafetyResult
from mho.running import queue

with late_imports():
    from mho.chip_maps import defects as chip_defects
    from mho.instruments import bench_file, checks, laboratory
    from mho.procedures import manifest


SHOWN = 50


def print_defects(defects: chip_defects.DefectList, console: Console) -> None:
    """Print one row a defect, how many there are of each class, and how many cells are formed."""
    if defects.formed:
        arrays = ", ".join(f"{one.cells} of {one.array}" for one in defects.formed)
        console.print(Text(f"cells that have been formed: {arrays}"))
    if not defects.defects:
        console.print(Text(f"no defects on chip {defects.chip}"))
        return
    table = Table("where", "defect", "found", "run", "seen", box=None)
    for one in defects.defects[:SHOWN]:
        seen = ", ".join(filter(None, (one.reason, one.lost_by)))
        table.add_row(*map(Text, (str(one.place), one.kind, one.found[:16], one.run, seen)))
    console.print(table)
    if len(defects.defects) > SHOWN:
        console.print(Text(f"and {len(defects.defects) - SHOWN} more, see --json"))
    counts = Counter(one.kind for one in defects.defects)
    console.print(Text("; ".join(f"{count} {name}" for name, count in counts.most_common())))


chip_app = typer.Typer(no_args_is_help=True, add_completion=False, help="Keep the list of a chip's defects.")


@chip_app.callback()
def chip() -> None:
    """Keep what is known of a chip."""


@chip_app.command()
def defects(
    runs: Runs,
    to: Annotated[
        Path | None, typer.Option(help="the list (.toml) to add them to; without it they are only shown")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Collect the cells that runs found defective or formed, into the list that placement and programming go by."""
    collection = reports.collect_defects(runs)
    for path, why in collection.without:
        say(f"{path} {why}", err=True)
    if as_json:
        typer.echo(json.dumps(collection.defects.model_dump(), indent=2))
    else:
        print_defects(collection.defects, Terminal())
    if to is not None:
        whole, new = chip_defects.add_defects(to, collection.defects)
        say(f"{to}: {len(whole.defects)} defects of chip {whole.chip}, {new} of them new", err=as_json)


bench_app = typer.Typer(no_args_is_help=True, help="Check benches, make them safe, show and serve them.")


bench_app.command()(new)


@bench_app.command()
def check(bench: BenchArgument = "simulated", force: Force = False) -> None:
    """Open every instrument of a bench and say what is wrong with it and what to do."""
    report = checks.check_bench(bench, force=force)
    print_report(report, Terminal())
    if not report.ok:
        raise typer.Exit(UNFINISHED)


@bench_app.command()
def safe(bench: BenchArgument = "simulated") -> None:
    """Take every output of a bench to 0 V and off, confirmed by read-back: after a crash, or when outputs were left on."""
    try:
        done = opening.confirm_bench_safe(bench)
    except UnsafeError as error:
        if said := queue.tell_queue(bench, SafetyResult(False, str(error), error.live)):
            typer.echo(said, err=True)
        raise
    tools = bench_file.load_bench_file(bench).bench.instruments
    for role, identity in done.identities.items():
        typer.echo(f"{tools.title(role):7s} safe  {identity}{'  (was on)' if role in done.left_on else ''}")
    if said := queue.tell_queue(bench, SafetyResult(True, confirmed=done.at)):  # which may have warned of it
        typer.echo(said)


@bench_app.command()
def show(bench: BenchArguments = ["simulated"]) -> None:  # noqa: B006  # Typer copies it
    """Print a bench file, to begin one's own with: `mho bench show simulated > lab.toml`; and what the bench can do.

    What it can do goes to standard error, so that a file gets the bench file alone. Several benches are compared instead.
    """
    sources = [bench_file.load_bench_file(one) for one in bench]
    entries = list(manifest.known_entries().values())
    if len(sources) > 1:
        Terminal(soft_wrap=True).print(ability_matrix(dict(zip(bench, sources, strict=True)), entries))
        return
    (source,) = sources
    typer.echo(source.text, nl=False)
    print_abilities(source.bench, entries, Terminal(stderr=True, soft_wrap=True))
    if unguarded := source.bench.unguarded():
        say(unguarded, err=True)


@bench_app.command()
def serve(
    bench: BenchArgument = "simulated",
    port: Annotated[int, typer.Option(help="of the first instrument; 0 takes any that are free")] = 5025,
    write: Annotated[
        Path | None, typer.Option(help="a bench file to write that reaches them as real instruments")
    ] = None,
) -> None:
    """Offer the instruments of a bench, simulated, on loopback sockets until Ctrl-C."""

    def announce(source: bench_file.BenchSource, server: laboratory.Server) -> None:
        typer.echo(server.listing())
        if write is not None:
            laboratory.write_served(write, laboratory.served_text(source, server.endpoints))
            typer.echo(f"{write}  reaches them as real instruments")

    laboratory.serve_bench(bench, port, announce)
