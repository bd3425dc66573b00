"""``mho optimise``: the settings of a strategy that take the least on the twin of a chip; and runs held to a prediction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.cli import TO, UNFINISHED, AsJson, Bench, Preset, Stages, Terminal, grouped, print_warning, say
from mho.errors import InputError
from mho.extensions.optimise import (
    PolicySearch,
    PredictedQuantity,
    ProgrammingPolicy,
    Twin,
    check_writable,
    compare,
    facts,
    write_settings,
)
from mho.extensions.optimise import optimise as find
from mho.procedures import known_strategies

GROUP = "Experiments"  # of the verb, in the list of all

ROWS = {
    "pulses": ("pulses a cell", "{:.3g}"), "reads": ("reads a cell", "{:.3g}"),
    "both": ("pulses and reads a cell", "{:.3g}"), "time": ("time on the bench's clock, s a cell", "{:.2g}"),
}  # fmt: skip
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


def _table(first: str, *names: str) -> Table:
    """Return a table of numbers, whose first column is words."""
    table = Table(box=None, pad_edge=False)
    table.add_column(first)
    for name in names:
        table.add_column(name, justify="right")
    return table


def _quantities(policy: ProgrammingPolicy) -> Table:
    table = _table("", "present", "found", "saved", "from", "to")
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
    in_windows = (f"{np.mean([one.held for one in some]):.2%}" for some in (policy.before, policy.after))
    table.add_row("in their windows an hour later", *in_windows)
    return table


def _levels(policy: ProgrammingPolicy) -> Table:
    table = _table("pulses by digit", *map(str, range(len(policy.twin.levels.nominal))))
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
        "reached": policy.reached, "success": asdict(policy.success()),
        "present_success": float(np.mean([one.success for one in policy.before])), "costs": costs,
        "ended": policy.ended, "searched": list(policy.searched),
        "evaluations": len({(one.strategy, one.evaluation) for one in policy.trials}),
        "write_verify": dict(policy.settings), "prediction": facts(policy),
    }  # fmt: skip


def print_compared(quantities: Sequence[PredictedQuantity], run: str, settings: str, out: Console) -> None:
    """Print a run beside its prediction."""
    out.print(Text.assemble((f"{run} beside the prediction in {settings}", "bold"), ", 95 %"))
    table = _table("", "predicted", "from", "to", "measured", "")
    for one in quantities:
        form = "{:.2%}" if one.name == "success" else "{:.3g}"
        values = (one.predicted.mean, one.predicted.low, one.predicted.high, one.measured)
        words = one.name if one.name == "success" else f"{one.name} a cell"
        table.add_row(words, *map(form.format, values), "as predicted" if one.inside else _beyond(one))
    out.print(table)
    if not all(one.inside for one in quantities):
        out.print(
            "what lies outside, the twin does not tell of this chip: calibrate it anew from runs on the chip as it is now",
            style="yellow",
        )


def _beyond(one: PredictedQuantity) -> str:
    return "above" if one.measured > one.predicted.high else "below"


def compared_as_json(quantities: Sequence[PredictedQuantity]) -> dict[str, Any]:
    """Return a comparison for machines."""
    return {
        one.name: {"predicted": asdict(one.predicted), "measured": one.measured, "inside": one.inside}
        for one in quantities
    }


def strategies() -> list[str]:
    """Return the programming strategies there are."""
    return ["all", *known_strategies()]


@dataclass(frozen=True)
class TwinOptions:
    """The chips on which settings are tried."""

    bench: Bench = "arrays"
    preset: Preset = None
    array: Annotated[str | None, typer.Option(help="of the chip; the first that multiplies unless given")] = (
        None
    )
    passes: Annotated[int, typer.Option(help="of touching up")] = 2
    after: Annotated[
        float, typer.Option(help="judge the success so many seconds after programming, by what cells hold")
    ] = 0.0
    seed: Annotated[int, typer.Option(help="of the chips and of the search")] = 0


@dataclass(frozen=True)
class SearchOptions:
    """What is searched for, and how long."""

    success: Annotated[float, typer.Option(help="share of the cells that must be in their windows")] = 0.99
    cost: Annotated[
        str, typer.Option(help="what to minimise: both (pulses and reads), pulses, reads, time")
    ] = "both"
    budget: Annotated[int, typer.Option(help="settings to try")] = 120
    minutes: Annotated[float, typer.Option(help="at most so long, on this machine's clock")] = 10.0
    chips: Annotated[int, typer.Option(help="chips of the comparison with the present settings")] = 20
    cells: Annotated[int, typer.Option(help="cells of each of them")] = 400
    search: Annotated[str, typer.Option(help="evolution, or bayesian, which needs optuna")] = "evolution"
    vary: Annotated[
        str, typer.Option(help="settings to search instead of all that matter: gate_step, inner=0.5..0.9")
    ] = ""
    write_verify: Annotated[
        str | None, typer.Option(help="present settings, the chip map's unless given; text or file")
    ] = None

    def wanted(self) -> PolicySearch:
        """Return them, checked."""
        return PolicySearch(
            self.success, self.cost, self.budget, 60.0 * self.minutes, self.chips, self.cells, self.search,
            self.write_verify, _varied(self.vary),
        )  # fmt: skip


@grouped
def optimise(
    strategy: Annotated[str, typer.Argument(
        help="a programming strategy, or all; with --compare a settings file", autocompletion=strategies)],
    *, twin: TwinOptions, how: SearchOptions,
    to: Annotated[Path | None, typer.Option(*TO, help="settings file (.toml) to write")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace a settings file that is there")] = False,
    compare: Annotated[Path | None, typer.Option(
        help="instead, hold this run to the prediction in a settings file")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Find the settings of a programming strategy that take the fewest pulses and reads; connects to nothing."""
    if compare is not None:
        _compare(compare, strategy, as_json)
        return

    if to is not None:
        check_writable(to, force)
    with Stages(quiet=as_json) as stages:
        search = how.wanted()
        policy = find(strategy, Twin(**vars(twin)), search, stages.show)
    if as_json:
        typer.echo(json.dumps(policy_as_json(policy)))
    else:
        print_policy(policy, Terminal(soft_wrap=True))
    if not policy.reached:
        best = policy.success()
        print_warning(
            f"no setting tried reached a success of {policy.wanted:g}; the best reached {best.mean:.4f} ({best.low:.4f} to "
            f"{best.high:.4f}){'' if to is None else f', and {to} was not written'}: ask for less with --success, try more "
            "with --budget, or another strategy"
        )
        raise typer.Exit(UNFINISHED)
    if to is not None:
        write_settings(policy, to, force)
        if not as_json:
            say(to)


def _compare(run: Path, settings: str, as_json: bool) -> None:
    """Print a run beside its prediction."""
    quantities = compare(run, settings)
    if as_json:
        typer.echo(json.dumps(compared_as_json(quantities)))
    else:
        print_compared(quantities, run.name, settings, Terminal(soft_wrap=True))


def _varied(text: str) -> dict[str, tuple[float, float] | None]:
    """Return the settings to search, with their bounds or None."""
    ranges: dict[str, tuple[float, float] | None] = {}
    for part in text.split(","):
        name, equals, bounds = (piece.strip() for piece in part.partition("="))
        if not name:
            continue
        if name in ranges:
            raise InputError(f"--vary names {name} twice")
        ranges[name] = None
        if equals:
            low, dots, high = bounds.partition("..")
            try:
                ranges[name] = float(low), float(high)
            except ValueError:
                dots = ""
            if not dots:
                raise InputError(f"--vary {name}={bounds}: give two numbers in SI units, as {name}=0.5..0.9")
    return ranges
