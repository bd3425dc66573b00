"""Energy of a solve: what its cells take, and a model of the amplifiers and converters around them.

Cells take V^2 G w in each pulse and each verify read (G the read that follows, w the width or the meter's aperture), and
V I t in each vector that is multiplied, t the time from one vector to the next. What they take while the loop inverts is
left out: 0.4 V across 35 uS is 6 uW, an amplifier takes a thousand times as much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.instruments import ArrayBench
from mho.procedures.stream import NullStream

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


class ProgrammingMeter(NullStream):
    """A stream that keeps nothing of a solve but the energy of its pulses and verify reads.

    Parameters
    ----------
    aperture : float
        Of a verify read, s.
    volts : float
        Of a verify read, V.

    Attributes
    ----------
    joules : float
    """

    def __init__(self, aperture: float, volts: float) -> None:
        super().__init__()
        self._aperture, self._volts = aperture, volts
        self.joules = 0.0
        self.record_block = self._meter

    def _meter(self, table: str, columns: Mapping[str, Any]) -> None:
        if table == "pulses":
            siemens = np.abs(columns["conductance"])
            pulses = np.where(columns["kind"] > 0, columns["voltage"] ** 2 * columns["width"], 0.0)
            self.joules += float((siemens * (pulses + self._volts**2 * self._aperture)).sum())


class MeteredBench(ArrayBench):
    """An `ArrayBench` that counts the energy of the vectors it plays.

    Attributes
    ----------
    joules : float
        So far.
    vectors : int
        Number played, without those of 0 V.
    """

    model = EnergyModel()
    joules, vectors = 0.0, 0

    def multiply(self, volts: Floats) -> Floats:
        """As `Bench.multiply`."""
        amperes = super().multiply(volts)
        period = self.instruments.daq.sample_period
        peaks = np.abs(volts).max(axis=1, initial=0.0)
        self.joules += float((peaks * np.abs(amperes).sum(axis=1)).sum()) * period
        self._count(volts, amperes, period)
        return amperes

    def invert(self, volts: Floats) -> Floats:
        """As `Bench.invert`."""
        outputs = super().invert(volts)
        self._count(volts, outputs, self.instruments.daq.sample_period)
        return outputs

    def _count(self, driven: Floats, answered: Floats, period: float) -> None:
        """Add what amplifiers and converters take: an amplifier a line that answers, a converter a line."""
        samples, lines = len(driven) + RESTING, answered.shape[1]
        self.vectors += len(driven)
        self.joules += samples * (
            lines * self.model.amplifier * period + (driven.shape[1] + lines) * self.model.conversion
        )
