"""Shows what became of run files, to people and to machines."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.runs.integrity import Verdict, Verification

STYLES = {Verdict.SOUND: "green", Verdict.RUNNING: "cyan", Verdict.INTERRUPTED: "yellow"}
FINDINGS_SHOWN = 8


def print_verifications(found: Sequence[Verification], console: Console) -> None:
    """Print one row a file."""
    table = Table("file", "verdict", "run", "findings", box=None)
    for one in found:
        shown = list(one.findings[:FINDINGS_SHOWN])
        if len(one.findings) > FINDINGS_SHOWN:
            shown.append(f"and {len(one.findings) - FINDINGS_SHOWN} more, see --json")
        table.add_row(
            Text(str(one.path)),
            Text(one.verdict, STYLES.get(one.verdict, "red")),
            Text(one.status),
            Text("\n".join(shown)),
        )
    console.print(table)


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
