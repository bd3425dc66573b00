"""Ranges and one-year accuracies of the 2450, from its data sheet (?), and how one specimen errs."""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np

# range: (gain error, offset error in V or A), one year
SOURCE = {
    0.02: (1e-3, 2e-4),
    0.2: (1.5e-4, 2e-4),
    2.0: (2e-4, 3e-4),
    20.0: (1.5e-4, 2.4e-3),
    200.0: (1.5e-4, 2.4e-2),
}
MEASURE = {
    1e-8: (1e-3, 1e-10), 1e-7: (6e-4, 1.5e-10), 1e-6: (2.5e-4, 4e-10), 1e-5: (2.5e-4, 1.5e-9),
    1e-4: (2e-4, 1.5e-8), 1e-3: (2e-4, 1.5e-7), 1e-2: (2e-4, 1.5e-6), 1e-1: (2.5e-4, 1.5e-5),
    1.0: (6.7e-4, 9e-4),
}  # fmt: skip
SOURCE_RANGES, MEASURE_RANGES = tuple(SOURCE), tuple(MEASURE)
OVERRANGE = 1.05
OVERFLOW = 9.9e37


def range_for(ranges: tuple[float, ...], value: float) -> float:
    """Return the smallest range that holds `value` with 5 % overrange; the largest if none does."""
    index = bisect_left(ranges, abs(value) / OVERRANGE * (1 - 1e-9))
    return ranges[min(index, len(ranges) - 1)]


class Specimen:
    """One instrument's errors: fixed gain and offset errors, and noise.

    Parameters
    ----------
    rng : numpy.random.Generator
    accuracy : float
        Standard deviation of the gain and offset errors as a fraction of the specification.
    noise : float
        Standard deviation of a reading at 1 NPLC as a fraction of the measurement range.
    """

    def __init__(self, rng: np.random.Generator, accuracy: float, noise: float) -> None:
        self._rng = rng
        self._noise = noise
        self._source_gain, self._source_offset, self._gain, self._offset = (
            float(accuracy * draw) for draw in rng.standard_normal(4)
        )

    def sourced(self, volts: float, span: float) -> float:
        """Return what comes out for `volts` on the source range `span` (V)."""
        gain, offset = SOURCE[span]
        return volts * (1.0 + gain * self._source_gain) + offset * self._source_offset

    def measured(self, amperes: float, span: float, nplc: float) -> float:
        """Return what is read for `amperes` on the range `span` (A); `OVERFLOW` beyond it."""
        gain, offset = MEASURE[span]
        noise = self._noise * span / math.sqrt(nplc) * self._rng.standard_normal()
        reading = amperes * (1.0 + gain * self._gain) + offset * self._offset + noise
        return reading if abs(reading) <= 1.01 * OVERRANGE * span else math.copysign(OVERFLOW, reading)
