"""The simulated NI products: their channels, ranges and rates, and what their converters do to a voltage.

Counts, ranges and rates are from the X Series User Manual (tables 4-5 and 4-8) and the device
specifications; noise, gain and offset errors and settling times are of the size those specifications
give, from memory (?).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nidaqmx.constants import BusType

from mho.array_types import Floats

CODES = 1 << 16  # every converter here has 16 bits
GAIN_ERROR = 60e-6  # sd over channels, of the reading
OFFSET_ERROR = 20e-6  # sd over channels, of the full scale


@dataclass(frozen=True)
class Product:
    """Properties of one NI product.

    Attributes
    ----------
    input_noise : dict
        Symmetric input ranges (full scale, V), each with its random noise (V rms).
    single_rate, aggregate_rate : float
        Conversions per second with one input channel, and summed over several.
    simultaneous : bool
        One ADC per channel; otherwise one ADC converts the channels in turn.
    output_rates : tuple of (int, float)
        Updates per second possible with up to so many channels.
    settling : float
        Time after an update (s) from which the output is settled.
    ports : tuple of int
        Digital lines of each port.
    """

    name: str
    bus: BusType
    input_noise: dict[float, float]
    input_count: int
    single_rate: float
    aggregate_rate: float
    simultaneous: bool
    output_count: int
    output_range: float
    output_rates: tuple[tuple[int, float], ...]
    settling: float
    ports: tuple[int, ...]

    def output_rate(self, channels: int) -> float:
        """Return the fastest update rate (1/s) with `channels` outputs in one task."""
        return next(rate for count, rate in self.output_rates if channels <= count)

    def conversion_rate(self, channels: int) -> float:
        """Return the fastest conversion rate (1/s) of the ADC with `channels` inputs in one task."""
        return self.single_rate if channels == 1 or self.simultaneous else self.aggregate_rate

    def input_range(self, largest: float) -> float | None:
        """Return the smallest range (full scale, V) that holds `largest` volts, None when there is none."""
        return min((scale for scale in self.input_noise if scale >= largest), default=None)


_X_SERIES_NOISE = {0.1: 17e-6, 0.2: 21e-6, 0.5: 27e-6, 1.0: 38e-6, 2.0: 64e-6, 5.0: 157e-6, 10.0: 315e-6}
_X_SERIES_OUTPUT = ((1, 2.86e6), (2, 2.0e6), (3, 1.54e6), (4, 1.25e6))

PRODUCTS = {
    product.name: product
    for product in (
        Product(
            "PXIe-6738", BusType.PXIE, {}, 0, 0.0, 0.0, False,
            32, 10.0, ((8, 1e6), (32, 350e3)), 10e-6, (2, 8),
        ),
        Product(
            "USB-6363", BusType.USB, _X_SERIES_NOISE, 32, 2e6, 1e6, False,
            4, 10.0, _X_SERIES_OUTPUT, 2e-6, (32, 8, 8),
        ),
        Product(
            "PXIe-6363", BusType.PXIE, _X_SERIES_NOISE, 32, 2e6, 1e6, False,
            4, 10.0, _X_SERIES_OUTPUT, 2e-6, (32, 8, 8),
        ),
        Product(
            "PXIe-6368", BusType.PXIE, {1.0: 60e-6, 2.0: 90e-6, 5.0: 2e-4, 10.0: 380e-6}, 16, 2e6, 32e6, True,
            4, 10.0, ((4, 3.33e6),), 2e-6, (32, 8, 8),
        ),
    )
}  # fmt: skip


def to_analogue(volts: Floats, full_scale: float, gain: Floats, offset: Floats) -> Floats:
    """Return what DACs put out when asked for `volts` (samples, channels), V.

    `gain` and `offset` are the channels' errors: a factor less one, and a fraction of `full_scale`.
    """
    step = 2.0 * full_scale / CODES
    code: Floats = volts / step
    np.rint(code, out=code)
    np.clip(code, -CODES // 2, CODES // 2 - 1, out=code)
    code *= step * (1.0 + gain)
    code += offset * full_scale
    return code


def to_digital(
    volts: Floats, full_scale: Floats, gain: Floats, offset: Floats, noise: Floats, rng: np.random.Generator
) -> Floats:
    """Return what ADCs read at terminals that carry `volts` (samples, channels), V.

    Clipped to the range and rounded to one of 65,536 codes; `full_scale` (V) and `noise` (V rms) are per
    channel, `gain` and `offset` as in `to_analogue`.
    """
    step = 2.0 * full_scale / CODES
    code = rng.standard_normal(volts.shape)
    code *= noise / step
    code += volts * ((1.0 + gain) / step)
    code += offset * full_scale / step
    np.rint(code, out=code)
    np.clip(code, -CODES // 2, CODES // 2 - 1, out=code)
    code *= step
    return code
