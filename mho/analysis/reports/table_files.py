"""Writes a table of runs as CSV, parquet or JSON, as the name of the file says."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from mho.analysis.reports.run_table import RunTable
from mho.analysis.whole_files import whole_file
from mho.errors import InputError
from mho.escaping import csv_cell
from mho.runs.index import write_parquet


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
    rows = [{one: _json_value(value) for one, value in row.items()} for row in table.rows]
    text = json.dumps({"units": dict(table.units), "runs": rows}, ensure_ascii=False, allow_nan=False)
    with _draft(output) as file:
        file.write(f"{text}\n")


def _json_value(value: Any) -> Any:
    """Return a value as JSON has it: no number that is none, and none that is endless."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


@contextmanager
def _draft(output: Path) -> Iterator[TextIO]:
    with whole_file(output, "table", "") as draft, draft.open("w", encoding="utf-8", newline="") as file:
        yield file


_WRITERS: dict[str, Callable[[RunTable, Path], None]] = {
    ".csv": _write_csv,
    ".parquet": lambda table, output: write_parquet(table.rows, output, table.units),
    ".json": _write_json,
}
