"""Errors of one specimen of a simulated instrument: gain and offset errors of each range, noise, overrange."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", float, NDArray[np.float64])

OVERFLOW = 9.9e37
OVERSHOOT = 1.01  # how far beyond its overrange a meter still shows a reading


def range_for(ranges: Sequence[float], value: float, overrange: float) -> float:
    """Return the smallest of `ranges` that holds `value` with its overrange, a factor; the largest if none does."""
    index = bisect_left(ranges, abs(value) / overrange * (1 - 1e-9))
    return ranges[min(index, len(ranges) - 1)]


class SpecimenConverter:
    """One source or meter of a specimen: its errors are fixed, its noise is not.

    Parameters
    ----------
    rng : numpy.random.Generator
    ranges : mapping of float to (float, float)
        Gain error and offset error (in the range's unit) of the specification, by range, smallest first.
    fraction : float
        Standard deviation of the gain and offset errors as a fraction of the specification.
    noise : float
        Standard deviation of a reading at 1 NPLC as a fraction of the range.
    overrange : float
        How far beyond a range it still works, as a factor.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        ranges: Mapping[float, tuple[float, float]],
        fraction: float,
        *,
        noise: float = 0.0,
        overrange: float = 1.05,
    ) -> None:
        self.ranges = tuple(ranges)
        self.overrange = overrange
        self._specification = ranges
        self._rng = rng
        self._noise = noise
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
