"""Events, status and triggers of a TSP instrument on the virtual clock, and the work that waits for them.

Overlapped work (a sweep) is a generator that yields the seconds that pass, or the `Detector` that it waits for. Nothing
runs by itself: `Events.settle` carries out the work and advances the clock. 2600BS-901-01, section 3, "Triggering", section
8 and appendix E. (?) from memory: the size of the error queue, the texts of the negative numbers, and 1101 and 1102.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from heapq import heappop, heappush
from inspect import GEN_CLOSED, getgeneratorstate
from itertools import count
from typing import Any

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.scpi.status import EventRegister, StatusModel
from mho.instruments.simulated.tsp.lua import Opaque
from mho.instruments.simulated.tsp.tables import ILLEGAL, Attribute, ScriptTable, TspError, flag, real, whole

QUEUE_SIZE = 100
RECOVERABLE, NO_SEVERITY = 20, 0
NODE = 1
TSP_ERROR_TEXTS = {
    0: "Queue Is Empty", -104: "Data type error", -109: "Missing parameter", -211: "Trigger ignored",
    -221: "Settings conflict", -224: "Illegal parameter value",
    -225: "Out of memory or TSP Memory allocation error", -240: "Hardware error", -285: "TSP Syntax error",
    -286: "TSP Runtime error", -350: "Queue overflow", -363: "Input buffer over-run",
    -410: "Query INTERRUPTED", -420: "Query UNTERMINATED", -430: "Query DEADLOCKED",
    802: "OUTPUT blocked by interlock", 1101: "Parameter too big", 1102: "Parameter too small",
}  # fmt: skip
_BYTE = {
    "MEASUREMENT_SUMMARY_BIT": 1, "MSB": 1, "SYSTEM_SUMMARY_BIT": 2, "SSB": 2, "ERROR_AVAILABLE": 4, "EAV": 4,
    "QUESTIONABLE_SUMMARY_BIT": 8, "QSB": 8, "MESSAGE_AVAILABLE": 16, "MAV": 16, "EVENT_SUMMARY_BIT": 32,
    "ESB": 32, "MASTER_SUMMARY_STATUS": 64, "MSS": 64, "OPERATION_SUMMARY_BIT": 128, "OSB": 128,
}  # fmt: skip
_STANDARD = {
    "OPERATION_COMPLETE": 1, "OPC": 1, "QUERY_ERROR": 4, "QYE": 4, "DEVICE_DEPENDENT_ERROR": 8, "DDE": 8,
    "EXECUTION_ERROR": 16, "EXE": 16, "COMMAND_ERROR": 32, "CME": 32, "USER_REQUEST": 64, "URQ": 64,
    "POWER_ON": 128, "PON": 128,
}  # fmt: skip
MEASURING, SWEEPING = 16, 8
VOLTAGE_LIMIT, CURRENT_LIMIT = 1, 2
_OPERATION = {"CALIBRATING": 1, "CAL": 1, "SWEEPING": SWEEPING, "SWE": SWEEPING, "MEASURING": MEASURING,
              "MEAS": MEASURING, "USER": 4096}  # fmt: skip


def error_queue(status: StatusModel) -> ScriptTable:
    """Return the ``errorqueue`` table; errors themselves live in a `StatusModel`."""

    def following() -> tuple[float, str, float, float]:
        if not status.errors:
            return 0.0, TSP_ERROR_TEXTS[0], NO_SEVERITY, NODE
        error = status.next_error()
        return error.code, error.text, RECOVERABLE, NODE

    return ScriptTable(
        contents={"next": following, "clear": lambda: status.errors.clear()},
        readings={"count": lambda: len(status.errors)},
    )


class StatusTable(ScriptTable):
    """The ``status`` table.

    `sweeping` returns the channels that sweep, as bits of ``status.operation.sweeping.condition``; asking may let the
    sweeps come to their end. `limited` returns the bit of the limit that stops a channel's source, by its name, or 0.
    """

    def __init__(
        self, status: StatusModel, output_waits: Callable[[], bool], sweeping: Callable[[], int],
        limited: Callable[[str], int],
    ) -> None:  # fmt: skip
        self._status = status
        operation = _register(
            status.operation, _OPERATION, condition=lambda: SWEEPING if sweeping() else 0,
            sweeping=_register(EventRegister(), {"SMUA": 2, "SMUB": 4}, condition=sweeping),
            measuring=_register(EventRegister(), {"SMUA": 2, "SMUB": 4}, condition=sweeping),
            user=_register(EventRegister(), {}),
        )  # fmt: skip
        super().__init__(
            {
                "request_enable": Attribute(
                    0.0, whole(0, 255), lambda mask: setattr(status, "service_enable", int(mask) & ~64)
                ),
                "node_enable": Attribute(0.0, whole(0, 255)),
            },
            contents={
                **_BYTE,
                "standard": ScriptTable(
                    {
                        "enable": Attribute(
                            0.0, whole(0, 255), lambda mask: setattr(status, "event_enable", int(mask))
                        )
                    },
                    contents=_STANDARD,
                    readings={"event": status.take_events, "condition": lambda: status.events},
                ),
                "operation": operation, "questionable": _register(status.questionable, {}),
                "measurement": _register(
                    EventRegister(), {},
                    instrument=_register(
                        EventRegister(), {}, smua=_limits("smua", limited), smub=_limits("smub", limited)
                    ),
                ),
                "system": _register(EventRegister(), {}), "reset": self._reset,
            },
            readings={"condition": lambda: status.byte(output_waits())},
        )  # fmt: skip

    def _reset(self) -> None:
        """``status.reset()``: enables and events go; the error queue stays (?)."""
        self.restore()
        status = self._status
        status.events = status.event_enable = status.service_enable = 0
        status.operation.event = status.questionable.event = 0
        status.operation.enable = status.questionable.enable = 0


def _limits(name: str, limited: Callable[[str], int]) -> ScriptTable:
    bits = {"VOLTAGE_LIMIT": VOLTAGE_LIMIT, "VLMT": VOLTAGE_LIMIT, "CURRENT_LIMIT": CURRENT_LIMIT,
            "ILMT": CURRENT_LIMIT}  # fmt: skip
    return _register(EventRegister(), bits, condition=lambda: limited(name))


def _register(
    register: EventRegister, constants: Mapping[str, int], *, condition: Callable[[], int] | None = None,
    **inner: ScriptTable,
) -> ScriptTable:  # fmt: skip
    """Return an event register as scripts see it."""
    return ScriptTable(
        {
            "enable": Attribute(0.0, whole(0, 65535), lambda mask: setattr(register, "enable", int(mask))),
            "ptr": Attribute(65535.0, whole(0, 65535)),
            "ntr": Attribute(0.0, whole(0, 65535)),
        },
        contents={**constants, **inner},
        readings={"condition": condition or (lambda: register.condition), "event": register.take},
    )


NO_EVENT = 0
Work = Generator["float | Detector", None, None]


class Detector:
    """Latches one event of the number `stimulus`, for a piece of work or for ``wait()``."""

    def __init__(self, events: Events) -> None:
        self._events, self._stimulus = events, NO_EVENT
        self.latched = self.overrun = False
        self.waiting: Work | None = None
        self.notify: Callable[[], None] | None = None

    @property
    def stimulus(self) -> int:
        """Number of the event it listens to; 0 for none."""
        return self._stimulus

    @stimulus.setter
    def stimulus(self, event: int) -> None:
        listeners = self._events.listeners
        if self._stimulus:
            listeners[self._stimulus].remove(self)
        if event:
            listeners.setdefault(event, []).append(self)
        self._stimulus = event

    def clear(self) -> None:
        """Clear the latched event."""
        self.latched = self.overrun = False

    def fire(self) -> None:
        """Receive an event: resume the waiting work, or latch the event."""
        if self.notify is not None:
            self.notify()
        elif self.waiting is not None:
            work, self.waiting = self.waiting, None
            self._events.start(work)
        else:
            self.overrun = self.overrun or self.latched
            self.latched = True


class Events:
    """The order of things to come.

    Work that may be endless has to charge its steps to the running message (`TspDevice.spend`).
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._queue: list[tuple[float, int, Work]] = []
        self._order = count()
        self._numbers = count(1)
        self.listeners: dict[int, list[Detector]] = {}
        self._busy: list[Work] = []

    def number(self) -> int:
        """Return an unused event number."""
        return next(self._numbers)

    def emit(self, event: int) -> None:
        """Generate an event now."""
        for detector in tuple(self.listeners.get(event, ())):
            detector.fire()

    def start(self, work: Work, *, awaited: bool = False) -> None:
        """Start work now; `settle` waits for work that is `awaited`."""
        if awaited:
            self._busy.append(work)
        self._at(self._clock.now, work)

    def drop(self, work: Work) -> None:
        """Abort work, whatever it waits for."""
        if work in self._busy:
            self._busy.remove(work)
        self._queue = sorted(entry for entry in self._queue if entry[2] is not work)
        for detectors in self.listeners.values():
            for detector in detectors:
                if detector.waiting is work:
                    detector.waiting = None
        work.close()

    def clear(self) -> None:
        """Abort everything."""
        for work in self._busy:
            work.close()
        self._busy.clear()
        self._forget()
        for detectors in self.listeners.values():
            for detector in detectors:
                detector.waiting = None
                detector.clear()

    @property
    def busy(self) -> bool:
        """Whether awaited work is under way."""
        return bool(self._busy)

    def settle(self) -> bool:
        """Advance time until no awaited work is left; returns False when it waits for an event that never occurs."""
        while self._busy and self._queue:
            self._step()
        if self._busy:
            return False
        self._forget()  # timers without listeners
        return True

    def _forget(self) -> None:
        queue, self._queue = self._queue, []
        for _, _, work in queue:  # what ends may start something
            work.close()

    def wait(self, detector: Detector, timeout: float) -> bool:
        """Advance time until `detector` has latched, at most `timeout` seconds; returns whether it has."""
        end = self._clock.now + timeout
        while not detector.latched and self._queue and self._queue[0][0] <= end:
            self._step()
        if detector.latched:
            detector.clear()
            return True
        self.pass_time(end - self._clock.now)
        return False

    def pass_time(self, seconds: float) -> None:
        """Advance time by `seconds`, and process the events within."""
        end = self._clock.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self._step()
        self._clock.advance(max(0.0, end - self._clock.now))

    def _ended(self, work: Work) -> None:
        if work in self._busy:
            self._busy.remove(work)

    def _at(self, when: float, work: Work) -> None:
        heappush(self._queue, (when, next(self._order), work))

    def _step(self) -> None:
        when, _, work = heappop(self._queue)
        if when > self._clock.now:
            self._clock.advance(when - self._clock.now)
        try:
            detector = next(work)
            while isinstance(detector, Detector):
                if not detector.latched:
                    detector.waiting = work
                    return
                detector.clear()
                detector = next(work)
        except StopIteration:
            self._ended(work)
        except BaseException:
            self._ended(work)
            raise
        else:
            self._at(self._clock.now + detector, work)


