"""What quantities of cells can be: beyond these bounds a table holds another quantity, another unit, or a slip of the pen.

A conductance a little below 0 is the offset of a meter on a cell that conducts nothing; one far below it is no cell's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.extensions.imports.headers import UNITS

OFFSET = 1e-7  # S: how far below 0 a meter's offset leaves a conductance at most
_VOLTS = (-200.0, 200.0)  # source-measure units of the field end there
_SIEMENS = (-OFFSET, 1.0)  # 1 ohm is less than the wires of a cell have

# Least and largest value by meaning, SI
BOUNDS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("voltage", "gate", "read_voltage", "v_set", "v_reset"), _VOLTS),
    "current": (-1.0, 1.0),
    **dict.fromkeys(("conductance", "before", "target", "lrs", "hrs", "mean"), _SIEMENS),
    "deviation": (0.0, 1.0),
    "deviation_resistance": (0.0, math.inf),
    "time": (-1e10, 1e10),  # three centuries, on either side of 1970
    "width": (0.0, 1e6),
    "temperature": (1e-3, 3000.0),
    "snr": (-1000.0, 1000.0),
    "ber": (0.0, 1.0),
    "limited": (0.0, 1.0),
}


def beyond(meaning: str, values: Floats) -> NDArray[np.bool_]:
    """Return which values of a meaning (SI) no cell, bench or laboratory has; missing ones (NaN) are none of them."""
    low, high = BOUNDS.get(meaning, (-math.inf, math.inf))
    return (values < low) | (values > high) | np.isinf(values)


def why_beyond(meaning: str, value: float) -> str:
    """Return what is wrong with a value (SI) that is `beyond`."""
    low, high = BOUNDS.get(meaning, (-math.inf, math.inf))
    unit = f" {UNITS[meaning]}" if UNITS[meaning] else ""
    if not math.isfinite(value):
        return f"a {meaning} beyond all numbers"
    if math.isinf(low) and math.isinf(high):
        return f"a {meaning} of {value:.6g}{unit}"
    shown = 0.0 if low == -OFFSET else low
    return f"a {meaning} of {value:.6g}{unit}, which is not between {shown:g} and {high:g}{unit}"
