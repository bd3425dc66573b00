"""Bit errors counted, with intervals; two receivers of the same symbols and noise compared bit by bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.runs.intervals import wilson_interval

LEVEL = 0.95
"""Of all intervals here."""


@dataclass(frozen=True)
class ErrorRate:
    """How many of how many bits are wrong.

    Attributes
    ----------
    low, high : float
        Wilson's score interval of the rate, 95 %.
    """

    errors: int
    bits: int

    @property
    def rate(self) -> float:
        """Errors over bits."""
        return self.errors / self.bits

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval."""
        return wilson_interval(self.errors, self.bits, LEVEL)

    def holds(self, rate: float) -> bool:
        """Return whether a rate lies within the interval."""
        low, high = self.interval
        return low <= rate <= high


@dataclass(frozen=True)
class Paired:
    """Two receivers of the same bits: where exactly one of them errs.

    Attributes
    ----------
    only_first, only_second : int
        Bits that only the first, and only the second, has wrong.
    difference, low, high : float
        Rate of the first less that of the second, with its 95 % interval. Errors of one vector are not independent
        (users share its noise), so the interval is that of the mean over vectors.
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
    """Count the bits that differ."""
    return ErrorRate(int(np.count_nonzero(sent != decided)), sent.size)


def paired(sent: NDArray[np.uint8], first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Paired:
    """Compare what two receivers decided for the same bits.

    Parameters
    ----------
    sent, first, second : (vectors, bits of a vector) arrays
    """
    wrong, wrong_too = first != sent, second != sent
    only_first, only_second = int((wrong & ~wrong_too).sum()), int((wrong_too & ~wrong).sum())
    by_vector = (wrong.sum(axis=1, dtype=np.int64) - wrong_too.sum(axis=1, dtype=np.int64)) / sent.shape[1]
    difference = float(by_vector.mean())
    reach = _reach(by_vector)
    return Paired(
        only_first,
        only_second,
        difference,
        difference - reach,
        difference + reach,
        mcnemar(only_first, only_second),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p of McNemar's exact test: of a fair coin thrown for each bit on which two receivers differ."""
    from scipy.special import bdtr  # loads slowly

    fewer, every = min(only_first, only_second), only_first + only_second
    return min(1.0, 2.0 * float(bdtr(fewer, every, 0.5))) if every else 1.0


def _reach(values: NDArray[np.float64]) -> float:
    """Return half the width of Student's interval of a mean; infinite for one value."""
    from scipy.special import stdtrit  # loads slowly

    count = len(values)
    if count < 2:
        return float(np.inf)
    return float(stdtrit(count - 1, 0.5 + LEVEL / 2.0) * values.std(ddof=1) / np.sqrt(count))
