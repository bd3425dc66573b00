"""Reading buffers of the simulated 2450: what is kept of a reading, and how it is replied.

Model 2450 Reference Manual, 2450-901-01, pp. 6-107 ff. and 8-29. (?) from memory: the number of the error when a buffer
is full, what statistics of an empty one are, and its first and last place (``:TRAC:ACT:STAR?``, ``:END?``), which are 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.analogue import OVERFLOW
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.scpi.instrument import ScpiDevice, ScpiError, Setting, command, query
from mho.instruments.simulated.scpi.parameters import Choice, Numeric, Text
from mho.instruments.simulated.scpi.status import QueuedError

DEFAULT = "defbuffer1"
SENSED_REMOTELY, LIMITED, OUTPUT_ON = 64, 32, 128  # bits of the source status
BINARY_ONLY = 1133  # "parameter, buffer element, not allowed in binary format"
NAME_TAKEN, FULL = 1115, 4915
EPOCH = datetime(2025, 1, 1)  # when the virtual clock started
SPARE = 1000  # readings beyond a buffer's capacity that are dropped together

ELEMENTS = Choice(
    "READ",
    ("READing", "SOURce", "RELative", "SEConds", "FRACtional", "STATus", "SOURSTATus", "UNIT", "EXTRa", "DATE", "TIME",
     "TSTamp", "FORMatted", "SOURFORMatted", "SOURUNIT"),
    required=False,
    repeated=True,
)  # fmt: skip
STATISTICS = {"AVER": "AVERage", "MAX": "MAXimum", "MIN": "MINimum", "STDD": "STDDev", "PK2P": "PK2Pk"}
_STATISTIC: dict[str, Callable[[NDArray[np.float64]], np.floating]] = {
    "AVER": np.mean, "MAX": np.max, "MIN": np.min, "PK2P": np.ptp,
    "STDD": lambda readings: np.std(readings, ddof=min(1, len(readings) - 1)),
}  # fmt: skip
_USUAL = ["SOUR", "READ", "SOURSTAT"]  # of a driver that reads one cell after another
_SYMBOLS = {"Volt DC": "V", "Amp DC": "A", "Ohm": "Ohm"}
_PREFIXES = {9: "G", 6: "M", 3: "k", 0: "", -3: "m", -6: "u", -9: "n", -12: "p"}


class _Style(Choice):
    """A buffer's style; the instrument takes an empty one for one that was left out, as QCoDeS sends it."""

    def parse(self, text: str) -> str:
        return super().parse(text) if text else self.default


BUFFER = Text(DEFAULT, required=False)
STYLE = _Style("STAN", ("COMPact", "STANdard", "FULL", "WRITable", "FULLWRITable"), required=False)


class BufferRecord(NamedTuple):
    """One reading: source value (V or A), reading (A, V or ohm), its unit, source status, time (s), source's unit."""

    source: float
    reading: float
    unit: str
    source_status: int
    time: float
    source_unit: str = "Volt DC"


class Buffer:
    """A reading buffer of a `capacity`; it takes no more when it is full (`once`), or drops the oldest readings.

    A `writable` one is for readings from outside, and not for the instrument's own.
    """

    def __init__(self, capacity: int = 100_000, *, once: bool = False, writable: bool = False) -> None:
        self.capacity, self.once, self.writable = capacity, once, writable
        self.records: list[BufferRecord] = []

    def append(self, record: BufferRecord) -> None:
        """Store one more reading; raises `ScpiError` when the buffer is full."""
        records = self.records
        if self.writable:
            raise ScpiError(-221, "a writable buffer takes no measurements")
        if self.once and len(records) >= self.capacity:
            raise ScpiError(FULL)
        records.append(record)
        if len(records) > self.capacity + SPARE:  # cut rarely, a list is cut in one piece
            del records[: -self.capacity]

    def __len__(self) -> int:
        return min(len(self.records), self.capacity)

    def slice(self, first: int, last: int) -> list[BufferRecord]:
        """Return readings `first` to `last`, counted from 1; raises `ScpiError` -222 beyond them."""
        records = self.records[-self.capacity :]
        if not 1 <= first <= last <= len(records):
            raise ScpiError(-222)
        return records[first - 1 : last]


