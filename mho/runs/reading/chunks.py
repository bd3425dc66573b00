"""The chunks of growing datasets and arrays: every chunk has a checksum, big ones are compressed.

A chunk that fills up row by row is written again at each flush and must keep its size, or SWMR would leave a hole for each
version. Large rows, images and arrays are written once, and compressed by deflate, which every HDF5 library reads.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

CHUNK_ROWS = 2048
CHUNK_BYTES = 16 * 1024  # size of a chunk of small rows: small enough to be written whole at each flush

# Size of a chunk where few rows are expected, and the rows that it has all the same, as far as `CHUNK_BYTES`
# go
FEW_BYTES, FEWEST_ROWS = 2048, 16
LARGE_BYTES = 4096  # rows and arrays of at least this size are compressed
BLOCK_BYTES = 1 << 20  # size of the pieces of a large array
_LARGE: dict[str, Any] = {"shuffle": True, "compression": "gzip", "compression_opts": 1, "fletcher32": True}


def create_growing(
    group: h5py.Group, name: str, dtype: object, shape: tuple[int, ...], expected: int = 0
) -> h5py.Dataset:
    """Create an empty dataset that grows along its first axis; floats read NaN where nothing was written.

    `expected`: approximate number of rows; 0 if unknown. A chunk holds at most half of them, as the last one
    takes its full size in the file.
    """
    numpy_dtype = np.dtype(dtype)  # type: ignore[call-overload]
    row_bytes = numpy_dtype.itemsize * int(np.prod(shape))
    large = row_bytes >= LARGE_BYTES
    rows = 1 if large else max(1, min(CHUNK_ROWS, CHUNK_BYTES // row_bytes))
    if expected:
        rows = min(rows, max(-(-expected // 2), min(FEWEST_ROWS, FEW_BYTES // row_bytes), 1))
    return group.create_dataset(
        name, shape=(0, *shape), maxshape=(None, *shape), chunks=(rows, *shape), dtype=dtype,
        fillvalue=_nothing(numpy_dtype), **(_LARGE if large else {"fletcher32": True}),
    )  # fmt: skip


_UNTIMED = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
_UNTIMED.set_obj_track_times(False)


def create_plain(group: h5py.Group, name: str, values: NDArray[Any]) -> h5py.Dataset:
    """Create a dataset that is not in chunks; ``create_dataset`` makes the same in twice the time."""
    kind, space = h5py.h5t.py_create(values.dtype, logical=True), h5py.h5s.create_simple(values.shape)
    dataset = h5py.h5d.create(group.id, name.encode(), kind, space, _UNTIMED)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return h5py.Dataset(dataset)


def create_array(group: h5py.Group, name: str, values: NDArray[np.generic]) -> h5py.Dataset:
    """Create the dataset of a fixed array; one that is all NaN takes no room until it is filled in.

    HDF5 cuts neither a single number nor an empty array into chunks: these have no checksum.
    """
    if values.ndim == 0 or values.size == 0:
        return create_plain(group, name, values)
    rows = max(1, BLOCK_BYTES * len(values) // max(values.nbytes, 1))
    large = _LARGE | {"shuffle": values.dtype.kind != "S"}
    dataset = group.create_dataset(
        name, shape=values.shape, dtype=values.dtype, chunks=(min(rows, len(values)), *values.shape[1:]),
        fillvalue=_nothing(values.dtype), **(large if values.nbytes >= LARGE_BYTES else {"fletcher32": True}),
    )  # fmt: skip
    # Filled in for the first time, it then gets new chunks: a reader sees either nothing or all of it.
    if values.dtype.kind not in "fc" or not np.isnan(values).all():
        dataset[...] = values
    return dataset


def create_compressed_text(group: h5py.Group, name: str, text: bytes, size: int) -> h5py.Dataset:
    """Create a text dataset of one element that has room for `size` bytes and takes as much as its text needs.

    Written again, it needs another place in the file: it cannot be written past HDF5 on a full disk.
    """
    dtype = h5py.string_dtype("utf-8", size)
    dataset = group.create_dataset(name, (1,), dtype, chunks=(1,), **_LARGE)
    if len(text) <= CHUNK_BYTES:
        dataset.id.write_direct_chunk((0,), _packed(text, size))
    else:
        dataset[0] = text
    return dataset


@lru_cache(maxsize=16)
def _packed(text: bytes, size: int) -> bytes:
    """Return a short text as HDF5's filters store it; kept, as megabytes of room take long to pack."""
    packed = zlib.compress(text.ljust(size, b"\0"), int(_LARGE["compression_opts"]))
    return packed + fletcher32(packed)


