"""What grows while a run lasts: tables, maps and the log, appended to their HDF5 datasets in blocks.

A dataset is never longer than what has been written to it, so a reader that follows live sees data only.
Every method may be interrupted by an exception between two HDF5 calls and called again: rows count as
written once all columns are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho_errors import RunFileError
from runs.schema import Column, Map, Table
from runs.structure import KINDS, LEVEL_BYTES, MESSAGE_BYTES
from runs.text import cut, split

STAGE_ROWS = 4096
STAGE_BYTES = 1 << 20


def write_rows(dataset: h5py.Dataset, start: int, rows: NDArray[Any]) -> None:
    """Write `rows`, of the dataset's own dtype, from index `start`, growing the dataset to their end.

    The low-level calls take a fifth of the time of ``dataset[start:stop] = rows``.
    """
    rows = np.ascontiguousarray(rows)
    identifier = dataset.id
    identifier.set_extent((start + rows.shape[0], *rows.shape[1:]))
    target = identifier.get_space()
    target.select_hyperslab((start,) + (0,) * (rows.ndim - 1), rows.shape)
    identifier.write(h5py.h5s.create_simple(rows.shape), target, rows, identifier.get_type())


def fit(value: ArrayLike, dtype: np.dtype[Any], shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """Return `value` as an array of `dtype`.

    Raises
    ------
    RunFileError
        The shape is another, or the value would lose something: 1.5 in an integer, 300 in a byte.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise RunFileError(f"{what} is no array of shape {shape}: {error}") from error
    if array.shape != shape:
        raise RunFileError(f"{what} has shape {array.shape} and was declared as {shape}")
    if array.dtype == dtype:
        return array
    if KINDS.get(array.dtype.kind, 9) > KINDS[dtype.kind]:
        raise RunFileError(f"{what} is {array.dtype} ({value!r:.60}) and was declared as {dtype}")
    if dtype.kind in "iu" and array.size and array.dtype.kind != "b":
        limits = np.iinfo(dtype)
        if not limits.min <= array.min() <= array.max() <= limits.max:
            raise RunFileError(f"{what} is {value!r:.60}, beyond the range of its declared {dtype}")
    return array.astype(dtype)


def _whole_range(column: Column, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return the whole numbers that a column takes as they are; an empty range where there is more to look at."""
    if column.shape or dtype.kind not in "iu":
        return 1, 0
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


class TableStream:
    """One table: rows are staged in memory, blocks go to one dataset per column.

    Parameters
    ----------
    group : h5py.Group
        The table's group, laid out by `runs.structure`.
    table : Table
        Its declaration.
    """

    def __init__(self, group: h5py.Group, table: Table) -> None:
        self._name = table.name
        self._datasets = [group[column.name] for column in table.columns]
        self._columns = table.columns
        self._dtypes = [np.dtype(column.dtype) for column in table.columns]
        row = np.dtype(
            [(c.name, dtype, c.shape) for c, dtype in zip(table.columns, self._dtypes, strict=True)]
        )
        self._stage = np.zeros(max(16, min(STAGE_ROWS, STAGE_BYTES // row.itemsize)), row)
        self._staged = 0
        self._length = 0
        self._pick = _picker([column.name for column in table.columns])
        # Where numpy's own assignment would truncate or broadcast in silence, look first.
        self._delicate = [
            (column, dtype, *_whole_range(column, dtype))
            for column, dtype in zip(table.columns, self._dtypes, strict=True)
            if dtype.kind in "biu" or column.shape
        ]

    def append(self, values: Mapping[str, Any]) -> bool:
        """Stage one row, a value for every column; return whether the stage is full and must be drained."""
        try:
            row = self._pick(values)
        except KeyError:
            raise self._wrong_columns(values) from None
        if len(values) != len(self._columns):
            raise self._wrong_columns(values)
        for column, dtype, lowest, highest in self._delicate:
            value = values[column.name]
            if type(value) is not int or not lowest <= value <= highest:  # else there is nothing to lose
                fit(value, dtype, column.shape, self._what(column))
        try:
            self._stage[self._staged] = row
        except (TypeError, ValueError) as error:
            raise RunFileError(f"a row of table {self._name!r} does not fit its columns: {error}") from error
        self._staged += 1
        return self._staged == len(self._stage)

    def extend(self, columns: Mapping[str, ArrayLike]) -> None:
        """Write many rows at once, behind those staged: an array (rows, *shape) for every column."""
        if columns.keys() != {column.name for column in self._columns}:
            raise self._wrong_columns(columns)
        count = len(np.atleast_1d(np.asarray(columns[self._columns[0].name])))
        rows = [
            fit(columns[column.name], dtype, (count, *column.shape), self._what(column))
            for column, dtype in zip(self._columns, self._dtypes, strict=True)
        ]
        self.drain()
        if count:
            self._write(rows)

    def drain(self) -> bool:
        """Write what is staged; return whether there was anything."""
        if not self._staged:
            return False
        self._write([self._stage[column.name][: self._staged] for column in self._columns])
        self._staged = 0
        return True

    def _write(self, rows: list[NDArray[Any]]) -> None:
        for dataset, values in zip(self._datasets, rows, strict=True):
            write_rows(dataset, self._length, values)
        self._length += len(rows[0])

    def _what(self, column: Column) -> str:
        return f"column {self._name}.{column.name}"

    def _wrong_columns(self, given: Mapping[str, Any]) -> RunFileError:
        declared = [column.name for column in self._columns]
        missing = [name for name in declared if name not in given]
        unknown = [name for name in given if name not in declared]
        faults = [
            f"{fault} {', '.join(names)}"
            for fault, names in (("lacks", missing), ("has unknown", unknown))
            if names
        ]
        return RunFileError(
            f"a row of table {self._name!r} {' and '.join(faults)}; its columns are {', '.join(declared)}"
        )


def _picker(names: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return what takes the values of `names` out of a mapping, as a tuple even of one."""
    if len(names) == 1:
        return lambda values: (values[names[0]],)
    return itemgetter(*names)


class MapStream:
    """One map: a stack of images over time."""

    def __init__(self, group: h5py.Group, image: Map) -> None:
        self._name = image.name
        self._time = group["time"]
        self._value = group["value"]
        self._length = 0

    def append(self, values: ArrayLike, time: float) -> None:
        """Append one image (rows, columns) taken at `time` (s)."""
        shape = self._value.shape[1:]
        image = fit(values, self._value.dtype, shape, f"map {self._name!r} (rows, columns)")
        write_rows(self._value, self._length, image[np.newaxis])
        write_rows(self._time, self._length, np.array([time], dtype="f8"))
        self._length += 1


class LogStream:
    """The log: long messages go into as many rows as they need."""

    def __init__(self, group: h5py.Group) -> None:
        self._datasets = [group["time"], group["level"], group["message"]]
        self._length = 0

    def append(self, time: float, level: str, message: str) -> None:
        """Append `message` of `level`, logged at `time` (s)."""
        pieces = split(message, MESSAGE_BYTES)
        rows = (
            np.full(len(pieces), time),
            np.full(len(pieces), cut(level, LEVEL_BYTES), dtype=f"S{LEVEL_BYTES}"),
            np.array(pieces, dtype=f"S{MESSAGE_BYTES}"),
        )
        for dataset, values in zip(self._datasets, rows, strict=True):
            write_rows(dataset, self._length, values)
        self._length += len(pieces)
