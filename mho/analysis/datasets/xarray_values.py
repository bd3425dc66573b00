"""Tables, maps and arrays of a run, or of many runs stacked, as xarray has them; values are read on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from mho.analysis.datasets.grids import rows_of
from mho.analysis.datasets.stored_values import StoredValues, grid_of, of_array, of_column, of_map
from mho.analysis.reports import RunRow, RunTable, column_of, table_of
from mho.errors import InputError, RunFileError
from mho.runs import RunFile

ROW_NUMBER = "row_number"  # dimension of a table that is no grid


class LazyValues(BackendArray):  # type: ignore[misc]
    """Values of a run file in the shape of a grid, read when they are indexed; `order` is the row of each of its points."""

    def __init__(
        self, values: StoredValues, grid: tuple[int, ...], order: NDArray[np.int64] | None = None
    ) -> None:
        self._values = values
        self._grid = grid
        self._order = order
        self.shape = (*grid, *values.shape[1:])
        self._gaps = order is not None and bool((order < 0).any())
        whole = self._gaps and values.dtype.kind in "biu"
        self.dtype = np.dtype("f8") if whole else values.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._taken
        )

    def _taken(self, key: tuple[Any, ...]) -> NDArray[Any]:
        own = (..., *key[len(self._grid) :])
        along = key[: len(self._grid)]
        if len(along) == 1 and self._order is None and isinstance(along[0], slice):
            start, stop, step = along[0].indices(self._grid[0])
            if step > 0:
                return np.asarray(self._values.read(start, max(start, stop))[::step][own])
        rows = rows_of(self._grid, self._order, along)
        taken = self._values.take(np.maximum(rows, 0)).astype(self.dtype, copy=False)
        if self._gaps:
            taken[rows < 0] = np.nan
        return np.asarray(taken[(slice(None),) * rows.ndim + key[len(self._grid) :]])


def labelled(
    run: RunFile, name: str, *, grid: bool = True, names: Sequence[str] = ()
) -> xarray.Dataset | xarray.DataArray:
    """Return a table as a Dataset, a map or an array as a DataArray; see `mho.analysis.datasets.run.Run.to_xarray`.

    `names`: the columns that are the dimensions of a table, where they are known.
    """
    kind, _, own = name.partition("/")
    if kind == "maps" and own:
        return _map(run, own)
    if kind == "arrays" and own:
        return _array(run, own)
    if name in run.tables:
        return _table(run, name, grid, names)
    if name in run.maps:
        return _map(run, name)
    if name in run.arrays:
        return _array(run, name)
    names = [*run.tables, *(f"maps/{one}" for one in run.maps), *(f"arrays/{one}" for one in run.arrays)]
    raise RunFileError(
        f"run file {run.path} has no table, map or array {name!r}; it has {', '.join(names) or 'none'}"
    )


def _table(run: RunFile, name: str, as_grid: bool, names: Sequence[str]) -> xarray.Dataset:
    rows = run.length(name)
    units = run.units(name)
    grid = grid_of(run, name, rows, gaps=True, names=names) if as_grid else None
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    if grid is None:
        number = ROW_NUMBER if ROW_NUMBER not in units else f"{name}_{ROW_NUMBER}"
        dimensions, shape, order = (number,), (rows,), None
    else:
        dimensions, shape, order = tuple(grid.coordinates), grid.shape, grid.order
    variables = {}
    for column in units:
        if column not in dimensions:
            stored = of_column(run, name, column, rows)
            own = tuple(f"{column}_{index}" for index in range(len(stored.shape) - 1))
            lazily = _lazily(LazyValues(stored, shape, order))
            variables[column] = xarray.Variable((*dimensions, *own), lazily, _labels(stored))
    coordinates = {
        key: xarray.Variable((key,), values, _labels(of_column(run, name, key, rows)))
        for key, values in (grid.coordinates if grid else {}).items()
    }
    facts = {
        "title": run.title, "table": name, "run": run.path.name, "procedure": run.procedure, "status": str(run.status),
        "preset": run.preset, "seed": "" if run.seed is None else run.seed,
    }  # fmt: skip
    return xarray.Dataset(
        variables, coordinates, {label: value for label, value in facts.items() if value != ""}
    )


def _labels(stored: StoredValues) -> dict[str, str]:
    labels = {"units": stored.unit, "long_name": stored.description}
    return {label: text for label, text in labels.items() if text}


def _map(run: RunFile, name: str) -> xarray.DataArray:
    rows, columns = run.map_axes(name)
    values = of_map(run, name)
    coordinates = {
        "time": xarray.Variable(("time",), run.map_times(name)[: values.shape[0]], {"units": "s"}),
        "row": xarray.Variable(("row",), rows),
        "column": xarray.Variable(("column",), columns),
    }
    lazily = _lazily(LazyValues(values, values.shape[:1]))
    labels = _labels(values)
    variable = xarray.Variable(("time", "row", "column"), lazily, labels)
    return xarray.DataArray(variable, coordinates, name=name, attrs=labels, fastpath=False)


def _array(run: RunFile, name: str) -> xarray.DataArray:
    values = of_array(run, name)
    labels = _labels(values)
    if not values.shape:
        return xarray.DataArray(run.array(name), name=name, attrs=labels)
    lazily = _lazily(LazyValues(values, values.shape[:1]))
    dimensions = tuple(f"{name}_{index}" for index in range(len(values.shape)))
    return xarray.DataArray(xarray.Variable(dimensions, lazily, labels), name=name)


def _lazily(values: LazyValues) -> indexing.MemoryCachedArray:
    """Return values that are read once, when all of them are asked for, as those of ``xarray.open_dataset`` are."""
    return indexing.MemoryCachedArray(indexing.LazilyIndexedArray(values))


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
    pieces = _pieces(runs, name, skip)
    laid_out = [list(map(str, piece.indexes)) for piece in pieces.values()]
    if any(
        one != laid_out[0] for one in laid_out
    ):  # some are no full grid, or one of fewer columns: as the fullest one
        pieces = _pieces(runs, name, skip, names=max(laid_out, key=len))
        if len({tuple(piece.indexes) for piece in pieces.values()}) > 1:
            pieces = _pieces(runs, name, skip, grid=False)
    places = [list(rows).index(path) for path in pieces]
    stems = [list(rows)[place].stem for place in places]
    along: dict[str, Any] = {"run": (dim, stems)}
    for one, column in columns.items():
        unit = table.units.get(column)
        along[one] = (dim, _values(table, column, places), {"units": unit} if unit else {})
    stacked: xarray.Dataset = xarray.concat(
        _comparable(list(pieces.values())), dim, join="outer", data_vars="all", coords="different", compat="equals",
        combine_attrs="drop_conflicts",
    )  # fmt: skip
    return stacked.assign_coords(along)


def _pieces(
    runs: Iterable[RunFile], name: str, skip: Callable[[Path, str], None], **how: Any
) -> dict[Path, xarray.Dataset]:
    """Return what each run that has it calls `name`, by the runs' paths; `how` as of `labelled`."""
    pieces, reason = {}, "there are no runs"
    for run in runs:
        try:
            piece = labelled(run, name, **how).load()
            pieces[run.path] = piece.to_dataset() if isinstance(piece, xarray.DataArray) else piece
        except RunFileError as error:
            reason = str(error)
            skip(run.path, reason)
    if not pieces:
        raise InputError(f"no run has {name!r}: {reason}")
    return pieces