class ReplyFormat(NamedTuple):
    """``:FORM:DATA`` and ``:FORM:BORD``: how numbers are replied."""

    data: str = "ASC"
    border: str = "SWAP"

    def write(self, records: Sequence[BufferRecord], elements: Sequence[str], origin: float) -> str:
        """Write `elements` of each record, times relative to `origin` (s); `ScpiError` 1133 for one that has no
        binary form.
        """
        chosen = elements or ("READ",)
        if self.data == "ASC":
            return ",".join([_text(record, element, origin) for record in records for element in chosen])
        if not {"READ", "REL", "SOUR", "EXTR"}.issuperset(chosen):
            raise ScpiError(BINARY_ONLY)
        numbers = [float(_text(record, element, origin)) for record in records for element in chosen]
        kind = ("<" if self.border == "SWAP" else ">") + ("f8" if self.data == "REAL" else "f4")
        return "#0" + np.asarray(numbers).astype(kind).tobytes().decode("latin-1")


def _text(record: BufferRecord, element: str, origin: float) -> str:
    write = _WRITTEN.get(element)
    return write(record) if write else f"{record.time - origin:.6E}" if element == "REL" else "0"


def _moment(record: BufferRecord) -> datetime:
    return EPOCH + timedelta(seconds=record.time)


def formatted(value: float, unit: str) -> str:
    """Write a value as the front panel shows it, e.g. ``+004.0000 uA``."""
    if abs(value) >= OVERFLOW:
        return "Overflow"
    exponent = 3 * math.floor(math.log10(abs(value)) / 3) if value else 0
    exponent = min(max(exponent, min(_PREFIXES)), max(_PREFIXES))
    return f"{value / 10.0**exponent:+09.4f} {_PREFIXES[exponent]}{_SYMBOLS.get(unit, unit)}"


_WRITTEN: dict[str, Callable[[BufferRecord], str]] = {
    "READ": lambda record: f"{record.reading:.6E}",
    "SOUR": lambda record: f"{record.source:.6E}",
    "SOURSTAT": lambda record: str(record.source_status),
    "SEC": lambda record: str(int(record.time)),
    "FRAC": lambda record: f"{record.time % 1.0:.9f}",
    "DATE": lambda record: f"{_moment(record):%m/%d/%Y}",
    "TIME": lambda record: f"{_moment(record):%H:%M:%S.%f}",
    "TST": lambda record: f"{_moment(record):%m/%d/%Y %H:%M:%S.%f}",
    "UNIT": lambda record: record.unit,
    "SOURUNIT": lambda record: record.source_unit,
    "FORM": lambda record: formatted(record.reading, record.unit),
    "SOURFORM": lambda record: formatted(record.source, record.source_unit),
    "EXTR": lambda record: f"{0.0:.6E}",
}


def reading_queries(elements: Choice) -> dict[str, Any]:
    """Return the queries for what buffers hold, on an instrument with these elements of a reading."""
    place = Numeric(1, 1, 1e7, integer=True)
    return {
        ":FETCh?": (BUFFER, elements, ReadingBuffers.fetch),
        ":TRACe:DATA?": (
            place, place, BUFFER, elements,
            lambda self, first, last, name, chosen: self._reply(
                self.buffer(name).slice(int(first), int(last)), chosen
            ),
        ),
    }  # fmt: skip


