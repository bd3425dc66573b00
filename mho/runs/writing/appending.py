"""Appends rows to one dataset: each row is in the file, with its checksum, before the dataset's length counts it.

The chunk in progress is kept in memory and written whole, at a fixed place in the file. Nothing is read back, and earlier
rows are only overwritten with the same values. Values that would lose something by conversion are refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.errors import RunFileError
from mho.runs.integrity.seal import data_digest
from mho.runs.reading.chunks import fletcher32, is_only_checksummed
from mho.runs.schema import Column
from mho.runs.writing.structure import KINDS


def fit(value: ArrayLike, dtype: np.dtype[Any], shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """Return `value` as an array of `dtype`.

    `RunFileError` where the shape is another, or the value would lose something: 1.5 in an integer, 300 in a
    byte.
    """
    array = _array(value, shape, what)
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


def fill_up(value: ArrayLike, column: Column, what: str) -> tuple[NDArray[Any], int]:
    """Return the value of a ragged column, filled up to its shape with NaN (or 0), and its own length.

    `RunFileError` where the value is longer than declared, or does not `fit`.
    """
    room, *rest = column.shape
    dtype = np.dtype(column.dtype)
    array = _array(value, column.shape, what)
    if array.shape == (0,):  # nothing, of whatever width
        array = np.zeros((0, *rest), dtype)
    if array.ndim != len(column.shape) or len(array) > room:
        raise RunFileError(
            f"{what} has shape {array.shape} and was declared as at most {room} long, {column.shape}"
        )
    full = np.full(column.shape, np.nan if dtype.kind in "fc" else 0, dtype)
    full[: len(array)] = fit(array, dtype, (len(array), *rest), what)
    return full, len(array)


def fill_up_all(values: Sequence[ArrayLike], column: Column, what: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return many values of a ragged column, one a row, as `fill_up` does one: filled up, and their lengths."""
    full = np.empty((len(values), *column.shape), column.dtype)
    lengths = np.empty(len(values), "i8")
    for index, value in enumerate(values):
        full[index], lengths[index] = fill_up(value, column, what)
    return full, lengths


def wrong_columns(table: str, declared: Sequence[str], given: Mapping[str, Any]) -> RunFileError:
    """Return the error that says which columns a row lacks, and which the table does not know."""
    missing = [name for name in declared if name not in given]
    unknown = [name for name in given if name not in declared]
    faults = [
        f"{fault} {', '.join(names)}"
        for fault, names in (("lacks", missing), ("has unknown", unknown))
        if names
    ]
    return RunFileError(
        f"a row of table {table!r} {' and '.join(faults)}; its columns are {', '.join(declared)}"
    )


def _array(value: ArrayLike, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise RunFileError(f"{what} is no array of shape {shape}: {error}") from error


class Growing:
    """One dataset made by `mho.runs.reading.chunks.create_growing`, empty, open for writing.

    Every method may be interrupted by an exception between two HDF5 calls and called again.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self.name: str = dataset.name
        self._dataset = dataset
        self._rows: int = dataset.chunks[0]
        self._plain = is_only_checksummed(dataset)
        self._tail = np.zeros(dataset.chunks, dataset.dtype)
        self._chunk = 0  # the number of the chunk whose rows `_tail` holds
        self._length = 0
        self._origin = (0,) * (dataset.ndim - 1)
        self._digests: dict[int, bytes] = {}
        self._torn = False  # whether a write was interrupted

    def write(self, start: int, rows: NDArray[Any]) -> None:
        """Write `rows`, of the dataset's own dtype, from index `start` on, growing the dataset to their end."""
        done = 0
        while done < len(rows):
            chunk, offset = divmod(start + done, self._rows)
            if chunk != self._chunk:
                self._turn_to(chunk)
            count = min(self._rows - offset, len(rows) - done)
            self._tail[offset : offset + count] = rows[done : done + count]
            self._put(offset + count)
            done += count

    def digest(self) -> bytes:
        """Return the `seal.data_digest` of the dataset, without reading it if nothing was ever interrupted."""
        whole, rest = divmod(self._length, self._rows)
        if self._torn or (rest and self._chunk != whole):
            return data_digest(self._dataset.id)
        known = [self._digests[number] for number in range(whole)]
        if rest:
            known.append(hashlib.sha256(self._tail[:rest].tobytes()).digest())
        return hashlib.sha256(b"".join(known)).digest()

    def _put(self, filled: int) -> None:
        """Write the chunk in memory, whose first rows, at least `filled`, count."""
        torn, self._torn = self._torn, True
        start = self._chunk * self._rows
        self._length = max(self._length, start + filled)
        filled = min(self._length - start, self._rows)
        identifier = self._dataset.id
        identifier.set_extent((self._length, *self._tail.shape[1:]))
        data = self._tail.tobytes()
        if self._plain:
            identifier.write_direct_chunk((start, *self._origin), data + fletcher32(data))
        else:
            target = identifier.get_space()
            shape = (filled, *self._tail.shape[1:])
            target.select_hyperslab((start, *self._origin), shape)
            identifier.write(
                h5py.h5s.create_simple(shape), target, self._tail[:filled], identifier.get_type()
            )
        if filled == self._rows:
            self._digests[self._chunk] = hashlib.sha256(data).digest()
        self._torn = torn

    def _turn_to(self, chunk: int) -> None:
        """Load another chunk into memory: a new one, or after an interrupted write one from the file."""
        tail = np.zeros_like(self._tail)
        start = chunk * self._rows
        if start < self._length:
            rows = self._dataset[start : start + self._rows]
            tail[: len(rows)] = rows
        self._tail, self._chunk = tail, chunk  # together: the one without the other would be a wrong chunk
