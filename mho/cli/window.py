"""``mho gui``: the window."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mho.cli.options import Bench
from mho.lazy_names import late_imports
from mho.runs import runs_folder

with late_imports():
    from mho import gui as gui_windows


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
