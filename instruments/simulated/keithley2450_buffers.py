"""Reading buffers of the simulated 2450: what is kept of a reading, and how it is replied.

Model 2450 Reference Manual, 2450-901-01, pp. 6-109 ff. and 8-29.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from instruments.simulated.clock import VirtualClock
from instruments.simulated.scpi import ScpiDevice, ScpiError, Setting, command, query
from instruments.simulated.scpi_parameters import Choice, Numeric, Text

DEFAULT = "defbuffer1"
SENSED_REMOTELY, LIMITED, OUTPUT_ON = 64, 32, 128  # bits of the source status
BINARY_ONLY = 1133  # "parameter, buffer element, not allowed in binary format"

ELEMENTS = Choice(
    "READ",
    ("READing", "SOURce", "RELative", "SEConds", "FRACtional", "STATus", "SOURSTATus", "UNIT", "EXTRa"),
    required=False,
    repeated=True,
)


class Record(NamedTuple):
    """One reading: source value (V), reading (A or V), its unit, source status, time (s)."""

    source: float
    reading: float
    unit: str
    source_status: int
    time: float


class Buffer:
    """A reading buffer that drops the oldest readings when it is full."""

    def __init__(self, capacity: int = 100_000) -> None:
        self.capacity = capacity
        self.records: list[Record] = []

    def append(self, record: Record) -> None:
        """Keep one more reading."""
        records = self.records
        records.append(record)
        if len(records) > 2 * self.capacity:  # cut rarely, a list is cut in one piece
            del records[: -self.capacity]

    def __len__(self) -> int:
        return min(len(self.records), self.capacity)

    def slice(self, first: int, last: int) -> list[Record]:
        """Return readings `first` to `last`, counted from 1; raises `ScpiError` -222 beyond them."""
        held = self.records[-self.capacity :]
        if not 1 <= first <= last <= len(held):
            raise ScpiError(-222)
        return held[first - 1 : last]


class ReplyFormat(NamedTuple):
    """``:FORM:DATA`` and ``:FORM:BORD``: how numbers are replied."""

    data: str = "ASC"
    border: str = "SWAP"

    def write(self, records: Sequence[Record], elements: Sequence[str], origin: float) -> str:
        """Write `elements` of each record; times are relative to `origin` (s).

        Raises
        ------
        ScpiError
            1133 for an element that has no binary form.
        """
        chosen = elements or ("READ",)
        if self.data == "ASC":
            return ",".join(_text(record, element, origin) for record in records for element in chosen)
        if not {"READ", "REL", "SOUR", "EXTR"}.issuperset(chosen):
            raise ScpiError(BINARY_ONLY)
        numbers = [float(_text(record, element, origin)) for record in records for element in chosen]
        kind = ("<" if self.border == "SWAP" else ">") + ("f8" if self.data == "REAL" else "f4")
        return "#0" + np.asarray(numbers).astype(kind).tobytes().decode("latin-1")


def _text(record: Record, element: str, origin: float) -> str:
    match element:
        case "READ":
            return f"{record.reading:.6E}"
        case "SOUR":
            return f"{record.source:.6E}"
        case "SOURSTAT":
            return str(record.source_status)
        case "REL":
            return f"{record.time - origin:.6E}"
        case "SEC":
            return str(int(record.time))
        case "FRAC":
            return f"{record.time % 1.0:.9f}"
        case "UNIT":
            return record.unit
        case "EXTR":
            return f"{0.0:.6E}"
        case _:
            return "0"


class ReadingBuffers(ScpiDevice):
    """The part of the instrument that keeps and replies readings: ``:TRACe`` and ``:FORMat``."""

    data_format = Setting(":FORMat[:DATA]", Choice("ASC", ("ASCii", "REAL", "SREal")))
    byte_order = Setting(":FORMat:BORDer", Choice("SWAP", ("NORMal", "SWAPped")))

    def __init__(self, clock: VirtualClock, rng: np.random.Generator, *, serial: str = "SIM00000") -> None:
        super().__init__(clock, rng, serial=serial)
        self.buffers = {DEFAULT: Buffer(), "defbuffer2": Buffer()}

    def _buffer(self, name: str) -> Buffer:
        try:
            return self.buffers[name]
        except KeyError:
            raise ScpiError(-224, f"no buffer {name}") from None

    def _reply(self, records: list[Record], elements: list[str]) -> str:
        return ReplyFormat(self.data_format, self.byte_order).write(records, elements, self._origin(records))

    def _origin(self, records: list[Record]) -> float:
        return records[0].time if records else 0.0

    @command(":TRACe:MAKE", Text(), Numeric(1e5, 10, 6.875e6, integer=True))
    def _make_buffer(self, name: str, size: float) -> None:
        if name in self.buffers:
            raise ScpiError(-224, f"buffer {name} exists")
        self.buffers[name] = Buffer(int(size))

    @command(":TRACe:DELete", Text())
    def _delete_buffer(self, name: str) -> None:
        self._buffer(name)
        if name.startswith("defbuffer"):
            raise ScpiError(-224, f"buffer {name} cannot be deleted")
        del self.buffers[name]

    @command(":TRACe:CLEar", Text(DEFAULT, required=False))
    def _clear_buffer(self, name: str) -> None:
        self._buffer(name).records.clear()

    @command(":TRACe:POINts", Numeric(1e5, 10, 6.875e6, integer=True), Text(DEFAULT, required=False))
    def _set_points(self, size: float, name: str) -> None:
        self._buffer(name)
        self.buffers[name] = Buffer(int(size))

    @query(":TRACe:POINts", Text(DEFAULT, required=False))
    def _query_points(self, name: str) -> str:
        return str(self._buffer(name).capacity)

    @query(":TRACe:ACTual", Text(DEFAULT, required=False))
    def _query_actual(self, name: str) -> str:
        return str(len(self._buffer(name)))

    @query(
        ":TRACe:DATA",
        Numeric(1, 1, 1e7, integer=True),
        Numeric(1, 1, 1e7, integer=True),
        Text(DEFAULT, required=False),
        ELEMENTS,
    )
    def _query_data(self, first: float, last: float, name: str, elements: list[str]) -> str:
        return self._reply(self._buffer(name).slice(int(first), int(last)), elements)
