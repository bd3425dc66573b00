"""Ranges and one-year accuracies of the 2636B, from its data sheet (?), and how one specimen errs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mho.instruments.simulated import analogue
from mho.instruments.simulated.analogue import OVERFLOW, SpecimenConverter
from mho.instruments.simulated.tsp.tables import TspError

__all__ = [
    "AMPERE_RANGES", "AUTO_DELAYS", "OVERFLOW", "OVERRANGE", "SOURCE_AMPERE_RANGES", "VOLT_RANGES", "Specimen",
    "check_power", "range_for",
]  # fmt: skip

# range: (gain error, offset error in V or A), one year, 23 +- 5 C
SOURCE_VOLTS = {0.2: (2e-4, 3.75e-4), 2.0: (2e-4, 6e-4), 20.0: (2e-4, 5e-3), 200.0: (2e-4, 5e-2)}
MEASURE_VOLTS = {0.2: (1.5e-4, 2.25e-4), 2.0: (2e-4, 3.5e-4), 20.0: (1.5e-4, 5e-3), 200.0: (1.5e-4, 5e-2)}
MEASURE_AMPERES = {
    1e-10: (1.5e-3, 1.2e-13), 1e-9: (1.5e-3, 2.4e-13), 1e-8: (1.5e-3, 3e-12), 1e-7: (6e-4, 4e-11),
    1e-6: (2.5e-4, 4e-10), 1e-5: (2.5e-4, 1.5e-9), 1e-4: (2e-4, 2.5e-8), 1e-3: (2e-4, 2e-7),
    1e-2: (2e-4, 2.5e-6), 1e-1: (2e-4, 2e-5), 1.0: (3e-4, 1.5e-3), 1.5: (5e-4, 3.5e-3),
}  # fmt: skip
SOURCE_AMPERES = {span: errors for span, errors in MEASURE_AMPERES.items() if span > 1e-10}
VOLT_RANGES, AMPERE_RANGES = tuple(SOURCE_VOLTS), tuple(MEASURE_AMPERES)
SOURCE_AMPERE_RANGES = tuple(SOURCE_AMPERES)
AUTO_DELAYS = {1e-10: 0.1, 1e-9: 3e-2, 1e-8: 5e-3, 1e-7: 1e-3}  # s after a step, by range (?)
OVERRANGE = 1.01
FULL_CURRENT_VOLTAGE, FULL_VOLTAGE_CURRENT = 20.2, 0.101  # V, A: beyond the one, no more than the other


def range_for(ranges: tuple[float, ...], value: float) -> float:
    """Return the smallest range that holds `value` with 1 % overrange; the largest if none does."""
    return analogue.range_for(ranges, value, OVERRANGE)


class Specimen(NamedTuple):
    """One channel's sources and meters, each with errors of its own."""

    source_volts: SpecimenConverter
    source_amperes: SpecimenConverter
    volts: SpecimenConverter
    amperes: SpecimenConverter

    @classmethod
    def draw(cls, rng: np.random.Generator, fraction: float, noise: float) -> Specimen:
        """Draw a channel's errors, as a `fraction` of the specification; `noise` as a fraction of the range."""
        return cls(
            SpecimenConverter(rng, SOURCE_VOLTS, fraction, overrange=OVERRANGE),
            SpecimenConverter(rng, SOURCE_AMPERES, fraction, overrange=OVERRANGE),
            SpecimenConverter(rng, MEASURE_VOLTS, fraction, noise=noise, overrange=OVERRANGE),
            SpecimenConverter(rng, MEASURE_AMPERES, fraction, noise=noise, overrange=OVERRANGE),
        )


def check_power(volts: float, amperes: float) -> None:
    """Raise `TspError` when level and limit are beyond what the source gives together: 1.5 A, from 20 V on 0.1 A (?)."""
    if abs(volts) > FULL_CURRENT_VOLTAGE and abs(amperes) > FULL_VOLTAGE_CURRENT * (1 + 1e-9):
        raise TspError(-221, "Settings conflict; level and limit are beyond the source's power")
