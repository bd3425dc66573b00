"""Which levels cells of a preset cannot hold: those beyond the reach of SET, below their floor, or in too tight a window.

Write-verify tries each cell until its pulses are used up, and what it leaves is found out afterwards. The preset's laws
say beforehand how many cells will fail, to which the loops on them owe their errors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mho.array_types import Floats
from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.cells.relaxation import drawn_at_programming, relaxed

TOO_MANY = 0.5  # share of the cells that fail at a level, from which on they do not hold it
SECONDS = 1.0  # after which a cell must still lie in its window
BEYOND = 1.0  # V on the gate beyond the bend of the SET curve, that write-verify may use
JUDGED = 8  # levels, evenly spaced, out of which cells may relax: a chip map may have hundreds
CELLS = 2000  # drawn to find how many relax out of a window
LN10 = math.log(10.0)


def levels_not_held(preset: CellPreset, nominal: Floats, low: Floats, high: Floats) -> str:
    """Return in a clause which levels more than half of a preset's cells do not hold, and why; empty for none.

    Parameters
    ----------
    nominal, low, high : (L,) arrays
        Levels and their windows, ascending, S; the first is the one of cells that do not conduct, and is not judged.
    """
    reasons = [(f"leave {{}} within {SECONDS:g} s", _leaving(preset, nominal, low, high))]
    if preset.own is None or preset.own.switching is None:  # of a law of a user's own nothing is known before
        reasons[:0] = [
            (f"cannot be SET to {{}}: SET ends near {1e6 * preset.maximum:.3g} uS", _below(preset, low)),
            (f"cannot be RESET to {{}}: RESET ends near {1e6 * preset.floor:.3g} uS", _above(preset, high)),
        ]
    return "; ".join(_clauses(reasons, nominal, high))


def _clauses(reasons: list[tuple[str, Floats]], nominal: Floats, high: Floats) -> Iterator[str]:
    for reason, shares in reasons:
        worst = int(np.argmax(shares[1:])) + 1
        if shares[worst] > TOO_MANY:
            target, width = 1e6 * nominal[worst], 1e6 * (high[worst] - nominal[worst])
            yield f"{shares[worst]:.0%} of them {reason.format(f'{target:.3g} +- {width:.3g} uS')}"


def _below(preset: CellPreset, low: Floats) -> Floats:
    """Return the share of cells whose SET ends below each window."""
    most = preset.maximum + preset.maximum_slope * BEYOND
    return _share_below(low, most, LN10 * math.hypot(preset.set_device_spread, preset.set_cycle_spread), 1.0)


def _above(preset: CellPreset, high: Floats) -> Floats:
    """Return the share of cells whose RESET ends above each window."""
    return _share_below(high, preset.floor, math.hypot(preset.floor_device_spread, preset.floor_spread), -1.0)


def _share_below(bounds: Floats, centre: float, spread: float, sign: float) -> Floats:
    """Return the share of a lognormal distribution below each bound; above it where `sign` is -1."""
    distances = np.log(np.maximum(bounds, 1e-300) / centre) * sign
    if spread == 0.0:
        return np.where(distances > 0.0, 1.0, 0.0)
    return np.array([0.5 * math.erfc(-distance / spread / math.sqrt(2.0)) for distance in distances])


def _leaving(preset: CellPreset, nominal: Floats, low: Floats, high: Floats) -> Floats:
    """Return the share of cells that relax out of each window."""
    rng = np.random.default_rng(0)
    shares = np.zeros(len(nominal))
    top = len(nominal) - 1
    for level in np.linspace(1, top, min(top, JUDGED)).astype(int):
        draws = drawn_at_programming(preset, (CELLS,), rng.standard_normal(CELLS, np.float32), rng)
        start, age = np.full(CELLS, nominal[level], np.float32), np.full(CELLS, SECONDS, np.float32)
        now = relaxed(preset, start, draws, age)
        shares[level] = float(np.mean((now < low[level]) | (now > high[level])))
    return shares
