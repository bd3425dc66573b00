"""``mho gui`` and ``mho watch``: the window, and the page for the phone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mho.cli.options import Bench, RunsFolder
from mho.lazy_names import late_imports
from mho.runs import runs_folder

with late_imports():
    from mho import gui as gui_windows
    from mho.gui import watch as page


def gui(
    run: Annotated[
        Path | None, typer.Argument(help="a run file (.h5) to show alone", show_default=False)
    ] = None,
    bench: Bench = "simulated",
) -> None:
    """Open the window to run, watch and stop experiments; or a smaller one on a single run file."""
    raise typer.Exit(
        gui_windows.show_main_window(runs_folder(), bench) if run is None else gui_windows.show_run(run)
    )


def watch(
    port: Annotated[int, typer.Option(help="on 127.0.0.1; 0 takes any that is free")] = 8080,
    folder: RunsFolder = None,
) -> None:
    """Serve a read-only page about queue, progress, map and convergence on loopback, until Ctrl-C."""
    page.watch(port, lambda address: typer.echo(f"{address}   Ctrl-C ends it"), folder)
