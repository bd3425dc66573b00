"""The meter of one channel of the simulated 2636B and its sisters: what ``smua.measure`` does, on the virtual clock.

2600BS-901-01, section 7. (?) from memory: the automatic delays, and that automatic zeroing takes three apertures.

2600BS-901-01, section 3, "Reading buffers", and p. 7-36 (time stamps are collected by default). (?) from memory: the
capacity, error 4915, and that what a buffer collects can only be changed while it is empty.
"""

from __future__ import annotations

import statistics
from array import array
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.analogue import OVERFLOW
from mho.instruments.simulated.keithley2636b.source import AUTO_DELAYS, Specimen, UnitSource, delay
from mho.instruments.simulated.tsp.instrument import TspDevice
from mho.instruments.simulated.tsp.tables import Attribute, ScriptTable, TspError, choice, real, whole

CAPACITY = 140_000
FULL = 4915
COLUMNS = ("readings", "timestamps", "sourcevalues", "statuses", "measureranges", "sourceranges")


class ReadingRecord(NamedTuple):
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
    """A reading buffer of a `capacity`: ``nvbuffer1``, ``nvbuffer2``, or one of ``makebuffer``.

    `catch_up` advances a running sweep before the buffer is read.
    """

    def __init__(self, capacity: int, catch_up: Callable[[], None]) -> None:
        self._capacity, self._catch_up = capacity, catch_up
        self._data = {name: array("d") for name in COLUMNS}
        self._base = 0.0
        super().__init__(
            {
                "appendmode": Attribute(0.0, choice(0, 1)),
                "collectsourcevalues": Attribute(0.0, self._when_empty),
                "collecttimestamps": Attribute(1.0, self._when_empty),
                "timestampresolution": Attribute(1e-6, lambda value: value),
                "fillmode": Attribute(0.0, choice(0, 1)), "cachemode": Attribute(1.0, choice(0, 1)),
            },
            contents={
                **{name: _Column(self, name) for name in COLUMNS}, "capacity": capacity, "clear": self.clear,
                "clearcache": lambda: None,
            },
            readings={
                "n": self._count, "basetimestamp": lambda: self._base, "next": lambda: self._count() + 1,
            },
            item=lambda index: self.item("readings", index),
        )  # fmt: skip

    def _when_empty(self, value: object) -> float:
        if self._data["readings"]:
            raise TspError(-221, "Settings conflict; the reading buffer is not empty")
        state: float = choice(0, 1)(value)
        return state

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

    def append(self, record: ReadingRecord) -> None:
        """Store one more reading; raises `TspError` when the buffer is full."""
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


OVERHEAD = 5e-5  # s a reading takes beside its aperture
AUTO_ZERO, ZEROED_APERTURES = 2, 3
# Bits of a reading's status
AUTO_MEASURE, AUTO_SOURCE, REMOTE_SENSE, RELATIVE, COMPLIANCE, FILTERED = 0x04, 0x08, 0x10, 0x20, 0x40, 0x80
MOVING_AVERAGE, REPEATED_AVERAGE, MEDIAN = 0, 1, 2
FUNCTIONS = ("i", "v", "iv", "r", "p")

Result = TypeVar("Result")


class MeterSample(NamedTuple):
    """One measurement: volts, amperes, status bits, and the ranges they were taken on."""

    volts: float
    amperes: float
    status: int
    volt_range: float
    ampere_range: float


