"""Record of the wires of a virtual bench: extremes of every terminal, incidents, and the traffic on every bus.

The monitor records at the wires, behind drivers and twins: the values that a probe would measure, not the requested
ones. It is always on; a level, a pulse or a message takes some tenths of a microsecond.
"""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.instruments.limits import RISE, SOURCE_EDGE, Limits, TerminalLimits
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.chip import SimulatedChip
from mho.instruments.simulated.ports import Traffic

TERMINALS = ("bit line", "source line", "word line", "vector")
SLACK = 0.01  # share of a limit: a source set to the limit exceeds it by its accuracy, which is no incident
AMPLIFIER_LIMIT = "amplifier limit"
log = logging.getLogger(__name__)
_UNLIMITED = TerminalLimits(math.inf)


@dataclass(frozen=True)
class Incident:
    """An event that could do damage on a real bench, or that its instruments would not tell."""

    time: float  # on the bench's clock, s
    # ``amplifier limit``, ``contention``, ``disturb``, ``floating gate``, ``hot switch``, ``over limit``,
    # ``over-voltage`` or ``running generator``
    kind: str
    detail: str  # which terminal, which value


def over_voltages(chip: SimulatedChip) -> list[Incident]:
    """Return the incidents of more voltage than a formed cell bears, each of which has destroyed its cell."""
    bears = chip.preset.damage_voltage
    return [
        Incident(
            one.time,
            one.cause,
            f"{array}[{one.row}, {one.column}]: {one.voltage:.4g} V on the {one.line} of a formed cell, which bears "
            f"{bears:.4g} V; it is destroyed",
        )
        for array, one in chip.losses
        if one.cause == "over-voltage"
    ]


@dataclass(frozen=True)
class Extremes:
    """Extremes of one terminal so far."""

    # lowest, highest: V; 0 V, where every bench begins, included
    lowest: float
    highest: float
    current: float  # largest magnitude that a source-measure unit carried, A
    # Steepest change, V/s: a pulse's 10 to 90 % over its edge time, a vector's step over the sample period, a source's
    # step over `SOURCE_EDGE`
    slew: float
    # shortest_pulse, longest_pulse: widths, s; NaN without pulses
    shortest_pulse: float
    longest_pulse: float
    pulses: int  # number of pulses from the generator

    @property
    def voltage(self) -> float:
        """Largest magnitude, V."""
        return max(-self.lowest, self.highest)


