"""``mho watch``: the page for the phone."""

from __future__ import annotations

from typing import Annotated

import typer

from mho.cli import RunsFolder
from mho.extensions.watch import phone_page

GROUP = "Many runs"  # of the verb, in the list of all


def watch(
    port: Annotated[int, typer.Option(help="on 127.0.0.1; 0 takes any that is free")] = 8080,
    folder: RunsFolder = None,
) -> None:
    """Serve a read-only page about queue, progress, map and convergence on loopback, until Ctrl-C."""
    phone_page.watch(port, lambda address: typer.echo(f"{address}   Ctrl-C ends it"), folder)
