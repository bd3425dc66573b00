"""What applications are given: files of bounded size, real matrices, and named columns of files or scripts.

A ``.csv`` of columns is UTF-8 text: a line of names, then a line for each row, values separated by commas, semicolons or
tabs, points as decimal marks; lines that start with ``#`` are comments. A ``.npz`` holds one array of one dimension for
each column.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps import load_matrix
from mho.errors import InputError
from mho.input_files import check_ordinary

LARGEST_FILE = 1 << 26  # bytes of a table at most


def read_bytes(path: Path, largest: int, what: str) -> bytes:
    """Return what a file holds; an `InputError` says why it cannot be read, or that it is too large for `what`."""
    try:
        check_ordinary(path)
        if path.stat().st_size > largest:
            raise InputError(f"{path} has {path.stat().st_size} bytes; {largest} is the most of {what}")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the path of {what}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check path and rights") from error


def real_matrix(source: Any, complaint: str, *, square: bool = False) -> Floats:
    """Return a matrix of a file or of numbers as float64; errors as `load_matrix`, and `complaint` of a complex one."""
    matrix = load_matrix(source, square=square)
    if np.iscomplexobj(matrix):
        raise InputError(complaint)
    return np.asarray(matrix, dtype=np.float64)


def read_columns(path: Path, name: str) -> dict[str, NDArray[Any]]:
    """Return the columns of a ``.csv`` file, as text, or of a ``.npz`` file, by name; `name` is what messages call it.

    Raises `InputError`: for a file that is missing or no table, names that are missing or occur twice, and columns of
    different lengths.
    """
    content = read_bytes(path, LARGEST_FILE, "a table")
    return _of_npz(name, content) if path.suffix.lower() == ".npz" else _of_csv(name, content)


def _of_csv(name: str, content: bytes) -> dict[str, NDArray[Any]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: byte {error.start} is not UTF-8; save the table as UTF-8 text") from None
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if len(lines) < 2:
        raise InputError(f"{name} holds no table: give a line of names, then a line for each row")
    mark = next((one for one in ";\t," if one in lines[0][1]), ",")
    try:
        fields = [next(csv.reader(io.StringIO(line), delimiter=mark, strict=True)) for _, line in lines]
    except csv.Error as error:
        raise InputError(f"{name} is not separated text: {error}; check its quotation marks") from None
    header = [field.strip() for field in fields[0]]
    if any(is_number(field) for field in header):
        raise InputError(
            f"{name}, line {lines[0][0]}: {lines[0][1][:60]!r} holds numbers; the first line names the columns"
        )
    _check_names(name, header)
    for (number, _), row in zip(lines[1:], fields[1:], strict=True):
        if len(row) != len(header):
            raise InputError(f"{name}, line {number}: {len(row)} values for {len(header)} columns")
    return {
        one: np.array([row[place].strip() for row in fields[1:]], dtype=np.str_)
        for place, one in enumerate(header)
    }


def _of_npz(name: str, content: bytes) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, SyntaxError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{name} is no whole .npz file of plain arrays: {reason}; save it again") from None
    return columns_of_arrays(name, arrays)


def columns_of_arrays(name: str, arrays: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return arrays as columns; errors as `read_columns`."""
    columns = {key: np.asarray(values) for key, values in arrays.items()}
    if not columns:
        raise InputError(f"{name} holds no column")
    _check_names(name, list(columns))
    for key, values in columns.items():
        if values.ndim != 1:
            raise InputError(f"{name}: {key!r} has the shape {values.shape}; a column has one dimension")
    lengths = {key: len(values) for key, values in columns.items()}
    first = next(iter(lengths))
    for key, length in lengths.items():
        if length != lengths[first]:
            raise InputError(f"{name}: {key!r} has {length} rows and {first!r} has {lengths[first]}")
    return columns


def _check_names(name: str, header: Sequence[str]) -> None:
    for place, one in enumerate(header):
        if not one:
            raise InputError(f"{name}: column {place + 1} has no name; give each column one")
        if one in header[:place]:
            raise InputError(f"{name} has two columns called {one!r}; give each a name of its own")


def column_of_numbers(name: str, column: str, values: NDArray[Any]) -> Floats:
    """Return a column as finite numbers.

    Raises `InputError`: for a value that is no number, NaN or infinite, with its row from 1.
    """
    if values.dtype.kind in "biuf":
        numbers = values.astype(np.float64)
    else:
        words = [row for row, value in enumerate(values.tolist()) if not is_number(str(value))]
        if words:
            text = str(values[words[0]])
            what = f"says {text!r}" if text else "is empty"
            raise InputError(
                f"{name}: column {column!r}, row {words[0] + 1}, {what}, which is no number"
                + (f" (and {len(words) - 1} more)" if len(words) > 1 else "")
                + "; give numbers with a point as decimal mark, or leave the column out"
            )
        numbers = np.array([float(str(value)) for value in values.tolist()])
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if wrong.size:
        raise InputError(
            f"{name}: column {column!r}, row {wrong[0] + 1}, is {numbers[wrong[0]]}"
            + (f" (and {wrong.size - 1} more)" if wrong.size > 1 else "")
            + "; fill it in or leave the row out"
        )
    return numbers


def is_number(text: str) -> bool:
    """Return whether a text is a number, NaN and infinity included."""
    try:
        float(text)
    except ValueError:
        return False
    return True
