"""Reading and checking of matrices and right-hand sides, and mapping of complex ones to real numbers.

All other code may rely on it: a matrix is finite, float64 or complex128, and square where no other shape will do.

A ``.csv`` is UTF-8 text with one matrix row a line, values separated by commas, semicolons or white space,
points as decimal marks, complex values as ``1+2j`` or ``1+2i``. Empty lines and lines that start with ``#``
or ``%`` are skipped; so is a first line of names (no field a number, each starting with a letter).

A ``.mtx`` is Matrix Market (Boisvert, Pozo and Remington, NISTIR 5935, 1996), dense or sparse. It is read
here and not by `scipy.io.mmread`, which (1.17) crashes the process on some damaged files (an array of no rows, a blank
before the end) and silently reads "1,5" as 1.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.array_types import Floats
from mho.errors import InputError
from mho.input_files import check_ordinary

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
        # Column names; "1,5" is none: it is a number that must be corrected.
        if position == 0 and all(
            field[:1].isalpha() and value is None for field, value in zip(fields, values, strict=True)
        ):
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
    count = 2 + (banner.layout == "coordinate")
    number, tokens = lines[0] if lines else (2, [])
    if len(tokens) != count or not all(token.isascii() and token.isdigit() for token in tokens):
        raise InputError(f"{path}, line {number}: the matrix's size, {count} whole numbers, belongs here.")
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


if TYPE_CHECKING:
    import scipy.sparse  # for type checking only: it takes as long to load as NumPy


Numbers = NDArray[np.float64] | NDArray[np.complex128]
Source: TypeAlias = "str | os.PathLike[str] | ArrayLike | scipy.sparse.sparray"

_READERS: dict[str, Callable[[bytes, Path], NDArray[Any]]] = {
    ".npy": read_npy,
    ".csv": read_csv,
    ".mtx": read_mtx,
}


def sample_names() -> list[str]:
    """Return the names of the sample matrices and right-hand sides that come with mho."""
    return sorted(path.stem for path in _samples().glob("*.mtx"))


def _samples() -> Path:
    return Path(__file__).parent / "matrices"


def load_matrix(source: Source, *, square: bool = True) -> Numbers:
    """Return the matrix in a file, or an array checked in the same way.

    Parameters
    ----------
    source : path, name or array_like
        A ``.npy``, ``.csv`` or ``.mtx`` file, one of `sample_names`, or numbers (a scipy sparse array too).
    square : bool
        Whether the matrix must be square.

    Returns
    -------
    array, (m, n)
        float64 or complex128, a pure number; the caller's own array is never returned.

    Raises
    ------
    InputError
        File missing, of unknown kind or not readable (the line, where there are lines); not numbers, not
        two-dimensional, empty, not `square`, NaN or infinite (the entry, counted from 0).

    Examples
    --------
    >>> mho.load_matrix([[2, 1], [1, 3]]).dtype
    dtype('float64')
    >>> mho.load_matrix(np.ones((2, 3)), square=False).shape
    (2, 3)
    """
    name, values = _read(source, "the matrix")
    matrix = _numeric(values, name)
    if matrix.size == 0:
        raise InputError(
            f"{name} is empty (shape {matrix.shape}); give a {'square ' * square}matrix of at least one row."
        )
    if matrix.ndim != 2:
        raise InputError(f"{name} has {matrix.ndim} dimensions (shape {matrix.shape}); a matrix has 2.")
    if square and matrix.shape[0] != matrix.shape[1]:
        rows, columns = matrix.shape
        raise InputError(f"{name} is not square: {rows} rows and {columns} columns; inversion needs n x n.")
    return _finite(matrix, name)


def load_digits(source: Source) -> NDArray[np.int64]:
    """Return the whole numbers in a file, or an array checked in the same way, (rows, columns).

    Raises
    ------
    InputError
        As `load_matrix`, except that any shape of two dimensions will do; an entry that is not a whole
        number of 0 or more.
    """
    name, values = _read(source, "the digits")
    table = _finite(_numeric(values, name), name)
    if table.ndim != 2 or table.size == 0:
        raise InputError(f"{name} has shape {table.shape}; give rows and columns of digits.")
    wrong = np.argwhere((table.imag != 0) | (table.real < 0) | (table.real != np.floor(table.real)))
    if wrong.size:
        row, column = wrong[0]
        raise InputError(
            f"{name}: entry [{row}, {column}], counted from 0, is {table[row, column]}; digits are whole numbers "
            "from 0."
        )
    return table.real.astype(np.int64)


def load_right_hand_sides(
    source: Source, n: int, rng: np.random.Generator, *, complex_values: bool = False,
    count: int | None = None,
) -> Numbers:  # fmt: skip
    """Return one right-hand side of `n` elements, or several as columns.

    - `source`: ``"random"`` draws standard normal numbers (circular with unit variance when complex); ``"identity"``
      gives the `n` unit vectors, whose solutions are the inverse's columns. A file, or an array, holds ``n x count``
      values, or `n` in one dimension or one row.
    - `n`: rows of the matrix.
    - `rng`: used by ``"random"`` only.
    - `complex_values`: the matrix is complex: return complex128. Otherwise the values must be real.
    - `count`: number of columns that ``"random"`` draws; one vector where left out.

    float64, or complex128 when `complex_values`. Raises `InputError` as `load_matrix`; another length than `n`;
    complex values for a real matrix.
    """
    shape = (n,) if count is None else (n, count)
    if isinstance(source, str) and source in ("ones", "identity"):
        plain = np.ones(n) if source == "ones" else np.eye(n)
        return plain.astype(np.complex128) if complex_values else plain
    if isinstance(source, str) and source == "random":
        if not complex_values:
            return rng.standard_normal(shape)
        return from_real_vector(rng.standard_normal((*shape[1:], 2 * n)) / np.sqrt(2.0)).T
    name, values = _read(source, "the right-hand side")
    vectors = _numeric(values, name)
    if vectors.size == 0:
        raise InputError(f"{name} is empty; the matrix has {n} rows, so give {n} values.")
    if vectors.ndim not in (1, 2):
        raise InputError(f"{name} has shape {vectors.shape}; give one column a right-hand side.")
    if vectors.ndim == 2 and 1 in vectors.shape:
        vectors = vectors.ravel()
    if len(vectors) != n:
        raise InputError(f"{name} has {len(vectors)} values but the matrix has {n} rows; they must agree.")
    return _as_the_matrix(vectors, name, complex_values, "solve")


def load_vectors(
    source: Source, n: int, count: int, rng: np.random.Generator, *, role: str = "the batch of vectors",
    complex_values: bool = False,
) -> Numbers:  # fmt: skip
    """Return vectors of `n` elements, one a row.

    `source`: ``"random"`` draws `count` vectors, ``"unit"`` stands for the `n` unit vectors. A file, or an array,
    holds one vector (n,), or several (any number, n). `rng`: used by ``"random"`` only. `role`: what messages call an
    array. `complex_values`: return complex128. Otherwise the values must be real. Raises `InputError` as
    `load_matrix`; another length than `n`; complex values where they must be real.
    """
    if isinstance(source, str) and source == "random":
        if not complex_values:
            return rng.standard_normal((count, n))
        parts = rng.standard_normal((count, 2, n)) / np.sqrt(2.0)
        return np.asarray(parts[:, 0] + 1j * parts[:, 1], dtype=np.complex128)
    if isinstance(source, str) and source == "unit":
        unit: Numbers = np.eye(n)
        return unit.astype(np.complex128) if complex_values else unit
    name, values = _read(source, role)
    vectors = _numeric(values, name)
    if vectors.ndim == 2 and vectors.shape[1] == 1 != n:
        vectors = vectors.T  # a single column, as files of one right-hand side have it
    vectors = vectors[None] if vectors.ndim == 1 else vectors
    if vectors.ndim != 2 or vectors.shape[1] != n or vectors.size == 0:
        raise InputError(
            f"{name} has shape {values.shape}; give one vector of {n} values, or one in each row of (count, {n})."
        )
    return _as_the_matrix(vectors, name, complex_values, "use")


def _as_the_matrix(vectors: Numbers, name: str, complex_values: bool, do: str) -> Numbers:
    vectors = _finite(vectors, name)
    if np.iscomplexobj(vectors) and not complex_values:
        raise InputError(f"{name} is complex but the matrix is real; {do} its two parts one by one.")
    return vectors.astype(np.complex128) if complex_values else vectors


def to_real(matrix: Numbers) -> Floats:
    """Map a complex (m, n) matrix to the real (2m, 2n) one ``[[Re, -Im], [Im, Re]]``; a real one stays.

    The mapping of Zuo et al., Nature Electronics 8, 1222 (2025).
    """
    if not np.iscomplexobj(matrix):
        return np.asarray(matrix, dtype=np.float64)
    return np.block([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]])


def to_real_vector(vector: Numbers) -> Floats:
    """Stack a complex (..., n) vector to the real (..., 2n) one ``[Re, Im]``; a real one stays."""
    if not np.iscomplexobj(vector):
        return np.asarray(vector, dtype=np.float64)
    return np.concatenate([vector.real, vector.imag], axis=-1)


def from_real_vector(vector: Floats) -> NDArray[np.complex128]:
    """Invert `to_real_vector`: real (..., 2n) to complex (..., n).

    Raises
    ------
    ValueError
        For an odd number of elements.
    """
    real, imaginary = np.split(np.asarray(vector, dtype=np.float64), 2, axis=-1)
    return np.asarray(real + 1j * imaginary, dtype=np.complex128)


def _read(source: Source, role: str) -> tuple[str, NDArray[Any]]:
    """Return the name of the source for messages, and its unchecked values."""
    if not isinstance(source, (str, os.PathLike)):
        try:
            return role, _dense(source)
        except ValueError:
            raise InputError(f"{role} is ragged: its rows differ in length; make them equal.") from None
    path = Path(source)
    if str(source) in sample_names():
        path = _samples() / f"{source}.mtx"
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        kinds = ", ".join(_READERS)
        if not path.suffix:
            names = ", ".join(sample_names())
            missing = f"there is no sample called {path}" if path.name else f"{role} is not given"
            raise InputError(f"{missing}; there are {names}; a file of yours ends in {kinds}.")
        raise InputError(f"{path} has the unknown suffix '{path.suffix}'; {role} is read from {kinds}.")
    try:
        check_ordinary(path)
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the path of {role}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check path and rights.") from error
    if not content.strip():
        raise InputError(f"{path} is empty; it should hold {role}.")
    return str(path), reader(content, path)


def _dense(values: Any) -> NDArray[Any]:
    """Return an array of anything array-like, scipy's sparse arrays included."""
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)


def _numeric(values: NDArray[Any], name: str) -> Numbers:
    """Return a float64 or complex128 copy; anything that is not a number is refused."""
    kind: Literal["f8", "c16"] = "c16" if values.dtype.kind == "c" else "f8"
    if values.dtype.kind not in "biufc":
        raise InputError(f"{name} has the type {values.dtype}, not numbers; give real or complex values.")
    with np.errstate(over="ignore"):  # a long double beyond float64 is reported as infinite
        return np.array(values, dtype=kind)


def _finite(values: Numbers, name: str) -> Numbers:
    """Return `values`; raises unless all of them are finite."""
    wrong = np.argwhere(~np.isfinite(values))
    if wrong.size:
        place = tuple(int(index) for index in wrong[0])
        entry = ", ".join(map(str, place))
        count = "" if len(wrong) == 1 else f" (and {len(wrong) - 1} more)"
        raise InputError(
            f"{name}: entry [{entry}], counted from 0, is {values[place]}{count}; every value must be finite."
        )
    return values
