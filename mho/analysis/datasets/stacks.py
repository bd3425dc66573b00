"""One table, map or array of many runs, stacked along a dimension with what the runs differ in as coordinates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray

from mho.analysis.datasets.xarray_values import ROW_NUMBER, labelled
from mho.analysis.reports import RunRow, RunTable, column_of, table_of
from mho.errors import InputError, RunFileError
from mho.runs import RunFile

ALWAYS = ("run", "seed", "preset")  # coordinates along the dimension, unasked


def stack(
    runs: Iterable[RunFile], known: Iterable[RunRow], name: str, dim: str, by: Sequence[str],
    skip: Callable[[Path, str], None],
) -> xarray.Dataset:  # fmt: skip
    """Return what is called `name` in all runs along `dim`, see `mho.analysis.datasets.runs.Runs.to_xarray`.

    Each run is open until the next is asked for; `skip` is called with the path of one that does not have it, and why.
    """
    rows = {one.path: one for one in known}
    table = table_of(rows.values())
    names = list(dict.fromkeys([*ALWAYS, *([] if dim == "run" else [dim]), *by]))
    columns = {one: column_of(one, table.columns) for one in names if one != "run"}
    reason = "there are no runs"
    pieces: list[xarray.Dataset] = []
    places: list[int] = []
    for run in runs:
        try:
            piece = labelled(run, name).load()
            pieces.append(piece.to_dataset() if isinstance(piece, xarray.DataArray) else piece)
            places.append(list(rows).index(run.path))
        except RunFileError as error:
            reason = str(error)
            skip(run.path, reason)
    if not pieces:
        raise InputError(f"no run has {name!r}: {reason}")
    stems = [list(rows)[place].stem for place in places]
    along: dict[str, Any] = {"run": (dim, stems)}
    for one, column in columns.items():
        unit = table.units.get(column)
        along[one] = (dim, _values(table, column, places), {"units": unit} if unit else {})
    stacked: xarray.Dataset = xarray.concat(
        _comparable(pieces), dim, join="outer", data_vars="all", coords="different", compat="equals",
        combine_attrs="drop_conflicts",
    )  # fmt: skip
    return stacked.assign_coords(along)


def _values(table: RunTable, column: str, places: Sequence[int]) -> Any:
    values = [table.rows[place][column] for place in places]
    if all(isinstance(one, int | float) for one in values):
        return np.array(values)
    if column == "seed" and all(str(one).isdecimal() and len(str(one)) < 19 for one in values):
        return np.array([int(one) for one in values])
    return ["" if one is None else str(one) for one in values]


def _comparable(pieces: Sequence[xarray.Dataset]) -> Sequence[xarray.Dataset]:
    """Return datasets whose coordinates can be joined.

    Measured times differ from run to run: joined, each run would have its own points, and NaN at those of all others. So a
    dimension of broken numbers that are not the same in all runs counts its points instead.
    """
    first = pieces[0]
    for name in [str(name) for name in first.dims]:
        own = [piece.get(name) for piece in pieces]
        if any(one is None or one.dtype.kind != "f" for one in own):
            continue
        if all(one is not None and np.array_equal(one, first[name]) for one in own):
            continue
        number = ROW_NUMBER if len(first.indexes) == 1 else f"{name}_number"
        pieces = [_counted(piece, name, number) for piece in pieces]
    return [_numbered(piece) for piece in pieces]


def _counted(piece: xarray.Dataset, name: str, number: str) -> xarray.Dataset:
    values = piece[name].variable.to_base_variable()
    moved = piece.drop_vars(name).rename({name: number})
    return moved.assign({name: xarray.Variable((number,), values.values, values.attrs)})


def _numbered(piece: xarray.Dataset) -> xarray.Dataset:
    """Return a dataset whose rows and own dimensions have numbers, by which ones of other lengths are joined."""
    without = [name for name in piece.dims if name not in piece.coords]
    return piece.assign_coords({name: np.arange(piece.sizes[name]) for name in without})
