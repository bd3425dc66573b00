"""Endurance, from the LRS of cells that are cycled.

    G(n) = G(0)/(1 + wear_top w),    w = n s/endurance
    s = sum over SET and RESET of exp((V - wear_voltage)/wear_acceleration) (wear_idle + swing/2)

with the swing of a cycle in units of `maximum`. Of a SET's top and the floor, the top is what all windows show.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mho.analysis.calibration.experiments.estimates import FEWEST, Estimate, reach

Floats = NDArray[np.float64]

SURE = 2.5  # standard errors of wear above 0 from which it counts as seen


def endurance(
    cycles: Floats, conductance: Floats, voltages: Sequence[float], swing: float, base: Mapping[str, float]
) -> list[Estimate]:
    """Return the endurance; nothing where fewer than five cells were cycled, or none of them has worn.

    Parameters
    ----------
    cycles : (reads,) array
        Full cycles done at each read.
    conductance : (reads, cells) array
        Of LRS, S; NaN where a cell was not read.
    voltages : sequence of float
        Of SET and RESET, V.
    swing : float
        LRS less HRS, S.
    """
    fresh = cycles <= max(10.0 * float(cycles[0]), 10.0)
    with np.errstate(invalid="ignore"):
        first = np.nanmean(np.where(fresh[:, None], conductance, np.nan), axis=0)
        worn = first / conductance - 1.0  # wear_top w
    known = np.isfinite(worn)
    cells = known.sum(axis=0) > fresh.sum()
    n = np.where(known, cycles[:, None], 0.0)[:, cells]
    slope = (n * np.where(known, worn, 0.0)[:, cells]).sum(axis=0) / np.maximum((n * n).sum(axis=0), 1e-300)
    if len(slope) < FEWEST:
        return []
    middle, error = float(slope.mean()), float(slope.std(ddof=1)) / math.sqrt(len(slope))
    half = reach(len(slope)) * error
    if not middle > max(SURE * error, half) or not base["wear_top"]:
        return []
    each = base["wear_idle"] + 0.5 * swing / base["maximum"]
    stress = each * sum(
        math.exp((volts - base["wear_voltage"]) / base["wear_acceleration"]) for volts in voltages
    )
    value, low, high = (base["wear_top"] * stress / one for one in (middle, middle + half, middle - half))
    return [Estimate("endurance", value, low, high)]