TIMERS, BLENDERS, GENERATORS, STIMULI = 8, 6, 2, 4
MAXIMUM_WAIT = 1e5  # s
_DELAY = real(5e-7, 1e5)


class Timer(ScriptTable):
    """``trigger.timer[n]``: events a delay after its stimulus, once or several times."""

    def __init__(self, events: Events, spend: Callable[[], None]) -> None:
        self._events, self._spend = events, spend
        self._event = events.number()
        self._start, self._end = Detector(events), Detector(events)
        self._start.notify = self._started
        self._delays: list[float] = []
        self._running: Work | None = None
        super().__init__(
            {
                "delay": Attribute(10e-6, _DELAY, lambda seconds: self._delays.clear()),
                "count": Attribute(1.0, whole(0, 1048575)), "passthrough": Attribute(False, flag),
                "stimulus": stimulus(self._start), "delaylist": Attribute(None, self._list_delays),
            },
            contents={
                "EVENT_ID": self._event, "clear": self._end.clear, "reset": self.restore, "set": lambda: None,
                "wait": lambda seconds: wait(events, self._end, seconds),
            },
            readings={"overrun": lambda: self._start.overrun},
        )  # fmt: skip
        self._end.stimulus = self._event

    def restore(self) -> None:
        """Return to the defaults."""
        super().restore()
        self._delays = []
        self._start.stimulus = 0
        self._start.clear()
        self._end.clear()

    def _list_delays(self, values: object) -> None:
        self._delays = numbers(values, _DELAY)

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
                "EVENT_ID": self._event, "stimulus": ScriptTable(dict(enumerate(map(stimulus, self._inputs), 1))),
                "clear": self._end.clear,
                "reset": self.restore, "wait": lambda seconds: wait(events, self._end, seconds),
            },
            readings={"overrun": lambda: self._end.overrun},
        )  # fmt: skip
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


