"""Output of a source with a limit: voltage up to a current limit, or current up to a voltage limit.

A port returns the current at a voltage, so a current source has to raise its voltage until its current flows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

PROBE = 1e-3  # V to begin with
STEPS = 96  # enough to come from PROBE to any instrument's limit, and to settle there
TOLERANCE = 1e-4
DOUBLING = (
    1.0  # V: up to it the voltage at most doubles in a step, beyond, where cells form, a tenth is added
)


class Regulated(NamedTuple):
    """State of the terminals: volts, amperes, and whether the source is limited."""

    volts: float
    amperes: float
    limited: bool


OFF = Regulated(0.0, 0.0, False)


def carry(volts: float, amperes: float, limit: float) -> Regulated:
    """Return what a voltage source gives when `amperes` would flow at `volts`, and no more than `limit` (A) may.

    In its limit the load is a conductance.
    """
    if abs(amperes) <= limit:
        return Regulated(volts, amperes, False)
    limited = math.copysign(limit, amperes)
    return Regulated(volts * limited / amperes, limited, True)


def regulate(
    current: Callable[[float], float], amperes: float, limit: float, start: float = 0.0
) -> Regulated:
    """Find the voltage at which `amperes` flow.

    The load is taken as a conductance at each step, and the voltage takes no large step to the next, as a real output
    slews: a cell that switches on the way up does so at its own threshold, and not at the limit.

    Parameters
    ----------
    current : callable
        Current (A) at a voltage; may be noisy, and may change its load.
    amperes : float
        What is to flow, A.
    limit : float
        Largest magnitude of the voltage, V.
    start : float
        Where the output is now, V.
    """
    if not amperes:
        return OFF
    sign, wanted = math.copysign(1.0, amperes), abs(amperes)
    volts = min(max(abs(start), PROBE), limit)
    for _ in range(STEPS):
        flowing = sign * current(sign * volts)
        ratio = wanted / flowing if flowing > 0.0 else math.inf
        if volts >= limit and ratio > 1.0:
            return Regulated(sign * limit, sign * flowing, True)
        most = 2.0 if volts < DOUBLING else 1.1
        following = min(volts * min(ratio, most), limit)
        settled = ratio < most and abs(following - volts) <= TOLERANCE * volts
        volts = following
        if settled:
            break
    return Regulated(sign * volts, amperes, False)
