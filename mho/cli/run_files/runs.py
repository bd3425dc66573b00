"""``mho runs …``: the index of runs on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mho.cli.options import AsJson
from mho.cli.run_files.run_list import (
    chosen_columns,
    columns_as_json,
    links_as_json,
    print_links,
    print_runs,
    runs_as_json,
)
from mho.cli.terminal.terminal import Terminal
from mho.errors import RunFileError
from mho.runs import IndexedRun, Labels, RunIndex, runs_folder
from mho.runs.index import NEWEST_FIRST, labelled

SHOWN = 50
"""Lines of a list on a terminal, unless --limit says otherwise."""

runs_app = typer.Typer(invoke_without_command=True)

Folder = Annotated[Path | None, typer.Option("--runs", help="folder of runs, default MHO_RUNS or data/runs")]
Name = Annotated[str, typer.Argument(help="a run: its path, name, or identity", show_default=False)]


@runs_app.callback()
def runs(
    context: typer.Context,
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
    sample: Annotated[str | None, typer.Option(help="only runs with this sample")] = None,
    operator: Annotated[str | None, typer.Option(help="only runs of this operator")] = None,
    project: Annotated[str | None, typer.Option(help="only runs of this project")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="read all files again first")] = False,
    folder: Folder = None,
    json_: AsJson = False,
) -> None:
    """List runs."""
    context.obj = folder
    if context.invoked_subcommand is not None:
        return
    with RunIndex(runs_folder(folder)) as index:
        with _progress() as progress:
            changes = (index.rebuild if rebuild else index.update)(progress)
        if rebuild:
            typer.echo(f"{changes.read} files read, {changes.unreadable} of them no runs", err=True)
        where = labelled(where, Labels(sample, operator, project))
        most = (None if json_ else SHOWN) if limit is None else limit or None
        found = index.search(where, sort, most)
        shown = chosen_columns(columns, sort, index)
        if json_:
            told = columns_as_json(found, shown, index) if columns else runs_as_json(found, index)
            typer.echo(json.dumps(told))
        else:
            print_runs(found, index.count(where), Terminal(), shown, index, briefly=bool(columns))


@runs_app.command()
def tag(
    context: typer.Context,
    run: Name,
    tags: Annotated[list[str], typer.Argument(help="words", show_default=False)],
    remove: Annotated[bool, typer.Option("--remove", help="take them off instead")] = False,
    folder: Folder = None,
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
    folder: Folder = None,
) -> None:
    """Add a note to a run, kept in the index: the file is not changed."""
    with RunIndex(runs_folder(folder or context.obj)) as index:
        index.update()
        index.annotations.note(_identity(index.find(run)), text)


@runs_app.command()
def about(context: typer.Context, run: Name, folder: Folder = None, json_: AsJson = False) -> None:
    """Show tags and notes of a run, and the runs it has to do with: resumed, repeated, same chip, same matrix."""
    with RunIndex(runs_folder(folder or context.obj)) as index:
        index.update()
        found = index.find(run)
        if json_:
            typer.echo(json.dumps(links_as_json(found, index)))
        else:
            print_links(found, index, Terminal())


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Show how far the reading of many files is, on a terminal."""
    columns = (TextColumn("reading run files"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Terminal(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: list[TaskID] = []

        def tell(done: int, total: int) -> None:
            if not tasks and total > SHOWN:
                tasks.append(bar.add_task("", total=total))
            for task in tasks:
                bar.update(task, completed=done)

        yield tell


def _identity(run: IndexedRun) -> str:
    if not run.facts.run_id:
        raise RunFileError(f"{run.path} cannot be read as a run, so nothing can be kept of it: {run.reason}")
    return run.facts.run_id
