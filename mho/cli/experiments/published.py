"""``mho published``: the reference paper's experiments on the virtual bench, beside the published numbers.

What the verb needs is imported when it is called: `mho --help` is to be there at once.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mho.cli import completion
from mho.cli.options import AsJson, Bench, Output, Preset
from mho.cli.terminal.sentences import say
from mho.errors import Aborted


def published(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(
            help="experiments of the paper; all when left out",
            show_default=False,
            autocompletion=completion.published_experiments,
        ),
    ] = None,
    bench: Bench = "zuo2025",
    preset: Preset = None,
    chips: Annotated[int, typer.Option(help="chips of every experiment")] = 20,
    seed: Annotated[int, typer.Option(help="of the chips")] = 1,
    wire: Annotated[
        bool,
        typer.Option("--wire", help="at the wire of simulated instruments, some ten times as slow"),
    ] = False,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Repeat the reference paper's experiments beside the published numbers; connects to nothing."""
    from mho.cli.experiments.published_table import print_published
    from mho.cli.terminal.stages import Stages
    from mho.cli.terminal.terminal import Terminal
    from mho.running.published import repeat_published

    try:
        with Stages(quiet=as_json) as stages:
            found = repeat_published(
                experiments or (), bench=bench, preset=preset, chips=chips, seed=seed, wire=wire, output=output,
                progress=stages.show,
            )  # fmt: skip
    except KeyboardInterrupt:
        raise Aborted("stopped: the run file has the experiments that were done") from None
    if as_json:
        typer.echo(json.dumps(found.plain() | {"run_file": str(found.path)}))
        return
    print_published(found, Terminal(soft_wrap=True))
    say(found.path)
