"""From the outputs of DACs to the codes of ADCs in one matrix: all that is linear on the way, found once.

Transfer conductances, transimpedance, finite gain and offset of the amplifiers, gain and offset of the ADCs are linear.
What is not comes last: the amplifiers' clamp, the ADCs' rounding and clipping. All normal noises of a reading add up before
that, so they are one draw with their summed variance, which has exactly the law of their sum. It stays one a reading:
rounding lies between those of two blocks. Single precision rounds a code by some thousandths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.instruments.simulated.physics.circuits.multiply_circuit import MultiplyCircuit


@dataclass(frozen=True)
class AdcLine:
    """ADCs whose codes follow the voltage on a straight line, rounded to the nearest and clipped to a range."""

    gain: Floats  # (C,): codes a volt
    offset: Floats  # (C,): code at 0 V, before it is rounded
    low: float  # first code
    high: float  # last code
    step: float  # V, that a code is read as


class FoldedPath:
    """Blocks in MULTIPLY, (..., R, C), and the ADCs behind them.

    `changes` (..., R, C): standard deviation of what cells are off by from one exchange to another, relative to their
    transfer conductances.
    """

    def __init__(self, circuit: MultiplyCircuit, adc: AdcLine, changes: Floats) -> None:
        self.circuit, self._adc = circuit, adc
        transfer, constant, variance, floor = circuit.linear
        matrix = np.concatenate([transfer * adc.gain, constant * adc.gain + adc.offset], axis=-2)
        self._matrix = matrix.astype(np.float32)
        self._changes = (changes * transfer * adc.gain).astype(np.float32)
        self._variance = (np.concatenate([variance, floor], axis=-2) * adc.gain**2).astype(np.float32)
        # Codes between which neither an amplifier nor an ADC is at its end
        self._low = max(adc.low, float((adc.offset - circuit.level * adc.gain).max()))
        self._high = min(adc.high, float((adc.offset + circuit.level * adc.gain).min()))

    def codes(self, driven: Floats, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return the codes (..., samples, C), whole numbers, for `driven` (..., samples, R), V, in one exchange."""
        rows = driven.shape[-1]
        inputs = np.ones(
            (*driven.shape[:-1], rows + 1), np.float32
        )  # the last one times what no input drives
        inputs[..., :rows] = driven
        matrix = self._matrix.copy()
        changes = rng.standard_normal(self._changes.shape, np.float32)
        changes *= self._changes
        matrix[..., :rows, :] += changes
        with np.errstate(invalid="ignore"):  # as in `MultiplyCircuit.outputs`
            codes = np.asarray(inputs @ matrix)
            inputs *= inputs
            spread = np.asarray(inputs @ self._variance)
        np.sqrt(spread, out=spread)
        noise = rng.standard_normal(spread.shape, np.float32)
        noise *= spread
        codes += noise
        if codes.max(initial=0.0) > self._high or codes.min(initial=0.0) < self._low:
            gain, offset = self._adc.gain, self._adc.offset
            volts = self.circuit.clamped((codes - offset) / gain)
            codes = np.clip(volts * gain + offset, self._adc.low, self._adc.high).astype(np.float32)
        return np.rint(codes, out=codes)
