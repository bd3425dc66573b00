"""One channel of the simulated 2636B and its sisters: its trigger model, its contact check, and what it is made of.

2600BS-901-01 (contact check p. 7-209). The trigger model (section 3, "Remote triggering overview"): arm layer, then for
every point of the trigger layer source action, measure action, end-pulse action, each after its stimulus if it has one.
(?) from memory: what is refused when a sweep is started, and error 5028 for pulses on an automatic range.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count, repeat
from typing import Any

import numpy as np

from mho.instruments.simulated.analogue import OVERFLOW
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.keithley2636b.meter import CAPACITY, FUNCTIONS, Meter, ReadingBuffer, as_buffer
from mho.instruments.simulated.keithley2636b.source import (
    HIGH_Z,
    VOLTS,
    Specimen,
    SweepStep,
    UnitSource,
    logarithmic,
)
from mho.instruments.simulated.ports import SourcePort
from mho.instruments.simulated.tsp.events import Detector, Work, numbers, stimulus
from mho.instruments.simulated.tsp.instrument import EPOCH, TspDevice
from mho.instruments.simulated.tsp.lua import ScriptStopped
from mho.instruments.simulated.tsp.tables import (
    ILLEGAL,
    Attribute,
    ScriptTable,
    TspError,
    choice,
    real,
    whole,
)

DAY = 86_400.0  # s
CALIBRATED = EPOCH - 90 * DAY  # Unix time, s; no script can change it
IDLE, HOLD = 0, 1
MOST_POINTS = 100_000
EVENTS = (
    "SWEEPING", "ARMED", "SOURCE_COMPLETE", "MEASURE_COMPLETE", "PULSE_COMPLETE", "SWEEP_COMPLETE", "IDLE",
)  # fmt: skip


@dataclass(frozen=True)
class _Plan:
    """Settings of a sweep at its start; later changes apply to the next one.

    No levels: it does not source. No kinds: it does not measure.
    """

    levels: tuple[float, ...]
    volts: bool  # the levels are volts, not amperes
    span: float | None
    kinds: str
    buffers: tuple[ReadingBuffer | None, ...]
    pulsed: bool
    holds: bool
    arms: float
    points: float


class TriggerModel:
    """``smua.trigger``: what a sweep of `unit` does, with `meter` at its points, and the sweep that is running."""

    def __init__(self, device: TspDevice, unit: UnitSource, meter: Meter) -> None:
        self._device, self._unit, self._meter = device, unit, meter
        self._events = device.events
        self._numbers = {name: self._events.number() for name in EVENTS}
        self._detectors = {name: Detector(self._events) for name in ("arm", "source", "measure", "endpulse")}
        self._levels: list[float] = []
        self._swept = "v"
        self._kinds, self._buffers = "", list[ReadingBuffer | None]()
        self._work: Work | None = None
        enable = choice(0, 1)
        self._arm = self._layer("arm", {"count": Attribute(1.0, whole(0, 1e6))})
        self._source = self._layer(
            "source",
            {
                "action": Attribute(0.0, enable), "limiti": Attribute(0.0, real(0.0, 10.0)),
                "limitv": Attribute(0.0, real(0.0, unit.abilities.most_volts)),
            },
            {
                name + kind: partial(function, kind)
                for kind in "vi"
                for name, function in (
                    ("list", self._list), ("linear", self._linear), ("log", self._logarithmic),
                )
            },
        )  # fmt: skip
        self._measure = self._layer(
            "measure",
            {"action": Attribute(0.0, choice(0, 1, 2))},
            {kinds: partial(self._measure_into, kinds) for kinds in FUNCTIONS},
        )
        self._endpulse = self._layer("endpulse", {"action": Attribute(1.0, enable)})
        self._endsweep = ScriptTable({"action": Attribute(0.0, enable)})
        self.group = ScriptTable(
            {"count": Attribute(1.0, whole(0, 1e9)), "autoclear": Attribute(0.0, enable)},
            contents={
                **{f"{name}_EVENT_ID": number for name, number in self._numbers.items()}, "arm": self._arm,
                "source": self._source, "measure": self._measure, "endpulse": self._endpulse,
                "endsweep": self._endsweep, "initiate": self.initiate,
            },
        )  # fmt: skip

    def _layer(
        self, name: str, attributes: dict[str, Attribute], contents: dict[str, Any] | None = None
    ) -> ScriptTable:
        detector = self._detectors[name]
        return ScriptTable(
            {**attributes, "stimulus": stimulus(detector)},
            contents={**(contents or {}), "set": detector.fire},
            readings={"overrun": lambda: detector.overrun},
        )

    # --- set-up ---

    def _list(self, kind: str, values: object) -> None:
        self._set_levels(kind, numbers(values, partial(self._unit.level_on_a_range, kind)))

    def _linear(self, kind: str, start: object, stop: object, points: object) -> None:
        level = partial(self._unit.level_on_a_range, kind)
        size = int(whole(1, MOST_POINTS)(points))
        self._set_levels(kind, np.linspace(level(start), level(stop), size).tolist())

    def _logarithmic(self, kind: str, start: object, stop: object, points: object, asymptote: object) -> None:
        level = partial(self._unit.level_on_a_range, kind)
        base = 0.0 if asymptote is None else level(asymptote)
        size = int(whole(2, MOST_POINTS)(points))
        self._set_levels(kind, (base + logarithmic(level(start) - base, level(stop) - base, size)).tolist())

    def _set_levels(self, kind: str, levels: list[float]) -> None:
        if not 1 <= len(levels) <= MOST_POINTS:
            raise TspError(ILLEGAL)
        self._device.catch_up()
        self._swept, self._levels = kind, levels

    def _measure_into(self, kinds: str, first: object, second: object) -> None:
        self._buffers = [as_buffer(buffer) for buffer in (first, second)[: len(kinds)]]
        self._kinds = kinds

    # --- running ---

    @property
    def running(self) -> bool:
        """Whether a sweep is under way."""
        return self._work is not None

    def initiate(self) -> None:
        """Start a sweep; it advances when it is waited for, or its results are read."""
        unit = self._unit
        if self._work is not None:
            raise TspError(-221, "Settings conflict; a sweep is running already")
        if self._source["action"]:
            if not self._levels:
                raise TspError(-221, "Settings conflict; the sweep has no source values")
            if unit.sources_volts != (self._swept == "v"):
                raise TspError(-221, "Settings conflict; the source values are not of the source function")
            if self._endpulse["action"] == IDLE and unit.table[f"autorange{self._swept}"]:
                raise TspError(5028, "Cannot perform requested operation while source autorange is enabled")
            for extreme in (min(self._levels), max(self._levels)):
                (unit.allowed if self._swept == "v" else unit.allowed_amperes)(extreme)
        if self._measure["action"] and not self._kinds:
            raise TspError(-221, "Settings conflict; the sweep has no reading buffer")
        for detector in self._detectors.values():
            detector.clear()
        plan = self._plan()
        for buffer in plan.buffers:
            if buffer is not None:
                buffer.begin()
        self._work = self._sweep(plan)
        self._events.start(self._work, awaited=True)

    def _plan(self) -> _Plan:
        levels = tuple(self._levels) if self._source["action"] else ()
        one_range = levels and self._unit.table[f"autorange{self._swept}"]
        specimen = self._unit.specimen
        source = specimen.source_volts if self._swept == "v" else specimen.source_amperes
        measures = bool(self._measure["action"])
        return _Plan(
            levels=levels, volts=self._swept == "v", span=source.range_for(max(map(abs, levels))) if one_range else None,
            kinds=self._kinds if measures else "", buffers=tuple(self._buffers) if measures else (),
            pulsed=self._endpulse["action"] == IDLE, holds=self._endsweep["action"] == HOLD,
            arms=self._arm["count"], points=self.group["count"],
        )  # fmt: skip

    def abort(self) -> None:
        """``smua.abort()``: end the sweep, and return the source to its level."""
        if self._work is not None:
            work, self._work = self._work, None
            self._events.drop(work)
        self._unit.rest()

    def release(self) -> None:
        """Clear the stimuli of the trigger model; part of a reset."""
        for detector in self._detectors.values():
            detector.stimulus = 0
            detector.clear()
        self._levels, self._kinds, self._buffers = [], "", []

    def _emit(self, name: str) -> None:
        self._events.emit(self._numbers[name])

    def _awaited(self, name: str) -> Iterator[Detector]:
        detector = self._detectors[name]
        if detector.stimulus:
            yield detector

    def _sweep(self, plan: _Plan) -> Work:
        unit = self._unit
        self._emit("SWEEPING")
        try:
            for _ in repeat(None, int(plan.arms)) if plan.arms else repeat(None):
                yield from self._awaited("arm")
                self._emit("ARMED")
                for point in range(int(plan.points)) if plan.points else count():
                    self._device.spend()
                    yield from self._point(point, plan)
                self._emit("SWEEP_COMPLETE")
                if not plan.holds:
                    unit.rest()
        except ScriptStopped:  # it would never end
            unit.rest()
            raise
        finally:
            self._work = None
        if plan.levels and plan.holds:
            unit.table.store("levelv" if plan.volts else "leveli", unit.level)
            unit.rest()
        self._emit("IDLE")

    def _point(self, point: int, plan: _Plan) -> Work:
        unit, clock = self._unit, self._device.clock
        yield from self._awaited("source")
        start, level = clock.now, 0.0
        if plan.levels:
            limit = self._source["limiti" if plan.volts else "limitv"]
            unit.step(SweepStep(plan.volts, plan.levels[point % len(plan.levels)], plan.span, limit))
            level = unit.actual
            yield max(0.0, unit.table["delay"])
        self._emit("SOURCE_COMPLETE")
        yield from self._awaited("measure")
        if plan.kinds:
            yield from self._readings(plan)
            self._emit("MEASURE_COMPLETE")
        yield from self._awaited("endpulse")
        if plan.pulsed:
            if unit.on and not plan.kinds and clock.now > start:
                # The current has flowed although it was not measured.
                unit.current(clock.now - start, level)
            unit.rest()
        self._emit("PULSE_COMPLETE")

    def _readings(self, plan: _Plan) -> Generator[float, None, None]:
        meter = self._meter
        try:
            yield from meter.readings(plan.kinds, plan.buffers, int(meter.group["count"]))
        except TspError as error:  # a full buffer ends no sweep
            self._device.refuse(error)


CONTACT_CURRENT = 1e-3  # A a contact check needs
CONSTANTS = {
    "OUTPUT_OFF": 0, "OUTPUT_ON": 1, "OUTPUT_HIGH_Z": 2, "OUTPUT_NORMAL": 0, "OUTPUT_ZERO": 1,
    "OUTPUT_DCAMPS": 0, "OUTPUT_DCVOLTS": 1, "AUTORANGE_OFF": 0, "AUTORANGE_ON": 1, "AUTORANGE_FOLLOW_LIMIT": 2,
    "AUTOZERO_OFF": 0, "AUTOZERO_ONCE": 1, "AUTOZERO_AUTO": 2, "FILTER_OFF": 0, "FILTER_ON": 1,
    "FILTER_MOVING_AVG": 0, "FILTER_REPEAT_AVG": 1, "FILTER_MEDIAN": 2, "REL_OFF": 0, "REL_ON": 1,
    "SENSE_LOCAL": 0, "SENSE_REMOTE": 1, "SENSE_CALA": 3, "DISABLE": 0, "ENABLE": 1, "ASYNC": 2,
    "SOURCE_IDLE": 0, "SOURCE_HOLD": 1, "DELAY_OFF": 0, "DELAY_AUTO": -1, "LIMIT_AUTO": 0,
    "SETTLE_SMOOTH": 0, "SETTLE_FAST_RANGE": 1, "SETTLE_FAST_POLARITY": 2, "SETTLE_DIRECT_IRANGE": 3,
    "SETTLE_SMOOTH_100NA": 4, "SETTLE_FAST_ALL": 128, "CONTACT_FAST": 0, "CONTACT_MEDIUM": 1, "CONTACT_SLOW": 2,
}  # fmt: skip


class ContactTable(ScriptTable):
    """``smua.contact``."""

    def __init__(self, title: str, source: UnitSource, clock: VirtualClock) -> None:
        super().__init__(
            {"speed": Attribute(0.0, choice(0, 1, 2)), "threshold": Attribute(50.0, real(0.0, 1e3))},
            contents={"check": self._check, "r": self._resistance},
        )
        self._title, self._source, self._clock = title, source, clock

    def _require(self) -> None:
        """Refuse what the manual refuses (p. 7-209): the check passes 1 mA."""
        source = self._source.table
        if self._source.on:
            if source["limiti"] < CONTACT_CURRENT:
                raise TspError(5050, f"{self._title}: I limit too low for contact check")
        elif source["offmode"] == 2 or source["output"] == HIGH_Z:
            raise TspError(5048, f"{self._title}: Contact check not valid with HIGH-Z OUTPUT off")
        elif source["offmode"] == 0 and source["offfunc"] == VOLTS and source["offlimiti"] < CONTACT_CURRENT:
            raise TspError(5066, f"{self._title}: source.offlimiti too low for contact check")
        elif source["offmode"] == 0 and source["offfunc"] != VOLTS and source["rangei"] < CONTACT_CURRENT:
            raise TspError(5065, f"{self._title}: I range too low for contact check")

    def _check(self) -> bool | None:
        self._require()
        self._clock.advance(4e-3)
        return self._source.wired

    def _resistance(self) -> tuple[float, float]:
        self._require()
        self._clock.advance(4e-3)
        return (1.0, 1.0) if self._source.wired else (OVERFLOW, OVERFLOW)


class SourceMeasureUnit:
    """``smua`` (number 1) or ``smub`` (2): a source, a meter, a trigger model, a contact check and two buffers.

    `port` is what its terminals are wired to, None when they are open; `interlock` whether the interlock is closed, which
    high voltages need.
    """

    def __init__(
        self, device: TspDevice, number: int, port: SourcePort | None, specimen: Specimen, *, interlock: bool
    ) -> None:
        self._device = device
        self.source = UnitSource(
            port,
            specimen,
            catch_up=device.catch_up,
            aperture=lambda: self.meter.aperture,
            interlock=interlock,
        )
        self.meter = Meter(device, self.source, specimen, remote=lambda: self.group["sense"] == 1)
        self.buffers = (self._make_buffer(CAPACITY), self._make_buffer(CAPACITY))
        self.model = TriggerModel(device, self.source, self.meter)
        contact = {"contact": ContactTable(f"SMU {'AB'[number - 1]}", self.source, device.clock)}
        self.group = ScriptTable(
            {"sense": Attribute(0.0, choice(0, 1, 3))},
            contents={
                **CONSTANTS, "source": self.source.table, "measure": self.meter.group,
                "trigger": self.model.group,
                "cal": ScriptTable(contents={"date": CALIBRATED, "due": CALIBRATED + 365 * DAY}),
                **(contact if specimen.abilities.checks_contact else {}),
                "nvbuffer1": self.buffers[0], "nvbuffer2": self.buffers[1],
                "makebuffer": lambda size: device.bind(self._make_buffer(int(whole(1, CAPACITY)(size)))),
                "savebuffer": lambda buffer: None,
                "measureiandstep": lambda volts: self.meter.measure_and_step("i", volts),
                "measureivandstep": lambda volts: self.meter.measure_and_step("iv", volts),
                "measurevandstep": lambda volts: self.meter.measure_and_step("v", volts),
                "reset": self.reset, "abort": self.model.abort,
            },
        )  # fmt: skip
        self.source.apply()

    @property
    def limit(self) -> float:
        """The largest current (A) that can flow."""
        return self.source.limit

    def _make_buffer(self, size: int) -> ReadingBuffer:
        return ReadingBuffer(size, self._device.catch_up)

    def reset(self) -> None:
        """``smua.reset()``: the defaults, output off; timers keep their settings (p. 7-167)."""
        self.model.abort()
        self.group.restore()
        self.model.release()
        for buffer in self.buffers:
            buffer.clear()
        self.meter.forget()
        self.source.apply()
