"""``mho gui``: the window."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mho.cli.options import Bench
from mho.errors import InputError, os_errors_as
from mho.lazy_names import late_imports
from mho.platforms import here
from mho.runs import runs_folder

with late_imports():
    from mho import gui as gui_windows


def gui(
    run: Annotated[
        Path | None, typer.Argument(help="a run file (.h5) to show alone", show_default=False)
    ] = None,
    bench: Bench = "simulated",
    shortcut: Annotated[
        bool, typer.Option("--shortcut", help="put an icon on the desktop that opens it, in this folder")
    ] = False,
) -> None:
    """Open the window to run, watch and stop experiments; or a smaller one on a single run file."""
    if shortcut:
        command = [
            sys.executable,
            "-P",
            "-m",
            "mho",
            "gui",
            "--bench",
            bench,
            *([str(run.resolve())] if run else []),
        ]
        with os_errors_as(InputError, "no icon can be made"):
            files = here.put_icon("mho", command, Path.cwd())
        typer.echo("\n".join(map(str, files)))
        return
    raise typer.Exit(
        gui_windows.show_main_window(runs_folder(), bench) if run is None else gui_windows.show_run(run)
    )
