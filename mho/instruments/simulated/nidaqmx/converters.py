"""Converters of NI's products, and the names of their channels: what a bench needs of them without NI's own package.

Counts, ranges and rates are from the X Series User Manual (tables 4-5 and 4-8) and the device specifications; noise, gain
and offset errors and settling times are of the size those specifications give, from memory (?).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

import numpy as np

from mho.array_types import Floats
from mho.errors import BenchError

CODES = 1 << 16  # every converter here has 16 bits
GAIN_ERROR = 60e-6  # sd over channels, of the reading
OFFSET_ERROR = 20e-6  # sd over channels, of the full scale


class Bus(Enum):
    """What a product is connected by."""

    PXIE = "PXIe"
    PCIE = "PCIe"
    USB = "USB"


@dataclass(frozen=True)
class Product:
    """Properties of one NI product."""

    name: str
    bus: Bus
    # Symmetric input ranges (full scale, V), each with its random noise (V rms)
    input_noise: dict[float, float]
    input_count: int
    # single_rate, aggregate_rate: conversions per second with one input channel, and summed over several
    single_rate: float
    aggregate_rate: float
    simultaneous: bool  # one ADC per channel; otherwise one ADC converts the channels in turn
    output_count: int
    output_range: float
    output_rates: tuple[tuple[int, float], ...]  # updates per second possible with up to so many channels
    settling: float  # time after an update (s) from which the output is settled
    ports: tuple[int, ...]  # digital lines of each port
    counters: int = 4

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
            "PXIe-6738", Bus.PXIE, {}, 0, 0.0, 0.0, False,
            32, 10.0, ((8, 1e6), (32, 350e3)), 10e-6, (2, 8),
        ),
        Product(
            "USB-6363", Bus.USB, _X_SERIES_NOISE, 32, 2e6, 1e6, False,
            4, 10.0, _X_SERIES_OUTPUT, 2e-6, (32, 8, 8),
        ),
        Product(
            "PCIe-6363", Bus.PCIE, _X_SERIES_NOISE, 32, 2e6, 1e6, False,
            4, 10.0, _X_SERIES_OUTPUT, 2e-6, (32, 8, 8),
        ),
        Product(
            "PXIe-6363", Bus.PXIE, _X_SERIES_NOISE, 32, 2e6, 1e6, False,
            4, 10.0, _X_SERIES_OUTPUT, 2e-6, (32, 8, 8),
        ),
        Product(
            "PXIe-6368", Bus.PXIE, {1.0: 60e-6, 2.0: 90e-6, 5.0: 2e-4, 10.0: 380e-6}, 16, 2e6, 32e6, True,
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
    _limit(code)
    code *= step * (1.0 + gain)
    code += offset * full_scale
    return code


def _limit(code: Floats) -> None:
    """Keep codes in their range, in place; numpy's `clip` takes several times as long for a few."""
    np.maximum(code, -CODES // 2, out=code)
    np.minimum(code, CODES // 2 - 1, out=code)


def to_digital(
    volts: Floats, full_scale: Floats, gain: Floats, offset: Floats, noise: Floats | None,
    rng: np.random.Generator,
) -> Floats:  # fmt: skip
    """Return what ADCs read at terminals that carry `volts` (samples, channels), V.

    Clipped to the range and rounded to one of 65,536 codes; `full_scale` (V) and `noise` (V rms, None for none) are per
    channel, `gain` and `offset` as in `to_analogue`.
    """
    step = 2.0 * full_scale / CODES
    code: Floats = volts * ((1.0 + gain) / step)
    if noise is not None:
        draws = rng.standard_normal(volts.shape)
        draws *= noise / step
        code += draws
    code += offset * full_scale / step
    np.rint(code, out=code)
    _limit(code)
    code *= step
    return code


_RANGE = re.compile(r"(.*?)([0-9]+):(.*?)([0-9]+)")
MOST_CHANNELS = 15000  # of one range, as nidaqmx has it


def channel_names(text: str) -> list[str]:
    """Return the channels in a list with ranges (``Dev1/ao0:3, Dev1/ao7``), as `nidaqmx.utils.unflatten_channel_string`.

    That one is not used because loading NI's package takes as long as some small solves. Raises `BenchError`: for a range
    that is none.
    """
    names: list[str] = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        if ":" not in part:
            names.append(part)
            continue
        found = _RANGE.fullmatch(part)
        first, last = (int(found[2]), int(found[4])) if found is not None else (0, 0)
        other = found is not None and found[3] and found[3].lower() != found[1].lower()
        if found is None or other or abs(last - first) + 1 >= MOST_CHANNELS:
            raise BenchError(f"{part!r} is no range of channels; write Dev1/ao0:3")
        width = len(found[2]) if found[2].startswith("0") and first > 0 else 0
        step = 1 if last >= first else -1
        names += [f"{found[1]}{number:0{width}d}" for number in range(first, last + step, step)]
    return names
