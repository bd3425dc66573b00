"""``mho verify`` and ``mho recover``: what became of run files, to people and to machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
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
    plain, table, sound = (_conformance if nexus else _verification)(runs)
    if as_json:
        typer.echo(json.dumps(plain, indent=2))
    else:
        Terminal().print(table)
    if not sound:
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


def _verification(runs: Sequence[Path]) -> tuple[list[dict[str, Any]], Table, bool]:
    """Return what verification found, for machines and as a row a file, and whether all files are sound."""
    found = [run_files.verify(run) for run in runs]
    table = Table("file", "verdict", "run", "findings", box=None)
    for one in found:
        verdict = Text(one.verdict, STYLES.get(one.verdict, "red"))
        table.add_row(Text(str(one.path)), verdict, Text(one.status), _first(one.findings))
    plain = [
        {"path": str(one.path), "verdict": one.verdict, "status": one.status, "findings": list(one.findings)}
        for one in found
    ]
    return plain, table, all(one.verdict is run_files.Verdict.SOUND for one in found)


def _conformance(runs: Sequence[Path]) -> tuple[list[dict[str, Any]], Table, bool]:
    """Return the same of whether files follow the NeXus definition, and where not."""
    found = [run_files.check_conformance(run) for run in runs]
    table = Table("file", "NXrram_array", "deviations", box=None)
    for one in found:
        said = Text("follows it", "green") if one.conforms else Text("deviates", "red")
        table.add_row(Text(str(one.path)), said, _first(one.deviations))
    plain = [
        {"path": str(one.path), "conforms": one.conforms, "deviations": list(one.deviations)} for one in found
    ]
    return plain, table, all(one.conforms for one in found)


def _first(findings: Sequence[str]) -> Text:
    shown = list(findings[:FINDINGS_SHOWN])
    if len(findings) > FINDINGS_SHOWN:
        shown.append(f"and {len(findings) - FINDINGS_SHOWN} more, see --json")
    return Text("\n".join(shown))
