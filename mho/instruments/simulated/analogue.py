"""Errors of one specimen of a simulated instrument (gain, offset, noise, overrange), and sources with a limit.

A port returns the current at a voltage, so a current source has to raise its voltage until its current flows.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats

Value = TypeVar("Value", float, NDArray[np.float64])

OVERFLOW = 9.9e37
# Of the array board's own converters: ranges, V, either side of zero, and the code of a range's end
OUTPUT_RANGE, INPUT_RANGE = 2.5, 10.0
FULL = 32767
OVERSHOOT = 1.01  # how far beyond its overrange a meter still shows a reading


def codes_of(volts: Floats, full_scale: float) -> NDArray[np.int16]:
    """Digitise `volts`: the nearest code, clipped to the range, whose ends are the codes -32767 and 32767."""
    return np.rint(np.clip(volts / full_scale, -1.0, 1.0) * FULL).astype(np.int16)


def range_for(ranges: Sequence[float], value: float, overrange: float) -> float:
    """Return the smallest of `ranges` that holds `value` with its overrange, a factor; the largest if none does."""
    index = bisect_left(ranges, abs(value) / overrange * (1 - 1e-9))
    return ranges[min(index, len(ranges) - 1)]


class SpecimenConverter:
    """One source or meter of a specimen: its errors are fixed, its noise is not.

    `ranges`: gain error and offset error (in the range's unit) of the specification, by range, smallest first.
    `fraction`: standard deviation of the gain and offset errors as a fraction of the specification.
    `noise`: standard deviation of a reading at 1 NPLC as a fraction of the range.
    `overrange`: how far beyond a range it still works, as a factor.
    """

    def __init__(
        self, rng: np.random.Generator, ranges: Mapping[float, tuple[float, float]], fraction: float, *,
        noise: float = 0.0, overrange: float = 1.05,
    ) -> None:  # fmt: skip
        self.ranges = tuple(ranges)
        self.overrange, self._specification, self._rng, self._noise = overrange, ranges, rng, noise
        self._gain, self._offset = (float(fraction * draw) for draw in rng.standard_normal(2))

    def range_for(self, value: float) -> float:
        """Return the smallest range that holds `value` with its overrange; the largest if none does."""
        return range_for(self.ranges, value, self.overrange)

    def holds(self, value: float, span: float) -> bool:
        """Return whether the range `span` holds `value`."""
        return abs(value) <= self.overrange * span * (1 + 1e-9)

    def convert(
        self, value: Value, span: float, nplc: float = 1.0, rng: np.random.Generator | None = None
    ) -> Value:
        """Return what comes out (of a source) or is read (by a meter) for `value` on the range `span`.

        `value` is a number, or an array of them. The noise is drawn from `rng` in place of the specimen's own where given.
        """
        gain, offset = self._specification[span]
        result = value * (1.0 + gain * self._gain) + offset * self._offset
        if self._noise:
            draws: Any = (rng or self._rng).standard_normal(getattr(value, "shape", None) or None)
            result = result + self._noise * span / math.sqrt(nplc) * draws
        return result

    def read(self, value: float, span: float, nplc: float = 1.0) -> float:
        """Return what a meter reads for `value` on the range `span`; `OVERFLOW` beyond it."""
        reading = self.convert(value, span, nplc)
        within = abs(reading) <= OVERSHOOT * self.overrange * span
        return reading if within else math.copysign(OVERFLOW, reading)


PROBE = 1e-3  # V to begin with
# How far beyond what was too high noise does not lead, and how often up and down a conductance does not
CLIMBING, SWINGS = 1.1, 6
STEPS = 96  # enough to come from PROBE to any instrument's limit, and to settle there
TOLERANCE = 1e-4
DOUBLING = (
    1.0  # V: up to it the voltage at most doubles in a step; beyond, where cells form, a tenth is added
)


class Regulated(NamedTuple):
    """State of the terminals: volts, amperes, and whether the source is limited."""

    volts: float
    amperes: float
    limited: bool


OFF = Regulated(0.0, 0.0, False)


def carry(volts: float, amperes: float, limit: float) -> Regulated:
    """Return what a voltage source gives when `amperes` would flow at `volts`, and no more than `limit` (A) may.

    In its limit the load is a conductance.
    """
    if abs(amperes) <= limit:
        return Regulated(volts, amperes, False)
    limited = math.copysign(limit, amperes)
    return Regulated(volts * limited / amperes, limited, True)


def regulate(
    current: Callable[[float], float], amperes: float, limit: float, start: float = 0.0
) -> Regulated:
    """Find the voltage at which `amperes` flow, from `start` on and not beyond `limit` (V).

    `current` returns the current (A) at a voltage; it may be noisy, and may change its load. The load is taken as a
    conductance at each step, and the voltage takes no large step to the next, as a real output slews: a cell that switches
    on the way up does so at its own threshold, and not at the limit. Where that goes up and down for ever, as on a diode,
    the interval between is halved from there on.
    """
    if not amperes:
        return OFF
    sign, target = math.copysign(1.0, amperes), abs(amperes)
    volts = min(max(abs(start), PROBE), limit)
    below, above, swings = -math.inf, math.inf, 0  # the interval, and at first only what was too high last
    for _ in range(STEPS):
        flowing = sign * current(sign * volts)
        ratio = target / flowing if flowing > 0.0 else math.inf
        if volts >= limit and ratio > 1.0:
            return Regulated(sign * limit, sign * flowing, True)
        most = 2.0 if volts < DOUBLING else 1.1
        following = min(volts * min(ratio, most), limit)
        if ratio < 1.0:
            above, swings = volts, swings + 1
        elif below >= 0.0 or following > above * CLIMBING or (following > above and swings >= SWINGS):
            below = volts
        if below >= 0.0:
            following = (below + above) / 2
        settled = ratio < most and abs(following - volts) <= TOLERANCE * volts
        volts = following
        if settled:
            break
    return Regulated(sign * volts, amperes, False)
