"""Ranges and one-year accuracies of the 2636B, from its data sheet (?), and how one specimen errs."""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np

# range: (gain error, offset error in V or A), one year, 23 +- 5 C
SOURCE_VOLTS = {0.2: (2e-4, 3.75e-4), 2.0: (2e-4, 6e-4), 20.0: (2e-4, 5e-3), 200.0: (2e-4, 5e-2)}
MEASURE_VOLTS = {0.2: (1.5e-4, 2.25e-4), 2.0: (2e-4, 3.5e-4), 20.0: (1.5e-4, 5e-3), 200.0: (1.5e-4, 5e-2)}
MEASURE_AMPERES = {
    1e-10: (1.5e-3, 1.2e-13), 1e-9: (1.5e-3, 2.4e-13), 1e-8: (1.5e-3, 3e-12), 1e-7: (6e-4, 4e-11),
    1e-6: (2.5e-4, 4e-10), 1e-5: (2.5e-4, 1.5e-9), 1e-4: (2e-4, 2.5e-8), 1e-3: (2e-4, 2e-7),
    1e-2: (2e-4, 2.5e-6), 1e-1: (2e-4, 2e-5), 1.0: (3e-4, 1.5e-3), 1.5: (5e-4, 3.5e-3),
}  # fmt: skip
VOLT_RANGES, AMPERE_RANGES = tuple(SOURCE_VOLTS), tuple(MEASURE_AMPERES)
SOURCE_AMPERE_RANGES = AMPERE_RANGES[1:]
AUTO_DELAYS = {1e-10: 0.1, 1e-9: 3e-2, 1e-8: 5e-3, 1e-7: 1e-3}  # s after a step, by range (?)
OVERRANGE = 1.01
OVERFLOW = 9.9e37


def range_for(ranges: tuple[float, ...], value: float) -> float:
    """Return the smallest range that holds `value` with 1 % overrange; the largest if none does."""
    index = bisect_left(ranges, abs(value) / OVERRANGE * (1 - 1e-9))
    return ranges[min(index, len(ranges) - 1)]


class Specimen:
    """One channel's errors: fixed gain and offset errors, and noise.

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
        draws = [(float(a), float(b)) for a, b in accuracy * rng.standard_normal((3, 2))]
        self._source, self._volts, self._amperes = draws

    def sourced(self, volts: float, span: float) -> float:
        """Return what comes out for `volts` on the source range `span` (V)."""
        gain, offset = SOURCE_VOLTS[span]
        return volts * (1.0 + gain * self._source[0]) + offset * self._source[1]

    def volts(self, volts: float, span: float, nplc: float) -> float:
        """Return what is read for `volts` on the range `span` (V)."""
        return self._read(volts, span, MEASURE_VOLTS[span], self._volts, nplc)

    def amperes(self, amperes: float, span: float, nplc: float) -> float:
        """Return what is read for `amperes` on the range `span` (A)."""
        return self._read(amperes, span, MEASURE_AMPERES[span], self._amperes, nplc)

    def _read(
        self, value: float, span: float, specified: tuple[float, float], own: tuple[float, float], nplc: float
    ) -> float:
        noise = self._noise * span / math.sqrt(nplc) * self._rng.standard_normal() if self._noise else 0.0
        reading = value * (1.0 + specified[0] * own[0]) + specified[1] * own[1] + noise
        return reading if abs(reading) <= 1.01 * OVERRANGE * span else math.copysign(OVERFLOW, reading)
