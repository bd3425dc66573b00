"""``mho runs …``: the index of runs on the command line, and lists of runs for the terminal and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.analysis.reports import duration_text, quantity_text
from mho.cli.options import AsJson, RunsFolder, grouped
from mho.cli.run_files.show import STYLES, status_style
from mho.cli.terminal.stages import Stages
from mho.cli.terminal.terminal import ListColumn, Terminal
from mho.errors import InputError, RunFileError
from mho.runs import IndexedRun, Labels, RunIndex, Status, outcome_line, runs_folder
from mho.runs.index import NEWEST_FIRST, UNREADABLE, CardName, Links, ResultQuantity, labelled

SHOWN = 50
"""Lines of a list on a terminal, unless --limit says otherwise."""

runs_app = typer.Typer(
    invoke_without_command=True,
    help="List, search, tag and link runs. Without a further word: list them, newest first.",
)

Name = Annotated[str, typer.Argument(help="a run: its path, name, or identity", show_default=False)]


@dataclass(frozen=True)
class LabelFilters:
    """Labels that the listed runs have."""

    sample: Annotated[str | None, typer.Option(help="only runs with this sample")] = None
    operator: Annotated[str | None, typer.Option(help="only runs of this operator")] = None
    project: Annotated[str | None, typer.Option(help="only runs of this project")] = None


@runs_app.callback()
@grouped
def runs(
    context: typer.Context,
    *,
    where: Annotated[
        str, typer.Option(help="only such runs: 'bits>=24 and status=finished', 'date>=2026-11 and \"warm\"'")
    ] = "",
    sort: Annotated[
        str, typer.Option(help="by what: date, duration, a parameter, a result; -NAME for the largest first")
    ] = NEWEST_FIRST,
    columns: Annotated[
        str, typer.Option(help="further columns, by commas: 'preset,bits,result.relative_error'")
    ] = "",
    limit: Annotated[int | None, typer.Option(min=0, help="show so many, 0 for all [default: 50]")] = None,
    labels: LabelFilters,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="read all files again first")] = False,
    folder: RunsFolder = None,
    json_: AsJson = False,
) -> None:
    """List runs."""
    context.obj = folder
    if context.invoked_subcommand is not None:
        return
    with RunIndex(runs_folder(folder)) as index:
        with Stages(quiet=not sys.stderr.isatty()) as bars:

            def progress(done: int, total: int) -> None:
                if total > SHOWN:
                    bars.show("reading run files", done, total)

            changes = (index.rebuild if rebuild else index.update)(progress)
        if rebuild:
            typer.echo(f"{changes.read} files read, {changes.unreadable} of them no runs", err=True)
        where = labelled(where, Labels(**vars(labels)))
        most = (None if json_ else SHOWN) if limit is None else limit or None
        matches = index.search(where, sort, most)
        shown = chosen_columns(columns, sort, index)
        if json_:
            plain = columns_as_json(matches, shown, index) if columns else runs_as_json(matches, index)
            typer.echo(json.dumps(plain))
        else:
            print_runs(matches, index.count(where), Terminal(), shown, index, briefly=bool(columns))


@runs_app.command()
def tag(
    context: typer.Context,
    run: Name,
    tags: Annotated[list[str], typer.Argument(help="words", show_default=False)],
    remove: Annotated[bool, typer.Option("--remove", help="take them off instead")] = False,
    folder: RunsFolder = None,
) -> None:
    """Give a run tags, kept in the index: the file is not changed."""
    with RunIndex(runs_folder(folder or context.obj)) as index:
        index.update()
        identity = _identity(index.find(run))
        (index.annotations.untag if remove else index.annotations.tag)(identity, *tags)
        typer.echo(" ".join(index.find(run).tags))


@runs_app.command()
def note(
    context: typer.Context,
    run: Name,
    text: Annotated[str, typer.Argument(show_default=False)],
    folder: RunsFolder = None,
) -> None:
    """Add a note to a run, kept in the index: the file is not changed."""
    with RunIndex(runs_folder(folder or context.obj)) as index:
        index.update()
        index.annotations.note(_identity(index.find(run)), text)


@runs_app.command()
def about(context: typer.Context, run: Name, folder: RunsFolder = None, json_: AsJson = False) -> None:
    """Show tags and notes of a run, and the runs it has to do with: resumed, repeated, same chip, same matrix."""
    with RunIndex(runs_folder(folder or context.obj)) as index:
        index.update()
        links = index.find(run)
        if json_:
            typer.echo(json.dumps(links_as_json(links, index)))
        else:
            print_links(links, index, Terminal())


def _identity(run: IndexedRun) -> str:
    if not run.facts.run_id:
        raise RunFileError(f"{run.path} cannot be read as a run, so nothing can be kept of it: {run.reason}")
    return run.facts.run_id


STATUS_STYLES: Mapping[str, str] = {str(status): style for status, style in STYLES.items()} | {
    UNREADABLE: "red"
}
_LINKS = {field.name: field.name.replace("_", " ") for field in fields(Links)}


ALWAYS_SHOWN = {"path", "title", "status", "conclusion", "duration", "date", "start", "tag"}
"""Facts that a list shows anyhow."""


def chosen_columns(names: str, sort: str, index: RunIndex) -> list[CardName]:
    """Return the columns of a list besides those that it always has: those that are named, and what it is sorted by.

    `names` are of facts, parameters and results, separated by commas; InputError is raised for one that no run has, or no
    list can show.
    """
    asked = [name for name in map(str.strip, names.split(",")) if name]
    extra_columns = [index.resolve(name) for name in asked]
    for column in extra_columns:
        if not column.source and column.name in ("note", "text"):
            raise InputError(f"a list of runs has no column {column.name}; mho runs about RUN shows notes")
    by = index.resolve(sort.removeprefix("-"))
    columns = [*extra_columns, by] if by.source or by.name not in ALWAYS_SHOWN else extra_columns
    return list(dict.fromkeys(columns))


def print_runs(
    runs: Sequence[IndexedRun], total: int, console: Terminal, columns: Sequence[CardName], index: RunIndex, *,
    briefly: bool = False,
) -> None:  # fmt: skip
    """Print a line a run, and how many of the `total` are shown.

    `columns` come beside what a list always has or, `briefly`, beside path and status.
    """
    if runs:
        console.print_list(list(_listed(runs, columns, index, briefly=briefly)))
    if len(runs) < total:
        console.print(Text(f"{len(runs)} of {total} runs; --limit 0 shows all", style="dim"))
    elif not runs:
        console.print(Text("no runs", style="dim"))


def _listed(
    runs: Sequence[IndexedRun], columns: Sequence[CardName], index: RunIndex, *, briefly: bool
) -> Iterator[ListColumn]:
    yield ListColumn("run", [str(run.path) for run in runs], least=25)
    if not briefly:
        yield ListColumn("started", [_when(run.facts.start)[:-3] for run in runs], 1)
        yield ListColumn("took", [_fact(run, "duration") for run in runs], 5)
    styles = [status_style(run.status, run.conclusion) or STATUS_STYLES.get(run.status, "") for run in runs]
    yield ListColumn(
        "status", [Text(run.status, style=style) for run, style in zip(runs, styles, strict=True)]
    )
    names = [column.name for column in columns]
    for column in columns:
        unit, texts = _cells(column, runs, index)
        title = column.name if names.count(column.name) == 1 else column.title
        yield ListColumn(f"{title} ({unit})" if unit else title, texts, least=6)
    if not briefly:
        yield ListColumn("title", [run.facts.title for run in runs], 4, least=14)
        yield ListColumn("conclusion", [_fact(run, "conclusion") for run in runs], 3, least=26)
        yield ListColumn("tags", [" ".join(run.tags) for run in runs], 6)


def _cells(column: CardName, runs: Sequence[IndexedRun], index: RunIndex) -> tuple[str, list[str]]:
    """Return the unit of a column, and the text of each run in it; where units differ, each text has its own."""
    if not column.source:
        return "", [_fact(run, column.name) for run in runs]
    quantities = _quantities(column, runs, index)
    pairs = [("", "") if one is None else quantity_text(one.value, one.unit) for one in quantities]
    units = {unit for one, (_, unit) in zip(quantities, pairs, strict=True) if one is not None}
    if len(units) == 1:
        return units.pop(), [text for text, _ in pairs]
    return "", [f"{text} {unit}".rstrip() for text, unit in pairs]


def _quantities(column: CardName, runs: Sequence[IndexedRun], index: RunIndex) -> list[ResultQuantity | None]:
    quantities = index.quantities(runs)
    return [
        next((one for one in quantities[run.id][column.source] if one.name == column.name), None)
        for run in runs
    ]


def _fact(run: IndexedRun, name: str) -> str:
    reader = FACTS.get(name)
    return str(getattr(run.facts, name)) if reader is None else reader(run)


def _measured(run: IndexedRun) -> str:
    if run.conclusion is None or run.status != Status.FINISHED:
        return ""
    return "yes" if run.conclusion.measured else "no"


FACTS: Mapping[str, Callable[[IndexedRun], str]] = {
    "id": lambda run: run.facts.run_id,
    "path": lambda run: str(run.path),
    "tag": lambda run: " ".join(run.tags),
    "date": lambda run: _when(run.facts.start),
    "start": lambda run: _when(run.facts.start),
    "end": lambda run: _when(run.end),
    "duration": lambda run: "" if run.duration is None else duration_text(run.duration),
    "status": lambda run: str(run.status),
    "reason": lambda run: run.reason,
    "conclusion": lambda run: outcome_line(run.status, run.reason, run.conclusion, named=False),
    "warnings": lambda run: "" if run.conclusion is None else "; ".join(run.conclusion.warnings),
    "unsafe": lambda run: "" if run.conclusion is None else run.conclusion.unsafe,
    "measured": _measured,
}
"""What a list says of a run, by name; of any other the index's facts."""


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
            **run.facts.as_dict(),
            "start": _iso(run.facts.start),
            "end": _iso(run.end),
            "duration": run.duration,
            "status": run.status,
            "reason": run.reason,
            "conclusion": None if run.conclusion is None else vars(run.conclusion),
            "tags": list(run.tags),
            "notes": [
                {"time": _iso(when), "text": text} for when, text in index.annotations.notes(run.facts.run_id)
            ],
            "parameters": {one.name: one.value for one in quantities[run.id]["parameter"]},
            "results": {one.name: one.value for one in quantities[run.id]["result"]},
        }
        for run in runs
    ]


def columns_as_json(
    runs: Sequence[IndexedRun], columns: Sequence[CardName], index: RunIndex
) -> list[dict[str, Any]]:
    """Return path, status and these columns of `runs`, SI values with the ``units`` of those that have one."""
    rows: list[dict[str, Any]] = [{"path": str(run.path), "status": run.status, "units": {}} for run in runs]
    for column in columns:
        if not column.source:
            for one, run in zip(rows, runs, strict=True):
                one[column.title] = run.duration if column.name == "duration" else _fact(run, column.name)
            continue
        for one, quantity in zip(rows, _quantities(column, runs, index), strict=True):
            one[column.title] = None if quantity is None else quantity.value
            if quantity is not None and quantity.unit:
                one["units"] |= {column.title: quantity.unit}
    return rows


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
