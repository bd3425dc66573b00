"""Effective number of bits of an analogue output: the converter that would err as much.

An ideal converter of N bits over a range R has steps R / 2^N, and errors of R / (2^N sqrt(12)), root mean square. So

    ENOB = log2(R / (sqrt(12) rms error))          (IEEE Std 1241, section 3)

counts all that is wrong with an output as if it were rounding: noise, cells, wires, amplifiers, the converter itself.
"""

from __future__ import annotations

import math


def effective_bits(full_scale: float, rms_error: float) -> float:
    """Return the effective number of bits of outputs that span `full_scale`; NaN where there is no error or no span.

    Parameters
    ----------
    full_scale, rms_error : float
        In the same unit. The error is about what was expected, its mean included.
    """
    if not (full_scale > 0.0 and rms_error > 0.0):
        return math.nan
    return math.log2(full_scale / (math.sqrt(12.0) * rms_error))
