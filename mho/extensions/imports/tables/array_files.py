"""Arrays in files of NumPy, MATLAB, HDF5 and JSON, as lines of a table: a column an array, or a line an element."""

from __future__ import annotations

import itertools
import json
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError

MOST_BYTES = 1 << 31  # of all arrays of a file together, unpacked
MOST_JSON = 1 << 26  # of a JSON file: its numbers and texts take some twenty times as much in memory
LONGEST_TEXT = 10_000  # characters of a text in an array: in one of NumPy all take as much as the longest
MOST_NAMED, BLOCK = 12, 10_000
NUMERIC = "biuf"
NPY = b"\x93NUMPY"
ROWS = "NROWS"  # attribute in which an ArC TWO says how many rows of a longer dataset hold something

# With which the readers of damaged files end
_FAULTS = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError, MemoryError, NameError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
Arrays = Mapping[str, NDArray[Any]]


class ArrayLines:
    """The lines of a table that is made of arrays.

    One-dimensional arrays of one length are columns. Arrays of more dimensions, all of one shape, are columns beside the
    places of their elements: ``row`` and ``column`` of two dimensions, else what `axes` calls them. A single matrix
    stays one. Fields of a compound dataset are columns.

    `dataset`: the array, or several apart by commas; all unless given. `axes`: what the dimensions count, the first
    dimension first: a meaning such as ``cycle``, nothing for one that is left out, and names apart by ``|`` for one
    whose places are columns of their own, of which empty ones are left out. Raises `InputError`: the file cannot be
    read, has no such array, or they make no table.
    """

    def __init__(self, path: Path, dataset: str = "", axes: Sequence[str] = ()) -> None:
        self._path = path
        try:
            arrays = _arrays(path, dataset)
        except InputError:
            raise
        except _FAULTS as error:
            raise InputError(
                f"{path} is {_kind(path)} that cannot be read: {_reason(error)}; save the arrays as .npz, or the table as "
                "CSV"
            ) from error
        self._columns = _columns(path, _chosen(path, arrays, dataset), tuple(axes))

    def numbered(self, first: int) -> Iterator[tuple[int, str]]:
        """Yield number and text of the lines from `first` on: the names, if there are any, then the values."""
        names, columns = self._columns
        lines = itertools.chain([names] if names else [], _rows(columns))
        for number, fields in enumerate(lines, 1):
            if number >= first:
                yield number, "\t".join(fields)


def _rows(columns: Sequence[NDArray[Any]]) -> Iterator[list[str]]:
    count = len(columns[0])
    for begin in range(0, count, BLOCK):
        some = [column[begin : begin + BLOCK].tolist() for column in columns]
        yield from ([*map(_text, row)] for row in zip(*some, strict=True))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(int(value)) if isinstance(value, bool) else " ".join(str(value).split())


def _columns(path: Path, arrays: Arrays, axes: tuple[str, ...]) -> tuple[list[str], list[NDArray[Any]]]:
    """Return names and columns of the table that arrays make; no names of a bare matrix."""
    shapes = {one.shape for one in arrays.values()}
    if len(shapes) > 1:
        raise InputError(
            f"{path} has arrays of several shapes: {_list(arrays)}; say --dataset with those of one shape, apart by commas"
        )
    (shape,) = shapes
    name, one = next(iter(arrays.items()))
    if one.dtype.names:
        if len(arrays) > 1:
            raise InputError(f"{path} has several tables: {_list(arrays)}; say --dataset {name}")
        flat = one.ravel()
        return list(one.dtype.names), [flat[field] for field in one.dtype.names]
    if len(shape) == 1 and not axes:
        return [*arrays], [*arrays.values()]
    if len(shape) == 2 and len(arrays) == 1 and not axes:
        return [], [one[:, place] for place in range(shape[1])]
    axes = axes or (("row", "column") if len(shape) == 2 else ())
    if len(axes) != len(shape):
        raise InputError(
            f"{path}: {_list(arrays)} has {len(shape)} dimensions; say what they count, such as --axes "
            f"{','.join(('cycle', 'pulse', 'column', 'row')[-len(shape) :] if len(shape) < 5 else ['…'] * len(shape))}"
        )
    return _long(path, arrays, axes)


