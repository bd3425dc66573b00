"""What a check of a bench came to, as a table."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.lazy_names import late_imports

with late_imports():
    from mho.instruments import checks

STYLES = {"ok": "green", "note": "yellow", "wrong": "bold red"}


def print_report(report: checks.BenchReport, console: Console) -> None:
    """Print a report as a table, and whether the bench may be used."""
    table = Table(
        "", "checked", "", "found", "what to do", title=f"bench {report.bench}", title_justify="left"
    )
    subject = ""
    for finding in report.findings:
        if finding.subject != subject and subject:
            table.add_section()
        table.add_row(
            (finding.title or finding.subject) if finding.subject != subject else "", finding.what,
            Text(finding.verdict, STYLES[finding.verdict]), Text(finding.detail), Text(finding.advice),
        )  # fmt: skip
        subject = finding.subject
    console.print(table)
    wrong = sum(finding.verdict == "wrong" for finding in report.findings)
    notes = sum(finding.verdict == "note" for finding in report.findings)
    console.print(
        f"{wrong} wrong, {notes} to note" if wrong or notes else "all is well",
        style=STYLES["wrong" if wrong else "note" if notes else "ok"],
    )  # fmt: skip
