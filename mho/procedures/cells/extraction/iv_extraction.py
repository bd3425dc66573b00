"""What I-V loops tell of switching: states at low voltage, SET and RESET voltage, window, for all sweeps at once.

A loop goes 0 V, highest, lowest, 0 V. Each half has a branch out and a branch back. The state before and after a half is
the conductance at low voltage on the two branches, by least squares through 0 V. The cell has switched where they differ
by more than a factor; the voltage is that of the steepest change of log |I/V| on the branch out. Three things make it
robust: the change at a place is the median of the three points after it less that of the three before, so that a spike is
no switching; the current at 0 V, which is the meter's own noise and offset, is added in squares, so that the logarithm of
nothing does not jump; and conduction that rises smoothly with the voltage is not taken for a SET.

Where the noise of a point is known (`PointNoise`, from blanks), the meter's offset is taken off, a change counts only where
it exceeds the noise of both states, and a state that does not exceed its own noise is none: of a cell that was never
formed, is open or is stuck nothing is extracted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.array_types import Booleans, Floats
from mho.confidence import median_interval, with_interval
from mho.procedures.cells.detection_limit import Blank
from mho.procedures.cells.extraction.response_curve import spread_of

WINDOW = 3  # points on either side of a change
NOISE = 3.0  # times the current at 0 V, below which a current is not told from none
FEW = 1e-12  # S: below every conductance
STATES = 4  # of a loop, of which each is looked at


@dataclass(frozen=True)
class Branches:
    """Which points of a sweep belong to which branch; the masks of a half that is not swept are empty."""

    # up, down: (points,): positive voltages, from 0 V to the highest and back
    up: Booleans
    down: Booleans
    # out, back: (points,): negative voltages, from 0 V to the lowest and back
    out: Booleans
    back: Booleans

    @classmethod
    def of(cls, voltages: Floats) -> Branches:
        """Cut the levels (V) of a loop, positive half first."""
        place = np.arange(len(voltages))
        top, bottom = int(voltages.argmax()), int(voltages.argmin())
        positive, negative = voltages > 0.0, voltages < 0.0
        return cls(
            positive & (place <= top),
            positive & (place > top),
            negative & (place <= bottom),
            negative & (place > bottom),
        )


@dataclass(frozen=True)
class Loops:
    """What was extracted of each sweep, arrays of one shape; NaN where there is nothing to extract.

    Attributes
    ----------
    v_set, v_reset : array
        V; NaN where the cell did not switch.
    lrs, hrs : array
        Conductance at low voltage after the positive half, and before it; of a loop with a negative half that after this
        one, S.
    window : array
        lrs / hrs.
    peak_current, peak_voltage : array
        The largest current on the way to the lowest voltage, A, and where it flows, V: where a RESET begins.
    below_noise : array of bool
        Whether the loop switched into an HRS that is not told from nothing: then `hrs` and `window` are NaN.
    """

    v_set: Floats
    v_reset: Floats
    lrs: Floats
    hrs: Floats
    window: Floats
    peak_current: Floats
    peak_voltage: Floats
    below_noise: Booleans


@dataclass(frozen=True)
class PointNoise:
    """Offset and noise of the points of a sweep.

    Attributes
    ----------
    offset, deviation : (points,) arrays
        Mean and standard deviation of a point where no current flows, A.
    share : float
        Variance of the offset, of that of a point.
    quantile : float
        Standard deviations that noise alone stays below, in all that is looked at in a run.
    """

    offset: Floats
    deviation: Floats
    share: float
    quantile: float

    @classmethod
    def of(cls, blanks: Sequence[tuple[slice, Blank]], points: int, loops: int) -> PointNoise:
        """Return the noise of `points` of each of `loops`, of which each part has a blank (A) of its own."""
        offset, deviation = np.zeros(points), np.zeros(points)
        for part, blank in blanks:
            offset[part], deviation[part] = blank.offset, blank.deviation
        looks = (STATES + points) * loops
        quantile = max(blank.quantile(looks) for _, blank in blanks)
        return cls(offset, deviation, max(blank.share for _, blank in blanks), quantile)

    def of_fit(self, voltages: Floats, used: Booleans, window: float) -> Floats:
        """Return the standard deviation (...), S, of `low_field` on points (..., points) that are `used`."""
        taken = used & (np.abs(voltages) <= window) & (voltages != 0.0)
        squares, sums = (taken * voltages**2).sum(axis=-1), np.abs((taken * voltages).sum(axis=-1))
        size = np.where(taken, self.deviation, 0.0).max(axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            error: Floats = size * np.sqrt(1.0 / squares + self.share * (sums / squares) ** 2)
        return error


def low_field(voltages: Floats, currents: Floats, used: Booleans, window: float) -> Floats:
    """Return conductances (S): least squares through 0 V of the points within +-`window` (V) that are `used`.

    `voltages` (points,): V. `currents`, `used` (..., points): A, and which of them count; NaN counts as not. Returns
    (...): NaN where no point is left.
    """
    taken = used & (np.abs(voltages) <= window) & (voltages != 0.0) & np.isfinite(currents)
    squares = (taken * voltages**2).sum(axis=-1)
    products = np.where(taken, currents, 0.0) @ voltages
    fitted: Floats = np.divide(products, squares, out=np.full(np.shape(squares), np.nan), where=squares > 0.0)
    return fitted


def extract(
    voltages: Floats, currents: Floats, limited: Booleans, window: float, least_change: float,
    noise: PointNoise | None = None,
) -> Loops:  # fmt: skip
    """Extract states and switching voltages of sweeps.

    Parameters
    ----------
    voltages : (points,) array
        Levels of each sweep, V.
    currents, limited : (..., points) arrays
        A, NaN beyond the range of the meter; whether in compliance.
    window : float
        Largest voltage (V) of what counts as low.
    least_change : float
        Factor from one state to the other from which a cell has switched.
    noise : PointNoise, optional
        Of the points. Without it every number is taken as it is, whatever the noise.
    """
    if noise is not None:
        currents = currents - noise.offset
    branches = Branches.of(voltages)
    places = (branches.up, branches.down, branches.out, branches.back)
    start, lrs, on_return, left = (
        low_field(voltages, currents, branch & ~limited, window) for branch in places
    )
    if noise is None:
        error_start, error_lrs, error_held, error_left = [np.zeros_like(start)] * STATES
    else:
        error_start, error_lrs, error_held, error_left = (
            noise.quantile * noise.of_fit(voltages, branch & ~limited & np.isfinite(currents), window)
            for branch in places
        )
    if not branches.up.any():
        lrs, error_lrs = on_return, error_held
    hrs, error_hrs = (left, error_left) if branches.out.any() else (start, error_start)
    raised = lrs if branches.up.any() else start
    with np.errstate(divide="ignore", invalid="ignore"):
        was_set = _grew(start, raised, np.hypot(error_start, error_lrs), least_change)
        was_reset = _grew(left, on_return, np.hypot(error_left, error_held), least_change)
        ratio = lrs / hrs
    peak_current, peak_voltage = _peak(voltages, currents, branches.out)
    below = np.zeros(np.shape(lrs), dtype=bool)
    if noise is None:
        at_rest = np.abs(np.where(np.isfinite(currents), currents, np.nan))[..., voltages == 0.0]
        floor = NOISE * float(np.nanmedian(at_rest)) if np.isfinite(at_rest).any() else 0.0
    else:
        floor = NOISE * float(noise.deviation.max())
        # What did not switch has no states: it may be stuck, and lie in neither.
        into_hrs = was_reset if branches.out.any() else was_set
        below = into_hrs & ~(hrs > error_hrs)
        lrs = np.where(was_set | was_reset, lrs, np.nan)
        hrs = np.where(into_hrs & ~below, hrs, np.nan)
        peak_current, peak_voltage = (
            np.where(was_reset, one, np.nan) for one in (peak_current, peak_voltage)
        )
    return Loops(
        np.where(was_set, _steepest(voltages, currents, branches.up, floor, 1.0), np.nan),
        np.where(was_reset, _steepest(voltages, currents, branches.out, floor, -1.0), np.nan), lrs, hrs,
        np.where((lrs > 0.0) & (hrs > 0.0), ratio, np.nan), peak_current, peak_voltage, below,
    )  # fmt: skip


def summary_of(loops: Loops) -> dict[str, Any]:
    """Return medians with intervals, and spreads from cell to cell and from cycle to cycle, of what was extracted.

    The interval of a median is that of the cells' medians, None for fewer than five cells: cycles of a cell are not
    independent. An HRS below the noise counts as less than all others, and its window as wider: a median that is one of
    them is not known, and left out.
    """
    cell = np.broadcast_to(np.arange(loops.lrs[0].size), (len(loops.lrs), loops.lrs[0].size)).ravel()
    names = ("v_set", "v_reset", "lrs", "hrs", "window", "peak_current")
    numbers: dict[str, Any] = {
        "sets": int(np.isfinite(loops.v_set).sum()),
        "resets": int(np.isfinite(loops.v_reset).sum()),
    }
    for name, values in ((name, getattr(loops, name)) for name in names):
        beyond = {"hrs": 0.0, "window": math.inf}.get(name)
        flat = values.ravel() if beyond is None else np.where(loops.below_noise, beyond, values).ravel()
        known = ~np.isnan(flat)
        middle = float(np.median(flat[known])) if known.any() else math.nan
        if not math.isfinite(middle) or middle == beyond:
            continue
        each = [np.median(flat[known & (cell == one)]) for one in np.unique(cell[known])]
        numbers |= with_interval(name, middle, median_interval(each))
        if name in ("v_set", "v_reset"):
            spread = spread_of(flat[known], cell[known])
            numbers |= {f"{name}_device_sd": spread.device, f"{name}_cycle_sd": spread.cycle}
    if np.isfinite(loops.window).any():
        windows = np.where(loops.below_noise, np.inf, loops.window)
        lowest = float(np.nanquantile(windows, 0.05, method="lower" if loops.below_noise.any() else "linear"))
        numbers["window_5_percent"] = lowest
    return numbers


def _grew(before: Floats, after: Floats, error: Floats, least: float) -> Booleans:
    """Return where a conductance grew by a factor, and by more than `error` (S); one below nothing counts as nothing."""
    grew: Booleans = (after > least * np.maximum(before, FEW)) & (after - np.maximum(before, 0.0) > error)
    return grew & np.isfinite(before)


def _steepest(voltages: Floats, currents: Floats, branch: Booleans, noise: float, sign: float) -> Floats:
    """Return the voltage (V) of the steepest rise (`sign` 1) or fall (-1) of log |I/V| along a branch.

    NaN where the branch has less than four points.
    """
    place = np.flatnonzero(branch)
    if len(place) < 4:
        return np.full(currents.shape[:-1], np.nan)
    volts, amperes = voltages[place], currents[..., place]
    # A range that overflowed counts as high.
    beyond = np.nanmax(np.abs(amperes), axis=-1, keepdims=True, initial=noise)
    amperes = np.where(np.isnan(amperes), beyond, np.abs(amperes))
    log_g = np.log10(np.maximum(np.hypot(amperes, noise) / np.abs(volts), FEW))
    width = [(0, 0)] * (log_g.ndim - 1) + [(WINDOW - 1, WINDOW - 1)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(log_g, width, mode="edge"), WINDOW, axis=-1)
    medians = np.median(windows, axis=-1)
    # From before to after each gap between points.
    change, step = sign * (medians[..., WINDOW:] - medians[..., :-WINDOW]), sign * np.diff(log_g, axis=-1)
    # Medians of three have the same value at three places: take the step itself.
    near = change.argmax(axis=-1)[..., None] + np.arange(-1, 2)
    near = np.clip(near, 0, step.shape[-1] - 1)
    chosen = np.take_along_axis(near, np.take_along_axis(step, near, -1).argmax(-1)[..., None], -1)[..., 0]
    steepest: Floats = 0.5 * (volts[chosen] + volts[chosen + 1])
    return steepest


def _peak(voltages: Floats, currents: Floats, branch: Booleans) -> tuple[Floats, Floats]:
    """Return the largest magnitude of the current (A) on a branch, and its voltage (V); NaN where there is none."""
    place = np.flatnonzero(branch)
    nothing = np.full(currents.shape[:-1], np.nan)
    if not len(place):
        return nothing, nothing
    magnitude = np.nan_to_num(np.abs(currents[..., place]), nan=-1.0)
    where = magnitude.argmax(axis=-1)
    largest = np.take_along_axis(magnitude, where[..., None], -1)[..., 0]
    return np.where(largest < 0.0, np.nan, largest), np.where(largest < 0.0, np.nan, voltages[place][where])
