"""Converts values to the declared type, and refuses values that would lose something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.errors import RunFileError
from mho.runs.schema import Column
from mho.runs.writing.structure import KINDS


def fit(value: ArrayLike, dtype: np.dtype[Any], shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """Return `value` as an array of `dtype`.

    Raises
    ------
    RunFileError
        The shape is another, or the value would lose something: 1.5 in an integer, 300 in a byte.
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

    Raises
    ------
    RunFileError
        The value is longer than declared, or does not `fit`.
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
