"""Many runs as one parquet table: a row a run, for pandas, R or a spreadsheet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mho.errors import needing
from mho.whole_files import whole_file

LARGEST = 2**63  # whole numbers of a column are smaller


def write_parquet(
    rows: Sequence[Mapping[str, Any]], path: Path, units: Mapping[str, str] | None = None
) -> None:
    """Write `rows` as one table; a file of that name is replaced whole, or stays as it is.

    `rows`: plain values by column; a row need not have every column. A column whose values differ in type
        becomes text, one of whole and broken numbers floats.
    `units`: of the columns that have one: kept as metadata ``units`` of the column, and as pandas keeps
        ``DataFrame.attrs``.
    `InputError` when pyarrow is not installed, or the file cannot be written.
    """
    with needing("a parquet table", "pyarrow"):
        import pyarrow
        import pyarrow.parquet
    columns = {key: [row.get(key) for row in rows] for key in dict.fromkeys(k for row in rows for k in row)}
    table = pyarrow.table({key: _column(values) for key, values in columns.items()})
    for place, field in enumerate(table.schema):
        if unit := (units or {}).get(field.name):
            described = field.with_metadata({"units": unit})
            table = table.set_column(place, described, table.column(place))
    if units:
        table = table.replace_schema_metadata({"PANDAS_ATTRS": json.dumps({"units": dict(units)})})
    with whole_file(path, "table", "") as draft:
        pyarrow.parquet.write_table(table, draft)


def _column(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    beyond = int in kinds and any(type(value) is int and abs(value) >= LARGEST for value in values)
    if (kinds <= {int, float} or len(kinds) == 1) and not beyond:
        return [float(v) if v is not None and kinds == {int, float} else v for v in values]
    return [None if value is None else str(value) for value in values]
