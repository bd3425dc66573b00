"""The command line of the benchmarks: ``python -m benchmarks [NAME…] [--json] [--repeat N]``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks import registry
from benchmarks.registry import Outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmarks, or all; 0, 1 when one of them failed, 2 for a name that is not there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=registry.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run; all when none is named")
    parser.add_argument("--json", action="store_true", help="machine-readable figures on standard output")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="median of N repeats (5)")
    options = parser.parse_args(arguments)
    if options.repeat < 1:
        parser.error(f"--repeat {options.repeat}: at least 1 is needed")
    known = registry.names()
    for name in options.names:
        if name not in known:
            meant = registry.nearest(name, known) or known
            parser.error(f"no benchmark is called '{name}'; did you mean {' or '.join(meant) or 'nothing'}?")

    errors = Console(stderr=True)
    outcomes = []
    for name in options.names or known:
        with errors.status(f"{name} …"):
            outcomes.append(registry.measure(name, options.repeat))
    if options.json:
        sys.stdout.write(json.dumps(registry.as_json(outcomes), indent=2, default=float) + "\n")
    else:
        _show(outcomes, Console())
    for outcome in outcomes:
        if outcome.error is not None:
            errors.print(f"{outcome.benchmark} failed:\n{outcome.error}", markup=False, highlight=False)
    return int(any(outcome.error is not None for outcome in outcomes))


def _show(outcomes: Sequence[Outcome], console: Console) -> None:
    """Print one table for all figures, and the machine they belong to."""
    table = Table("figure", "value", "peer", "ratio", "target", "met", "threads", title="Medians")
    for outcome in outcomes:
        for figure in outcome.figures:
            table.add_row(
                f"{outcome.benchmark}: {figure.name}",
                f"{figure.value:.4g} {figure.unit}",
                figure.peer,
                "" if figure.ratio is None else f"{figure.ratio:.3g}",
                figure.target or "",
                {True: "yes", False: "no", None: ""}[figure.met],
                str(figure.threads),
            )
        if outcome.error is not None:
            table.add_row(outcome.benchmark, "failed", outcome.error.strip().splitlines()[-1])
    console.print(table)
    for outcome in outcomes:
        for figure in outcome.figures:
            if figure.detail:
                costs = ", ".join(f"{name} {value}" for name, value in figure.detail.items())
                console.print(f"{outcome.benchmark}: {figure.name}: {costs}", markup=False)
    console.print("; ".join(f"{name} {value}" for name, value in registry.machine().items()), markup=False)


if __name__ == "__main__":
    sys.exit(main())
