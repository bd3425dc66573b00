"""Energy of a solve: what its cells take, and a model of the amplifiers and converters around them.

Cells take V^2 G w in each pulse and each verify read (G the read that follows, w the width or the meter's aperture), and
V I t in each vector that is multiplied, t the time from one vector to the next. What they take while the loop inverts is
left out: 0.4 V across 35 uS is 6 uW, an amplifier takes a thousand times as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mho.instruments import Bench

Floats = NDArray[np.float64]

RESTING = 2  # vectors of 0 V that the bench plays before and after those of an exchange


@dataclass(frozen=True)
class EnergyModel:
    """Assumed figures of what stands around the cells.

    Attributes
    ----------
    amplifier : float
        Power of one amplifier, W: an AD823 takes 2.6 mA (data sheet), here from two supplies of 5 V.
    conversion : float
        Energy of one conversion of one line, J, in either direction: an AD7606 takes 100 mW for eight lines at 200,000
        samples a second (data sheet).
    """

    amplifier: float = 26e-3
    conversion: float = 62.5e-9

    def in_words(self) -> str:
        """Return the assumptions in words."""
        return (
            f"{1e3 * self.amplifier:g} mW an amplifier and {1e9 * self.conversion:g} nJ a conversion while vectors are "
            "played; instruments and computers are not counted"
        )


@contextmanager
def metering(bench: Bench) -> Iterator[VectorMeter]:
    """Count the energy of the vectors that a bench plays meanwhile."""
    before, meter = bench.on_vectors, VectorMeter(bench.instruments.daq.sample_period)

    def meter_too(mode: Literal["MULTIPLY", "INVERT"], volts: Floats, answers: Floats) -> None:
        before(mode, volts, answers)
        meter(mode, volts, answers)

    bench.on_vectors = meter_too
    try:
        yield meter
    finally:
        bench.on_vectors = before


class VectorMeter:
    """Counts the energy of the vectors that a bench plays; the bench's `on_vectors` calls it.

    Parameters
    ----------
    period : float
        From one vector to the next, s.

    Attributes
    ----------
    joules : float
        So far.
    vectors : int
        Number played, without those of 0 V.
    """

    model = EnergyModel()

    def __init__(self, period: float) -> None:
        self._period = period
        self.joules, self.vectors = 0.0, 0

    def __call__(self, mode: str, volts: Floats, answers: Floats) -> None:
        """Add what cells take while they multiply, and amplifiers and converters: one a line that answers, one a line."""
        samples, lines = len(volts) + RESTING, answers.shape[1]
        self.vectors += len(volts)
        if mode == "MULTIPLY":
            peaks = np.maximum(volts.max(axis=1, initial=0.0), -volts.min(axis=1, initial=0.0))
            self.joules += float((peaks * np.abs(answers).sum(axis=1)).sum()) * self._period
        self.joules += samples * (
            lines * self.model.amplifier * self._period + (volts.shape[1] + lines) * self.model.conversion
        )
