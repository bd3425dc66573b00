"""Reading and checking of tables of measurements: named columns of numbers, and one that is to be explained.

A ``.csv`` is UTF-8 text: a line of names, then a line for each row, values separated by commas, semicolons or tabs,
points as decimal marks; lines that start with ``#`` are comments. A ``.npz`` holds one array of one dimension for each
column.
"""

from __future__ import annotations

import csv
import difflib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.input_files import check_ordinary

Floats = NDArray[np.float64]
Strings = NDArray[np.str_]

LARGEST_FILE = 1 << 26
"""Bytes of a table at most."""


@dataclass(frozen=True)
class Regressors:
    """What explains, and what is explained.

    Attributes
    ----------
    name : str
        Of the table.
    columns : tuple of str
        Names of the explaining columns.
    target : str
        Name of the explained column.
    values : (rows, columns) array
    observed : (rows,) array
        The target; of classes, 0 for the first and 1 for the second.
    classes : tuple of str
        The two classes in ascending order; empty where the target is a number.
    """

    name: str
    columns: tuple[str, ...]
    target: str
    values: Floats
    observed: Floats
    classes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.observed)


def sample_tables() -> list[str]:
    """Return the names of the tables that come with mho."""
    return sorted(path.stem for path in _samples().glob("*.csv"))


def load_regressors(
    source: object, target: str = "", features: str = "", *, classes: bool = False
) -> Regressors:
    """Return a table as what explains and what is explained.

    Parameters
    ----------
    source : path, name or mapping
        A ``.csv`` or ``.npz`` file, one of `sample_tables`, or columns by name.
    target : str
        The explained column; the last one where none is given.
    features : str
        Names of the explaining columns, separated by commas; all others where none are given.
    classes : bool
        Whether the target is two classes, which numbers or words may name.

    Raises
    ------
    InputError
        For a file that is missing or no table; a column that is not there (the nearest are named), occurs twice, holds
        words, NaN or infinity (the row), or one value only; other than two classes.
    """
    name, table = _read(source)
    target = target.strip() or list(table)[-1]
    wanted = [one.strip() for one in features.split(",") if one.strip()]
    for one in (target, *wanted):
        if one not in table:
            raise InputError(f"{name} has no column {one!r}; {_nearest(one, list(table))}")
    columns = tuple(dict.fromkeys(wanted)) or tuple(one for one in table if one != target)
    if target in columns:
        raise InputError(f"{target!r} cannot explain itself; leave it out of the features")
    if not columns:
        raise InputError(f"{name} has the one column {target!r}; give others that explain it")
    values = np.stack([_numbers(name, one, table[one]) for one in columns], axis=1)
    named: tuple[str, ...] = ()
    if classes:
        named, observed = _classes(name, target, table[target])
    else:
        observed = _numbers(name, target, table[target])
    _check_varies(name, columns, values)
    _check_varies(name, (target,), observed[:, None])
    return Regressors(name, columns, target, values, observed, named)


def _samples() -> Path:
    return Path(__file__).parent / "data"


def _read(source: object) -> tuple[str, dict[str, NDArray[Any]]]:
    """Return the name of a table, and its columns as numbers or text."""
    if isinstance(source, Mapping) or (hasattr(source, "columns") and hasattr(source, "__getitem__")):
        return "the table", _of_arrays("the table", {str(key): source[key] for key in _keys(source)})
    if not isinstance(source, (str, Path)):
        raise InputError(f"the table is {type(source).__name__}; give a file, a name, or columns by name")
    path = Path(source)
    if str(source) in sample_tables():
        path = _samples() / f"{source}.csv"
    elif path.suffix.lower() not in (".csv", ".npz"):
        if not path.suffix:
            raise InputError(
                f"there is no table called {str(source)!r}; there are {', '.join(sample_tables())}; a file of yours ends in "
                ".csv or .npz"
            )
        raise InputError(f"{path} has the unknown suffix {path.suffix!r}; a table is read from .csv or .npz")
    try:
        check_ordinary(path)
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the path of a table") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check path and rights") from error
    if len(content) > LARGEST_FILE:
        raise InputError(f"{path} has {len(content)} bytes; {LARGEST_FILE} is the most of a table")
    name = str(source)
    return name, _of_npz(name, content) if path.suffix.lower() == ".npz" else _of_csv(name, content)


def _keys(source: Any) -> list[Any]:
    return list(source) if isinstance(source, Mapping) else list(source.columns)


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
    if any(_is_number(field) for field in header):
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
    return _of_arrays(name, arrays)


def _of_arrays(name: str, arrays: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
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


def _numbers(name: str, column: str, values: NDArray[Any]) -> Floats:
    """Return a column as finite numbers."""
    if values.dtype.kind in "biuf":
        numbers = values.astype(np.float64)
    else:
        words = [row for row, value in enumerate(values.tolist()) if not _is_number(str(value))]
        if words:
            found = str(values[words[0]])
            what = f"says {found!r}" if found else "is empty"
            raise InputError(
                f"{name}: column {column!r}, row {words[0] + 1}, {what}, which is no number"
                + (f" (and {len(words) - 1} more)" if len(words) > 1 else "")
                + "; give numbers with a point as decimal mark, or leave the column out (features)"
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


def _classes(name: str, target: str, values: NDArray[Any]) -> tuple[tuple[str, ...], Floats]:
    named, places = np.unique(values.astype(np.str_), return_inverse=True)
    if len(named) != 2:
        some = ", ".join(named[:4].tolist()) + (", ..." if len(named) > 4 else "")
        raise InputError(f"{name}: {target!r} has {len(named)} classes ({some}); logistic regression takes two")
    return tuple(named.tolist()), places.astype(np.float64)


def _check_varies(name: str, columns: Sequence[str], values: Floats) -> None:
    if len(values) < 2:
        raise InputError(f"{name} has one row; give more")
    for column, spread, one in zip(columns, np.ptp(values, axis=0), values[0], strict=True):
        if not spread > 0.0:
            raise InputError(
                f"{name}: column {column!r} is {one:g} in every row; a constant explains nothing, and the intercept is there "
                "already: leave it out"
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 3, 0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known)}"
