"""A waveform that a generator puts on its terminal over and over, and what of it falls into a span of time."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

from mho.instruments.simulated.generators.stored_waveforms import Excursion

SLIVER = 1e-9  # share of a level's length below which a difference is an error of rounding

Train = tuple[list[Excursion], int]
"""Levels that follow each other, and how often they all come."""


@dataclass(frozen=True)
class Waveform:
    """Repeating waveform of a terminal: the levels of one cycle, V into an open line.

    Attributes
    ----------
    cycle : tuple of Excursion
        In order, including the level between pulses; a constant level is one of infinite length.
    """

    cycle: tuple[Excursion, ...]

    @classmethod
    def constant(cls, volts: float) -> Waveform:
        """Return a level that stays."""
        return cls((Excursion(volts, math.inf),))

    @cached_property
    def period(self) -> float:
        """Duration of a cycle, s; infinite for a constant level."""
        return sum(level.seconds * level.times for level in self.cycle)

    @cached_property
    def extreme(self) -> float:
        """The level farthest from 0 V, V."""
        return max((level.volts for level in self.cycle), key=abs)

    @cached_property
    def mean(self) -> float:
        """The average level, V."""
        if math.isinf(self.period):
            return self.extreme
        return sum(level.volts * level.seconds * level.times for level in self.cycle) / self.period

    def place(self, seconds: float) -> tuple[int, int]:
        """Return the number of the cycle, and of the level in it, that is there `seconds` after the waveform began."""
        cycle, into = divmod(seconds, self.period)
        return int(cycle), min(bisect.bisect_right(self._ends, into), len(self.cycle) - 1)

    @cached_property
    def _ends(self) -> list[float]:
        return list(itertools.accumulate(level.seconds * level.times for level in self.cycle))

    def between(self, start: float, end: float) -> list[Train]:
        """Return what comes from `start` to `end` (s since the waveform began): a part, whole cycles, a part.

        However many cycles there are, this takes as long as a cycle has levels.
        """
        period = self.period
        if math.isinf(period):
            return [([Excursion(self.extreme, end - start)], 1)]
        first, last = math.floor(start / period), math.floor(end / period)
        into, out = start - first * period, end - last * period
        if first == last:
            trains = [(self._part(into, out), 1)]
        else:
            whole = last - first - 1
            trains = [(self._part(into, period), 1), (list(self.cycle), whole), (self._part(0.0, out), 1)]
        return [(levels, count) for levels, count in trains if levels and count]

    def _part(self, start: float, end: float) -> list[Excursion]:
        """Return the levels of a cycle from `start` to `end`, s since it began."""
        levels, passed = [], 0.0
        for volts, seconds, times in self.cycle:
            inside = min(end, passed + seconds * times) - max(start, passed)
            if inside > SLIVER * seconds:
                repeats = 1 if times == 1 or inside < seconds else round(inside / seconds)
                levels.append(Excursion(volts, inside / repeats, repeats))
            passed += seconds * times
        return levels


Playing = Callable[[], Waveform | None]
"""Return the present waveform of a generator's channel; None when nothing drives its terminal, or it is at 0 V."""


class Resting(Protocol):
    """A pulse generator that says whether it puts out anything before the next command or trigger."""

    at_rest: bool
    """Whether it is known not to."""

    def rests(self) -> bool:
        """Find out, and keep it in `at_rest`."""
        ...


class RestlessTwin:
    """What stands for a twin that does not say so: its waveforms are asked for each time."""

    at_rest = False

    def rests(self) -> bool:
        """Return False: it is not known."""
        return False


def waveform_of(twin: Any, channel: int) -> Playing:
    """Return a function for the waveform of a pulse generator's channel; for a twin without one, its idle level."""
    running = getattr(twin, "running", None)
    if running is not None:
        return partial(running, channel)

    def idle() -> Waveform | None:
        volts = float(twin.idle_voltage(channel))
        return Waveform.constant(volts) if volts else None

    return idle