class Meter:
    """Measures what a unit's source puts on the terminals; `remote` tells whether the sense terminals are used."""

    def __init__(
        self, device: TspDevice, source: UnitSource, specimen: Specimen, remote: Callable[[], bool]
    ) -> None:
        self._device, self._source, self._specimen, self._remote = device, source, specimen, remote
        self._moving: list[MeterSample] = []  # the latest, of which a moving average is made
        self._filter = ScriptTable(
            {
                "enable": Attribute(0.0, choice(0, 1), self.forget),
                "count": Attribute(1.0, whole(1, 100), self.forget),
                "type": Attribute(1.0, choice(0, 1, 2), self.forget),
            }
        )
        self._rel = ScriptTable(
            {
                **{f"enable{kind}": Attribute(0.0, choice(0, 1)) for kind in "ivrp"},
                **{f"level{kind}": Attribute(0.0, real()) for kind in "ivrp"},
            }
        )
        self.group = self._table()

    def _table(self) -> ScriptTable:
        volts, amperes = self._specimen.volts, self._specimen.amperes
        most_volts, most_amperes = volts.ranges[-1], amperes.ranges[-1]
        return ScriptTable(
            {
                "nplc": Attribute(1.0, real(0.001, 25.0)),
                "rangei": Attribute(
                    0.1, lambda value: amperes.range_for(real(-most_amperes, most_amperes)(value)),
                    lambda span: self.group.store("autorangei", 0.0),
                ),
                "rangev": Attribute(
                    volts.ranges[0], lambda value: volts.range_for(real(-most_volts, most_volts)(value)),
                    lambda span: self.group.store("autorangev", 0.0),
                ),
                "autorangei": Attribute(1.0, choice(0, 1, 2)), "autorangev": Attribute(1.0, choice(0, 1, 2)),
                "lowrangei": Attribute(amperes.ranges[0], real(0.0, most_amperes)),
                "lowrangev": Attribute(volts.ranges[0], real(0.0, most_volts)),
                "count": Attribute(1.0, whole(1, 1e6)), "interval": Attribute(0.0, real(0.0, 1.0)),
                "delay": Attribute(-1.0, delay), "delayfactor": Attribute(1.0, real(0.0, 1e3)),
                "autozero": Attribute(2.0, choice(0, 1, 2)),
            },
            contents={
                "filter": self._filter, "rel": self._rel,
                **{kind: partial(self.measure_now, kind) for kind in FUNCTIONS},
                **{f"overlapped{kind}": partial(self.measure_now, kind) for kind in FUNCTIONS},
            },
        )  # fmt: skip

    def forget(self, changed: float | None = None) -> None:
        """Restart the moving average: the filter has `changed`, or all is reset."""
        self._moving.clear()

    @property
    def aperture(self) -> float:
        """Integration time of a reading, s."""
        seconds: float = self.group["nplc"] / self._device.library.node["linefreq"]
        return seconds

    @property
    def duration(self) -> float:
        """Time that the next measurement takes, s, if it need not change its range."""
        measure = self.group
        sample = self.aperture * (ZEROED_APERTURES if measure["autozero"] == AUTO_ZERO else 1) + OVERHEAD
        repeats = self._filter["enable"] and self._filter["type"] != MOVING_AVERAGE
        reading = self._delay() + sample * (self._filter["count"] if repeats else 1)
        count = measure["count"]
        return float(reading * count + max(0.0, measure["interval"] - reading) * (count - 1))

    def samples(self) -> Generator[float, None, MeterSample]:
        """Measure once, filtered; yields the seconds it takes."""
        yield self._delay()
        if not self._filter["enable"]:
            return (yield from self._sample())
        count, kind = int(self._filter["count"]), self._filter["type"]
        taken = self._moving if kind == MOVING_AVERAGE else []
        for _ in range(1 if kind == MOVING_AVERAGE else count):
            self._device.spend(kind != MOVING_AVERAGE)
            taken.append((yield from self._sample()))
        del taken[:-count]
        middle = statistics.median if kind == MEDIAN else statistics.fmean
        return taken[-1]._replace(
            volts=middle([each.volts for each in taken]),
            amperes=middle([each.amperes for each in taken]),
            status=taken[-1].status | FILTERED,
        )

    def _delay(self) -> float:
        delay: float = self.group["delay"]
        if delay >= 0.0:
            return delay
        return AUTO_DELAYS.get(self.group["rangei"], 0.0) * float(self.group["delayfactor"])

    def _sample(self) -> Generator[float, None, MeterSample]:
        measure, aperture = self.group, self.aperture
        status = REMOTE_SENSE if self._remote() else 0
        source = self._source
        flow = source.flow(aperture)
        if flow.limited:
            status |= COMPLIANCE
        if measure["autorangei"]:
            status |= AUTO_MEASURE
        if source.table["autorangev" if source.sources_volts else "autorangei"]:
            status |= AUTO_SOURCE
        self._choose_ranges(flow.volts, flow.amperes)
        nplc = measure["nplc"]
        yield aperture * (ZEROED_APERTURES if measure["autozero"] == AUTO_ZERO else 1) + OVERHEAD
        return MeterSample(
            self._specimen.volts.read(flow.volts, measure["rangev"], nplc),
            self._specimen.amperes.read(flow.amperes, measure["rangei"], nplc), status, measure["rangev"],
            measure["rangei"],
        )  # fmt: skip

    def _choose_ranges(self, volts: float, amperes: float) -> None:
        """Follow what is measured; a source that measures what it sources does so on the source range."""
        measure, source = self.group, self._source.table
        span_i, span_v = measure["rangei"], measure["rangev"]
        if self._source.sources_volts:
            span_v = source["rangev"]
            if measure["autorangei"]:
                follow = source["limiti"] if measure["autorangei"] == 2 else amperes
                span_i = self._specimen.amperes.range_for(max(abs(follow), measure["lowrangei"]))
        else:
            span_i = source["rangei"]
            if measure["autorangev"]:
                follow = source["limitv"] if measure["autorangev"] == 2 else volts
                span_v = self._specimen.volts.range_for(max(abs(follow), measure["lowrangev"]))
        for name, span in (("rangei", span_i), ("rangev", span_v)):
            if span != measure[name]:
                measure.store(name, span)

    def values(self, kinds: str, sample: MeterSample) -> list[float]:
        """Return the readings of a sample that `kinds` names, such as ``iv``, relative if so set."""
        volts, amperes = sample.volts, sample.amperes
        readings = []
        for kind in kinds:
            if kind == "i":
                value = amperes
            elif kind == "v":
                value = volts
            elif abs(amperes) >= OVERFLOW or (kind == "r" and not amperes):
                value = OVERFLOW
            else:
                value = volts / amperes if kind == "r" else volts * amperes
            if self._rel[f"enable{kind}"] and abs(value) < OVERFLOW:
                value -= self._rel[f"level{kind}"]
            readings.append(value)
        return readings

    def record(self, kind: str, value: float, sample: MeterSample) -> ReadingRecord:
        """Return what a buffer keeps of a reading."""
        status = sample.status | (RELATIVE if self._rel[f"enable{kind}"] else 0)
        span = sample.volt_range if kind == "v" else sample.ampere_range
        source_span = self._source.table["rangev" if self._source.sources_volts else "rangei"]
        return ReadingRecord(value, self._source.level, status, span, source_span, self._device.clock.now)

    def measure_now(self, kinds: str, first: object = None, second: object = None) -> Any:
        """Measure now, into a buffer for each kind where they are given."""
        self._device.catch_up()
        buffers = [None if each is None else as_buffer(each) for each in (first, second)[: len(kinds)]]
        for buffer in buffers:
            if buffer is not None:
                buffer.begin()
        return self._immediate(self.readings(kinds, buffers, int(self.group["count"])))

    def readings(
        self, kinds: str, buffers: Sequence[ReadingBuffer | None], count: int
    ) -> Generator[float, None, Any]:
        """Store `count` readings in buffers; returns the last one, and yields the seconds that they take."""
        values: list[float] = []
        for number in range(count):
            self._device.spend()
            start = self._device.clock.now
            sample = yield from self.samples()
            values = self.values(kinds, sample)
            for kind, value, buffer in zip(kinds, values, buffers, strict=False):
                if buffer is not None:
                    buffer.append(self.record(kind, value, sample))
            if number + 1 < count:
                yield max(0.0, self.group["interval"] - (self._device.clock.now - start))
        return values[0] if len(values) == 1 else tuple(values)

    def measure_and_step(self, kinds: str, volts: object) -> Any:
        """Measure at the present level, then source the next one."""
        level = self._source.check_level(volts)
        values = self.measure_now(kinds)
        self._source.program(level)
        return values

    def _immediate(self, work: Generator[float, None, Result]) -> Result:
        """Carry out timed work at once."""
        clock = self._device.clock
        try:
            while True:
                clock.advance(next(work))
        except StopIteration as end:
            result: Result = end.value
            return result
