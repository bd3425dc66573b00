"""The verbs that tell runs from one another and report on them: compare, report.

What a verb needs is imported when it is called: `mho --help` is to be there at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mho.cli import completion
from mho.cli.experiments.procedure_command import Verb
from mho.cli.options import AsJson, By
from mho.cli.terminal.sentences import say

AGAINST = "--against"


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
    by: By = "",
    personal: Annotated[
        bool,
        typer.Option("--personal", help="show folders, user, host, command line and changes to the code too"),
    ] = False,
) -> None:
    """Write one page about a run, a comparison or a campaign: results, figures, provenance, how to repeat it."""
    from mho.analysis.report_pages import report as write
    from mho.running.commands import command_of

    say(write(*runs, output=output, kind=kind, by=by, personal=personal, command_of=command_of))


class CompareCommand(Verb):
    """A verb whose `--against` takes all words up to the next option: ``A*.h5 --against B*.h5``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `--against` before each of its words, as the parser has it."""
        words: list[str] = []
        against = False
        for word in args:
            if word == AGAINST:
                against = True
                continue
            against = against and not (word.startswith("-") and len(word) > 1)
            words += [AGAINST, word] if against else [word]
        if args and args[-1] == AGAINST:
            words.append(AGAINST)  # which lacks its word
        return super().parse_args(ctx, words)


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="run files (.h5); folders with --by or --against", show_default=False),
    ],
    against: Annotated[
        list[Path] | None,
        typer.Option(AGAINST, help="the other lot: all words up to the next option", show_default=False),
    ] = None,
    by: By = "",
    mean: Annotated[
        bool, typer.Option("--mean", help="compare the groups' means instead of medians")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="list everything, equal results too")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what differs between runs, or groups of runs: settings, and results with the sizes of effects."""
    from mho.analysis.comparisons import compare_files
    from mho.cli.analysis.comparison import comparison_as_json, print_comparison
    from mho.cli.terminal.terminal import Terminal

    found = compare_files(runs, against=against or (), by=by, centre="mean" if mean else "median")
    if as_json:
        typer.echo(json.dumps(comparison_as_json(found)))
    else:
        print_comparison(found, Terminal(soft_wrap=True), everything=everything)
