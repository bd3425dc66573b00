"""``mho doctor``: a page on this machine, to read, and to paste into a question."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.cli import completion
from mho.cli.bench_report import STYLES
from mho.cli.exit_codes import UNFINISHED
from mho.cli.options import AsJson, RunsFolder
from mho.cli.terminal.terminal import Terminal
from mho.doctor import Finding, Machine, examine, mho_version
from mho.escaping import visible
from mho.runs import runs_folder

INDENT = " " * 7

PUBLIC = (
    "Left out of this page: serial numbers, network addresses, the home folder (~), the names of user and host; "
    "--full has them."
)
PRIVATE = (
    "With serial numbers, network addresses and names of user and host (--full): read it before you paste it."
)


def page(findings: Sequence[Finding], full: bool) -> str:
    """Return the page as plain text."""
    lines = [heading(), ""]
    topic = ""
    for one in findings:
        name = one.topic if one.topic != topic else ""
        lines.append(f"{one.verdict:6s} {name:16s} {visible(one.found, lines=False)}".rstrip())
        if one.advice:
            lines.append(f"{INDENT}{'':16s} -> {visible(one.advice, lines=False)}")
        topic = one.topic
    return "\n".join([*lines, "", verdict(findings), PRIVATE if full else PUBLIC])


def heading() -> str:
    """Return the first line of the page."""
    return f"mho doctor, mho {mho_version() or 'not installed'}, {time.strftime('%Y-%m-%d %H:%M %z')}"


def verdict(findings: Sequence[Finding]) -> str:
    """Return how many findings are wrong, and how many to note."""
    wrong, notes = (sum(one.verdict == kind for one in findings) for kind in ("wrong", "note"))
    return f"{wrong} wrong, {notes} to note" if wrong or notes else "all is well"


def print_page(findings: Sequence[Finding], full: bool, console: Console) -> None:
    """Print the page as a table on a terminal."""
    table = Table("", "", "found", "what to do", title=heading(), title_justify="left")
    topic = ""
    for one in findings:
        name = one.topic if one.topic != topic else ""
        table.add_row(
            name, Text(one.verdict, STYLES[one.verdict]), Text(one.found, overflow="fold"),
            Text(one.advice, overflow="fold"),
        )  # fmt: skip
        topic = one.topic
    console.print(table)
    worst = next((kind for kind in ("wrong", "note") if any(one.verdict == kind for one in findings)), "ok")
    console.print(Text(verdict(findings), STYLES[worst]))
    console.print(Text(PRIVATE if full else PUBLIC, "dim"))


def doctor(
    bench: Annotated[
        str,
        typer.Option(
            help="a bench file whose instruments are asked for their firmware (*IDN?)", show_default=False,
            autocompletion=completion.benches,
        ),
    ] = "",
    ask: Annotated[
        bool, typer.Option("--ask", help="ask every instrument found on USB, GPIB and PXI, too (*IDN?)")
    ] = False,
    runs: RunsFolder = None,
    full: Annotated[
        bool, typer.Option("--full", help="with serial numbers, addresses and names: not to be pasted")
    ] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say what this machine has of VISA, USB, serial ports, NI, Qt, disk, clock and sleep settings, and what to do.

    It prints one page, to paste into a question. It changes nothing and uses no network; no instrument is sent anything
    unless --bench or --ask says so. The exit code is 1 when something is wrong.
    """
    findings = examine(Machine(bench=bench, ask=ask, runs=runs_folder(runs)), full=full)
    terminal = Terminal()
    if as_json:
        facts = {"mho": mho_version(), "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "full": full}
        typer.echo(json.dumps(facts | {"findings": [_as_json(one) for one in findings]}, indent=2))
    elif terminal.is_terminal:
        print_page(findings, full, terminal)
    else:
        typer.echo(page(findings, full))
    if any(one.verdict == "wrong" for one in findings):
        raise typer.Exit(UNFINISHED)


def _as_json(finding: Finding) -> dict[str, str]:
    return {name: value for name, value in asdict(finding).items() if name != "private"}
