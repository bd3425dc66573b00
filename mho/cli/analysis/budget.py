"""``mho budget``: what made the answers of a run wrong, cause by cause, and what to mend first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.analysis import figures
from mho.cli.options import AsJson, Preset, Run, Trusted
from mho.cli.terminal.sentences import say
from mho.cli.terminal.terminal import Terminal, plain_table
from mho.errors import Aborted
from mho.escaping import visible
from mho.lazy_names import late_imports
from mho.running import budget as budgets
from mho.runs import Status

with late_imports():
    from mho.cli.terminal import run_display, stages
    from mho.instruments import arrays


def print_budget(budget: budgets.Budget, out: Console) -> None:
    """Print a budget."""
    b = budget
    out.print(Text.assemble((visible(b.title, lines=False), "bold"), f"  {b.path.name}"))
    if b.status is not Status.FINISHED:
        out.print(f"the run is {b.status}: what it came to is used", style="bold yellow")
    of = f"one {b.counted}" if b.answers == 1 else f"root mean square of {b.answers} {b.counted}"
    out.print(
        f"{b.error}: {b.measured:.3g} ({of}); its twin on bench {b.bench}, cells {b.preset}: {b.twin:.3g}"
    )
    low, high = b.again
    if high - low > 1e-9 * b.twin:
        out.print(f"measured again on the same cells it would be {low:.3g} to {high:.3g}")
    for remark in b.remarks:
        out.print(visible(remark, lines=False), style="yellow")
    out.print(_table(b))
    out.print(Text(b.advice, style="bold"))
    for sentence in _small_print(b):
        out.print(sentence, style="dim")


def _table(budget: budgets.Budget) -> Table:
    numbers = ("share", "95 %", "only this", "mended", "gain")
    table = plain_table("cause", *numbers, "what it is", right=numbers)
    first = budget.first
    for one in budget.shares:
        table.add_row(
            one.cause,
            f"{100 * one.share:.1f} %",
            f"{100 * one.low:.1f} to {100 * one.high:.1f}" if budget.draws else "",
            f"{one.alone:.3g}",
            f"{one.mended:.3g}",
            f"{100 * (1 - one.mended / budget.twin):.0f} %" if budget.twin else "",
            f"{one.acts}: {arrays.CAUSES[one.cause]}" if one.acts else arrays.CAUSES[one.cause],
            style="bold" if one is first else "",
        )
    for name, share, what in (
        ("encoding", budget.rest, "what remains with all causes off"),
        ("not explained", budget.unexplained, "measured, less what the twin has"),
    ):
        table.add_row(name, f"{100 * share:.1f} %", "", "", "", "", what)
    return table


def _small_print(budget: budgets.Budget) -> list[str]:
    b = budget
    lines = [
        "shares are of the squared error and add up to 100 %; a cause below 0 makes up for others, and one above 100 % is "
        "made up for. Errors are relative: if there were only this cause, and if it alone were mended, which gains so much."
    ]
    if b.draws:
        lines.append(f"95 %: where the share is when {b.drawn}, {b.draws} times, seed {b.seed}.")
    if b.orders:
        lines.append(f"sampled in {b.orders} orders of the causes, seed {b.seed}.")
    return lines


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
        figures.check_picture(figure)

    try:
        with stages.Stages(quiet=as_json) as bars:
            result = budgets.budget(
                run,
                preset=preset,
                draws=draws,
                seed=seed,
                trust=run_display.asking(trust),
                progress=bars.show,
            )
    except KeyboardInterrupt:
        raise Aborted("stopped: there is no budget") from None
    if as_json:
        typer.echo(json.dumps(result.plain()))
    else:
        print_budget(result, Terminal(soft_wrap=True))
    if figure is not None:
        drawn = budgets.save_budget(result, figure)
        say(drawn, err=as_json)