def _long(path: Path, arrays: Arrays, axes: tuple[str, ...]) -> tuple[list[str], list[NDArray[Any]]]:
    """Return names and columns of a table with a line an element, or a line for all places of the split dimension."""
    split = [place for place, axis in enumerate(axes) if "|" in axis]
    if len(split) > 1 or (split and len(arrays) > 1):
        raise InputError(f"{path}: one dimension of one array can be columns; --axes names several with |")
    values: dict[str, NDArray[Any]] = dict(arrays)
    if split:
        (array,) = arrays.values()
        names = axes[split[0]].split("|")
        if len(names) > array.shape[split[0]]:
            raise InputError(
                f"{path}: dimension {split[0] + 1} of {_list(arrays)} has {array.shape[split[0]]} places, and --axes names "
                f"{len(names)}"
            )
        values = {
            name: np.take(array, place, axis=split[0]) for place, name in enumerate(names) if name.strip()
        }
        axes = tuple(axis for place, axis in enumerate(axes) if place != split[0])
    order = sorted(range(len(axes)), key=lambda place: not axes[place])  # what has no name varies fastest
    values = {name: one.transpose(order) for name, one in values.items()}
    axes = tuple(axes[place] for place in order)
    shape = next(iter(values.values())).shape
    counted = np.ogrid[tuple(slice(count) for count in shape)]
    places: dict[str, NDArray[Any]] = {
        axis: np.broadcast_to(place, shape).ravel() for axis, place in zip(axes, counted, strict=True) if axis
    }
    return [*places, *values], [*places.values(), *(one.ravel() for one in values.values())]


def _chosen(path: Path, arrays: Arrays, dataset: str) -> Arrays:
    """Return the arrays that were said, by the last part of their names; all that hold numbers or fields unless any was."""
    if dataset:
        chosen = {}
        for name in map(str.strip, dataset.split(",")):
            if name not in arrays:
                raise InputError(f"{path} has no array {name!r}; it has {_list(arrays)}")
            chosen[name] = arrays[name]
    else:
        chosen = {
            name: one for name, one in arrays.items() if one.ndim and (one.size > 1 or len(arrays) == 1)
        }
    bad = next((n for n, one in chosen.items() if one.dtype.kind not in NUMERIC + "SUV" or not one.ndim), "")
    if bad or not chosen:
        raise InputError(
            f"{path} has no array of numbers; it has {_list(arrays) or 'none'}"
            if not bad
            else f"{path}: array {bad!r} holds {arrays.get(bad, chosen[bad]).dtype}, no column of numbers"
        )
    short = [name.rpartition("/")[2] for name in chosen]
    if len(set(short)) == len(short):
        chosen = dict(zip(short, chosen.values(), strict=True))
    if not dataset and len({one.shape for one in chosen.values()}) > 1:
        raise InputError(
            f"{path} has arrays of several shapes: {_list(arrays)}; say --dataset NAME, or names of one shape, by commas"
        )
    return chosen


def _list(arrays: Arrays) -> str:
    shown = [
        f"{name} ({' x '.join(map(str, one.shape)) or 'one'})" for name, one in [*arrays.items()][:MOST_NAMED]
    ]
    return ", ".join([*shown, *(["…"] if len(arrays) > MOST_NAMED else [])])


def _arrays(path: Path, dataset: str) -> Arrays:
    """Return the arrays of a file by name."""
    with path.open("rb") as raw:
        start = raw.read(32)
    if start.startswith(NPY):
        with path.open("rb") as raw:
            _check_array(path, raw, path.stat().st_size)
        return {path.stem: np.load(path, allow_pickle=False)}
    if start.startswith(b"PK"):
        with zipfile.ZipFile(path) as packed:
            _check_size(path, sum(one.file_size for one in packed.infolist()))
            for one in packed.infolist():
                if one.filename.endswith(".npy"):
                    with packed.open(one) as member:
                        _check_array(path, member, one.file_size)
        with np.load(path, allow_pickle=False) as packed_arrays:
            return {name: _unpacked(packed_arrays, name) for name in packed_arrays.files}
    if start.startswith(b"\x89HDF") or (start.startswith(b"MATLAB") and h5py.is_hdf5(path)):
        return _of_hdf5(path, dataset)
    if start.startswith(b"MATLAB"):
        return _of_matlab(path)
    return _of_json(path)


def _check_array(path: Path, file: IO[bytes], size: int) -> None:
    """Raise an `InputError` unless a NumPy array of `size` bytes holds what its header says."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    count = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or count > size - file.tell():
        shown = " x ".join(map(str, shape[:8])) + (" x …" if len(shape) > 8 else "")
        raise InputError(
            f"{path} is a NumPy array that cannot be read: its header says {shown} of {dtype}, and the file is shorter; "
            "save it again"
        )


def _reason(error: BaseException) -> str:
    """Return why a file cannot be read, in few words."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    return " ".join(str(error).split())[:200] or type(error).__name__


