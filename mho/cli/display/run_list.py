"""Lists of runs, and what is known of one, for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.analysis.reports import duration_text
from mho.cli.display.show import STYLES
from mho.runs.index import UNREADABLE, IndexedRun, Links, RunIndex

STATUS_STYLES: Mapping[str, str] = {str(status): style for status, style in STYLES.items()} | {
    UNREADABLE: "red"
}
_LINKS = {field.name: field.name.replace("_", " ") for field in fields(Links)}


def print_runs(runs: Sequence[IndexedRun], total: int, console: Console) -> None:
    """Print a line a run, and how many of the `total` are shown."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("run", "started", "took", "status", "title", "tags"):
        table.add_column(name, overflow="fold", no_wrap=name in ("run", "started", "took", "status"))
    for run in runs:
        table.add_row(
            Text(str(run.path)),
            _when(run.facts.start)[:-3],
            "" if run.duration is None else duration_text(run.duration),
            Text(run.status, style=STATUS_STYLES.get(run.status, "")),
            Text(run.facts.title if run.status != UNREADABLE else run.reason),
            Text(" ".join(run.tags)),
        )
    if runs:
        console.print(table, highlight=False)
    if len(runs) < total:
        console.print(Text(f"{len(runs)} of {total} runs; --limit 0 shows all", style="dim"))
    elif not runs:
        console.print(Text("no runs", style="dim"))


def print_links(run: IndexedRun, index: RunIndex, console: Console) -> None:
    """Print tags, notes and related runs of `run`."""
    console.print(Text(f"{run.path}  {run.facts.title}  {run.facts.run_id}", style="bold"), soft_wrap=True)
    links = index.links(run)
    lines = [("tags", " ".join(run.tags))] if run.tags else []
    lines += [(_when(when), text) for when, text in index.annotations.notes(run.facts.run_id)]
    for name, label in _LINKS.items():
        lines += [
            (label, f"{other.path}  {other.status}  {_when(other.facts.start)}")
            for other in getattr(links, name)
        ]
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for label, text in lines:
        table.add_row(Text(label, style="dim"), Text(text))
    console.print(table if lines else Text("no tags, no notes, and no runs related to it", style="dim"))


def runs_as_json(runs: Sequence[IndexedRun], index: RunIndex) -> list[dict[str, Any]]:
    """Return everything that the index contains about `runs`."""
    quantities = index.quantities(runs)
    return [
        {
            "path": str(run.path),
            **asdict(run.facts),
            "start": _iso(run.facts.start),
            "end": _iso(run.end),
            "duration": run.duration,
            "status": run.status,
            "reason": run.reason,
            "tags": list(run.tags),
            "notes": [
                {"time": _iso(when), "text": text} for when, text in index.annotations.notes(run.facts.run_id)
            ],
            "parameters": {one.name: one.value for one in quantities[run.id]["parameter"]},
            "results": {one.name: one.value for one in quantities[run.id]["result"]},
        }
        for run in runs
    ]


def links_as_json(run: IndexedRun, index: RunIndex) -> dict[str, Any]:
    """Return `run` as in `runs_as_json`, and the paths of related runs."""
    links = index.links(run)
    related = {name: [str(other.path) for other in getattr(links, name)] for name in _LINKS}
    return runs_as_json([run], index)[0] | {"links": related}


def _when(time: float | None) -> str:
    return "" if time is None else f"{datetime.fromtimestamp(time):%Y-%m-%d %H:%M:%S}"


def _iso(time: float | None) -> str | None:
    return (
        None if time is None else datetime.fromtimestamp(time).astimezone().isoformat(timespec="milliseconds")
    )
