"""Exports a run as NetCDF, block by block, or as an xarray Dataset.

Variables are called ``table_column``, as the map, and as the array. A table whose rows are a full grid has that one's
dimensions, ``table_cycle``, ``table_row`` and the like, with their coordinates (`mho.analysis.datasets.grids`); the rows of
another are the dimension of its name. A map has its times, rows and columns as coordinates. NetCDF has no complex numbers:
they become ``…_real`` and ``…_imag``.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mho.analysis.datasets import StoredValues, TableGrid, grid_of, rows_of
from mho.analysis.exports.series import SeriesGroup, read_contents, run_facts
from mho.errors import needing
from mho.runs import RunFile

if TYPE_CHECKING:
    import h5netcdf
    import xarray


def to_xarray(path: str | os.PathLike[str]) -> xarray.Dataset:
    """Return a run file's tables, maps and arrays as an xarray Dataset in memory.

    Raises `RunFileError`: the run file is missing, foreign or damaged; `InputError`: xarray or h5netcdf is not
    installed.
    """
    with needing("a Dataset", "xarray"):
        import xarray
    content = io.BytesIO()
    with RunFile(path) as run:
        write_netcdf(run, content)
    content.seek(0)
    return xarray.load_dataset(content, engine="h5netcdf")


def write_netcdf(run: RunFile, target: Path | BinaryIO) -> None:
    """Write a run as a new NetCDF file.

    Raises `InputError`: h5netcdf is not installed.
    """
    with needing("export to netcdf", "h5netcdf"):
        import h5netcdf
    with h5netcdf.File(target, "w") as netcdf:
        netcdf.attrs.update(_attributes(run))
        taken: set[str] = set()
        for group in read_contents(run):
            name = group.name if group.name not in taken else f"{group.name}_{group.kind}"
            taken.add(name)
            match group.kind:
                case "table":
                    _write_table(netcdf, name, group, run)
                case "map":
                    axes = {axis: f"{name}_{axis}" for axis in ("time", "row", "column")}
                    for axis, dimension in axes.items():
                        _dimension(netcdf, dimension, group.series[axis].shape[0])
                        _write(netcdf, dimension, (dimension,), group.series[axis])
                    _write(netcdf, name, tuple(axes.values()), group.value)
                case "array":
                    _write(netcdf, name, _own_dimensions(netcdf, name, group.value.shape), group.value)


def _write_table(netcdf: h5netcdf.File, name: str, table: SeriesGroup, run: RunFile) -> None:
    rows = next(iter(table.series.values())).shape[0]
    grid = grid_of(run, table.name, rows, lines=False)
    coordinates = {} if grid is None else grid.coordinates
    dimensions = {f"{name}_{key}": len(values) for key, values in coordinates.items()} or {name: rows}
    for dimension, length in dimensions.items():
        _dimension(netcdf, dimension, length)
    for column, series in table.series.items():
        variable = f"{name}_{column}"
        if column in coordinates:
            _create(netcdf, variable, (variable,), series)[...] = coordinates[column]
            continue
        own = _own_dimensions(netcdf, variable, series.shape[1:])
        _write(netcdf, variable, (*dimensions, *own), series, grid)


def _slabs(shape: tuple[int, ...], most: int) -> Iterator[tuple[int | slice, ...]]:
    """Yield selections that together are a whole grid, each of at most so many points."""
    below = math.prod(shape[1:])
    if len(shape) == 1 or below <= most:
        step = max(1, most // below)
        for start in range(0, shape[0], step):
            yield (slice(start, min(start + step, shape[0])), *(slice(length) for length in shape[1:]))
        return
    for place in range(shape[0]):
        yield from ((place, *rest) for rest in _slabs(shape[1:], most))


def _own_dimensions(netcdf: h5netcdf.File, name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    names = tuple(f"{name}_{index}" for index in range(len(shape)))
    for dimension, length in zip(names, shape, strict=True):
        _dimension(netcdf, dimension, length)
    return names


def _dimension(netcdf: h5netcdf.File, name: str, length: int) -> None:
    # NetCDF takes a length of 0 for "unlimited", which reads back as 0: just what is meant.
    netcdf.dimensions[name] = length or None


def _write(
    netcdf: h5netcdf.File, name: str, dimensions: tuple[str, ...], series: StoredValues, grid: TableGrid | None = None
) -> None:  # fmt: skip
    for suffix, part in _parts(series.dtype):
        variable = _create(netcdf, name + suffix, dimensions, series)
        for place, values in _pieces(series, grid):
            variable[place] = part(values)


def _pieces(series: StoredValues, grid: TableGrid | None) -> Iterator[tuple[Any, NDArray[Any]]]:
    """Yield a series in parts of at most a block's rows, each with its place: in the shape of a grid, if it has one."""
    if grid is not None:
        for slab in _slabs(grid.shape, series.block_rows):
            yield slab, series.take(rows_of(grid.shape, grid.order, slab))
        return
    for start, values in series.blocks():
        if not series.shape:
            yield ..., values
        elif len(values):
            yield slice(start, start + len(values)), values


def _create(
    netcdf: h5netcdf.File, name: str, dimensions: tuple[str, ...], series: StoredValues
) -> h5netcdf.Variable:
    """Return a new variable for a series, or for its real or imaginary part, with unit and description."""
    (_, part), *_ = _parts(series.dtype)
    variable = netcdf.create_variable(name, dimensions, part(np.zeros(1, series.dtype)).dtype)
    variable.attrs["units"] = series.unit or "1"
    if series.description:
        variable.attrs["long_name"] = series.description
    return variable


def _parts(dtype: np.dtype[Any]) -> Iterator[tuple[str, Callable[[NDArray[Any]], NDArray[Any]]]]:
    """Yield the parts of a series that become variables, by the ending of their names."""
    if dtype.kind == "c":
        yield "_real", lambda values: np.asarray(values.real)
        yield "_imag", lambda values: np.asarray(values.imag)
    elif dtype.kind == "b":
        yield "", lambda values: values.astype("i1")
    else:
        yield "", np.asarray


def _attributes(run: RunFile) -> dict[str, str]:
    facts = run_facts(run)
    start, end = facts.pop("start"), facts.pop("end")
    return {
        "title": run.title, "source": f"mho {run.provenance.get('mho_version', '')}: {run.path.name}".strip(), **facts,
        "start_time": start, "end_time": end,
        "parameters": json.dumps({name: [one.value, one.unit] for name, one in run.parameters.items()}),
        "summary": json.dumps(run.summary), "provenance": json.dumps(run.provenance), "bench": run.bench,
        "chip": run.chip,
    }  # fmt: skip
