"""Operational amplifiers: presets with their data-sheet numbers, and banks of specimens, one per line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.errors import BenchError

Floats = NDArray[np.float64]

BOLTZMANN = 1.380649e-23  # J/K
CLAMP = 0.4  # V, the diode pairs around the INV outputs that keep cells from being disturbed [P]
SUPPLY = 5.0  # V, swing of the MULTIPLY amplifiers


@dataclass(frozen=True)
class AmplifierPreset:
    """One type of operational amplifier.

    Attributes
    ----------
    offset : float
        Standard deviation of the input offset, V: a third of the data sheet's maximum.
    gain : float
        Open-loop gain at DC.
    noise : float
        Input voltage noise, V/rtHz.
    bandwidth : float
        Gain-bandwidth product, Hz.
    second_pole : float
        Second pole of the open loop, Hz; data sheets give it as the phase margin at unity gain.
    slew : float
        Slew rate, V/s.
    bias_current : float
        Input bias current, A.
    row_capacitance : float
        Contribution of a row with pad, wire and input to the second pole in INV, F; effective value, with the
        compensation of the amplifier on the board.
    """

    name: str
    offset: float
    gain: float
    noise: float
    bandwidth: float
    second_pole: float
    slew: float
    bias_current: float
    row_capacitance: float


AMPLIFIER_PRESETS: dict[str, AmplifierPreset] = {
    # AD823 data sheet: Vos <= 0.8 mV, 16 nV/rtHz, 16 MHz, 22 V/us, Ib <= 25 pA, A_ol 45 V/mV; 2nd pole and capacitance (?)
    "AD823": AmplifierPreset("AD823", 0.8e-3 / 3, 45e3, 16e-9, 16e6, 30e6, 22e6, 25e-12, 2e-12),
    # OPA690: GBP 300 MHz, 1800 V/us, 5.5 nV/rtHz; offset, gain (69 dB), 2nd pole, bias, capacitance (?)
    "OPA690": AmplifierPreset("OPA690", 1.0e-3 / 3, 2.8e3, 5.5e-9, 300e6, 500e6, 1800e6, 5e-6, 0.2e-12),
    "ideal": AmplifierPreset("ideal", 0.0, 1e12, 0.0, 1e9, 1e12, 1e15, 0.0, 0.0),
}


def amplifier_preset(name: str) -> AmplifierPreset:
    """Return the preset called `name`; `BenchError` lists the known ones."""
    try:
        return AMPLIFIER_PRESETS[name]
    except KeyError:
        raise BenchError(f"unknown amplifier {name!r}; there are {', '.join(AMPLIFIER_PRESETS)}") from None


@dataclass(frozen=True)
class AmplifierBank:
    """One amplifier per line, each with its own offset and feedback part.

    Attributes
    ----------
    offsets : (n,) array
        Input offset voltages, V.
    gain_errors : (n,) array
        Relative error of each feedback resistor (MULTIPLY) or inverter (INVERT).
    """

    preset: AmplifierPreset
    offsets: Floats
    gain_errors: Floats

    @classmethod
    def draw(
        cls, preset: AmplifierPreset, count: int, rng: np.random.Generator, tolerance: float = 5e-4
    ) -> AmplifierBank:
        """Draw `count` amplifiers with feedback parts of relative `tolerance`."""
        offsets = preset.offset * rng.standard_normal(count)
        return cls(preset, offsets, tolerance * rng.standard_normal(count))

    def first(self, count: int) -> AmplifierBank:
        """The first `count` amplifiers."""
        return AmplifierBank(self.preset, self.offsets[:count], self.gain_errors[:count])


def thermal_density(conductance: Floats, temperature: float = 300.0) -> Floats:
    """Thermal current noise 4 k T G, A^2/Hz."""
    return np.asarray(4.0 * BOLTZMANN * temperature * conductance)
