"""Shows what became of run files, to people and to machines."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.runs.integrity import Verdict, Verification
from mho.runs.nexus import Conformance

STYLES = {Verdict.SOUND: "green", Verdict.RUNNING: "cyan", Verdict.INTERRUPTED: "yellow"}
FINDINGS_SHOWN = 8


def print_verifications(found: Sequence[Verification], console: Console) -> None:
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


def print_conformance(found: Sequence[Conformance], console: Console) -> None:
    """Print one row a file: whether it follows the NeXus definition, and where not."""
    table = Table("file", "NXrram_array", "deviations", box=None)
    for one in found:
        said = Text("follows it", "green") if one.conforms else Text("deviates", "red")
        table.add_row(Text(str(one.path)), said, _first(one.deviations))
    console.print(table)


def conformance_as_json(found: Sequence[Conformance]) -> str:
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


def as_json(found: Sequence[Verification]) -> str:
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
