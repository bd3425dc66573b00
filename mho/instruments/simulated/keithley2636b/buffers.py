"""Reading buffers of the simulated 2636B: what is kept of a reading, and how scripts see it.

2600BS-901-01, section 3, "Reading buffers". (?) from memory: the capacity, error 4915, and that what a buffer
collects can only be changed while it is empty.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.tsp.formats import MISSING
from mho.instruments.simulated.tsp.tables import Attribute, ScriptTable, TspError, choice, whole

CAPACITY = 140_000
FULL = 4915
COLUMNS = ("readings", "timestamps", "sourcevalues", "statuses", "measureranges", "sourceranges")


class Record(NamedTuple):
    """Stored data of one reading.

    `reading` (A, V, ohm or W), source value (V), status bits, measurement and source range, time (s).
    """

    reading: float
    source: float
    status: int
    measure_range: float
    source_range: float
    time: float


class ReadingBuffer(ScriptTable):
    """A reading buffer: ``nvbuffer1``, ``nvbuffer2``, or one of ``makebuffer``.

    Parameters
    ----------
    capacity : int
        Readings it holds.
    catch_up : callable
        Advances a running sweep before the buffer is read.
    """

    def __init__(self, capacity: int, catch_up: Callable[[], None]) -> None:
        self._capacity = capacity
        self._catch_up = catch_up
        self._data = {name: array("d") for name in COLUMNS}
        self._base = 0.0
        super().__init__(
            {
                "appendmode": Attribute(0.0, choice(0, 1)),
                "collectsourcevalues": Attribute(0.0, self._when_empty),
                "collecttimestamps": Attribute(0.0, self._when_empty),
                "timestampresolution": Attribute(1e-6, lambda value: value),
                "fillmode": Attribute(0.0, choice(0, 1)),
                "cachemode": Attribute(1.0, choice(0, 1)),
            },
            contents={
                **{name: _Column(self, name) for name in COLUMNS},
                "capacity": capacity,
                "clear": self.clear,
                "clearcache": lambda: None,
            },
            readings={
                "n": self._count,
                "basetimestamp": lambda: self._base,
                "next": lambda: self._count() + 1,
            },
            item=lambda index: self.item("readings", index),
        )

    def _when_empty(self, value: object) -> float:
        if self._data["readings"]:
            raise TspError(-221, "Settings conflict; the reading buffer is not empty")
        wanted: float = choice(0, 1)(value)
        return wanted

    def _count(self) -> int:
        self._catch_up()
        return len(self)

    def __len__(self) -> int:
        return len(self._data["readings"])

    def item(self, column: str, index: int) -> float | None:
        """Return reading `index` of a column, counted from 1, None where there is none."""
        self._catch_up()
        data = self._data[column]
        return data[index - 1] if 1 <= index <= len(data) else None

    def column(self, name: str) -> NDArray[np.float64]:
        """Return a copy of a column, NaN-free; empty when it was not collected."""
        return np.array(self._data[name], dtype=np.float64)

    def numbers(self) -> NDArray[np.float64]:
        """Return the readings."""
        return self.column("readings")

    def clear(self) -> None:
        """Clear the readings."""
        for data in self._data.values():
            del data[:]

    def begin(self) -> None:
        """Prepare for a measurement: unless it appends, the buffer starts anew."""
        if not self["appendmode"]:
            self.clear()

    def append(self, record: Record) -> None:
        """Store one more reading.

        Raises
        ------
        TspError
            When the buffer is full.
        """
        data = self._data
        count = len(data["readings"])
        if count >= self._capacity:
            raise TspError(FULL, "Attempting to store past capacity of reading buffer")
        if not count:
            self._base = record.time
        data["readings"].append(record.reading)
        data["statuses"].append(record.status)
        data["measureranges"].append(record.measure_range)
        data["sourceranges"].append(record.source_range)
        if self["collectsourcevalues"]:
            data["sourcevalues"].append(record.source)
        if self["collecttimestamps"]:
            data["timestamps"].append(record.time - self._base)


class _Column(ScriptTable):
    """One column of a buffer, such as ``nvbuffer1.timestamps``."""

    def __init__(self, buffer: ReadingBuffer, name: str) -> None:
        self._buffer, self._name = buffer, name
        super().__init__(
            contents={"getreading": lambda index: buffer.item(name, int(whole(1, CAPACITY)(index)))},
            item=lambda index: buffer.item(name, index),
        )

    def numbers(self) -> NDArray[np.float64]:
        """Return the column."""
        return self._buffer.column(self._name)


def as_buffer(value: object) -> ReadingBuffer:
    """Return a buffer a script has passed; raises `TspError` when it is something else."""
    if not isinstance(value, ReadingBuffer):
        raise TspError(-104)
    return value


__all__ = ["CAPACITY", "MISSING", "ReadingBuffer", "Record", "as_buffer"]