def _values(table: RunTable, column: str, places: Sequence[int]) -> Any:
    values = [table.rows[place][column] for place in places]
    if all(isinstance(one, int | float) for one in values):
        return np.array(values)
    if column == "seed" and all(str(one).isdecimal() and len(str(one)) < 19 for one in values):
        return np.array([int(one) for one in values])
    return ["" if one is None else str(one) for one in values]


def _comparable(pieces: list[xarray.Dataset]) -> list[xarray.Dataset]:
    """Return datasets whose coordinates can be joined.

    Measured times differ from run to run: joined, each run would have its own points, and NaN at those of all others. So a
    dimension of broken numbers of which no run has all counts its points instead.
    """
    for name in [str(name) for name in pieces[0].dims]:
        own = [piece.get(name) for piece in pieces]
        if any(one is None or one.dtype.kind != "f" for one in own):
            continue
        longest = max(own, key=len)
        if all(np.isin(one, longest).all() for one in own):
            continue
        number = ROW_NUMBER if len(pieces[0].indexes) == 1 else f"{name}_number"
        for place, piece in enumerate(pieces):
            values = piece[name].variable.to_base_variable()
            counted = piece.drop_vars(name).rename({name: number})
            pieces[place] = counted.assign({name: xarray.Variable((number,), values.values, values.attrs)})
    # Rows and own dimensions have numbers, by which those of other lengths are joined.
    bare = [(piece, [name for name in piece.dims if name not in piece.coords]) for piece in pieces]
    return [
        piece.assign_coords({name: np.arange(piece.sizes[name]) for name in names}) for piece, names in bare
    ]
