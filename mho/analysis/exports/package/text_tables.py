"""Chooses which tables, maps and arrays of a package are written as CSV too: all, as long as the text stays readable.

The run files hold everything. Text takes four times their room and half of the time, and of a campaign nearly all of it is
one table of pulses, which nobody opens as text. What is left out is left out of all runs of a procedure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal, get_args

from mho.analysis.exports.series import SeriesGroup, read_contents
from mho.errors import InputError, RunFileError
from mho.runs import RunFile

Which = Literal["all", "none"]
WHICH: tuple[Which, ...] = get_args(Which)
MOST_VALUES = 10_000_000  # of a package, as CSV: some 100 MB


@dataclass(frozen=True, order=True)
class TableKind:
    """What the tables (or maps, or arrays) of one name are in all runs of a procedure."""

    procedure: str
    kind: Literal["table", "map", "array"]
    name: str


@dataclass(frozen=True)
class TextTables:
    """Which are written as text."""

    left_out: Mapping[TableKind, int]  # what is not, with its number of values
    none: bool = False  # nothing is

    def holds(self, procedure: str, group: SeriesGroup) -> bool:
        """Return whether a group of a run of a procedure is written."""
        return not self.none and TableKind(procedure, group.kind, group.name) not in self.left_out


def check_which(tables: str | None) -> Which | None:
    """Return which tables are written; None for what suits their size.

    Raises `InputError`: another word.
    """
    if tables is None or tables in WHICH:
        return tables
    raise InputError(
        f"tables {tables!r} cannot be written so; give one of {', '.join(WHICH)}, or leave it out"
    )


def text_tables(paths: Sequence[Path], which: Which | None) -> TextTables:
    """Return what of the runs in some files is written as text; unless it is said, the smallest up to `MOST_VALUES`."""
    counts = {} if which == "all" else count_values(paths)
    return TextTables(too_large(counts, 0 if which == "none" else MOST_VALUES), which == "none")


def count_values(paths: Iterable[Path]) -> Counter[TableKind]:
    """Return how many values there are of each kind; a file that cannot be read has none."""
    result: Counter[TableKind] = Counter()
    for path in paths:
        with suppress(RunFileError), RunFile(path, whole=False) as run:
            for group in read_contents(run):
                result[TableKind(run.procedure, group.kind, group.name)] += values_of(group)
    return result


def values_of(group: SeriesGroup) -> int:
    """Return the number of values that the CSV file of a table, map or array has."""
    if group.kind == "map":
        return 4 * prod(group.value.shape)  # each with time, row and column
    return sum(prod(series.shape) for series in group.series.values())


def too_large(counts: Mapping[TableKind, int], most: int) -> dict[TableKind, int]:
    """Return the largest kinds, without which all others have `most` values together."""
    total, left_out = 0, {}
    for kind in sorted(counts, key=lambda kind: (counts[kind], kind)):
        total += counts[kind]
        if total > most:
            left_out[kind] = counts[kind]
    return left_out
