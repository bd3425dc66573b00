"""``mho rerun``: a run repeated, and what differs, on the terminal and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.cli.exit_codes import UNFINISHED
from mho.cli.options import Output, Run, Trusted
from mho.cli.terminal.terminal import Terminal
from mho.lazy_names import late_imports

with late_imports():
    from mho.cli.terminal import run_display
    from mho.running import continuing as rerunning

if TYPE_CHECKING:
    from mho.runs.integrity import Change

SHOWN = 20
"""Differing datasets, and packages, that are listed."""


def rerun(
    run: Run,
    output: Output = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the comparison for machines instead")
    ] = False,
    trust: Trusted = False,
) -> None:
    """Repeat a run on a simulated bench, and say whether all is equal bit for bit, and what differs."""
    with run_display.RunDisplay(quiet=as_json) as display:
        result = rerunning.rerun(
            run, output=output, observers=[display.observe], trust=run_display.asking(trust)
        )
    if as_json:
        typer.echo(json.dumps(rerun_as_json(result)))
    else:
        print_rerun(result, Terminal())
    if not result.equal:
        raise typer.Exit(UNFINISHED)


def print_rerun(result: rerunning.Rerun, console: Console) -> None:
    """Print what differs around the two runs, and in them."""

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style=style), soft_wrap=True)

    say(f"{result.original.name} repeated as {result.path}")
    for remark in result.remarks:
        say(f"  {remark}")
    if result.changes:
        say("What surrounds the runs and differs:")
        table = Table("", "then", "now", box=None, pad_edge=False, padding=(0, 2, 0, 2))
        for change in result.changes[:SHOWN]:
            table.add_row(*(Text(part) for part in _in_words(change)))
        console.print(table)
        if len(result.changes) > SHOWN:
            say(f"  and {len(result.changes) - SHOWN} more; --json lists them")
    different = [one for one in result.compared if not one.equal]
    rounded = [one.name for one in result.compared if one.rounded]
    if rounded:
        say(f"Equal within the rounding of digital computations: {', '.join(rounded)}")
    restated = [one.name for one in result.compared if one.restated]
    if restated:
        say(f"Computed otherwise from the same reads since then, not compared: {', '.join(restated)}")
    if not different:
        count = len(result.compared) - len(rounded) - len(restated)
        other = "other " if rounded or restated else ""
        say(f"Equal bit for bit: {count} {other}datasets and records.", "bold green")
        return
    say(f"{len(different)} of {len(result.compared)} datasets and records differ:", "bold red")
    for one in different[:SHOWN]:
        say(f"  {one.name}: {one.difference}")
    if len(different) > SHOWN:
        say(f"  and {len(different) - SHOWN} more; --json lists them")


def rerun_as_json(result: rerunning.Rerun) -> dict[str, Any]:
    """Return the result as JSON has it."""
    return {
        "original": str(result.original),
        "run_file": str(result.path),
        "equal": result.equal,
        "remarks": list(result.remarks),
        "changes": [asdict(change) for change in result.changes],
        "compared": len(result.compared),
        "rounded": [one.name for one in result.compared if one.rounded],
        "restated": [one.name for one in result.compared if one.restated],
        "differences": {one.name: one.difference for one in result.compared if not one.equal},
    }


def _in_words(change: Change) -> tuple[str, str, str]:
    if change.name == "git_diff":
        then, now = (f"{len(text.splitlines())} lines" for text in (change.then, change.now))
        return change.name, then, now
    return change.name, change.then or "not there", change.now or "not there"
