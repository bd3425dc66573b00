"""``mho compare``: what differs between runs, or groups of them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.cli.experiments.procedure_command import Verb
from mho.cli.options import AsJson, By
from mho.cli.terminal.sentences import say
from mho.cli.terminal.terminal import Terminal
from mho.lazy_names import late_imports

with late_imports():
    from mho.analysis import comparisons

SHOWN_SETTINGS, SHOWN_LINES, SHOWN_RESULTS, SHOWN_NAMES = 40, 12, 25, 12


def print_comparison(
    comparison: comparisons.Comparison, console: Console, *, everything: bool = False
) -> None:
    """Print what differs; `everything` prints equal results too, and no table is cut."""
    most = (10**9,) * 3 if everything else (SHOWN_SETTINGS, SHOWN_LINES, SHOWN_RESULTS)
    _line(console, comparisons.sides_said(comparison), "bold")
    for one in comparison.skipped:
        say(f"skipped: {one.reason}", err=True)
    for name, state in comparison.marked[: most[0]]:
        _line(console, f"  {name}, used as far as it came: {state}", "yellow")
    for note in comparison.notes:
        _line(console, f"  {note}", "dim")
    _settings(comparison, console, most)
    _results(comparison, console, most[2], everything)


def _settings(comparison: comparisons.Comparison, console: Console, most: tuple[int, int, int]) -> None:
    _line(console, f"Settings that differ (the same: {comparison.same})", "bold")
    sides = [side.name for side in comparison.sides]
    if not (comparison.settings or comparison.texts or comparison.packages):
        _line(console, "  none")
    _side_by_side(console, comparison.settings[: most[0]], sides)
    _more(console, len(comparison.settings) - most[0], "settings")
    if comparison.varied:
        _line(console, f"  vary on every side alike: {', '.join(comparison.varied)}")
    for text in comparison.texts:
        _line(console, f"  {text.what}, {sides[0]} (-) and {text.side} (+)")
        for line in text.lines[: most[1]]:
            _line(console, f"    {line}", "red" if line.startswith("-") else "green")
        _more(console, len(text.lines) + text.left_out - most[1], "lines", indent=4)
    if comparison.packages:
        _line(console, "  packages")
        _side_by_side(console, comparison.packages[: most[1]], sides)
        _more(console, len(comparison.packages) - most[1], "packages")


def _results(comparison: comparisons.Comparison, console: Console, most: int, everything: bool) -> None:
    shown = [one for one in comparison.results if everything or one.differs]
    equal = len(comparison.results) - len(shown)
    _line(
        console,
        f"Results that differ, the largest effect first (the same: {equal})" if not everything else "Results",
        "bold",
    )
    if not comparison.results:
        _line(console, "  no numbers in common")
    elif not shown and not comparison.words:
        _line(console, "  none")
    if shown:
        (_groups if comparison.grouped else _singles)(comparison, shown[:most], console)
        _more(console, len(shown) - most, "results")
    if comparison.words:
        _line(console, "  in words")
        _side_by_side(console, comparison.words[:most], [side.name for side in comparison.sides])
    for side, alone in comparison.alone.items():
        more = f" and {len(alone) - SHOWN_NAMES} more" if len(alone) > SHOWN_NAMES and not everything else ""
        names = alone if everything else alone[:SHOWN_NAMES]
        _line(console, f"  not on every side, of {side}: {', '.join(names)}{more}", "dim")


def _singles(
    comparison: comparisons.Comparison, results: list[comparisons.ResultDifference], console: Console
) -> None:
    two = len(comparison.sides) == 2
    heads = ["result", *(side.name for side in comparison.sides), *(["difference", "ratio"] * two)]
    table = _table(*heads)
    for one in results:
        values = [comparisons.value_text(sample, one.unit) for sample in one.samples]
        beside = (
            [comparisons.difference_text(one.effects[0], one.unit), comparisons.ratio_text(one.effects[0])]
            if two
            else []
        )
        table.add_row(*map(Text, (comparisons.named(one), *values, *beside)))
    console.print(table)


def _groups(
    comparison: comparisons.Comparison, results: list[comparisons.ResultDifference], console: Console
) -> None:
    table = _table(
        "result", "side", f"{comparison.centre} (quartiles), n", "difference [95 %]", "Hedges' g", "Cliff's delta", "p"
    )  # fmt: skip
    for one in results:
        for place, (side, sample) in enumerate(zip(comparison.sides, one.samples, strict=True)):
            name = comparisons.named(one) if place == 0 else ""
            effect = one.effects[place - 1] if place else None
            effects = ("",) * 4 if effect is None else comparisons.effect_texts(effect, one.unit)
            table.add_row(*map(Text, (name, side.name, comparisons.value_text(sample, one.unit), *effects)))
    console.print(table)


def _side_by_side(
    console: Console, settings: tuple[comparisons.DifferingSetting, ...], sides: list[str]
) -> None:
    if settings:
        table = _table("", *sides)
        for one in settings:
            table.add_row(*map(Text, (one.name, *one.values)))
        console.print(table)


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), header_style="")
    for head in heads:
        table.add_column(Text(head, style="dim"), overflow="fold")
    return table


def _more(console: Console, count: int, what: str, indent: int = 2) -> None:
    if count > 0:
        _line(console, f"{' ' * indent}and {count} more {what}; --all lists them", "dim")


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style))


def comparison_as_json(comparison: comparisons.Comparison) -> dict[str, Any]:
    """Return a comparison as JSON has it; numbers that are none are null."""
    return {
        "sides": [
            {"name": side.name, "runs": [str(run.path) for run in side.runs]} for side in comparison.sides
        ],
        "centre": comparison.centre,
        "settings": [asdict(one) for one in comparison.settings],
        "same_settings": comparison.same,
        "varied": list(comparison.varied),
        "texts": [asdict(one) for one in comparison.texts],
        "packages": [asdict(one) for one in comparison.packages],
        "results": [_finite(asdict(one)) for one in comparison.results],
        "words": [asdict(one) for one in comparison.words],
        "alone": {side: list(names) for side, names in comparison.alone.items()},
        "notes": list(comparison.notes),
        "unfinished": [{"run": name, "state": state} for name, state in comparison.marked],
        "skipped": [{"file": str(one.path), "reason": one.reason} for one in comparison.skipped],
    }


def _finite(value: Any) -> Any:
    match value:
        case dict():
            return {key: _finite(one) for key, one in value.items()}
        case list() | tuple():
            return [_finite(one) for one in value]
        case float():
            return value if math.isfinite(value) else None
    return value


AGAINST = "--against"


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
        list[Path], typer.Argument(help="run files (.h5); folders with --by or --against", show_default=False)
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
    comparison = comparisons.compare_files(
        runs, against=against or (), by=by, centre="mean" if mean else "median"
    )
    if as_json:
        typer.echo(json.dumps(comparison_as_json(comparison)))
    else:
        print_comparison(comparison, Terminal(soft_wrap=True), everything=everything)
