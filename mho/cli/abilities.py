"""What a bench can do, and what it lacks, as tables: operations by what serves them, procedures by benches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mho.cli.bench_report import STYLES
from mho.cli.terminal.terminal import plain_table
from mho.lazy_names import late_imports

with late_imports():
    from mho.instruments import bench_file
    from mho.procedures import manifest, needs


def print_abilities(
    bench: bench_file.BenchFile, entries: Sequence[manifest.ProcedureEntry], console: Console
) -> None:
    """Print what serves each operation of a bench, and whether each procedure can run there."""
    offered = bench.operations()
    table = plain_table("operation", "served by", "")
    for operation, does in bench_file.OPERATIONS.items():
        served = Text(offered[operation]) if operation in offered else Text("nothing", STYLES["note"])
        if operation not in offered and not bench_file.missing_operations(bench, (operation,)):
            served = Text("nobody: write-verify does it")  # from what the bench offers
        table.add_row(operation, served, does)
    console.print(table)
    table = plain_table("procedure", f"on bench {bench.name}", fold=(f"on bench {bench.name}",))
    for one in needs.abilities(bench, entries):
        table.add_row(one.procedure, Text(one.words, STYLES[_verdict(one)]))
    console.print(table)


def ability_matrix(
    sources: Mapping[str, bench_file.BenchSource], entries: Sequence[manifest.ProcedureEntry]
) -> Table:
    """Return the table of procedures by benches: "yes", or what is missing; in brackets what only some parameters miss."""
    table = plain_table("procedure", *sources, fold=tuple(sources))
    columns = [needs.abilities(source.bench, entries) for source in sources.values()]
    for row in zip(*columns, strict=True):
        cells = [Text(_in_short(one), STYLES[_verdict(one)]) for one in row]
        table.add_row(row[0].procedure, *cells)
    return table


def _in_short(ability: needs.Ability) -> str:
    if not ability.declared:
        return "not known"
    if ability.missing:
        return f"no {', '.join(ability.missing)}"
    return f"yes (no {', '.join(ability.without)})" if ability.without else "yes"


def _verdict(ability: needs.Ability) -> str:
    if ability.missing:
        return "wrong"
    return "note" if ability.without or not ability.declared else "ok"
