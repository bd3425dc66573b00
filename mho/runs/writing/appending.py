"""Appends rows to one dataset: each row is in the file, with its checksum, before the dataset's length counts it.

The chunk in progress is kept in memory and written whole, at a fixed place in the file. Nothing is ever read back, and
earlier rows are only overwritten with the same values.
"""

from __future__ import annotations

import hashlib
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mho.runs.integrity.seal import data_digest
from mho.runs.reading.chunks import fletcher32, is_only_checksummed


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
