"""Tables of a run, and of many runs, as pandas has them; units are ``attrs["units"]``."""

from __future__ import annotations

from typing import Any

import pandas

from mho.analysis.reports import RunTable
from mho.runs import RunFile


def frame_of(run: RunFile, table: str) -> pandas.DataFrame:
    """Return a table of a run, see `mho.analysis.datasets.run.Run.to_pandas`."""
    values = run.table(table)
    columns: dict[str, Any] = {}
    for name, column in values.items():
        lengths = values.get(f"{name}_length")
        if column.ndim == 1:
            columns[name] = column
        elif column.ndim == 2 and lengths is not None:
            columns[name] = pandas.Series(
                [one[:length] for one, length in zip(column, lengths, strict=True)], dtype=object
            )
        else:
            columns[name] = pandas.Series(list(column), dtype=object)
    frame = pandas.DataFrame(columns)
    frame.attrs["units"] = {name: unit for name, unit in run.units(table).items() if unit}
    frame.attrs["title"] = run.title
    return frame


def frame_of_runs(table: RunTable) -> pandas.DataFrame:
    """Return a row a run; seeds are numbers where all of them are."""
    frame = pandas.DataFrame(list(table.rows), columns=list(table.columns))
    seeds = [str(one) for one in frame.get("seed", ())]
    if seeds and all(one.isdecimal() and len(one) < 19 for one in seeds):
        frame["seed"] = frame["seed"].astype("int64")
    frame.attrs["units"] = dict(table.units)
    return frame
