"""One table of many runs, and as CSV, parquet or JSON: a row a run, with its facts, parameters and results.

It is made of cards (`mho.runs.index`), one small text in each file: thousands of files take a second or two.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from mho.errors import InputError, RunFileError, nearest
from mho.escaping import csv_cell
from mho.runs import outcome_line
from mho.runs.index import SOURCES, Card, find_name, read_card, write_parquet
from mho.whole_files import whole_file

Row = dict[str, Any]

FACTS = (
    "file", "title", "procedure", "status", "reason", "conclusion", "start_time", "duration", "seed", "preset",
    "chip", "bench", "run_id",
)  # fmt: skip
"""Columns that every run has."""


@dataclass(frozen=True)
class RunRow:
    """The row of one run file, and the units in it by column; no row, and why, where the file cannot be read."""

    path: Path
    row: Row | None
    units: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class RunTable:
    """The rows of many runs."""

    columns: tuple[str, ...]  # `FACTS`, then ``parameter.NAME`` and ``result.NAME``
    units: Mapping[str, str]  # of the columns that have one
    rows: tuple[Row, ...]  # a value for each column, None where a run has none

    def chosen(self, names: Sequence[str]) -> RunTable:
        """Return the table with these columns only, each named in full or without its ``result.`` or ``parameter.``.

        Raises `InputError`: there is none of that name; the nearest is named.
        """
        columns = tuple(dict.fromkeys(column_of(name, self.columns) for name in names))
        units = {column: unit for column, unit in self.units.items() if column in columns}
        return RunTable(columns, units, tuple({one: row[one] for one in columns} for row in self.rows))


def row_of(path: Path) -> RunRow:
    """Return the row of the run file at `path`."""
    try:
        return row_of_card(path, read_card(path))
    except RunFileError as error:
        return RunRow(path, None, reason=str(error))


def row_of_card(path: Path, card: Card) -> RunRow:
    """Return the row of the run file at `path`, whose card was read already."""
    several = [
        (f"{source}.{one.name}", one)
        for source, quantities in zip(SOURCES, (card.parameters, card.results), strict=True)
        for one in quantities
    ]
    start, outcome = card.facts.start, outcome_line(card.status, card.reason, card.conclusion, named=False)
    row = {
        **{name: getattr(card.facts, name, None) for name in FACTS},
        "file": str(path), "status": str(card.status), "reason": card.reason, "conclusion": outcome,
        "start_time": None if start is None else datetime.fromtimestamp(start, UTC).isoformat(timespec="milliseconds"),
        "duration": None if start is None or card.end is None else round(card.end - start, 3),
        **{column: one.value for column, one in several},
    }  # fmt: skip
    return RunRow(path, row, {column: one.unit for column, one in several if one.unit})


def table_of(rows: Iterable[RunRow]) -> RunTable:
    """Return one table of the rows of runs that could be read.

    Where runs give a quantity in different units, each further unit has a column of its own, ``result.NAME (UNIT)``.
    """
    units: dict[str, str] = {"duration": "s"}
    column_names: set[str] = {*FACTS}
    table_rows: list[Row] = []
    for one in rows:
        if one.row is None:
            continue
        row: Row = {}
        for column, value in one.row.items():
            unit = one.units.get(column, "")
            name = column
            if column in column_names and column not in FACTS and units.get(column, "") != unit:
                name = f"{column} ({unit or '1'})"
            if name not in column_names:
                column_names.add(name)
                if unit:
                    units[name] = unit
            row[name] = value
        table_rows.append(row)
    known = dict.fromkeys(name for row in table_rows for name in row)
    columns = (*FACTS, *(name for source in SOURCES for name in known if name.startswith(f"{source}.")))
    return RunTable(columns, units, tuple({name: row.get(name) for name in columns} for row in table_rows))


def column_of(name: str, columns: Sequence[str]) -> str:
    """Return the column that `name` means: in full, or without ``result.`` or ``parameter.``, whatever its case.

    Raises `InputError`: there is none; the nearest is named.
    """
    short = {one: [c.removeprefix(f"{one}.") for c in columns if c.startswith(f"{one}.")] for one in SOURCES}
    if found := find_name(name, FACTS, short):
        return found.title
    known = [*FACTS, *(one for names in short.values() for one in names)]
    meant = nearest(name.split(".", 1)[-1], known, 3, f"there are {', '.join(columns)}", cutoff=0.5)
    raise InputError(f"no run has a column {name!r}; {meant}")


def check_table_file(output: Path) -> None:
    """Refuse a name that says no form of a table, before any run is read.

    Raises `InputError`: its suffix is none of `.csv`, `.parquet` and `.json`.
    """
    if output.suffix.lower() not in _WRITERS:
        raise InputError(
            f"table {output} has suffix {output.suffix or 'none'!r}; name one ending in {', '.join(_WRITERS)}"
        )


def write_table(table: RunTable, output: Path) -> None:
    """Write a table; a file of that name is replaced whole, or stays as it is.

    CSV has the unit of a column in its header, ``result.x (S)``; parquet as metadata of the column, and where pandas
    keeps ``DataFrame.attrs["units"]``; JSON as a mapping ``units`` beside the rows, ``runs``.

    Raises `InputError`: another suffix, a file that cannot be written, or a package that is not installed.
    """
    check_table_file(output)
    _WRITERS[output.suffix.lower()](table, output)


def _write_csv(table: RunTable, output: Path) -> None:
    with _draft(output) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(csv_heads(table, table.columns))
        writer.writerows([csv_value(row[one]) for one in table.columns] for row in table.rows)


def csv_heads(table: RunTable, columns: Iterable[str]) -> list[object]:
    """Return the heads of columns of a table, with their units, as cells of a CSV file."""
    return [csv_cell(f"{one} ({table.units[one]})" if one in table.units else one) for one in columns]


def csv_value(value: Any) -> object:
    """Return a value of a table as a cell of a CSV file."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case _:
            return csv_cell(value)


def _write_json(table: RunTable, output: Path) -> None:
    def plain(value: Any) -> Any:
        """Return a value as JSON has it: no number that is none, and none that is endless."""
        if isinstance(value, float) and not math.isfinite(value):
            return None if math.isnan(value) else str(value)
        return value

    rows = [{one: plain(value) for one, value in row.items()} for row in table.rows]
    text = json.dumps({"units": dict(table.units), "runs": rows}, ensure_ascii=False, allow_nan=False)
    with _draft(output) as file:
        file.write(f"{text}\n")


@contextmanager
def _draft(output: Path) -> Iterator[TextIO]:
    with whole_file(output, "table", "") as draft, draft.open("w", encoding="utf-8", newline="") as file:
        yield file


_WRITERS: dict[str, Callable[[RunTable, Path], None]] = {
    ".csv": _write_csv,
    ".parquet": lambda table, output: write_parquet(table.rows, output, table.units),
    ".json": _write_json,
}
