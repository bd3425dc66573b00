"""The growing parts of a run file: tables, maps and the log, appended to their HDF5 datasets in blocks.

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

from mho.errors import RunFileError
from mho.runs.reading.text import cut, split
from mho.runs.schema import Column, Map, Table
from mho.runs.writing.appending import Growing
from mho.runs.writing.conversion import fill_up, fill_up_all, fit, wrong_columns
from mho.runs.writing.structure import LEVEL_BYTES, MESSAGE_BYTES

STAGE_ROWS = 4096
STAGE_BYTES = 1 << 20


class RowStream:
    """Growing datasets of one group that get their rows together.

    Parameters
    ----------
    group : h5py.Group
        The group, laid out by `mho.runs.writing.structure`.
    names : list of str
        Its growing datasets, in the order in which they are written.
    """

    def __init__(self, group: h5py.Group, names: list[str]) -> None:
        self.datasets = [Growing(group[name]) for name in names]
        self._length = 0

    @property
    def length(self) -> int:
        """How many rows there are."""
        return self._length

    def _write(self, rows: list[NDArray[Any]]) -> None:
        for dataset, values in zip(self.datasets, rows, strict=True):
            dataset.write(self._length, values)
        self._length += len(rows[0])


class TableStream(RowStream):
    """One table: rows are staged in memory, blocks go to one dataset per column.

    Parameters
    ----------
    group : h5py.Group
        The table's group.
    table : Table
        Its declaration.
    """

    def __init__(self, group: h5py.Group, table: Table) -> None:
        self._name = table.name
        self._columns = table.stored
        self._names = [column.name for column in table.columns]
        super().__init__(group, [column.name for column in self._columns])
        self._dtypes = [np.dtype(column.dtype) for column in self._columns]
        row = np.dtype(
            [(c.name, dtype, c.shape) for c, dtype in zip(self._columns, self._dtypes, strict=True)]
        )
        self._stage = np.zeros(max(16, min(STAGE_ROWS, STAGE_BYTES // row.itemsize)), row)
        self._staged = 0
        self._pick = _picker([column.name for column in self._columns])
        self._ragged = [column for column in table.columns if column.ragged]
        # Check first where numpy's own assignment would truncate or broadcast silently.
        self._delicate = [
            (column, dtype, *_whole_range(column, dtype))
            for column, dtype in zip(self._columns, self._dtypes, strict=True)
            if dtype.kind in "biu" or column.shape
        ]

    @property
    def length(self) -> int:
        """How many rows there are, those that are staged included."""
        return self._length + self._staged

    def append(self, values: Mapping[str, Any]) -> bool:
        """Stage one row, a value for every column; return whether the stage is full and must be drained."""
        if self._ragged:
            values = self._filled_up(values)
        try:
            row = self._pick(values)
        except KeyError:
            raise wrong_columns(self._name, self._names, values) from None
        if len(values) != len(self._columns):
            raise wrong_columns(self._name, self._names, values)
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

    def extend(self, columns: Mapping[str, Any]) -> None:
        """Write many rows at once, behind those staged: an array (rows, *shape) for every column."""
        if columns.keys() != set(self._names):
            raise wrong_columns(self._name, self._names, columns)
        columns = dict(columns)
        for column in self._ragged:
            full = fill_up_all(columns[column.name], column, self._what(column))
            columns[column.name], columns[column.length_name] = full
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

    def _filled_up(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row whose ragged values have their full shape, and their lengths beside them."""
        if values.keys() != set(self._names):
            raise wrong_columns(self._name, self._names, values)
        row = dict(values)
        for column in self._ragged:
            row[column.name], row[column.length_name] = fill_up(
                values[column.name], column, self._what(column)
            )
        return row

    def _what(self, column: Column) -> str:
        return f"column {self._name}.{column.name}"


def _whole_range(column: Column, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return the range of integers that a column takes unchecked; an empty range where values need a check."""
    if column.shape or dtype.kind not in "iu":
        return 1, 0
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _picker(names: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return a function that takes the values of `names` from a mapping, as a tuple even of one."""
    if len(names) == 1:
        return lambda values: (values[names[0]],)
    return itemgetter(*names)


class MapStream(RowStream):
    """One map: a stack of images over time."""

    def __init__(self, group: h5py.Group, image: Map) -> None:
        self._name = image.name
        super().__init__(group, ["value", "time"])
        self._shape = (len(image.rows), len(image.columns))

    def append(self, values: ArrayLike, time: float) -> None:
        """Append one image (rows, columns) taken at `time` (s)."""
        image = fit(values, np.dtype("f8"), self._shape, f"map {self._name!r} (rows, columns)")
        self._write([image[np.newaxis], np.array([time], dtype="f8")])


class LogStream(RowStream):
    """The log: long messages go into as many rows as they need."""

    def __init__(self, group: h5py.Group) -> None:
        super().__init__(group, ["time", "level", "message"])

    def append(self, time: float, level: str, message: str) -> None:
        """Append `message` of `level`, logged at `time` (s)."""
        pieces = split(message, MESSAGE_BYTES)
        self._write(
            [
                np.full(len(pieces), time),
                np.full(len(pieces), cut(level, LEVEL_BYTES), dtype=f"S{LEVEL_BYTES}"),
                np.array(pieces, dtype=f"S{MESSAGE_BYTES}"),
            ]
        )
