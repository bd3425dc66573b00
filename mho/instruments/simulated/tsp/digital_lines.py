"""The digital I/O port of a simulated TSP instrument: 14 open-drain lines, direct and as triggers (``digio``).

2600BS-901-01, section 7, ``digio``: p. 7-57 (modes), 7-59 (widths, release). A line is high unless somebody holds it low.
Ports that are given the same `Wiring` are joined line by line, by one cable. (?) from memory: that a line in bypass mode
detects no edge, that a port detects its own edges, and what ``reset()`` leaves of the port.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from mho.instruments.simulated.tsp.events import Detector, Events, stimulus, wait
from mho.instruments.simulated.tsp.tables import Attribute, ScriptTable, choice, real, whole

LINES = 14
ALL = (1 << LINES) - 1
BYPASS, FALLING, RISING, EITHER, SYNCHRONOUS_A, SYNCHRONOUS, SYNCHRONOUS_M, RISING_A, RISING_M = range(9)
_MODES = (
    "BYPASS", "FALLING", "RISING", "EITHER", "SYNCHRONOUSA", "SYNCHRONOUS", "SYNCHRONOUSM", "RISINGA", "RISINGM",
)  # fmt: skip
_DETECTED = {FALLING: (False,), EITHER: (False, True), SYNCHRONOUS_A: (False,), SYNCHRONOUS: (False,),
             SYNCHRONOUS_M: (True,), RISING_A: (True,)}  # fmt: skip


class Wiring:
    """The lines of one port, or of several ports on a cable."""

    def __init__(self) -> None:
        self._holders: list[set[object]] = [set() for _ in range(LINES)]  # who holds a line low
        self._ports: list[Callable[[int, bool], None]] = []

    def join(self, changed: Callable[[int, bool], None]) -> None:
        """Tell a port from now on when a line (from 0) has `changed`, and whether it is high."""
        self._ports.append(changed)

    def high(self, line: int) -> bool:
        """Whether a line (from 0) is high."""
        return not self._holders[line]

    def hold(self, line: int, holder: object, *, low: bool) -> None:
        """Let `holder` hold a line low, or let it go."""
        was = self.high(line)
        (self._holders[line].add if low else self._holders[line].discard)(holder)
        if self.high(line) != was:
            for changed in tuple(self._ports):
                changed(line, not was)


class _Pulse(Generator["float | Detector", None, None]):
    """Work that waits once, and calls `end` however it ends: a line may not stay low when events are dropped."""

    def __init__(self, duration: float | Detector, end: Callable[[], None]) -> None:
        self._duration, self._end = duration, end
        self._waits = False

    def send(self, value: None) -> float | Detector:
        if self._waits:
            self._end()
            raise StopIteration
        self._waits = True
        return self._duration

    def throw(self, error: Any, *details: Any) -> float | Detector:
        self._end()
        raise error


class TriggerLine(ScriptTable):
    """``digio.trigger[N]``: line `line` (from 0) as trigger input and output; `spend` charges a pulse to the message."""

    def __init__(self, events: Events, wiring: Wiring, line: int, spend: Callable[[], None]) -> None:
        self._events, self._wiring, self._line, self._spend = events, wiring, line, spend
        self._event = events.number()
        self._input, self._asserted = Detector(events), Detector(events)
        self._input.stimulus = self._event
        self._asserted.notify = self.put_out
        self._latched, self._bit = False, True  # held after an edge; what ``writebit`` has set
        self._pulse: _Pulse | None = None
        super().__init__(
            {
                "mode": Attribute(0.0, choice(*range(len(_MODES))), lambda mode: self._rest()),
                "pulsewidth": Attribute(10e-6, real(0.0, 1e5)), "stimulus": stimulus(self._asserted),
            },
            contents={
                "EVENT_ID": self._event, "assert": self.put_out, "clear": self._input.clear, "release": self._rest,
                "reset": self.restore, "wait": self.wait,
            },
            readings={"overrun": lambda: self._input.overrun},
        )  # fmt: skip

    def wait(self, seconds: object) -> bool:
        """Wait for an edge, at most so many seconds; returns whether one has come."""
        return wait(self._events, self._input, seconds)

    def restore(self) -> None:
        """Return to the defaults."""
        super().restore()
        self._asserted.stimulus = 0
        self._rest()
        self._input.clear()
        self._asserted.clear()

    @property
    def bit(self) -> bool:
        """What the line is programmed to in bypass mode."""
        return self._bit

    @bit.setter
    def bit(self, high: bool) -> None:
        self._bit = high
        if self["mode"] == BYPASS:
            self._rest()

    @property
    def _mode(self) -> int:
        mode = int(self["mode"])
        if mode == RISING:
            return RISING_A if self._bit else RISING_M
        return mode

    def _rest(self) -> None:
        """Leave the line as it is between two triggers; a latch and a pulse end."""
        self._latched = False
        if self._pulse is not None:
            work, self._pulse = self._pulse, None
            self._events.drop(work)
        low = not self._bit if self._mode == BYPASS else self._mode == RISING_M
        self._wiring.hold(self._line, self, low=low)

    def edge(self, rising: bool) -> None:
        """Detect an edge of the line."""
        if rising in _DETECTED.get(self._mode, ()):
            if self._mode in (SYNCHRONOUS_A, SYNCHRONOUS) and not self._latched and self._pulse is None:
                self._latched = True
                self._wiring.hold(self._line, self, low=True)
            self._events.emit(self._event)

    def put_out(self) -> None:
        """Put out a trigger: a pulse, or the end of a latch; none while a pulse lasts."""
        mode = self._mode
        if mode == BYPASS or self._pulse is not None:
            return
        self._spend()
        self._latched = False
        if mode == SYNCHRONOUS_A:
            self._wiring.hold(self._line, self, low=False)
            return
        # A pulse without a width lasts until it is released.
        self._pulse = _Pulse(self["pulsewidth"] or Detector(self._events), self._pulse_over)
        self._events.start(self._pulse)
        self._wiring.hold(self._line, self, low=mode != RISING_M)

    def _pulse_over(self) -> None:
        self._pulse = None
        self._wiring.hold(self._line, self, low=self._mode == RISING_M)


class DigitalPort(ScriptTable):
    """``digio``; ports with the same `wiring` are joined, None for a port that nothing is plugged in."""

    def __init__(self, events: Events, spend: Callable[[], None], wiring: Wiring | None) -> None:
        self._wiring = wiring or Wiring()
        self._lines = [TriggerLine(events, self._wiring, line, spend) for line in range(LINES)]
        self._wiring.join(lambda line, rising: self._lines[line].edge(rising))
        super().__init__(
            {"writeprotect": Attribute(0.0, whole(0, ALL))},
            contents={
                **{f"TRIG_{name}": float(mode) for mode, name in enumerate(_MODES)}, "trigger": list(self._lines),
                "readbit": partial(self._read, 1), "readport": lambda: self._read(LINES, 1),
                "writebit": self._write_bit, "writeport": self._write_port,
            },
        )  # fmt: skip

    def restore(self) -> None:
        """Return to the defaults: triggers are off and lines high."""
        super().restore()
        for line in self._lines:
            line.bit = True
            line.restore()

    def line(self, number: object) -> TriggerLine:
        """Return the trigger of line `number` (from 1); raises `TspError` where there is none."""
        return self._lines[int(whole(1, LINES)(number)) - 1]

    def _read(self, count: int, first: object) -> int:
        start = int(whole(1, LINES)(first)) - 1
        return sum(self._wiring.high(start + bit) << bit for bit in range(count))

    def _write_bit(self, number: object, data: object) -> None:
        self._write(int(whole(1, LINES)(number)) - 1, bool(choice(0, 1)(data)))

    def _write_port(self, data: object) -> None:
        bits = int(whole(0, ALL)(data))
        for line in range(LINES):
            self._write(line, bool(bits >> line & 1))

    def _write(self, line: int, high: bool) -> None:
        if not int(self["writeprotect"]) >> line & 1:
            self._lines[line].bit = high
