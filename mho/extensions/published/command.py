"""``mho published``: the reference paper's experiments on the virtual bench, beside the published numbers."""

from __future__ import annotations

import json
import math
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.cli import AsJson, Bench, Output, Preset, Stages, Terminal, say
from mho.errors import Aborted
from mho.extensions.published import (
    EXPERIMENTS,
    ExperimentOutcome,
    PublishedComparison,
    Repeated,
    published_numbers,
    repeat_published,
)

GROUP = "Experiments"  # of the verb, in the list of all


def print_published(repetition: Repeated, out: Console) -> None:
    """Print what was found beside what is published."""
    setup = repetition.setup
    where = "at the wire" if setup.wire else "a whole array at a time"
    cells = f", cells {setup.preset}" if setup.preset else ""
    out.print(
        Text.assemble(("Zuo et al., Nature Electronics 8, 1222 (2025)", "bold"),
                      f" on {setup.chips} chips of bench {setup.bench!r}{cells}, {where}, seed {setup.seed}"),
    )  # fmt: skip
    for name, outcome in repetition.outcomes.items():
        out.print()
        out.print(Text.assemble((name, "bold"), f": {published_numbers()[name].title}"))
        if outcome.rows:
            out.print(_table(outcome))
        for line in _remarks(outcome):
            out.print(f"  {line}")
    if repetition.joint_p is not None:
        out.print()
        out.print(f"all tested curves together: p = {repetition.joint_p:.2g} (Fisher)", style="bold")


def _table(outcome: ExperimentOutcome) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("quantity")
    for name in ("published", "5 %", "median", "95 %", "median / published", "chips below"):
        table.add_column(name, justify="right")
    table.add_column("")
    for row in outcome.rows:
        table.add_row(*_cells(row), style="dim" if row.published is None else "")
    return table


def _cells(row: PublishedComparison) -> tuple[str, ...]:
    quantity = f"{row.quantity}, cycle {row.number}" if row.quantity == "relative error" else row.quantity
    unit = f" {row.unit}" if row.unit else ""
    published = "open" if row.published is None else f"{row.published:.3g}{unit}"
    return (
        quantity, published, *(_number(one, ".3g") for one in (row.low, row.median, row.high)),
        _number(row.deviation, ".2f"), "" if math.isnan(row.below) else f"{100 * row.below:.0f} %", row.how,
    )  # fmt: skip


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def _remarks(outcome: ExperimentOutcome) -> list[str]:
    remarks = []
    if outcome.rejection is not None:
        remarks.append(f"is the published curve one of these? {outcome.rejection.in_words()}")
        if outcome.seen is not None:
            remarks.append(
                f"so many chips would have seen, half of the time, {_seen(outcome.seen)} a cycle than theirs"
            )
    if "wrong_integers" in outcome.facts:
        remarks.append(
            f"{outcome.facts['wrong_integers']} of {outcome.facts['integers']} integers were wrong"
        )
    return remarks + [f"open: {one}" for one in outcome.open_]


def _seen(factors: tuple[float, float]) -> str:
    faster, slower = factors
    parts = []
    if math.isfinite(slower):
        parts.append(f"a factor {slower:.2f} slower")
    if faster > 0.0:
        parts.append(f"a factor {1.0 / faster:.2f} faster")
    return " or ".join(parts)


def published_experiments() -> list[str]:
    """Return the experiments of the reference paper."""
    return list(EXPERIMENTS)


def published(
    experiments: Annotated[list[str] | None,
        typer.Argument(help="experiments of the paper; all when left out", show_default=False,
                       autocompletion=published_experiments)
    ] = None,
    bench: Bench = "zuo2025", preset: Preset = None,
    chips: Annotated[int, typer.Option(help="chips of every experiment")] = 20,
    seed: Annotated[int, typer.Option(help="of the chips")] = 1,
    wire: Annotated[bool, typer.Option(
        "--wire", help="at the wire of simulated instruments, some ten times as slow")] = False,
    output: Output = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Repeat the reference paper's experiments beside the published numbers; connects to nothing."""
    try:
        with Stages(quiet=as_json) as stages:
            repetition = repeat_published(
                experiments or (), bench=bench, preset=preset, chips=chips, seed=seed, wire=wire, output=output,
                progress=stages.show,
            )  # fmt: skip
    except KeyboardInterrupt:
        raise Aborted("stopped: the run file has the experiments that were done") from None
    if as_json:
        typer.echo(json.dumps(repetition.plain() | {"run_file": str(repetition.path)}))
        return
    print_published(repetition, Terminal(soft_wrap=True))
    say(repetition.path)
