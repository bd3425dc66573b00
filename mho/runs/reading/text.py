"""Text in a run file: UTF-8 of fixed length, since HDF5's single-writer mode can write no other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mho.errors import RunFileError
from mho.runs.reading.chunks import create_compressed_text, create_plain

ELLIPSIS = "…"

# Texts of at least this size, known before the run, are compressed, which HDF5 does to arrays only: of one
# element
LONG_BYTES = 4096


# More than any text takes: a file that declares it is damaged, or wants to block its reader
LONGEST_BYTES = 1 << 30


def _name(dataset: h5py.h5d.DatasetID) -> str:
    return (h5py.h5i.get_name(dataset) or b"a text").decode("utf-8", "replace")


def encode(text: str) -> bytes:
    """Return `text` as UTF-8 that survives a null-padded field: no NUL, no lone surrogate."""
    return text.replace("\0", "␀").encode("utf-8", "backslashreplace")


def decode(stored: bytes | NDArray[np.bytes_]) -> str:
    """Return stored text, also that of a dataset with one element."""
    return bytes(stored.item() if isinstance(stored, np.ndarray) else stored).decode("utf-8")


def read_text(dataset: h5py.h5d.DatasetID) -> str:
    """Return the text of a dataset that holds one, through h5py's low-level calls: in a third of the time.

    `ValueError` where it holds several, or none, or one that is longer than any.
    """
    kind = dataset.get_type()
    if dataset.get_space().get_simple_extent_npoints() != 1:  # HDF5 would fill more than the buffer below
        raise ValueError(f"{_name(dataset)} holds not one text")
    size = kind.get_size()
    if size > LONGEST_BYTES:
        raise ValueError(f"{_name(dataset)} declares a text of {size} bytes")
    if kind.get_class() != h5py.h5t.STRING or kind.is_variable_str():
        return decode(h5py.Dataset(dataset)[()])
    stored = np.empty((), f"S{size}")
    dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, stored, kind)
    return decode(stored)


_VARIABLE = h5py.string_dtype()
_VARIABLE_ID = h5py.h5t.py_create(_VARIABLE, logical=True)


def text_attribute(item: h5py.HLObject, name: str) -> str:
    """Return the text of an attribute, through h5py's low-level calls: in a third of the time; "" without one.

    `ValueError` where it holds anything but one text.
    """
    if not h5py.h5a.exists(item.id, name.encode()):
        return ""
    stored = h5py.h5a.open(item.id, name.encode())
    kind = stored.get_type()
    if kind.get_class() != h5py.h5t.STRING or not kind.is_variable_str() or stored.shape != ():
        value = item.attrs[name]
        if not isinstance(value, str | bytes):
            raise ValueError(f"attribute {name} of {item.name} holds not one text")
        return decode(value) if isinstance(value, bytes) else value
    text = np.empty((), _VARIABLE)
    stored.read(text)
    return decode(text.item())


def add_text_attribute(item: h5py.HLObject, name: str, text: str) -> None:
    """Give an item a new attribute; its ``attrs`` make the same in three times the time."""
    attribute = h5py.h5a.create(item.id, name.encode(), _VARIABLE_ID, h5py.h5s.create(h5py.h5s.SCALAR))
    attribute.write(np.array(text, _VARIABLE))


def cut(text: str, size: int) -> bytes:
    """Return `text` as at most `size` bytes of UTF-8, ending in an ellipsis when it had to be cut."""
    data = encode(text)
    if len(data) <= size:
        return data
    mark = ELLIPSIS.encode()
    return _whole(data[: size - len(mark)]) + mark


def split(text: str, size: int) -> list[bytes]:
    """Return `text` as pieces of at most `size` bytes of UTF-8; all but the first open with an ellipsis."""
    data = encode(text)
    pieces = [_whole(data[:size])]
    done = len(pieces[0])
    mark = ELLIPSIS.encode()
    while done < len(data):
        piece = _whole(data[done : done + size - len(mark)])
        pieces.append(mark + piece)
        done += len(piece)
    return pieces


def _whole(data: bytes) -> bytes:
    """Drop a character that the end of `data` cuts in two."""
    return data.decode("utf-8", "ignore").encode()


def create_text(group: h5py.Group, name: str, text: str, size: int | None = None) -> h5py.Dataset:
    """Create a text dataset, of `size` bytes when it will be written again during the run; else a long one is compressed.

    The value is written at once: single-writer mode could not allocate the storage later.
    """
    data = encode(text) if size is None else cut(text, size)
    if size is None and len(data) >= LONG_BYTES:
        return create_compressed_text(group, name, data, len(data))
    return create_plain(group, name, np.array(data, h5py.string_dtype("utf-8", size or max(len(data), 1))))


def write_text(dataset: h5py.Dataset, text: str) -> None:
    """Overwrite a fixed-length text dataset, cutting `text` to its size."""
    dataset[...] = cut(text, dataset.dtype.itemsize)


def write_json(dataset: h5py.Dataset, values: Mapping[str, Any] | list[str], what: str) -> None:
    """Overwrite a fixed-length text dataset with `values` as JSON.

    `RunFileError`: `values` are no JSON, or too long; `what` names them. Cut JSON could not be read.
    """
    size = dataset.dtype.itemsize
    try:
        data = encode(
            json.dumps(
                values if isinstance(values, list) else dict(values), default=_plain, ensure_ascii=False
            )
        )
    except (TypeError, ValueError) as error:
        raise RunFileError(
            f"{what} cannot be stored as JSON ({error}); use numbers, text, lists and mappings"
        ) from error
    if len(data) > size:
        raise RunFileError(
            f"{what} takes {len(data)} bytes and the file has room for {size}; put long data into an array"
        )
    dataset[...] = data


def _plain(value: object) -> object:
    """Return what JSON can hold of a numpy scalar or array."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r} has no JSON form")
