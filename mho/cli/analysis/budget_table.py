"""An error budget in the terminal: a row a cause, and what to mend first."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.escaping import visible
from mho.instruments.arrays import CAUSES
from mho.running.budget import Budget
from mho.runs import Status


def print_budget(budget: Budget, out: Console) -> None:
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


def _table(budget: Budget) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("cause")
    for name in ("share", "95 %", "only this", "mended", "gain"):
        table.add_column(name, justify="right")
    table.add_column("what it is")
    first = budget.first
    for one in budget.shares:
        table.add_row(
            one.cause,
            f"{100 * one.share:.1f} %",
            f"{100 * one.low:.1f} to {100 * one.high:.1f}" if budget.draws else "",
            f"{one.alone:.3g}",
            f"{one.mended:.3g}",
            f"{100 * (1 - one.mended / budget.twin):.0f} %" if budget.twin else "",
            f"{one.acts}: {CAUSES[one.cause]}" if one.acts else CAUSES[one.cause],
            style="bold" if one is first else "",
        )
    table.add_row(
        "encoding", f"{100 * budget.rest:.1f} %", "", "", "", "", "what remains with all causes off"
    )
    table.add_row(
        "not explained",
        f"{100 * budget.unexplained:.1f} %",
        "",
        "",
        "",
        "",
        "measured, less what the twin has",
    )
    return table


def _small_print(budget: Budget) -> list[str]:
    b = budget
    told = [
        "shares are of the squared error and add up to 100 %; a cause below 0 makes up for others, and one above 100 % is "
        "made up for. Errors are relative: if there were only this cause, and if it alone were mended, which gains so much."
    ]
    if b.draws:
        told.append(f"95 %: where the share is when {b.drawn}, {b.draws} times, seed {b.seed}.")
    if b.orders:
        told.append(f"sampled in {b.orders} orders of the causes, seed {b.seed}.")
    return told
