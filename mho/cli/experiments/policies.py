"""A programming policy in the terminal and as JSON: what it takes beside the present settings; and a run beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.running.optimising import PredictedQuantity, ProgrammingPolicy, facts

ROWS = {
    "pulses": ("pulses a cell", "{:.3g}"),
    "reads": ("reads a cell", "{:.3g}"),
    "both": ("pulses and reads a cell", "{:.3g}"),
    "time": ("time on the bench's clock, s a cell", "{:.2g}"),
}
ENDED = {
    "time": "the time ended before the budget; the same call may find another answer",
    "interrupted": "interrupted: this is the best so far",
}


def print_policy(policy: ProgrammingPolicy, out: Console) -> None:
    """Print what was found, what it takes beside the present settings, and how its settings differ."""
    p, twin = policy, policy.twin
    drawn = f", {', '.join(twin.draws.names)} drawn from the posterior" if twin.draws.names else ""
    out.print(
        Text.assemble(
            (f"policy {p.strategy}", "bold"),
            f" for a success of {p.wanted:g} on bench {twin.source.bench.name!r}, cells {twin.draws.preset.name}{drawn}, "
            f"seed {twin.seed}",
        )
    )
    out.print(_quantities(p))
    out.print(_levels(p))
    changed = list(_changed(p))
    out.print("settings that differ:" if changed else "the present settings are the best found", style="bold")
    for line in changed:
        out.print(f"  {line}")
    tried = {(one.strategy, one.evaluation) for one in p.trials}
    out.print(
        f"{len(tried)} settings tried; compared on {len(p.after)} chips of {len(p.after[0].digits)} cells that the search "
        "had not seen, the same for both; intervals 95 %",
        style="dim",
    )
    if p.ended in ENDED:
        out.print(ENDED[p.ended], style="yellow")


def _quantities(policy: ProgrammingPolicy) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for name in ("present", "found", "saved", "from", "to"):
        table.add_column(name, justify="right")
    for cost, (words, form) in ROWS.items():
        means = [np.mean([one.cost(cost) for one in some]) for some in (policy.before, policy.after)]
        saved = policy.saved(cost)
        shares = (f"{one:.1%}" for one in (saved.mean, saved.low, saved.high))
        style = "bold" if cost == policy.cost else None
        table.add_row(words, *(form.format(one) for one in means), *shares, style=style)
    before = np.mean([one.success for one in policy.before])
    after = policy.success()
    words = f"success, {policy.twin.after:g} s after programming" if policy.twin.after else "success"
    style = None if policy.reached else "bold red"
    shares = (f"{one:.2%}" for one in (after.low, after.high))
    table.add_row(words, f"{before:.2%}", f"{after.mean:.2%}", "", *shares, style=style)
    held = (f"{np.mean([one.held for one in some]):.2%}" for some in (policy.before, policy.after))
    table.add_row("in their windows an hour later", *held)
    return table


def _levels(policy: ProgrammingPolicy) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("pulses by digit")
    for digit in range(len(policy.twin.levels.nominal)):
        table.add_column(str(digit), justify="right")
    for name, some in (("present", policy.before), ("found", policy.after)):
        table.add_row(name, *(f"{one:.3g}" for one in pulses_by_digit(policy, some)))
    return table


def pulses_by_digit(policy: ProgrammingPolicy, programmed: Sequence[Any]) -> list[float]:
    """Return the mean pulses of the cells of each digit."""
    digits, pulses = (
        np.concatenate([getattr(one, name) for one in programmed]) for name in ("digits", "pulses")
    )
    return [float(pulses[digits == digit].mean()) for digit in range(len(policy.twin.levels.nominal))]


def _changed(policy: ProgrammingPolicy) -> Iterator[str]:
    """Yield the settings that differ from the present ones, one a line."""
    if policy.strategy != policy.present_strategy:
        yield f"strategy: {policy.present_strategy} -> {policy.strategy}"
    present = dict(policy.present)
    for name, value in policy.settings:
        before = present.get(name)
        if value == before or name == "strategy":
            continue
        if isinstance(value, tuple) and len(value) > 2:
            yield f"{name}: {len(value)} entries, {value[0]:g} to {value[-1]:g}, measured on the twin"
        else:
            yield f"{name}: {_plain(before)} -> {_plain(value)}"


def _plain(value: Any) -> str:
    return ", ".join(f"{one:g}" for one in value) if isinstance(value, tuple) else str(value)


def policy_as_json(policy: ProgrammingPolicy) -> dict[str, Any]:
    """Return a policy for machines."""
    costs = {
        name: {
            "present": float(np.mean([one.cost(name) for one in policy.before])),
            "found": float(np.mean([one.cost(name) for one in policy.after])),
            "saved": asdict(policy.saved(name)),
        }
        for name in ROWS
    }
    return {
        "reached": policy.reached,
        "success": asdict(policy.success()),
        "present_success": float(np.mean([one.success for one in policy.before])),
        "costs": costs,
        "ended": policy.ended,
        "searched": list(policy.searched),
        "evaluations": len({(one.strategy, one.evaluation) for one in policy.trials}),
        "write_verify": dict(policy.settings),
        "prediction": facts(policy),
    }


def print_compared(found: Sequence[PredictedQuantity], run: str, settings: str, out: Console) -> None:
    """Print a run beside its prediction."""
    out.print(Text.assemble((f"{run} beside the prediction in {settings}", "bold"), ", 95 %"))
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for name in ("predicted", "from", "to", "measured", ""):
        table.add_column(name, justify="right")
    for one in found:
        form = "{:.2%}" if one.name == "success" else "{:.3g}"
        values = (one.predicted.mean, one.predicted.low, one.predicted.high, one.measured)
        words = one.name if one.name == "success" else f"{one.name} a cell"
        table.add_row(words, *map(form.format, values), "as predicted" if one.inside else _beyond(one))
    out.print(table)
    if not all(one.inside for one in found):
        out.print(
            "what lies outside, the twin does not tell of this chip: calibrate it anew from runs on the chip as it is now",
            style="yellow",
        )


def _beyond(one: PredictedQuantity) -> str:
    return "above" if one.measured > one.predicted.high else "below"


def compared_as_json(found: Sequence[PredictedQuantity]) -> dict[str, Any]:
    """Return a comparison for machines."""
    return {
        one.name: {"predicted": asdict(one.predicted), "measured": one.measured, "inside": one.inside}
        for one in found
    }
