"""``mho chip …``: what is kept of a chip beside its map, on the command line.

What a verb needs is imported when it is called: `mho chip --help` is to be there at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mho.cli.options import AsJson, Runs

chip_app = typer.Typer(no_args_is_help=True, add_completion=False)


@chip_app.callback()
def chip() -> None:
    """Keep what is known of a chip."""


@chip_app.command()
def defects(
    runs: Runs,
    to: Annotated[
        Path | None, typer.Option(help="the list (.toml) to add them to; without it they are only shown")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Collect the cells that runs found defective or formed, into the list that placement and programming go by."""
    from mho.analysis.reports import collect_defects
    from mho.chip_maps.defects import add_defects
    from mho.cli.benches.defects import print_defects
    from mho.cli.terminal.sentences import say
    from mho.cli.terminal.terminal import Terminal

    found = collect_defects(runs)
    for path, why in found.without:
        say(f"{path} {why}", err=True)
    if as_json:
        typer.echo(json.dumps(found.defects.model_dump(), indent=2))
    else:
        print_defects(found.defects, Terminal())
    if to is not None:
        whole, new = add_defects(to, found.defects)
        say(f"{to}: {len(whole.defects)} defects of chip {whole.chip}, {new} of them new", err=as_json)
