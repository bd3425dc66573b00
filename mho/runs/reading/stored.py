"""What a column, a stack of images or an array of an open run file is, none of which is read."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mho.runs.reading.opening import intact
from mho.runs.reading.record import unit_of


class Stored:
    """What stands in a run file: each fact is read when it is first asked for, from the open file.

    Raises
    ------
    RunFileError
        By every member that meets damage.
    """

    def __init__(self, path: Path, dataset: h5py.Dataset) -> None:
        self._path = path
        self._dataset = dataset

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of its numbers."""
        with intact(self._path):
            dtype: np.dtype[Any] = self._dataset.dtype
            return dtype

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape, as of the first look."""
        with intact(self._path):
            return tuple(map(int, self._dataset.shape))

    @cached_property
    def chunks(self) -> tuple[int, ...] | None:
        """Shape of its chunks, if it is cut into some."""
        with intact(self._path):
            return None if self._dataset.chunks is None else tuple(map(int, self._dataset.chunks))

    @cached_property
    def unit(self) -> str:
        """Unit; "" without one."""
        with intact(self._path):
            return unit_of(self._dataset)

    @cached_property
    def description(self) -> str:
        """What it is, in words; "" where the file does not say."""
        with intact(self._path):
            return str(self._dataset.attrs.get("long_name", ""))
