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
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from mho.analysis.datasets import StoredValues, TableGrid, grid_of, rows_of
from mho.analysis.exports.series import ExportedSeries, SeriesGroup, read_contents, run_facts
from mho.errors import InputError
from mho.runs import RunFile
from mho.runs.reading import open_run_file

if TYPE_CHECKING:
    import h5netcdf
    import xarray


def to_xarray(path: str | os.PathLike[str]) -> xarray.Dataset:
    """Return a run file's tables, maps and arrays as an xarray Dataset in memory.

    Raises `RunFileError`: the run file is missing, foreign or damaged; `InputError`: xarray or h5netcdf is not
    installed.
    """
    try:
        import xarray
    except ImportError as error:
        raise InputError("a Dataset needs xarray: pip install 'mho[exchange]'") from error
    content = io.BytesIO()
    with RunFile(path) as run, closing(open_run_file(Path(path))) as file:
        write_netcdf(run, file, content)
    content.seek(0)
    return xarray.load_dataset(content, engine="h5netcdf")


def write_netcdf(run: RunFile, file: h5py.File, target: Path | BinaryIO) -> None:
    """Write a run as a new NetCDF file.

    Raises `InputError`: h5netcdf is not installed.
    """
    try:
        import h5netcdf
    except ImportError as error:
        raise InputError("export to netcdf needs h5netcdf: pip install 'mho[exchange]'") from error
    with h5netcdf.File(target, "w") as netcdf:
        netcdf.attrs.update(_attributes(run))
        taken: set[str] = set()
        for group in read_contents(file):
            name = group.name if group.name not in taken else f"{group.name}_{group.kind}"
            taken.add(name)
            match group.kind:
                case "table":
                    _write_table(netcdf, name, group, run)
                case "map":
                    _write_map(netcdf, name, group)
                case "array":
                    value = group["value"]
                    _write(netcdf, name, _own_dimensions(netcdf, name, value.shape), value)


def _write_table(netcdf: h5netcdf.File, name: str, table: SeriesGroup, run: RunFile) -> None:
    rows = table.series[0].length
    grid = grid_of(run, table.name, rows, lines=False)
    if grid is None:
        _dimension(netcdf, name, rows)
    else:
        for key, values in grid.coordinates.items():
            _dimension(netcdf, f"{name}_{key}", len(values))
    for series in table.series:
        variable = f"{name}_{series.name}"
        if grid is not None and series.name in grid.coordinates:
            _create(netcdf, variable, (variable,), series)[...] = grid.coordinates[series.name]
            continue
        own = _own_dimensions(netcdf, variable, series.shape[1:])
        if grid is None:
            _write(netcdf, variable, (name, *own), series)
        else:
            _write_grid(
                netcdf, variable, (*(f"{name}_{key}" for key in grid.coordinates), *own), series, run, grid
            )


def _write_grid(
    netcdf: h5netcdf.File, name: str, dimensions: tuple[str, ...], series: ExportedSeries, run: RunFile,
    grid: TableGrid,
) -> None:  # fmt: skip
    """Write a column in the shape of a grid, slab by slab of at most a block's rows."""
    table = Path(series.dataset.parent.name).name
    stored = StoredValues(run.path, "table", table, series.name, series.shape, series.dtype, run=run)
    for suffix, part in _parts(series.dtype):
        variable = _create(netcdf, name + suffix, dimensions, series)
        for slab in _slabs(grid.shape, series.block_rows):
            variable[slab] = part(stored.take(rows_of(grid.shape, grid.order, slab)))


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


def _write_map(netcdf: h5netcdf.File, name: str, image: SeriesGroup) -> None:
    axes = {axis: f"{name}_{axis}" for axis in ("time", "row", "column")}
    for axis, dimension in axes.items():
        _dimension(netcdf, dimension, image[axis].length)
        _write(netcdf, dimension, (dimension,), image[axis])
    _write(netcdf, name, tuple(axes.values()), image["value"])


def _own_dimensions(netcdf: h5netcdf.File, name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    names = tuple(f"{name}_{index}" for index in range(len(shape)))
    for dimension, length in zip(names, shape, strict=True):
        _dimension(netcdf, dimension, length)
    return names


def _dimension(netcdf: h5netcdf.File, name: str, length: int) -> None:
    # NetCDF takes a length of 0 for "unlimited", which reads back as 0: just what is meant.
    netcdf.dimensions[name] = length or None


def _write(netcdf: h5netcdf.File, name: str, dimensions: tuple[str, ...], series: ExportedSeries) -> None:
    for suffix, part in _parts(series.dtype):
        variable = _create(netcdf, name + suffix, dimensions, series)
        for start, values in series.blocks():
            if not dimensions:
                variable[...] = part(values)
            elif len(values):
                variable[start : start + len(values)] = part(values)


def _create(
    netcdf: h5netcdf.File, name: str, dimensions: tuple[str, ...], series: ExportedSeries
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
