"""Errors of measured digit sums: by number of active lines, as forecast from single lines, and the line through them.

A column's sum over k of n lines that are drawn at random is off by the sum of its active cells' errors. With the errors
e_ij (digits) and the noise s_ij (digits, from shot to shot) of each cell, known from lines played alone,

    mean_j = k <e_ij>_i,    var_j = k (n - k) / (n - 1) var_i e_ij + k <s_ij^2>_i,

the first factor being that of draws without replacement. So the error grows as sqrt(k) while k is far below n.

An ideal converter of N bits over a range R has steps R / 2^N, and errors of R / (2^N sqrt(12)), root mean square. So the
effective number of bits of an analogue output

    ENOB = log2(R / (sqrt(12) rms error))          (IEEE Std 1241, section 3)

counts all that is wrong with an output as if it were rounding: noise, cells, wires, amplifiers, the converter itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats, Integers


def effective_bits(full_scale: float, rms_error: float) -> float:
    """Return the effective number of bits of outputs that span `full_scale`; NaN where there is no error or no span.

    `full_scale`, `rms_error`: in the same unit. The error is about what was expected, its mean included.
    """
    if not (full_scale > 0.0 and rms_error > 0.0):
        return math.nan
    return math.log2(full_scale / (math.sqrt(12.0) * rms_error))


@dataclass(frozen=True)
class ErrorsByActive:
    """Errors of the outputs of patterns with the same number of active lines, in digits."""

    active: int  # number of active lines
    # outputs, wrong: number of outputs, and of those that round to another integer than the digits' sum
    outputs: int
    wrong: int
    # mean_error, sd_error: of all outputs
    mean_error: float
    sd_error: float
    # Root mean square over the columns of the standard deviation within each: without what differs from
    # column to column
    sd_in_column: float

    @classmethod
    def of(cls, active: int, expected: Integers, measured: Floats) -> ErrorsByActive:
        """Summarise outputs (shots, columns)."""
        errors = measured - expected
        return cls(
            active, errors.size, int(np.count_nonzero(np.rint(measured) != expected)), float(errors.mean()),
            float(errors.std()), float(np.sqrt(errors.var(axis=0).mean())),
        )  # fmt: skip

    @property
    def wrong_rate(self) -> float:
        """Share of wrong integers."""
        return self.wrong / self.outputs


def forecast_sd(active: int, errors: Floats, noise: Floats) -> float:
    """Forecast `ErrorsByActive.sd_error` of random patterns from single lines; equations above.

    `active`: k, the number of active lines; `errors`, `noise` (lines, columns): of each cell, in digits.
    """
    lines = len(errors)
    drawn = active * (lines - active) / max(lines - 1, 1)
    within = (drawn * errors.var(axis=0) + active * (noise**2).mean(axis=0)).mean()
    between = (active * errors.mean(axis=0)).var()
    return float(np.sqrt(within + between))


def exact_up_to(errors: Iterable[ErrorsByActive]) -> int:
    """Return the largest number of active lines up to which no integer was wrong; 0 when one line is too many."""
    largest = 0
    for one in sorted(errors, key=lambda one: one.active):
        if one.wrong:
            break
        largest = one.active
    return largest


@dataclass(frozen=True)
class StraightLine:
    """The least-squares line ``measured = offset + gain * expected``."""

    # gain, offset: NaN where the expected values do not differ, so that no line is determined
    gain: float
    offset: float
    residual: float  # root mean square distance from the line

    @classmethod
    def through(cls, expected: Floats | Integers, measured: Floats) -> StraightLine:
        """Fit the line to values of any shape; those that are not finite are left out."""
        known = np.isfinite(expected) & np.isfinite(measured)
        x, y = np.asarray(expected[known], dtype=np.float64), measured[known]
        if x.size < 2 or np.ptp(x) == 0.0:
            return cls(np.nan, np.nan, np.nan)
        middle = x.mean()
        gain = float((x - middle) @ y / ((x - middle) @ (x - middle)))
        offset = float(y.mean() - gain * middle)
        return cls(gain, offset, float(np.sqrt(np.mean((y - offset - gain * x) ** 2))))
