"""Random telegraph noise: a cell with a trap jumps between two conductances, exact over any step of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mho.instruments.simulated.physics.cells.noise.flicker import mean_variance
from mho.instruments.simulated.physics.cells.pages import zeros_by_page
from mho.instruments.simulated.physics.cells.presets import CellPreset

Floats = NDArray[np.float64]
Index = Any
Values = Any
Rows = NDArray[np.int32] | slice


class TelegraphNoise:
    """Random telegraph noise of the few cells that have it: each jumps between two conductances.

    Parameters
    ----------
    mask : (rows, columns) array of bool
        Cells with a trap.
    preset : CellPreset
    rng : numpy.random.Generator
        Draws each trap here: its correlation time (log-uniform); its occupancy, from 0.1 to 0.9 and then all traps have
        one variance, or of a ratio of dwell times (log-normal) and then their steps are log-normal.
    """

    def __init__(self, mask: NDArray[np.bool_], preset: CellPreset, rng: np.random.Generator) -> None:
        self._rng = rng
        count = int(mask.sum())
        self._slot = zeros_by_page(mask.shape, np.int32)  # 0: no trap
        self._slot[mask] = np.arange(1, count + 1)
        fastest, slowest = math.log(preset.rtn_fastest), math.log(preset.rtn_slowest)
        self.times = np.exp(rng.uniform(fastest, slowest, count + 1))
        if preset.rtn_asymmetry or preset.rtn_spread:
            self.occupancy = expit(math.log(10.0) * preset.rtn_asymmetry * rng.standard_normal(count + 1))
            steps = np.exp(preset.rtn_spread * (rng.standard_normal(count + 1) - preset.rtn_spread))
            self.step = (
                2.0 * preset.rtn_noise * steps
            )  # their mean square is that of a trap of equal dwell times
        else:
            self.occupancy = rng.uniform(0.1, 0.9, count + 1)
            self.step = preset.rtn_noise / np.sqrt(self.occupancy * (1.0 - self.occupancy))
        self._up = rng.random(count + 1) < self.occupancy
        self._time = np.zeros(count + 1)

    def dwell_times(self, trap: Values) -> tuple[Values, Values]:
        """Mean times (s) that traps of these numbers stay up and stay down."""
        return self.times[trap] / (1.0 - self.occupancy[trap]), self.times[trap] / self.occupancy[trap]

    def trap(self, index: Index) -> Values:
        """Number of the trap of each cell at `index`; 0 where there is none."""
        return self._slot[index]

    def extend(self, lots: Sequence[TelegraphNoise]) -> None:
        """Append the cells of `lots`."""
        slots, traps = [self._slot], len(self.times) - 1
        for lot in lots:
            slots.append(np.where(lot._slot > 0, lot._slot + traps, 0).astype(np.int32))
            traps += len(lot.times) - 1
        self._slot = np.concatenate(slots)
        for name in ("times", "occupancy", "step", "_up", "_time"):  # entry 0 is no trap
            own, others = getattr(self, name), (getattr(lot, name)[1:] for lot in lots)
            setattr(self, name, np.concatenate([own, *others]))

    def taken(self, rows: Rows, rng: np.random.Generator) -> Self:
        """Return the noise of the cells of some rows, as `CellArray.taken`."""
        some = copy(self)
        slots = self._slot[rows]
        trapped = slots != 0
        numbers = np.concatenate([[0], slots[trapped]])  # entry 0 is no trap
        some._rng, some._slot = rng, np.zeros_like(slots)
        some._slot[trapped] = np.arange(1, len(numbers))
        for name in ("times", "occupancy", "step", "_up", "_time"):
            setattr(some, name, getattr(self, name)[numbers])
        return some

    def put(self, rows: Rows, some: TelegraphNoise) -> None:
        """Return the noise of cells that was `taken`, as it is now."""
        slots = self._slot[rows]
        numbers = slots[slots != 0]
        self._up[numbers], self._time[numbers] = some._up[1:], some._time[1:]

    def postpone(self, index: Index, begun: float, early: Values, late: Values) -> None:
        """Shift the time of the last evaluation of the traps at `index`, as `CellArray.postpone`."""
        slots = self._slot[index]
        trapped = slots != 0
        early, late = (np.broadcast_to(shift, slots.shape)[trapped] for shift in (early, late))
        slots = slots[trapped]
        looked = self._time[slots]
        self._time[slots] = looked + np.where(looked >= begun, late, early)

    def average(
        self, index: Index, now: float, aperture: float, rng: np.random.Generator | None = None
    ) -> Values:
        """Mean deviation (relative) of each cell over `aperture` seconds from `now`; ends there.

        The mean follows from the trap's states at both ends of the aperture, scaled so that mean and variance are exact:
        two levels when the aperture is short compared to the trap's time, none when it is long.
        """
        slots = self._slot[index]
        if slots.ndim == 0:
            return self._step(slots[None], now, aperture, rng)[0] if slots else 0.0
        deviation = np.zeros(slots.shape)
        trapped = slots != 0
        if trapped.any():
            deviation[trapped] = self._step(slots[trapped], now, aperture, rng)
        return deviation

    def frozen(
        self, index: Index, now: float, window: float, rng: np.random.Generator | None = None
    ) -> Values:
        """Relative deviation at `now` of the traps that are constant for `window` seconds."""
        deviation = self.average(index, now, 0.0, rng)
        slots = self._slot[index]
        if slots.ndim == 0:
            return deviation * (self.times[slots] >= window)
        trapped = np.nonzero(slots)
        deviation[trapped] *= self.times[slots[trapped]] >= window
        return deviation

    def fast_variance(self, index: Index, window: float, shot: float) -> Values:
        """Relative variance, of a mean over `shot` seconds, of the traps faster than `window` seconds."""
        slots = np.asarray(self._slot[index])
        variance = np.zeros(slots.shape)
        trapped = np.nonzero(slots) if slots.ndim else (slots != 0,)
        slots = slots[trapped]
        times, p = self.times[slots], self.occupancy[slots]
        variance[trapped] = (
            (times < window) * self.step[slots] ** 2 * p * (1.0 - p) * mean_variance(shot / times)
        )
        return variance[()]

    def _step(
        self,
        slots: NDArray[np.int32],
        now: float,
        aperture: float,
        rng: np.random.Generator | None = None,
    ) -> Floats:
        rng = rng or self._rng
        p, times = self.occupancy[slots], self.times[slots]
        passed = np.maximum(now - self._time[slots], 0.0)
        start = rng.random(p.shape) < p + (self._up[slots] - p) * np.exp(-passed / times)
        kept = np.exp(-aperture / times)
        end = rng.random(p.shape) < p + (start - p) * kept
        self._up[slots] = end
        self._time[slots] = np.maximum(self._time[slots], now) + aperture
        averaging = np.sqrt(mean_variance(aperture / times) / (0.5 + 0.5 * kept))
        result: Floats = self.step[slots] * averaging * (0.5 * start + 0.5 * end - p)
        return result
