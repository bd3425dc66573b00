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
from mho.instruments.simulated.ports import SourcePort

Value = TypeVar("Value", float, NDArray[np.float64])

OVERFLOW = 9.9e37
# Of the array board's own converters: ranges, V, either side of zero, and the code of a range's end
OUTPUT_RANGE, INPUT_RANGE = 2.5, 10.0
FULL = 32767
# Largest current (A) up to a magnitude of the voltage (V), of Keithley's 20 W source-measure units
TWENTY_WATTS = ((21.0, 1.05), (210.0, 0.105))
# Test current (A) of each range (ohm) of an ohmmeter of Keithley's; they reach 2 V, the two largest 20 V (?)
TEST_CURRENTS = {
    20.0: 0.1, 200.0: 1e-2, 2e3: 1e-3, 2e4: 1e-4, 2e5: 1e-5, 2e6: 1e-6, 2e7: 1e-6, 2e8: 1e-7,
}  # fmt: skip
OVERSHOOT = 1.01  # how far beyond its overrange a meter still shows a reading


def codes_of(volts: Floats, full_scale: float) -> NDArray[np.int16]:
    """Digitise `volts`: the nearest code, clipped to the range, whose ends are the codes -32767 and 32767."""
    return np.rint(np.clip(volts / full_scale, -1.0, 1.0) * FULL).astype(np.int16)


def range_for(ranges: Sequence[float], value: float, overrange: float) -> float:
    """Return the smallest of `ranges` that holds `value` with its overrange, a factor; the largest if none does."""
    index = bisect_left(ranges, abs(value) / overrange * (1 - 1e-9))
    return ranges[min(index, len(ranges) - 1)]


def largest_current(volts: float, envelope: Sequence[tuple[float, float]]) -> float:
    """Return the largest current (A) at `volts`; `envelope` has that up to each magnitude of the voltage (V)."""
    return next((amperes for level, amperes in envelope if abs(volts) <= level), envelope[-1][1])


def staircase(start: float, stop: float, points: float, *, logarithmic: bool) -> list[float]:
    """Return the levels of a sweep in equal steps, or in equal ratios; `ScpiError` -221 for ratios across zero."""
    if not logarithmic:
        return [float(level) for level in np.linspace(start, stop, int(points))]
    if start * stop <= 0.0:
        from mho.instruments.simulated.scpi.status import ScpiError  # the chip without instruments needs none

        raise ScpiError(-221, "a logarithmic sweep does not cross zero")
    sign = math.copysign(1.0, start)
    return [float(sign * level) for level in np.geomspace(abs(start), abs(stop), int(points))]


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

    @classmethod
    def of_each(
        cls, rng: np.random.Generator, functions: Mapping[str, Mapping[float, tuple[float, float]]],
        fraction: float, **more: float,
    ) -> dict[str, SpecimenConverter]:  # fmt: skip
        """Return one for the ranges of each function; `more` as for the class."""
        return {function: cls(rng, ranges, fraction, **more) for function, ranges in functions.items()}

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
SLOW = 48  # steps, after which what has gone up and down is not believed to settle by itself
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
    for step in range(STEPS):
        flowing = sign * current(sign * volts)
        ratio = target / flowing if flowing > 0.0 else math.inf
        if volts >= limit and ratio > 1.0:
            return Regulated(sign * limit, sign * flowing, True)
        most = 2.0 if volts < DOUBLING else 1.1
        following = min(volts * min(ratio, most), limit)
        if ratio < 1.0:
            above, swings = volts, swings + 1
        elif (
            below >= 0.0 or following > above * CLIMBING or (following > above and swings >= SWINGS)
            or (step >= SLOW and swings)
        ):  # fmt: skip
            below = volts
        if below >= 0.0:
            following = (below + above) / 2
        settled = ratio < most and abs(following - volts) <= TOLERANCE * volts
        volts = following
        if settled:
            break
    return Regulated(sign * volts, amperes, False)


SETTLING = 1e-4  # s in which a current source finds its voltage


class SourceTerminals:
    """Terminals of a source-measure unit: open, at a voltage, or fed with a current; and what flows there.

    `port`: what they are wired to.

    Attributes
    ----------
    sourced : str
        ``VOLT``, ``CURR``, or empty while the output is off.
    volts : float
        At the terminals, V.
    tripped : bool or None
        Whether a limit stopped the source when it was last looked at; None when it has changed since.
    """

    def __init__(self, port: SourcePort) -> None:
        self._port = port
        self.sourced, self.volts = "", 0.0
        self.tripped: bool | None = False
        self._amperes = 0.0

    def open(self, *, grounded: bool) -> None:
        """Switch off: at 0 V if `grounded`, else with the relay open."""
        self.sourced, self.volts, self.tripped = "", 0.0, False
        self._port.drive(0.0, connected=grounded)

    def hold(self, volts: float) -> None:
        """Source `volts` (V)."""
        self.sourced, self.volts, self.tripped = "VOLT", volts, None
        self._port.drive(volts, connected=True)

    def feed(self, amperes: float, limit: float) -> None:
        """Source `amperes` (A), with no more than `limit` (V)."""
        self.sourced, self._amperes = "CURR", amperes
        self._regulate(SETTLING, limit)
        self._port.drive(self.volts, connected=True)

    def flow(self, aperture: float, limit: float) -> Regulated:
        """Return what is there on the average of `aperture` (s); the caller advances the clock.

        `limit`: in A for a source of volts, in V for one of amperes.
        """
        if not self.sourced:
            return OFF
        if self.sourced == "CURR":
            return self._regulate(aperture, limit)
        point = carry(self.volts, self._port.current(self.volts, aperture), limit)
        self.tripped = point.limited
        return point

    def _regulate(self, aperture: float, limit: float) -> Regulated:
        point = regulate(lambda volts: self._port.current(volts, aperture), self._amperes, limit, self.volts)
        if point.volts != self.volts:
            self._port.drive(point.volts, connected=True)
        self.volts, self.tripped = point.volts, point.limited
        return point
