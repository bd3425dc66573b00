"""The file formats of matrices: turns the bytes of a ``.npy``, ``.csv`` or ``.mtx`` file into numbers.

A ``.csv`` is UTF-8 text with one matrix row a line, values separated by commas, semicolons or white space,
points as decimal marks, complex values as ``1+2j`` or ``1+2i``. Empty lines and lines that start with ``#``
or ``%`` are skipped; so is a first line of names (no field a number, each starting with a letter).

A ``.mtx`` is Matrix Market (Boisvert, Pozo and Remington, NISTIR 5935, 1996), dense or sparse. It is read
here and not by `scipy.io.mmread`, which (1.17) crashes the process on some damaged files (an array of no rows, a blank
before the end) and silently reads "1,5" as 1.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError

LARGEST = 16384
"""Most rows or columns a Matrix Market file may have: 2 GiB as float64, far beyond any array of cells."""

_INDICES = {"array": 0, "coordinate": 2}
_VALUES = {"pattern": 0, "real": 1, "integer": 1, "unsigned-integer": 1, "complex": 2}
_MIRROR: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "symmetric": np.positive,
    "skew-symmetric": np.negative,
    "hermitian": np.conjugate,
}


def read_npy(content: bytes, path: Path) -> NDArray[Any]:
    """Read a NumPy file; object arrays, which are pickles, are refused."""
    try:
        return np.asarray(np.lib.format.read_array(io.BytesIO(content), allow_pickle=False))
    except Exception as error:  # a damaged header raises whatever ast, tokenize or dtype do
        if "Object arrays" in str(error):
            raise InputError(f"{path} holds Python objects (a pickle); save plain numbers.") from error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} is not a whole NumPy file: {reason}; save it again.") from error


def read_csv(content: bytes, path: Path) -> NDArray[Any]:
    """Read separated text into a two-dimensional array, real unless one value is complex."""
    lines = [
        (number, line)
        for number, raw in enumerate(_decode(content, path).splitlines(), 1)
        if (line := raw.strip()) and line[0] not in "#%"
    ]
    mark = next((mark for mark in ";," if any(mark in line for _, line in lines)), None)
    rows: list[list[float | complex]] = []
    for position, (number, line) in enumerate(lines):
        fields = [field.strip(' \t"') for field in line.split(mark)]
        values = [_number(field) for field in fields]
        if position == 0 and all(map(_is_name, fields)):
            continue
        row = [value for value in values if value is not None]
        if len(row) < len(fields):
            wrong = fields[values.index(None)]
            hint = "write a point as decimal mark" if "," in wrong else "write 1.5, 2e-3 or 1+2j"
            raise InputError(f"{path}, line {number}: '{wrong}' is not a number; {hint}.")
        if rows and len(row) != len(rows[0]):
            raise InputError(
                f"{path}, line {number}: {len(row)} values where the lines before have {len(rows[0])}."
            )
        rows.append(row)
    if not rows:
        raise InputError(f"{path} is empty: it has no line of numbers.")
    return np.array(rows)


def read_mtx(content: bytes, path: Path) -> NDArray[Any]:
    """Read Matrix Market, dense or sparse, into a dense array; entries that occur twice are added."""
    text = content.decode("latin-1").split("\n")  # comments may be in any encoding, numbers are ASCII
    lines = [(n, line.split()) for n, line in enumerate(text, 1) if line.strip() and line[0] != "%"]
    banner = _banner(text[0], path)
    rows, columns, entries = _size(lines, path, banner)

    indices, numbers = np.split(_table(lines[1:], path, banner), [banner.indices], axis=1)
    if banner.layout == "coordinate":
        row, column = indices.T - 1
    elif banner.symmetry == "general":
        column, row = np.divmod(np.arange(rows * columns, dtype=np.float64), max(rows, 1))
    else:  # the triangle below the diagonal, column by column
        column, row = np.triu_indices(rows, k=int(banner.symmetry == "skew-symmetric"))
        entries = len(row)
    if len(numbers) != entries:
        raise InputError(
            f"{path} should hold {entries} entries but holds {len(numbers)}; it is cut or damaged."
        )

    def refuse(bad: NDArray[np.bool_], sentence: str) -> None:
        if bad.any():
            raise InputError(f"{path}, line {lines[1 + int(np.argmax(bad))][0]}: {sentence}.")

    absent = ~((row >= 0) & (row < rows) & (column >= 0) & (column < columns))
    refuse(
        absent | (indices != np.trunc(indices)).any(axis=1), f"no such entry in a {rows} x {columns} matrix"
    )
    if banner.symmetry != "general":
        refuse(row < column, "only entries on and below the diagonal belong here")
    if "integer" in banner.field:
        refuse((numbers != np.trunc(numbers)).any(axis=1), "not a whole number, as the first line has it")

    values: NDArray[Any] = np.ones(entries)
    if banner.field == "complex":
        values = numbers[:, 0] + 1j * numbers[:, 1]
    elif banner.field != "pattern":
        values = numbers[:, 0]
    matrix = np.zeros((rows, columns), dtype=values.dtype)
    row, column = row.astype(int), column.astype(int)
    np.add.at(matrix, (row, column), values)
    if banner.symmetry != "general":
        below = row != column
        np.add.at(matrix, (column[below], row[below]), _MIRROR[banner.symmetry](values[below]))
    return matrix


@dataclass(frozen=True)
class _Banner:
    """The fields of a Matrix Market file's first line."""

    layout: str
    field: str
    symmetry: str

    @property
    def indices(self) -> int:
        """Number of indices at the start of a line."""
        return _INDICES[self.layout]


