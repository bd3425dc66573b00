"""Amplitudes of the simulated generators: volts peak to peak, volts rms or dBm of one milliwatt into the load."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mho.instruments.simulated.scpi.numbers import Keyword
from mho.instruments.simulated.scpi.parameters import CommandParameter, Numeric

UNITS = ("VPP", "VRMS", "DBM")
LOUDEST = 300.0  # dBm: far beyond any instrument, and still a number


def peak_to_peak(value: float, unit: str, rms: float, load: float) -> float:
    """Return V peak to peak of an amplitude in `unit`; `rms` is the waveform's for 1 Vpp, `load` in ohm."""
    if unit == "VPP":
        return value
    if unit == "DBM":
        value = math.sqrt(1e-3 * 10.0 ** (min(value, LOUDEST) / 10.0) * load)
    return value / rms


def in_unit(volts: float, unit: str, rms: float, load: float) -> float:
    """Return an amplitude of `volts` peak to peak in `unit`: the inverse of `peak_to_peak`."""
    if unit == "VPP":
        return volts
    volts *= rms
    return volts if unit == "VRMS" else 10.0 * math.log10(max(volts, 1e-12) ** 2 / load / 1e-3)


@dataclass(frozen=True)
class Amplitude(CommandParameter[float]):
    """An amplitude; the suffix says its unit, else the channel's unit holds. The handler receives Vpp.

    The device has `least_amplitude` and `most_amplitude`, functions of the channel, and `peak_to_peak`.
    """

    default: float
    required: bool = True
    depends: bool = True

    def parse(self, text: str) -> tuple[float | Keyword, str]:
        """Read a number and its unit."""
        unit = next((unit for unit in UNITS if text.upper().endswith(unit)), "")
        return self._numeric(unit).parse(text), unit

    def resolve(self, value: tuple[float | Keyword, str], device: Any, suffixes: tuple[int, ...]) -> float:
        """Return volts peak to peak."""
        number, unit = value
        if isinstance(number, Keyword):
            return self._numeric(unit).resolve(number, device, suffixes)
        return float(device.peak_to_peak(*suffixes, number, unit))

    def _numeric(self, unit: str) -> Numeric:
        return Numeric(self.default, _least, _most, unit=unit or UNITS[0])


def _least(device: Any, channel: int) -> float:
    return float(device.least_amplitude(channel))


def _most(device: Any, channel: int) -> float:
    return float(device.most_amplitude(channel))
