"""Single lines: what a verb says on standard output, and what went wrong on standard error."""

from __future__ import annotations

import sys
from contextlib import suppress

import typer

from mho.escaping import visible

SHOW_CURSOR = "\x1b[?25h"  # a progress display that is killed leaves it hidden


def say(what: object, *, err: bool = False) -> None:
    """Print a path or a sentence on a line of its own."""
    typer.echo(visible(str(what), lines=False), err=err)


def print_warning(what: object) -> None:
    """Print an error in one line on standard error."""
    sys.stderr.write(f"mho: {visible(str(what), lines=False)}\n")


def complain_of_run(words: str) -> None:
    """Print the end of a run whose own process could not report it, possibly on a terminal that is no longer in front."""
    with suppress(OSError):  # the terminal may be gone
        if sys.stderr.isatty():
            sys.stderr.write(SHOW_CURSOR)
        print_warning(words)
        sys.stderr.flush()