def _banner(line: str, path: Path) -> _Banner:
    """Parse and check the first line."""
    words = line.lower().split()
    if len(words) != 5 or words[:2] != ["%%matrixmarket", "matrix"]:
        raise InputError(f"{path}, line 1: no banner '%%MatrixMarket matrix LAYOUT FIELD SYMMETRY'.")
    layout, field, symmetry = words[2:]
    known = layout in _INDICES and field in _VALUES and (symmetry == "general" or symmetry in _MIRROR)
    if not known or (layout, field) == ("array", "pattern"):
        raise InputError(f"{path}, line 1: Matrix Market knows no '{layout} {field} {symmetry}'.")
    return _Banner(layout, field, symmetry)


def _size(lines: list[tuple[int, list[str]]], path: Path, banner: _Banner) -> tuple[int, int, int]:
    """Return rows, columns and entries (of a dense matrix without regard to symmetry)."""
    wanted = 2 + (banner.layout == "coordinate")
    number, tokens = lines[0] if lines else (2, [])
    if len(tokens) != wanted or not all(token.isascii() and token.isdigit() for token in tokens):
        raise InputError(f"{path}, line {number}: the matrix's size, {wanted} whole numbers, belongs here.")
    if any(float(token) > LARGEST for token in tokens[:2]) or float(tokens[-1]) > LARGEST**2:
        raise InputError(f"{path}, line {number}: at most {LARGEST} rows and columns are read.")
    size = [int(token) for token in tokens]
    rows, columns = size[:2]
    if banner.symmetry != "general" and rows != columns:
        raise InputError(
            f"{path} is not square: {rows} rows and {columns} columns, though {banner.symmetry}."
        )
    return rows, columns, size[2] if banner.layout == "coordinate" else rows * columns


def _table(lines: list[tuple[int, list[str]]], path: Path, banner: _Banner) -> NDArray[np.float64]:
    """Return the indices and values of every line below the size, (lines, numbers per line)."""
    width = banner.indices + _VALUES[banner.field]
    table = []
    for number, tokens in lines:
        if len(tokens) != width:
            raise InputError(f"{path}, line {number}: {len(tokens)} numbers where {width} belong.")
        values = [value for token in tokens if isinstance(value := _number(token), float)]
        if len(values) < width:
            wrong = next(token for token in tokens if not isinstance(_number(token), float))
            raise InputError(f"{path}, line {number}: '{wrong}' is not a number; write 1.5 or 2e-3.")
        table.append(values)
    return np.array(table, dtype=np.float64).reshape(-1, width)


def _decode(content: bytes, path: Path) -> str:
    """Return the text of a file; a byte-order mark, as spreadsheets write it, is dropped."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text; save it as plain UTF-8.") from None


def _is_name(field: str) -> bool:
    """Return whether a field can be a column's name; "1,5" cannot: it is a number that must be corrected."""
    return field[:1].isalpha() and _number(field) is None


def _number(token: str) -> float | complex | None:
    """Return a real or complex number, or None; Python's digit grouping by underscores is not accepted."""
    if "_" in token:
        return None
    try:
        return float(token)
    except ValueError:
        pass
    if token.endswith("i"):
        token = token[:-1] + "j"
    try:
        return complex(token)
    except ValueError:
        return None