class ReadingBuffers(ScpiDevice):
    """What Keithley's SCPI instruments have in common: ``:TRACe``, ``:FORMat``, errors with their time, and the beeper."""

    line_frequency: ClassVar[float]

    data_format = Setting(":FORMat[:DATA]", Choice("ASC", ("ASCii", "REAL", "SREal")))
    byte_order = Setting(":FORMat:BORDer", Choice("SWAP", ("NORMal", "SWAPped")))

    commands = {
        ":SYSTem:BEEPer[:IMMediate]": (
            Numeric(0.0, 20, 8000, unit="HZ"), Numeric(0.0, 1e-3, 100.0, unit="S"),
            lambda self, frequency, duration: self.clock.advance(duration),
        ),
        ":SYSTem:LFRequency?": lambda self: f"{self.line_frequency:.0f}",
        ":TRACe:CLEar": (BUFFER, lambda self, name: self.buffer(name).records.clear()),
        ":TRACe:FILL:MODE?": (BUFFER, lambda self, name: "ONCE" if self.buffer(name).once else "CONT"),
        ":TRACe:POINts?": (BUFFER, lambda self, name: str(self.buffer(name).capacity)),
        ":TRACe:ACTual?": (BUFFER, lambda self, name: str(len(self.buffer(name)))),
        ":TRACe:ACTual:STARt?": (BUFFER, lambda self, name: str(min(len(self.buffer(name)), 1))),
        ":TRACe:ACTual:END?": (BUFFER, lambda self, name: str(len(self.buffer(name)))),
    }  # fmt: skip

    def __init__(self, clock: VirtualClock, rng: np.random.Generator, *, serial: str = "SIM00000") -> None:
        super().__init__(clock, rng, serial=serial)
        self._forget_buffers()

    def format_error(self, error: QueuedError) -> str:
        """Write ``code,"text;type;time"`` (p. 6-6)."""
        if error.code == 0:
            return '0,"No error;0;0 0"'
        time = (EPOCH + timedelta(seconds=error.time)).strftime("%Y/%m/%d %H:%M:%S.%f")[:-3]
        return f'{error.code},"{error.text};1;{time}"'

    def _forget_buffers(self) -> None:
        """Keep only the two default buffers, empty."""
        self.buffers = {DEFAULT: Buffer(), "defbuffer2": Buffer()}

    def buffer(self, name: str) -> Buffer:
        """Return the buffer of a name; `ScpiError` -224 when there is none."""
        try:
            return self.buffers[name]
        except KeyError:
            raise ScpiError(-224, f"no buffer {name}") from None

    _buffer = buffer  # as the DAQ6510 calls it

    def _reply(self, records: list[BufferRecord], elements: list[str]) -> str:
        if self.data_format == "ASC" and len(records) == 1 and elements == _USUAL:
            source, reading, _, status, *_ = records[0]
            return f"{source:.6E},{reading:.6E},{status}"
        return ReplyFormat(self.data_format, self.byte_order).write(records, elements, self._origin(records))

    def fetch(self, name: str, elements: list[str]) -> str:
        """Reply the latest reading of a buffer."""
        buffer = self.buffer(name)
        return self._reply(buffer.slice(len(buffer), len(buffer)), elements)

    def _origin(self, records: list[BufferRecord]) -> float:
        return records[0].time if records else 0.0

    @command(":TRACe:MAKE", Text(), Numeric(1e5, 10, 6.875e6, integer=True), STYLE)
    def _make_buffer(self, name: str, size: float, style: str) -> None:
        if name in self.buffers:
            raise ScpiError(NAME_TAKEN)
        self.buffers[name] = Buffer(int(size), once=True, writable="WRIT" in style)

    @command(":TRACe:DELete", Text())
    def _delete_buffer(self, name: str) -> None:
        self.buffer(name)
        if name.startswith("defbuffer"):
            raise ScpiError(-224, f"buffer {name} cannot be deleted")
        del self.buffers[name]

    @command(":TRACe:POINts", Numeric(1e5, 10, 6.875e6, integer=True), BUFFER)
    def _set_points(self, size: float, name: str) -> None:
        old = self.buffer(name)
        self.buffers[name] = Buffer(int(size), once=old.once, writable=old.writable)

    @command(":TRACe:FILL:MODE", Choice("CONT", ("CONTinuous", "ONCE")), BUFFER)
    def _set_fill_mode(self, mode: str, name: str) -> None:
        self.buffer(name).once = mode == "ONCE"

    @query(":TRACe:STATistics:<function>", BUFFER, functions=STATISTICS)
    def _query_statistics(self, statistic: str, name: str) -> str:
        buffer = self.buffer(name)
        if not len(buffer):
            raise ScpiError(-221, f"buffer {name} is empty")
        readings = np.array([record.reading for record in buffer.slice(1, len(buffer))])
        return self.real(float(_STATISTIC[statistic](readings)))
