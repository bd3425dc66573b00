"""``mho verify`` and ``mho recover``: what became of run files, to people and to machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho import runs as run_files
from mho.cli.exit_codes import UNFINISHED
from mho.cli.options import Runs
from mho.cli.terminal.sentences import print_warning, say
from mho.cli.terminal.terminal import Terminal
from mho.errors import MhoError

STYLES = {"sound": "green", "running": "cyan", "interrupted": "yellow"}
FINDINGS_SHOWN = 8


def verify(
    runs: Runs,
    as_json: Annotated[bool, typer.Option("--json", help="print a list for machines instead")] = False,
    nexus: Annotated[
        bool, typer.Option("--nexus", help="compare with the NeXus definition NXrram_array instead")
    ] = False,
) -> None:
    """List which run files are damaged, interrupted, or changed since they were written."""
    if nexus:
        compared = [run_files.check_conformance(run) for run in runs]
        if as_json:
            typer.echo(conformance_as_json(compared))
        else:
            print_conformance(compared, Terminal())
        if not all(one.conforms for one in compared):
            raise typer.Exit(UNFINISHED)
        return
    found = [run_files.verify(run) for run in runs]
    if as_json:
        typer.echo(verifications_as_json(found))
    else:
        print_verifications(found, Terminal())
    if any(one.verdict is not run_files.Verdict.SOUND for one in found):
        raise typer.Exit(UNFINISHED)


def recover(runs: Runs) -> None:
    """Make ordinary files of interrupted ones, for every viewer; they stay interrupted runs."""
    failed = False
    for run in runs:
        try:
            say(f"{run}  {'recovered' if run_files.recover(run) else 'needs no recovery'}")
        except MhoError as error:
            print_warning(error)
            failed = True
    if failed:
        raise typer.Exit(UNFINISHED)


def print_verifications(found: Sequence[run_files.Verification], console: Console) -> None:
    """Print one row a file."""
    table = Table("file", "verdict", "run", "findings", box=None)
    for one in found:
        table.add_row(
            Text(str(one.path)),
            Text(one.verdict, STYLES.get(one.verdict, "red")),
            Text(one.status),
            _first(one.findings),
        )
    console.print(table)


def print_conformance(found: Sequence[run_files.Conformance], console: Console) -> None:
    """Print one row a file: whether it follows the NeXus definition, and where not."""
    table = Table("file", "NXrram_array", "deviations", box=None)
    for one in found:
        said = Text("follows it", "green") if one.conforms else Text("deviates", "red")
        table.add_row(Text(str(one.path)), said, _first(one.deviations))
    console.print(table)


def conformance_as_json(found: Sequence[run_files.Conformance]) -> str:
    """Return the same as JSON: a list of objects with path, whether it conforms, and deviations."""
    return json.dumps(
        [
            {"path": str(one.path), "conforms": one.conforms, "deviations": list(one.deviations)}
            for one in found
        ],
        indent=2,
    )


def _first(findings: Sequence[str]) -> Text:
    shown = list(findings[:FINDINGS_SHOWN])
    if len(findings) > FINDINGS_SHOWN:
        shown.append(f"and {len(findings) - FINDINGS_SHOWN} more, see --json")
    return Text("\n".join(shown))


def verifications_as_json(found: Sequence[run_files.Verification]) -> str:
    """Return the same as JSON: a list of objects with path, verdict, status and findings."""
    return json.dumps(
        [
            {
                "path": str(one.path),
                "verdict": one.verdict,
                "status": one.status,
                "findings": list(one.findings),
            }
            for one in found
        ],
        indent=2,
    )
