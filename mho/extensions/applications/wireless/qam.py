"""Square quadrature amplitude modulation, Gray coded on each axis.

The first half of a symbol's bits is the in-phase level, the last half the quadrature level, as Zuo et al., Nature
Electronics 8, 1222 (2025) have it: an axis of side m = sqrt(M) has the levels 2 k - (m - 1), k = 0 .. m - 1, and the bits
of level k are those of the Gray number k xor k >> 1, most significant first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Bytes, Complexes, Floats
from mho.errors import InputError

SIZES = (4, 16, 64, 256, 1024, 4096)  # points of the constellations that there are


@dataclass(frozen=True)
class Constellation:
    """A square constellation.

    Raises `InputError`: for any other number.
    """

    points: int  # one of `SIZES`

    def __post_init__(self) -> None:
        if self.points not in SIZES:
            known = ", ".join(map(str, SIZES[:-1]))
            raise InputError(
                f"the constellation has {self.points} points; square ones with a whole number of bits on each axis, "
                f"which is what is sent here, have {known} or {SIZES[-1]}"
            )

    @property
    def side(self) -> int:
        """Levels of each axis."""
        return 1 << (self.bits // 2)

    @property
    def bits(self) -> int:
        """Bits of a symbol."""
        return self.points.bit_length() - 1

    @property
    def energy(self) -> float:
        """Mean of |s|^2 over all points, 2 (M - 1) / 3."""
        return 2.0 * (self.points - 1) / 3.0

    def modulate(self, bits: Bytes) -> Complexes:
        """Return the symbols of bits.

        `bits` (..., `bits`): 0 and 1. Result (...): odd whole numbers on both axes.
        """
        half = self.bits // 2
        in_phase, quadrature = (self._levels(part) for part in (bits[..., :half], bits[..., half:]))
        return np.asarray(in_phase + 1j * quadrature)

    def demodulate(self, symbols: Complexes) -> Bytes:
        """Return the bits of the points nearest to received symbols, (..., `bits`)."""
        return np.concatenate([self._axis_bits(symbols.real), self._axis_bits(symbols.imag)], axis=-1)

    def nearest(self, symbols: Complexes) -> Complexes:
        """Return the nearest points."""
        in_phase, quadrature = (
            2.0 * self._index(axis) - (self.side - 1) for axis in (symbols.real, symbols.imag)
        )
        return np.asarray(in_phase + 1j * quadrature)

    def error_rate(self, snr: Floats) -> Floats:
        """Return the bit error rate of Gaussian noise, in closed form: the exact one, not that of next neighbours.

        `snr`: mean energy of a symbol over the variance of the complex noise; a pure number, not dB.

        With levels k and j of an axis, P(j | k) follows from the normal distribution between the thresholds around j; a
        decision for j costs as many bits as the Gray numbers of k and j differ in.
        """
        from scipy.special import ndtr  # loads slowly

        deviation = np.sqrt(self.energy / np.asarray(snr, dtype=float) / 2.0)[..., None, None]
        numbers = np.arange(self.side)
        levels = 2.0 * numbers - (self.side - 1)
        edges = np.concatenate([[-np.inf], levels[:-1] + 1.0, [np.inf]])
        decided = np.diff(ndtr((edges[None, :] - levels[:, None]) / deviation), axis=-1)
        gray = numbers ^ (numbers >> 1)
        wrong = np.bitwise_count(gray[:, None] ^ gray[None, :])
        return np.asarray((decided * wrong).sum(axis=(-2, -1)) / (self.side * (self.bits // 2)))

    def _levels(self, bits: Bytes) -> Floats:
        """Return the levels of Gray numbers, (..., half the bits)."""
        binary = np.bitwise_xor.accumulate(
            bits, axis=-1
        )  # Gray to binary: each bit is the parity of those above
        weights = 1 << np.arange(bits.shape[-1])[::-1]
        return np.asarray(2.0 * (binary @ weights) - (self.side - 1))

    def _index(self, axis: Floats) -> NDArray[np.int64]:
        """Return the number of the nearest level; beyond the outermost ones it is the outermost."""
        number = np.floor((axis + self.side) / 2.0)
        return np.asarray(np.clip(np.nan_to_num(number), 0, self.side - 1), dtype=np.int64)

    def _axis_bits(self, axis: Floats) -> Bytes:
        number = self._index(axis)
        gray = number ^ (number >> 1)
        places = np.arange(self.bits // 2)[::-1]
        return np.asarray((gray[..., None] >> places) & 1, dtype=np.uint8)
