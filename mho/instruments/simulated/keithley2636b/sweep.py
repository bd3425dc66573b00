"""The trigger model of the simulated 2636B: sweeps and pulses, timed by events.

2600BS-901-01, section 3, "Remote triggering overview". Arm layer, then for every point of the trigger layer:
source action, measure action, end-pulse action, each after its stimulus if it has one. (?) from memory: what is
refused when a sweep is started, and error 5028 for pulses on an automatic range.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, repeat
from typing import Any

import numpy as np

from mho.instruments.simulated.keithley2636b.accuracy import VOLT_RANGES, range_for
from mho.instruments.simulated.keithley2636b.buffers import ReadingBuffer, as_buffer
from mho.instruments.simulated.keithley2636b.meter import Meter
from mho.instruments.simulated.keithley2636b.source import UnitSource
from mho.instruments.simulated.tsp.events import Detector, Work
from mho.instruments.simulated.tsp.instrument import TspDevice
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
from mho.instruments.simulated.tsp.triggers import numbers, stimulus

IDLE, HOLD = 0, 1
MOST_POINTS = 100_000
EVENTS = (
    "SWEEPING",
    "ARMED",
    "SOURCE_COMPLETE",
    "MEASURE_COMPLETE",
    "PULSE_COMPLETE",
    "SWEEP_COMPLETE",
    "IDLE",
)


@dataclass(frozen=True)
class _Plan:
    """Settings of a sweep at its start; later changes apply to the next one.

    No levels: it does not source. No kinds: it does not measure.
    """

    levels: tuple[float, ...]
    span: float | None
    kinds: str
    buffers: tuple[ReadingBuffer | None, ...]
    pulsed: bool
    holds: bool
    arms: float
    points: float


class TriggerModel:
    """``smua.trigger``: what a sweep does, and the sweep that is running.

    Parameters
    ----------
    device : TspDevice
        The instrument it is part of.
    unit : UnitSource
        What a sweep drives.
    meter : Meter
        What measures at its points.
    """

    def __init__(self, device: TspDevice, unit: UnitSource, meter: Meter) -> None:
        self._device, self._unit, self._meter = device, unit, meter
        self._events = device.events
        self._numbers = {name: self._events.number() for name in EVENTS}
        self._detectors = {name: Detector(self._events) for name in ("arm", "source", "measure", "endpulse")}
        self._levels: list[float] = []
        self._kinds, self._buffers = "", list[ReadingBuffer | None]()
        self._work: Work | None = None
        self._limiting = False
        enable = choice(0, 1)
        self._arm = self._layer("arm", {"count": Attribute(1.0, whole(0, 1e6))})
        self._source = self._layer(
            "source",
            {
                "action": Attribute(0.0, enable),
                "limiti": Attribute(0.0, real(0.0, 10.0)),
                "limitv": Attribute(0.0, real(0.0, 200.0)),
            },
            {
                "listv": self._list,
                "linearv": self._linear,
                "logv": self._logarithmic,
                **{f"{name}i": _refuse_current for name in ("list", "linear", "log")},
            },
        )
        self._measure = self._layer(
            "measure",
            {"action": Attribute(0.0, choice(0, 1, 2))},
            {kinds: self._into(kinds) for kinds in ("i", "v", "iv", "r", "p")},
        )
        self._endpulse = self._layer("endpulse", {"action": Attribute(1.0, enable)})
        self._endsweep = ScriptTable({"action": Attribute(0.0, enable)})
        self.group = ScriptTable(
            {"count": Attribute(1.0, whole(0, 1e9)), "autoclear": Attribute(0.0, enable)},
            contents={
                **{f"{name}_EVENT_ID": number for name, number in self._numbers.items()},
                "arm": self._arm,
                "source": self._source,
                "measure": self._measure,
                "endpulse": self._endpulse,
                "endsweep": self._endsweep,
                "initiate": self.initiate,
            },
        )

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

    def _list(self, values: object) -> None:
        self._set_levels(numbers(values, real(-202.0, 202.0)))

    def _linear(self, start: object, stop: object, points: object) -> None:
        level = real(-202.0, 202.0)
        self._set_levels(np.linspace(level(start), level(stop), int(whole(1, MOST_POINTS)(points))).tolist())

    def _logarithmic(self, start: object, stop: object, points: object, asymptote: object) -> None:
        level = real(-202.0, 202.0)
        base = 0.0 if asymptote is None else level(asymptote)
        first, last = level(start) - base, level(stop) - base
        if first * last <= 0.0:
            raise TspError(ILLEGAL)
        size = int(whole(2, MOST_POINTS)(points))
        self._set_levels((base + np.sign(first) * np.geomspace(abs(first), abs(last), size)).tolist())

    def _set_levels(self, levels: list[float]) -> None:
        if not 1 <= len(levels) <= MOST_POINTS:
            raise TspError(ILLEGAL)
        self._device.catch_up()
        self._levels = levels

    def _into(self, kinds: str) -> Any:
        def one(buffer: object) -> None:
            self._measure_into(kinds, (buffer,))

        def two(first: object, second: object) -> None:
            self._measure_into(kinds, (first, second))

        return one if len(kinds) == 1 else two

    def _measure_into(self, kinds: str, buffers: Iterable[object]) -> None:
        self._buffers = [as_buffer(buffer) for buffer in buffers]
        self._kinds = kinds

    @property
    def limit(self) -> float:
        """Current limit (A) while a sweep sources, 0 when ``source.limiti`` holds."""
        return self._source["limiti"] if self._limiting else 0.0

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
            if not unit.sources_volts:
                _refuse_current(None)
            if not self._levels:
                raise TspError(-221, "Settings conflict; the sweep has no source values")
            if self._endpulse["action"] == IDLE and unit.table["autorangev"]:
                raise TspError(5028, "Cannot perform requested operation while source autorange is enabled")
            for extreme in (min(self._levels), max(self._levels)):
                unit.allowed(extreme)
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
        one_range = levels and self._unit.table["autorangev"]
        measures = bool(self._measure["action"])
        return _Plan(
            levels=levels,
            span=range_for(VOLT_RANGES, max(map(abs, levels))) if one_range else None,
            kinds=self._kinds if measures else "",
            buffers=tuple(self._buffers) if measures else (),
            pulsed=self._endpulse["action"] == IDLE,
            holds=self._endsweep["action"] == HOLD,
            arms=self._arm["count"],
            points=self.group["count"],
        )

    def abort(self) -> None:
        """``smua.abort()``: end the sweep, and return the source to its level."""
        if self._work is not None:
            work, self._work = self._work, None
            self._events.drop(work)
            self._limiting = False
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
            for _ in _times(plan.arms):
                yield from self._awaited("arm")
                self._emit("ARMED")
                for point in _numbered(plan.points):
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
            self._limiting = False
        if plan.levels and plan.holds:
            unit.table.store("levelv", unit.level)
            unit.rest()
        self._emit("IDLE")

    def _point(self, point: int, plan: _Plan) -> Work:
        unit, clock = self._unit, self._device.clock
        yield from self._awaited("source")
        start, level = clock.now, 0.0
        if plan.levels:
            self._limiting = bool(self._source["limiti"])
            unit.step(plan.levels[point % len(plan.levels)], plan.span)
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


def _times(number: float) -> Iterable[Any]:
    return repeat(None, int(number)) if number else repeat(None)


def _numbered(number: float) -> Iterable[int]:
    return range(int(number)) if number else count()


def _refuse_current(values: object) -> None:
    raise TspError(-221, "Settings conflict; sweeps of a current are not simulated")
