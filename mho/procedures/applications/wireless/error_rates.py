"""Bit errors counted, with intervals; two receivers of the same symbols and noise compared bit by bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.confidence import clustered_binomial_interval, difference_of


@dataclass(frozen=True)
class ErrorRate:
    """How many of how many bits are wrong.

    Attributes
    ----------
    low, high : float
        Interval of the rate, 95 %, vectors being independent: users of one share its noise, so that its bits are not.
    """

    errors: int
    bits: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """Errors over bits."""
        return self.errors / self.bits

    def holds(self, rate: float) -> bool:
        """Return whether a rate lies within the interval."""
        return self.low <= rate <= self.high


@dataclass(frozen=True)
class Paired:
    """Two receivers of the same bits: where exactly one of them errs.

    Attributes
    ----------
    only_first, only_second : int
        Bits that only the first, and only the second, has wrong.
    difference, low, high : float
        Rate of the first less that of the second, with its 95 % interval, from those of the rates at which only one of
        them errs, vectors being independent.
    p : float
        Of McNemar's exact test that each errs as often as the other, taking bits as independent.
    """

    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    p: float

    @property
    def agree(self) -> bool:
        """Whether a difference of 0 lies within the interval."""
        return self.low <= 0.0 <= self.high


def count(sent: NDArray[np.uint8], decided: NDArray[np.uint8]) -> ErrorRate:
    """Count the bits (vectors, bits of a vector) that differ."""
    return ErrorRate(int(np.count_nonzero(sent != decided)), sent.size, *_ends(sent != decided))


def paired(sent: NDArray[np.uint8], first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Paired:
    """Compare what two receivers decided for the same bits.

    Parameters
    ----------
    sent, first, second : (vectors, bits of a vector) arrays
    """
    wrong, wrong_too = first != sent, second != sent
    apart = wrong_too & ~wrong, wrong & ~wrong_too
    counts = [int(one.sum()) for one in apart]
    rates = [one / sent.size for one in counts]
    low, high = difference_of(_ends(apart[0]), _ends(apart[1]), (rates[0], rates[1]))
    return Paired(
        counts[1], counts[0], rates[1] - rates[0], float(low), float(high), mcnemar(counts[1], counts[0])
    )


def _ends(found: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the interval of the share of bits (vectors, ...) with a property; those of a vector are one cluster."""
    bits = found.reshape(len(found), -1)
    low, high = clustered_binomial_interval(bits.sum(axis=1), np.full(len(bits), bits.shape[1]))
    return float(low), float(high)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p of McNemar's exact test: of a fair coin thrown for each bit on which two receivers differ."""
    from scipy.special import bdtr  # loads slowly

    fewer, every = min(only_first, only_second), only_first + only_second
    return min(1.0, 2.0 * float(bdtr(fewer, every, 0.5))) if every else 1.0