class Trace:
    """The running extremes of one terminal.

    `limits`: the first value beyond each of them is passed to `record`.
    """

    __slots__ = (
        "_level", "_limits", "_name", "_over", "_record", "current", "highest", "longest", "lowest", "pulses",
        "shortest", "slew",
    )  # fmt: skip

    def __init__(self, name: str, limits: TerminalLimits, record: Callable[[str, str], None]) -> None:
        self._name, self._limits, self._record = name, limits, record
        self._over: set[str] = set()
        self._level = self.lowest = self.highest = self.current = self.slew = 0.0
        self.longest, self.shortest, self.pulses = 0.0, math.inf, 0

    def take_level(self, volts: float) -> None:
        """Record a new level of a source."""
        step = volts - self._level
        if step:
            self._level = volts
            slew = abs(step) / SOURCE_EDGE
            if slew > self.slew:
                self._steepen(slew)
            if volts > self.highest or volts < self.lowest:
                self._reach(volts)

    def take_held(self, volts: float) -> None:
        """Record that a source is at `volts`, even if only in passing."""
        if volts > self.highest or volts < self.lowest:
            self._reach(volts)

    def take_endless_pulse(self, volts: float, seconds: float) -> None:
        """Record that a pulse generator has been at `volts` for `seconds`: for its load a pulse without an end."""
        self.take_held(volts)
        self._compare("pulse width", seconds, self._limits.pulse_width, "s")

    def take_current(self, amperes: float, compliance: Callable[[], float]) -> None:
        """Record the `amperes` drawn from a source; it carries no more than its compliance."""
        size = abs(amperes)
        if size > self.current:
            size = min(size, compliance())
            if size > self.current:
                self.current = size
                self._compare("current", size, self._limits.current, "A")

    def take_pulses(self, volts: float, width: float, edge: float, count: int) -> None:
        """Record pulses of `volts` from a base of 0 V, `width` at half height, `edge` from 10 to 90 %."""
        self.pulses += count
        slew = RISE * abs(volts) / edge
        if slew > self.slew:
            self._steepen(slew)
        if volts > self.highest or volts < self.lowest:
            self._reach(volts)
        if width < self.shortest:
            self.shortest = width
        if width > self.longest:
            self.longest = width
            self._compare("pulse width", width, self._limits.pulse_width, "s")

    def take_widths(self, width: float, count: int) -> None:
        """Count pulses of a source-measure unit, whose levels are recorded as those of any source."""
        self.pulses += count
        self.shortest, self.longest = min(self.shortest, width), max(self.longest, width)
        self._compare("pulse width", width, self._limits.pulse_width, "s")

    def take_samples(self, volts: NDArray[np.float64], period: float) -> None:
        """Record that all outputs of a DAQ play `volts`, (samples, outputs), one sample per `period`."""
        if not volts.size:
            return
        for extreme in (float(volts.max()), float(volts.min())):
            if extreme > self.highest or extreme < self.lowest:
                self._reach(extreme)
        if len(volts) > 1 and period:
            slew = float(np.abs(np.diff(volts, axis=0)).max()) / period
            if slew > self.slew:
                self._steepen(slew)

    def _reach(self, volts: float) -> None:
        self.lowest, self.highest = min(self.lowest, volts), max(self.highest, volts)
        self._compare("voltage", volts, self._limits.voltage, "V")

    def _steepen(self, slew: float) -> None:
        self.slew = slew
        self._compare("slew", slew, self._limits.slew, "V/s")

    def _compare(self, what: str, value: float, limit: float, unit: str) -> None:
        if abs(value) > limit * (1.0 + SLACK) and what not in self._over:
            self._over.add(what)
            self._record(
                "over limit",
                f"{self._name}: {what} of {value:.4g} {unit} is beyond the limit of {limit:.4g} {unit}",
            )

    def extremes(self) -> Extremes:
        """Return the extremes so far."""
        seen = self.pulses > 0
        return Extremes(
            self.lowest, self.highest, self.current, self.slew,
            self.shortest if seen else math.nan, self.longest if seen else math.nan, self.pulses,
        )  # fmt: skip


class Monitor:
    """Extremes, incidents and traffic of one bench.

    `clock`: gives incidents their time.
    `limits`: the bench file's; a terminal without limits is recorded as well.
    """

    def __init__(self, clock: VirtualClock, limits: Limits) -> None:
        self._clock = clock
        self.pulses = 0  # how many reached a cell; a pulse may also end at an open switch
        self.incidents: list[Incident] = []
        # `Trace` by terminal
        self.terminals = {
            name: Trace(name, limits.terminals.get(name, _UNLIMITED), self.record)
            for name in dict.fromkeys([*TERMINALS, *limits.terminals])
        }
        # `Traffic` by VISA address (a DAQ's by its outputs); an instrument that was never addressed is missing
        self.traffic: defaultdict[str, Traffic] = defaultdict(Traffic)

    def record(self, kind: str, detail: str, at: float | None = None) -> None:
        """Record an incident, at the present or an earlier time (s)."""
        self.incidents.append(Incident(self._clock.now if at is None else at, kind, detail))

    def count_meter_pulses(self, width: float, count: int) -> None:
        """Count pulses of `width` (s) that the source-measure unit at the bit line has applied."""
        self.pulses += count
        self.terminals["bit line"].take_widths(width, count)

    def report_amplifier(self, sentence: str) -> None:
        """Record, and log, that an amplifier was asked for more than it has: a wrong answer that looks like any other."""
        log.warning(sentence)
        self.record(AMPLIFIER_LIMIT, sentence)

    def extremes(self) -> dict[str, Extremes]:
        """Return the extremes of every terminal so far."""
        return {name: trace.extremes() for name, trace in self.terminals.items()}
