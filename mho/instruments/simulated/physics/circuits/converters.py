"""Converters with bits, range, nonlinearity and noise: the output of a DAC, and the code of an ADC."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats

Real = TypeVar("Real", np.float32, np.float64)


@dataclass(frozen=True)
class Converter:
    """One kind of converter; all channels share the specimen's transfer curve.

    The integral nonlinearity INL(code) is a random walk of the code widths' errors (DNL) and a smooth bow, both tied to
    zero at both ends of the range as data sheets define it.

    Attributes
    ----------
    bits : int
        Resolution, 1 to 16.
    low, high : float
        Voltages of the first and the last code, V.
    inl : (2**bits,) array
        Deviation of each code's level from the straight line, in codes.
    noise : float
        Standard deviation of a sample, before it is digitised, V.
    """

    bits: int
    low: float
    high: float
    inl: Floats
    noise: float = 0.0

    @classmethod
    def ideal(cls, bits: int, low: float, high: float) -> Converter:
        """Make a converter on a perfectly straight line."""
        _check(bits, low, high, 0.0)
        return cls(bits, low, high, np.zeros(1 << bits))

    @classmethod
    def draw(
        cls,
        bits: int,
        low: float,
        high: float,
        dnl: float,
        rng: np.random.Generator,
        *,
        bow: float = 0.0,
        noise: float = 0.0,
        beyond: int = 0,
    ) -> Converter:
        """Draw a specimen whose code widths deviate by `dnl` (standard deviation, in codes).

        Its curve is bent by `bow` codes at most besides, by second and third order in a drawn proportion. The last
        `beyond` codes lie beyond the range, which ends at a level without INL.
        """
        _check(bits, low, high, dnl)
        last = (1 << bits) - 1 - beyond
        steps = dnl * rng.standard_normal((1 << bits) - 1)
        walk = np.concatenate([[0.0], np.cumsum(steps - steps[:last].mean())])
        place, angle = 2.0 * np.arange(1 << bits) / last - 1.0, 2.0 * np.pi * rng.random()
        bend = (1.0 - place**2) * (np.cos(angle) + np.sin(angle) * place)
        largest = np.abs(bend[: last + 1]).max()
        return cls(bits, low, high, walk + (bow / largest * bend if largest > 0.0 else 0.0), noise)

    @property
    def lsb(self) -> float:
        """Width of one code, V."""
        return (self.high - self.low) / ((1 << self.bits) - 1)

    @property
    def dnl(self) -> Floats:
        """Deviation of each code's width, in codes, (2**bits - 1,)."""
        return np.asarray(np.diff(self.inl))

    def codes(self, volts: NDArray[Real]) -> NDArray[Real]:
        """Digitise (ADC): the code whose level is nearest, clipped to the range; as floats, same shape."""
        if self.inl.any():
            order, between = self._decisions
            return order[np.searchsorted(between, volts)].astype(volts.dtype)
        codes = (volts - volts.dtype.type(self.low)) * volts.dtype.type(1.0 / self.lsb)
        np.rint(codes, out=codes)
        return np.clip(codes, 0, (1 << self.bits) - 1, out=codes)

    def readings(self, volts: NDArray[Real], rng: np.random.Generator | None = None) -> NDArray[Real]:
        """Return what is read of `volts` (ADC): codes as voltages, with the noise of samples where `rng` is given."""
        if self.noise and rng is not None:
            volts = volts + volts.dtype.type(self.noise) * rng.standard_normal(volts.shape, volts.dtype.type)
        return self.levels(self.codes(volts))

    def levels(self, codes: NDArray[Real]) -> NDArray[Real]:
        """Return the voltages (V) of codes on the straight line, as a driver scales them."""
        return codes * codes.dtype.type(self.lsb) + codes.dtype.type(self.low)

    def outputs(self, volts: NDArray[Real]) -> NDArray[Real]:
        """Return the outputs (V) of a DAC for the requested `volts`: rounded to a code, with the INL."""
        top = (1 << self.bits) - 1
        asked = np.rint((volts - volts.dtype.type(self.low)) * volts.dtype.type(1.0 / self.lsb))
        codes = np.clip(asked, 0, top).astype(np.int32)
        return np.asarray(self._real_levels.astype(volts.dtype)[codes])

    @property
    def _real_levels(self) -> Floats:
        """Level of each code with its INL, V, (2**bits,)."""
        return np.asarray((self.inl + np.arange(1 << self.bits)) * self.lsb + self.low)

    @cached_property
    def _decisions(self) -> tuple[NDArray[np.intp], Floats]:
        """Codes by their real levels, and the voltages between which each is nearest, V, (2**bits - 1,).

        Levels need not ascend with their codes: a width may err by more than a code.
        """
        order = np.argsort(self._real_levels, kind="stable")
        levels = self._real_levels[order]
        return order, (levels[1:] + levels[:-1]) / 2.0


def mid_tread_range(bits: int, end: float) -> tuple[float, float]:
    """Return the levels (V) of the first and the last code of a converter with a code at 0 V, of at least 2 bits.

    An odd number of codes reaches from -`end` to `end` (V); one more lies beyond, as codes in two's complement do.
    """
    return -end, end + 2.0 * end / ((1 << bits) - 2)


def _check(bits: int, low: float, high: float, dnl: float) -> None:
    if not 1 <= bits <= 16:
        raise ValueError(f"converter bits {bits}: must be 1 to 16")
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"converter range {low} V to {high} V: must be finite and ascending")
    if not dnl >= 0.0:
        raise ValueError(f"converter DNL {dnl} codes: must not be negative")
