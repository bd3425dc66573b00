"""``mho watch``: the page for the phone."""

from __future__ import annotations

from typing import Annotated

import typer

from mho.cli import RunsFolder
from mho.extensions.watch import serving

GROUP = "Many runs"  # of the verb, in the list of all


def watch(
    port: Annotated[int, typer.Option(help="on 127.0.0.1; 0 takes any that is free")] = 8080,
    folder: RunsFolder = None,
) -> None:
    """Serve a page about queue, safety, progress and figures on loopback, until Ctrl-C; STOP and Pause with a token."""

    def tell(address: str, commanding: str) -> None:
        typer.echo(f"{address}   to look; Ctrl-C ends it")
        typer.echo(f"{commanding}   with STOP and Pause: whoever has this address can stop the bench")

    serving.watch(port, tell, folder)
