"""What a run has learnt of its chip's cells, level by level: how they answer to SET and RESET pulses near their targets.

A SET shows the cell's offset within the spread from pulse to pulse. That follows from differences between successive SETs
of a cell, the spread among cells from their first ones, less the former. A few pseudo-observations of the settings' values
hold the estimates while there are few of the chip's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.procedures.cells.programming.strategies.landing import best_aim
from mho.procedures.cells.programming.strategies.response import ResponseCurve

Floats = NDArray[np.float64]
Values = Any  # a number for one cell, an array for many

AFAR, NEAR = 0, 1  # from where a SET begins: below or above half of its target
BELOW_AFAR, BELOW_NEAR, INSIDE, ABOVE = range(4)  # where a fine RESET ends
PRIOR = 6.0  # pseudo-observations of the settings' spreads
RESETS = np.array([1.0, 2.0, 1.0, 2.0])  # and of where fine RESETs end
KEPT = 0.95  # of what was observed before, each time
LEFT_ABOVE = 0.3  # share of fine RESETs that shall leave a cell above its window
REFRESH = 0.25  # share of further observations after which the expected numbers of pulses are computed again
ROUNDS = 12  # of value iteration
TRIALS = 20  # fine RESETs of a level before many cells get them at once
LEAST = 0.1  # of the settings' spreads: no estimate is smaller


class Population:
    """Offsets, spreads and expected numbers of pulses of each level.

    Parameters
    ----------
    settings : WriteVerifySettings
    learns : bool
        Whether observations are taken; otherwise it is what the settings say.

    Attributes
    ----------
    curve : ResponseCurve
    mean, device : (levels,) arrays
        Mean and standard deviation of the cells' offsets, V.
    cycle : (2, levels) array
        Standard deviation from pulse to pulse, V, of SETs from afar and from near.
    left : (2, levels) array
        Expected number of pulses left of a cell that is below its window, afar and near.
    left_above : (levels,) array
        And of one that is above.
    fine : (levels,) array
        Whether a fine RESET is expected to take fewer pulses than a full one.
    reset : (levels,) array
        Voltage at which a fine RESET lowers half of the cells far enough, V.
    """

    def __init__(self, settings: WriteVerifySettings, learns: bool = True) -> None:
        self.settings, self.learns = settings, learns
        self.curve = ResponseCurve.of(settings)
        self._numbers: dict[tuple[float, float, float], int] = {}
        self._seen = self._refreshed = 0
        self._low = self._high = np.zeros(0)
        self._firsts = np.zeros((4, 0))  # numbers from afar and near, sum and sum of squares of cells' first
        self._pulses = np.zeros((2, 2, 0))  # number and sum of squares of later ones, from afar and near
        self._resets = np.zeros((4, 0))
        self.reset = np.zeros(0)

    def number(self, target: Values, low: Values, high: Values) -> Values:
        """Return the number of each cell's level, which is its target and window (S); new ones are added."""
        if not isinstance(target, np.ndarray):
            return self._add([(float(target), float(low), float(high))])[0]
        windows, inverse = np.unique(np.stack([target, low, high]), axis=1, return_inverse=True)
        return np.array(self._add(list(zip(*windows.tolist(), strict=True))), np.int64)[inverse.reshape(-1)]

    def _add(self, windows: list[tuple[float, float, float]]) -> list[int]:
        new = [window for window in windows if window not in self._numbers]
        if new:
            self._numbers |= {window: len(self._numbers) + k for k, window in enumerate(new)}
            low, high = np.array([[window[1], window[2]] for window in new]).T
            top = np.where(high >= self.curve.levels[-1], np.inf, self.curve.gate(high))
            self._low = np.append(self._low, self.curve.gate(low))
            self._high = np.append(self._high, top)
            self._firsts = np.pad(self._firsts, ((0, 0), (0, len(new))))
            self._pulses = np.pad(self._pulses, ((0, 0), (0, 0), (0, len(new))))
            self._resets = np.pad(self._resets, ((0, 0), (0, len(new))))
            self.reset = np.append(self.reset, np.full(len(new), self.settings.reset_fine[0]))
            self._refresh()
        return [self._numbers[window] for window in windows]

    def window(self, level: Values) -> tuple[Values, Values]:
        """Return the window of a level as gate voltages of the median cell, V; open above where the curve ends in it."""
        return self._low[level], self._high[level]

    def lowers_finely(self, level: Values, able: Values) -> Values:
        """Return which of the `able` cells get a fine RESET: where it pays, and some where that is not known yet."""
        known = self._resets.sum(axis=0)[level] >= TRIALS
        if not isinstance(able, np.ndarray):
            return bool(self.fine[level])
        return self.fine[level] & (known | (np.cumsum(able) <= TRIALS * len(self.reset)))

    # --- observations ---

    def saw_sets(self, level: Values, near: Values, shown: Values, square: Values, first: Values) -> None:
        """Take what SETs did.

        Parameters
        ----------
        near : int or array
            1 for a SET from near.
        shown, square : float or array
            Offset that it showed, V; and the square of that for a cell's first SET, half of that of its difference from
            the one before for a later one, V^2.
        first : bool or array
        """
        level, near, shown, square, first = np.broadcast_arrays(
            *np.atleast_1d(level, near, shown, square, first)
        )
        if not self.learns or not level.size:
            return
        some = np.flatnonzero(first)
        np.add.at(self._firsts, (near[some].astype(np.int64), level[some]), 1.0)
        np.add.at(self._firsts[-2], level[some], shown[some])
        np.add.at(self._firsts[-1], level[some], square[some])
        rest = np.flatnonzero(~first)
        where = near[rest].astype(np.int64), level[rest]
        np.add.at(self._pulses[0], where, 1.0)
        np.add.at(self._pulses[1], where, square[rest])
        self._saw(level.size)

    def saw_resets(self, level: Values, ended: Values, voltage: Values) -> None:
        """Take where fine RESETs at `voltage` (V) ended."""
        level, ended, voltage = np.broadcast_arrays(*np.atleast_1d(level, ended, voltage))
        if not self.learns or not level.size:
            return
        np.add.at(self._resets, (ended, level), 1.0)
        # A share of the fine RESETs shall leave a cell above: the voltage follows, slower as it is known better.
        step = self.settings.reset_step / np.sqrt(1.0 + self._resets.sum(axis=0)[level])
        towards = np.where(ended == ABOVE, 1.0 - LEFT_ABOVE, -LEFT_ABOVE) / np.bincount(level)[level]
        np.add.at(self.reset, level, towards * step)
        self.reset = np.clip(self.reset, *self.settings.reset_fine)
        self._saw(level.size)

    def _saw(self, count: int) -> None:
        self._seen += count
        if self._seen - self._refreshed >= REFRESH * self._refreshed:
            self._refresh()

    # --- what follows from them ---

    def _refresh(self) -> None:
        self._refreshed = self._seen
        s = self.settings
        for kept in (self._pulses, self._firsts, self._resets):
            kept *= KEPT  # the oldest were made with the poorest expectations
        number, total = self._pulses
        least = (LEAST * s.cycle_spread) ** 2
        pooled = (PRIOR * s.cycle_spread**2 + total.sum(axis=0)) / (PRIOR + number.sum(axis=0))
        self.cycle = np.sqrt(np.maximum((PRIOR * pooled + total) / (PRIOR + number), least))
        counts, (total, squares) = self._firsts[:-2], self._firsts[-2:]
        count = counts.sum(axis=0)
        self.mean = total / (PRIOR + count)
        scatter = (
            squares - 2.0 * self.mean * total + count * self.mean**2 - (counts * self.cycle**2).sum(axis=0)
        )
        least = pooled  # too small an estimate is dearer than too large a one
        self.device = np.sqrt(np.maximum((PRIOR * s.device_spread**2 + scatter) / (PRIOR + count), least))
        self._value_pulses()

    def _value_pulses(self) -> None:
        """Compute the expected numbers of pulses by value iteration, for cells of which two SETs are known."""
        doubt = 1.0 / (1.0 / self.device**2 + 2.0 / self.cycle[AFAR] ** 2)
        spread = np.sqrt(self.cycle**2 + doubt)
        ended = self._resets + RESETS[:, None]
        shares = ended / ended.sum(axis=0)
        self.left = np.full(self.cycle.shape, 4.0)
        for _ in range(ROUNDS):
            full = 1.0 + self.left[AFAR]
            below = shares[BELOW_AFAR] * self.left[AFAR] + shares[BELOW_NEAR] * self.left[NEAR]
            fine = (1.0 + below) / (1.0 - shares[ABOVE])
            self.fine, self.left_above = fine < full, np.minimum(fine, full)
            near = np.broadcast_to(self.left[NEAR], self.left.shape)
            self.left = best_aim(self._low, self._high, spread, near, self.left_above)[1]
