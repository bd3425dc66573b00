"""``mho budget``: what made the answers of a run wrong, cause by cause, and what to mend first.

What the verb needs is imported when it is called: `mho --help` is to be there at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mho.cli.options import AsJson, Preset, Run, Trusted
from mho.cli.terminal.sentences import say
from mho.errors import Aborted


def budget(
    run: Run,
    preset: Preset = None,
    draws: Annotated[
        int, typer.Option(help="moments at which noise is drawn anew for the intervals; 0 for none")
    ] = 16,
    figure: Annotated[
        Path | None, typer.Option(help="picture of the budget: .png, .svg, .pdf", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="of the moments")] = 0,
    as_json: AsJson = False,
    trust: Trusted = False,
) -> None:
    """Say what made a run's answers wrong, cause by cause, and what to mend first; connects to nothing.

    The cells of a run on real instruments are those of --preset.
    """
    if figure is not None:
        from mho.analysis.figures import check_picture

        check_picture(figure)
    from mho.cli.analysis.budget_table import print_budget
    from mho.cli.terminal.run_display import asking
    from mho.cli.terminal.stages import Stages
    from mho.cli.terminal.terminal import Terminal
    from mho.running.budget import budget as explain
    from mho.running.budget import save_budget

    try:
        with Stages(quiet=as_json) as stages:
            found = explain(
                run, preset=preset, draws=draws, seed=seed, trust=asking(trust), progress=stages.show
            )
    except KeyboardInterrupt:
        raise Aborted("stopped: there is no budget") from None
    if as_json:
        typer.echo(json.dumps(found.plain()))
    else:
        print_budget(found, Terminal(soft_wrap=True))
    if figure is not None:
        drawn = save_budget(found, figure)
        say(drawn, err=as_json)