def _kind(path: Path) -> str:
    """Return what a file begins like."""
    with path.open("rb") as raw:
        start = raw.read(8)
    kinds = {
        b"\x93NUMPY": "a NumPy array", b"PK": "an archive of NumPy arrays", b"\x89HDF": "an HDF5 file",
        b"MATLAB": "a MATLAB file",
    }  # fmt: skip
    return next((kind for magic, kind in kinds.items() if start.startswith(magic)), "JSON")


def _unpacked(packed: Any, name: str) -> NDArray[Any]:
    """Return an array of an .npz; one of objects, which would be unpickled, as one of its kind without values."""
    try:
        return np.asarray(packed[name])
    except ValueError:
        return np.empty(0, dtype=object)


def _of_matlab(path: Path) -> Arrays:
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    sizes = {"double": 8, "single": 4, "logical": 1}
    try:
        _check_size(path, sum(math.prod(shape) * sizes.get(kind, 8) for _, shape, kind in whosmat(path)))
        content = loadmat(path, squeeze_me=True)
    except MatReadError as error:
        raise ValueError(str(error)) from error
    return {name: np.asarray(one) for name, one in content.items() if not name.startswith("__")}


def _of_hdf5(path: Path, dataset: str) -> Arrays:
    arrays: dict[str, NDArray[Any]] = {}
    names = [*map(str.strip, dataset.split(","))] if dataset else []
    with h5py.File(path, "r") as file:
        if "entry/procedure" in file:
            raise InputError(
                f"{path} is a run file of mho; look at it with mho show, or draw it with mho plot"
            )
        named: dict[str, h5py.Dataset] = {}
        file.visititems(
            lambda name, one: named.update({name: one}) if isinstance(one, h5py.Dataset) else None
        )
        read = [one for name, one in named.items() if not names or {name, name.rpartition("/")[2]} & {*names}]
        _check_size(path, sum(math.prod(one.shape or (1,)) * one.dtype.itemsize for one in read))
        for name, one in named.items():
            short = name.rpartition("/")[2]
            if names and name not in names and short not in names:
                arrays[name] = np.broadcast_to(
                    np.zeros((), one.dtype), one.shape
                )  # for the message, if none is
                continue
            rows = one.attrs.get(ROWS)
            arrays[name if name in names or not names else short] = (
                one[()] if rows is None or not one.shape else one[: int(rows)]
            )
    return arrays


def _of_json(path: Path) -> Arrays:
    """Return columns: of records, of lists or mappings by name, or of a list of rows, as pandas writes all of them."""
    if path.stat().st_size > MOST_JSON:
        raise InputError(
            f"{path} has {path.stat().st_size / 1e6:.0f} MB, and {MOST_JSON / 1e6:.0f} MB of JSON are read at most; save "
            "it as .npz or CSV"
        )
    content = json.loads(path.read_text("utf-8-sig"))
    if isinstance(content, dict) and {"columns", "data"} <= set(content):
        content = [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]
    if isinstance(content, list) and content and all(isinstance(one, dict) for one in content):
        names = list(dict.fromkeys(name for one in content for name in one))
        content = {name: [one.get(name) for one in content] for name in names}
    if isinstance(content, list) and content and all(isinstance(one, list) for one in content):
        return {path.stem: _column(content)}
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path} holds no columns; write a mapping of names to lists, or a list of records")
    columns = {n: [*one.values()] if isinstance(one, dict) else one for n, one in content.items()}
    return {name: _column(one) for name, one in columns.items() if isinstance(one, list)}


def _column(values: list[Any]) -> NDArray[Any]:
    if any(isinstance(one, str) and len(one) > LONGEST_TEXT for one in values):
        raise ValueError(f"a text in it has more than {LONGEST_TEXT} characters")
    known = [np.nan if one is None else one for one in values]
    return np.array(known)


def _check_size(path: Path, count: int) -> None:
    if count > MOST_BYTES:
        raise InputError(
            f"{path} has {count / 1e9:.1f} GB of arrays, and {MOST_BYTES / 1e9:.1f} GB are read at most; name a smaller "
            "one with --dataset, or save a part of it"
        )