class Trigger(ScriptTable):
    """The ``trigger`` table itself; `spend` charges an event to the running message."""

    def __init__(self, events: Events, spend: Callable[[], None]) -> None:
        self._events = events
        self._event = events.number()
        self._bus = Detector(events)
        self._bus.stimulus = self._event
        self._timers = [Timer(events, spend) for _ in range(TIMERS)]
        self._blenders = [Blender(events) for _ in range(BLENDERS)]
        asserted = [events.number() for _ in range(GENERATORS)]
        super().__init__(
            contents={
                "EVENT_ID": self._event, "timer": self._timers, "blender": self._blenders,
                "generator": [
                    ScriptTable(contents={"EVENT_ID": event, "assert": partial(events.emit, event)})
                    for event in asserted
                ],
                "clear": self._bus.clear,
                "wait": lambda seconds: wait(events, self._bus, seconds),
            }
        )  # fmt: skip

    def restore(self) -> None:
        """Return timers and blenders to their defaults."""
        self._bus.clear()
        for group in (*self._timers, *self._blenders):
            group.restore()

    def fire(self) -> None:
        """Receive ``*TRG`` or a bus trigger."""
        self._events.emit(self._event)


def stimulus(detector: Detector) -> Attribute:
    """Declare the attribute that chooses which event a detector listens to."""
    return Attribute(0.0, whole(0, 1e6), lambda event: setattr(detector, "stimulus", int(event)))


def wait(events: Events, detector: Detector, seconds: object) -> bool:
    """Carry out a ``wait(timeout)``."""
    return events.wait(detector, real(0.0, MAXIMUM_WAIT)(seconds))


def numbers(values: object, check: Any) -> list[float]:
    """Return the numbers of a Lua table; raises `TspError` when it is none, or holds something else."""
    if values is None or isinstance(values, str | float | int | ScriptTable | Opaque):
        raise TspError(ILLEGAL)
    return [check(value if value is not False else None) for value in values.values()]  # type: ignore[attr-defined]
