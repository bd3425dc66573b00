"""Errors of a DAQ's converters on voltages to and from the chip, without simulating the DAQ itself."""

from __future__ import annotations

from copy import copy
from typing import Self

import numpy as np

from mho.array_types import Floats
from mho.errors import BenchError
from mho.instruments.arrays.folded_path import AdcLine
from mho.instruments.bench_file.entries import DaqEntry
from mho.instruments.simulated.analogue import FULL, INPUT_RANGE, OUTPUT_RANGE, codes_of
from mho.instruments.simulated.nidaqmx.converters import (
    CODES,
    GAIN_ERROR,
    OFFSET_ERROR,
    PRODUCTS,
    Product,
    channel_names,
    to_analogue,
    to_digital,
)
from mho.instruments.simulated.physics.circuits.own_elements import CircuitElements

SETTLE = 20e-6  # s from an update to the first conversion, as the NI driver sets it
BOARD_PERIOD = 10e-6  # s from one vector to the next, of the array board's own converters
NI_RANGE = 10.0  # V, either polarity, as the NI driver requests it


class ConverterErrors:
    """The converters of a bench file's DAQ: NI devices, or the array board's own.

    Of a DAQ of one's own nothing is known: it is modelled as the board's converters. A DAQ6510 is modelled as the same
    number of NI inputs; its scanning is neglected.

    `board_channels`: number of outputs, and of inputs, of the board's own converters.
    `rng`: draws each channel's gain and offset error once, and the noise.
    `own`: elements of a user's own; an ADC or a DAC among them takes the place of the file's.
    """

    def __init__(
        self, entry: DaqEntry, board_channels: int, rng: np.random.Generator,
        own: CircuitElements | None = None,
    ) -> None:  # fmt: skip
        self._rng, self._board = rng, entry.driver == "array_board" or entry.is_own
        self._adc = None if own is None or own.adc is None else own.sampled
        self._dac = None if own is None or own.dac is None else own.driven
        # Nothing is drawn for a reading; an own ADC draws its noise itself.
        self.noiseless = self._board or self._adc is not None
        if self._board:
            self.output_count = self.input_count = board_channels
            self.period = BOARD_PERIOD
            return
        outputs = channel_names(entry.outputs)
        scanned = entry.driver == "keithleydaq6510"
        inputs = [] if scanned else channel_names(entry.inputs)
        self.output_count = len(outputs)
        self.input_count = len(entry.scanned_channels()) if scanned else len(inputs)
        source = _product(entry, outputs[0], "PXIe-6738")
        sink = _product(entry, inputs[0] if inputs else "", "USB-6363")
        slots = 0 if sink.simultaneous else self.input_count + 1  # conversions in turn, and one to spare
        shortest = SETTLE + slots / sink.conversion_rate(2)
        largest = source.output_rates[-1][0]
        fastest = source.output_rate(min(self.output_count, largest))
        self.period = max(1.0 / min(entry.rate, fastest), shortest)  # from one vector to the next, s
        self._noise = sink.input_noise[NI_RANGE]
        self._gains, self._offsets = (
            size * rng.standard_normal(self.output_count + self.input_count)
            for size in (GAIN_ERROR, OFFSET_ERROR)
        )

    def of_channels(self, gains: Floats, offsets: Floats) -> Self:
        """Return the same converters with given relative errors of outputs and inputs, for a DAQ whose errors are known."""
        some = copy(self)
        some._gains, some._offsets = gains, offsets
        return some

    @property
    def has_own_adc(self) -> bool:
        """Whether a user's own ADC reads, of which no more is known than what it answers."""
        return self._adc is not None

    @property
    def noise(self) -> float:
        """Standard deviation of a reading, V."""
        return 0.0 if self.noiseless else self._noise

    def adc_line(self, count: int) -> AdcLine:
        """Return what `sampled` makes of the first `count` inputs, without its noise and a user's own ADC."""
        if self._board:
            return AdcLine(
                np.full(count, FULL / INPUT_RANGE), np.zeros(count), -FULL, FULL, INPUT_RANGE / FULL
            )
        channels, step = slice(self.output_count, self.output_count + count), 2.0 * NI_RANGE / CODES
        gains, offsets = (1.0 + self._gains[channels]) / step, self._offsets[channels] * (NI_RANGE / step)
        return AdcLine(gains, offsets, -CODES // 2, CODES // 2 - 1, step)

    def played(self, volts: Floats, *, inverts: bool = False) -> Floats:
        """Return the voltages at the outputs for the requested `volts` (samples, outputs), V, in INVERT or in MULTIPLY."""
        if self._dac is not None:
            return self._dac(volts, inverts)
        n = volts.shape[1]
        if self._board:
            return np.asarray(codes_of(volts, OUTPUT_RANGE) * (OUTPUT_RANGE / FULL), np.float64)
        return to_analogue(volts, NI_RANGE, self._gains[:n], self._offsets[:n])

    def sampled(
        self, volts: Floats, rng: np.random.Generator | None = None, *, inverts: bool = False
    ) -> Floats:
        """Return the readings of the inputs at `volts` (samples, inputs), V; their noise is drawn from `rng` if given."""
        if self._adc is not None:
            return self._adc(volts, inverts, rng or self._rng)
        if self._board:
            return np.asarray(codes_of(volts, INPUT_RANGE) * (INPUT_RANGE / FULL), np.float64)
        first, count = self.output_count, volts.shape[1]
        channels = slice(first, first + count)
        gain, offset = self._gains[channels], self._offsets[channels]
        scale = np.full(count, NI_RANGE)
        noise = None if self.noiseless else np.full(count, self._noise)
        return to_digital(volts, scale, gain, offset, noise, rng or self._rng)


def _product(entry: DaqEntry, channel: str, default: str) -> Product:
    name = entry.products.get(channel.partition("/")[0], default)
    if name not in PRODUCTS:
        raise BenchError(
            f"[instruments.daq]: no simulated NI product {name!r}; there are {', '.join(PRODUCTS)}"
        )
    return PRODUCTS[name]
