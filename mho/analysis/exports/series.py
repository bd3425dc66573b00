"""The contents of a run, series by series and block by block, so that an export needs little memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mho.analysis.datasets.stored_values import StoredValues, of_array, of_column, of_map
from mho.runs import RunFile, outcome_line

MAP = ("time", "row", "column", "value")  # series of a map


@dataclass(frozen=True)
class SeriesGroup:
    """A table, a map (series `MAP`) or an array (``value``)."""

    kind: Literal["table", "map", "array"]
    name: str
    series: dict[str, StoredValues]  # by name, in their order

    @property
    def value(self) -> StoredValues:
        """The values of a map or an array."""
        return self.series["value"]


def run_facts(run: RunFile) -> dict[str, str]:
    """Return what every export says of a run: what it is, when it was, how it ended."""
    end, conclusion = run.end_time, run.conclusion
    return {
        "title": run.title, "procedure": run.procedure, "status": str(run.status), "reason": run.reason,
        "conclusion": outcome_line(run.status, run.reason, conclusion, named=False),
        "warnings": "\n".join(() if conclusion is None else conclusion.warnings),
        "start": run.start_time.isoformat(), "end": "" if end is None else end.isoformat(),
    }  # fmt: skip


def read_contents(run: RunFile) -> tuple[SeriesGroup, ...]:
    """Return the tables, maps and arrays of a run, as they stand now.

    Raises `RunFileError`: the file is damaged.
    """
    lengths = {name: run.length(name) for name in run.tables}
    tables = {
        name: {column: of_column(run, name, column, rows, masked=False) for column in run.units(name)}
        for name, rows in lengths.items()
    }
    return (
        *(SeriesGroup("table", name, columns) for name, columns in tables.items()),
        *(SeriesGroup("map", name, {part: of_map(run, name, part) for part in MAP}) for name in run.maps),
        *(SeriesGroup("array", name, {"value": of_array(run, name)}) for name in run.arrays),
    )
