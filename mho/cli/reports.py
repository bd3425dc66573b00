"""The verb that writes reports: of a run, of several, of a campaign.

What a verb needs is imported when it is called: `mho --help` is to be there at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mho.cli import completion
from mho.cli.display.sentences import say


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
            autocompletion=completion.report_kinds,
        ),
    ] = "",
    personal: Annotated[
        bool,
        typer.Option("--personal", help="show folders, user, host, command line and changes to the code too"),
    ] = False,
) -> None:
    """Write one page about runs: results, figures, tables, log, provenance, how to repeat them."""
    from mho.analysis.report_pages import report as write
    from mho.running.commands import command_of

    say(write(*runs, output=output, kind=kind, personal=personal, command_of=command_of))
