"""The ``trigger`` table of a simulated TSP instrument: timers, blenders, generators and the bus trigger.

2600BS-901-01, section 3, "Triggering".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import GEN_CLOSED, getgeneratorstate
from typing import Any

from mho.instruments.simulated.tsp.events import Detector, Events, Work
from mho.instruments.simulated.tsp.lua import Opaque
from mho.instruments.simulated.tsp.tables import (
    ILLEGAL,
    Attribute,
    ScriptTable,
    TspError,
    flag,
    real,
    whole,
)

TIMERS, BLENDERS, GENERATORS, STIMULI = 8, 6, 2, 4
MAXIMUM_WAIT = 1e5  # s


class Timer(ScriptTable):
    """``trigger.timer[n]``: events a delay after its stimulus, once or several times."""

    def __init__(self, events: Events, spend: Callable[[], None]) -> None:
        self._events = events
        self._spend = spend
        self._event = events.number()
        self._start, self._end = Detector(events), Detector(events)
        self._start.notify = self._started
        self._delays: list[float] = []
        self._running: Work | None = None
        super().__init__(
            {
                "delay": Attribute(10e-6, real(5e-7, 1e5), self._delay_changed),
                "count": Attribute(1.0, whole(0, 1048575)),
                "passthrough": Attribute(False, flag),
                "stimulus": stimulus(self._start),
                "delaylist": Attribute(None, self._delay_list),
            },
            contents={
                "EVENT_ID": self._event,
                "clear": self._end.clear,
                "reset": self.restore,
                "set": lambda: None,
                "wait": lambda seconds: wait(events, self._end, seconds),
            },
            readings={"overrun": lambda: self._start.overrun},
        )
        self._end.stimulus = self._event

    def restore(self) -> None:
        """Return to the defaults."""
        super().restore()
        self._delays = []
        self._start.stimulus = 0
        self._start.clear()
        self._end.clear()

    def _delay_changed(self, seconds: float) -> None:
        self._delays = []

    def _delay_list(self, values: object) -> None:
        self._delays = numbers(values, real(5e-7, 1e5))

    def _started(self) -> None:
        if self._running is not None and getgeneratorstate(self._running) != GEN_CLOSED:
            self._start.overrun = True
            return
        self._running = self._run()
        self._events.start(self._running)

    def _run(self) -> Work:
        if self["passthrough"]:
            self._events.emit(self._event)
        times, number = int(self["count"]), 0
        while not times or number < times:
            self._spend()
            yield self._delays[number % len(self._delays)] if self._delays else self["delay"]
            number += 1
            if number == times:
                self._running = None
            self._events.emit(self._event)


class Blender(ScriptTable):
    """``trigger.blender[n]``: an event when any, or all, of its stimuli have come."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._event = events.number()
        self._inputs = [Detector(events) for _ in range(STIMULI)]
        self._end = Detector(events)
        for detector in self._inputs:
            detector.notify = partial(self._arrived, detector)
        super().__init__(
            {"orenable": Attribute(False, flag)},
            contents={
                "EVENT_ID": self._event,
                "stimulus": _Stimuli(self._inputs),
                "clear": self._end.clear,
                "reset": self.restore,
                "wait": lambda seconds: wait(events, self._end, seconds),
            },
            readings={"overrun": lambda: self._end.overrun},
        )
        self._end.stimulus = self._event

    def restore(self) -> None:
        """Return to the defaults."""
        super().restore()
        for detector in self._inputs:
            detector.stimulus = 0
            detector.clear()

    def _arrived(self, detector: Detector) -> None:
        detector.latched = True
        used = [each for each in self._inputs if each.stimulus]
        if self["orenable"] or all(each.latched for each in used):
            for each in used:
                each.clear()
            self._events.emit(self._event)


class _Stimuli(ScriptTable):
    """``trigger.blender[n].stimulus[1..4]``."""

    def __init__(self, detectors: list[Detector]) -> None:
        names: Any = {index: stimulus(each) for index, each in enumerate(detectors, 1)}
        super().__init__(names)


class Trigger(ScriptTable):
    """The ``trigger`` table itself; `spend` charges an event to the running message."""

    def __init__(self, events: Events, spend: Callable[[], None]) -> None:
        self._events = events
        self._event = events.number()
        self._bus = Detector(events)
        self._bus.stimulus = self._event
        self._timers = [Timer(events, spend) for _ in range(TIMERS)]
        self._blenders = [Blender(events) for _ in range(BLENDERS)]
        super().__init__(
            contents={
                "EVENT_ID": self._event,
                "timer": self._timers,
                "blender": self._blenders,
                "generator": [_generator(events) for _ in range(GENERATORS)],
                "clear": self._bus.clear,
                "wait": lambda seconds: wait(events, self._bus, seconds),
            }
        )

    def restore(self) -> None:
        """Return timers and blenders to their defaults."""
        self._bus.clear()
        for group in (*self._timers, *self._blenders):
            group.restore()

    def fire(self) -> None:
        """Receive ``*TRG`` or a bus trigger."""
        self._events.emit(self._event)


def _generator(events: Events) -> ScriptTable:
    event = events.number()
    return ScriptTable(contents={"EVENT_ID": event, "assert": lambda: events.emit(event)})


def stimulus(detector: Detector) -> Attribute:
    """Declare the attribute that chooses which event a detector listens to."""

    def changed(event: float) -> None:
        detector.stimulus = int(event)

    return Attribute(0.0, whole(0, 1e6), changed)


def wait(events: Events, detector: Detector, seconds: object) -> bool:
    """Carry out a ``wait(timeout)``."""
    return events.wait(detector, real(0.0, MAXIMUM_WAIT)(seconds))


def numbers(values: object, check: Any) -> list[float]:
    """Return the numbers of a Lua table; raises `TspError` when it is none, or holds something else."""
    if values is None or isinstance(values, str | float | int | ScriptTable | Opaque):
        raise TspError(ILLEGAL)
    return [check(value if value is not False else None) for value in values.values()]  # type: ignore[attr-defined]