def is_only_checksummed(dataset: h5py.Dataset) -> bool:
    """Return whether a chunk of `dataset` is its bytes and their checksum, and nothing else."""
    filters = dataset.id.get_create_plist()
    return bool(
        filters.get_layout() == h5py.h5d.CHUNKED
        and filters.get_nfilters() == 1
        and filters.get_filter(0)[0] == h5py.h5z.FILTER_FLETCHER32
    )


def is_growing(item: h5py.HLObject) -> bool:
    """Return whether `item` is a dataset that grows along its first axis."""
    return isinstance(item, h5py.Dataset) and bool(item.shape) and item.maxshape[0] is None


def read_torn(dataset: h5py.Dataset, start: int, stop: int) -> NDArray[Any]:
    """Return ``dataset[start:stop]`` of a file that is being written, or whose writer was killed.

    Where the last chunk's checksum does not match, it was being written. The rows that the dataset counts are still
    complete: a chunk of small rows is only overwritten by the same rows and further ones.

    `OSError` for any other error.
    """
    try:
        return np.asarray(dataset[start:stop])
    except OSError:
        rows = dataset.chunks[0] if dataset.chunks else len(dataset)
        last = (len(dataset) - 1) // rows * rows
        if not is_only_checksummed(dataset) or stop <= last:
            raise
    _, stored = dataset.id.read_direct_chunk((last,) + (0,) * (dataset.ndim - 1))
    chunk = np.frombuffer(stored, np.uint8, int(np.prod(dataset.chunks)) * dataset.dtype.itemsize)
    tail = chunk.view(dataset.dtype).reshape(dataset.chunks)[: stop - last]
    if start >= last:
        return np.array(tail[start - last :])
    return np.concatenate([dataset[start:last], tail])


def damaged_rows(dataset: h5py.Dataset, *, lenient: bool) -> list[str]:
    """Return which rows of `dataset` cannot be read, one sentence for each stretch of them.

    `lenient`: read it with `read_torn`, as the file was never closed.
    """
    stretches: list[list[int]] = []
    length = len(dataset) if dataset.shape else 1
    rows = dataset.chunks[0] if dataset.chunks else max(length, 1)
    for start in range(0, length, rows):
        stop = min(start + rows, length)
        try:
            if lenient and is_growing(dataset):
                read_torn(dataset, start, stop)
            else:
                dataset[start:stop] if dataset.shape else dataset[()]
        except (OSError, RuntimeError):
            if stretches and stretches[-1][1] == start:
                stretches[-1][1] = stop
            else:
                stretches.append([start, stop])
    return [f"{dataset.name}: rows {start} to {stop - 1} are damaged" for start, stop in stretches]


def fletcher32(data: bytes) -> bytes:
    """Return the checksum that HDF5's filter of that name puts behind `data` (H5checksum.c (?)).

    Sums of big-endian 16-bit words, and of these sums, modulo 65535, where a multiple of it other than zero
    counts as 65535. The second is a product with the words' distances from the end, exact in floats.
    """
    words = np.frombuffer(data + b"\0" * (len(data) % 2), ">u2").astype(np.float64)
    first, second = int(words.sum()), int(words @ _distances(len(words)))
    return (_folded(second) << 16 | _folded(first)).to_bytes(4, "little")


def _folded(total: int) -> int:
    return (total - 1) % 65535 + 1 if total else 0


@lru_cache(maxsize=32)
def _distances(count: int) -> NDArray[np.float64]:
    return np.arange(count, 0, -1, dtype=np.float64)


def _nothing(dtype: np.dtype[Any]) -> Any:
    return dtype.type(np.nan) if dtype.kind in "fc" else None
