"""``mho report``: one page about a run, a comparison, a campaign or the runs of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mho.cli import By, say
from mho.lazy_names import late_imports

with late_imports():
    from mho.extensions.report_pages import kinds, reporting

GROUP = "Run files"  # of the verb, in the list of all


def report_kinds() -> list[str]:
    """Return the kinds of report there are."""
    return list(kinds.KINDS)


def report(
    runs: Annotated[
        list[Path], typer.Argument(help="run files (.h5), or a folder of them", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="page (.html or .pdf), default beside the run, or report.html in the folder",
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            help="run, comparison, campaign or characterisation; by what there is unless given",
            show_default=False,
            autocompletion=report_kinds,
        ),
    ] = "",
    by: By = "",
    personal: Annotated[
        bool,
        typer.Option("--personal", help="show folders, user, host, command line and changes to the code too"),
    ] = False,
    whole: Annotated[
        bool, typer.Option("--all", help="open what is folded, on the screen and in print")
    ] = False,
) -> None:
    """Write one page about a run, a comparison or a campaign: results, figures, provenance, how to repeat it."""
    say(reporting.report(*runs, output=output, kind=kind, by=by, personal=personal, whole=whole))
