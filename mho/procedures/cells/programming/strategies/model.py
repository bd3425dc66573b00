"""Programming by each cell's own response, which is learnt from what its pulses did: the strategy `model`.

The chip's response curve (`GateCurve`) gives the gate voltage at which half of the cells reach a conductance. A cell
differs from it by an offset of its own (V of gate voltage, normal with the spread among devices), and each pulse by a
deviation that is drawn anew (normal with the spread from cycle to cycle). A SET with gate voltage V that ended at G tells
the offset,

    V - curve^-1(G)

within the spread from cycle to cycle: a Kalman filter with one state a cell. A SET that changed nothing tells that the
offset is above that (the moments of a truncated normal distribution).

A SET lands in the window with probability p_in, below it with p_under, above it with p_over. With `under` and `over` the
expected numbers of pulses that are left from there, the expected number with this SET is

    W = 1 + p_under under + p_over over

and the aim is where W is least (`best_aim`; dynamic programming, one step ahead).

Spreads and mean offsets are learnt beside, level by level, from all cells that the run has programmed so far
(`Population`), and so is whether fine RESETs pay or full ones. The spread from pulse to pulse follows from differences
between successive SETs of a cell, that among cells from their first ones, less the former; a few pseudo-observations of the
settings' values hold the estimates while there are few of the chip's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.lazy_names import compiled_alone
from mho.procedures.cells.programming.strategy import Pulses, Strategy, Values, clip, where

if TYPE_CHECKING:
    from scipy.special import log_ndtr, ndtr
else:
    log_ndtr, ndtr = compiled_alone("scipy.special", "_special_ufuncs", ["log_ndtr", "ndtr"], "scipy.special")


@dataclass(frozen=True)
class GateCurve:
    """Median conductance after one SET pulse against the voltage on the word line."""

    gates: Floats  # (n,): V, ascending
    levels: Floats  # (n,): S, strictly ascending

    @classmethod
    def of(cls, settings: WriteVerifySettings) -> GateCurve:
        """Return the table of the settings, or the straight line within their `gate_range`."""
        s = settings
        if s.response_gates:
            levels = np.asarray(s.response_levels, dtype=float)
            # A flat stretch has no gate of its own; a slope of a millionth keeps the inverse single-valued.
            rising = np.maximum.accumulate(levels) + 1e-6 * levels.max() * np.arange(len(levels)) / len(
                levels
            )
            return cls(np.asarray(s.response_gates, dtype=float), rising)
        gates = np.asarray(s.gate_range, dtype=float)
        return cls(gates, np.maximum((gates - s.set_offset) * s.set_slope, 1e-12 * np.arange(1, 3)))

    def level(self, gate: Values) -> Values:
        """Return the median conductance, S, after a SET with `gate` V on the word line."""
        return np.interp(gate, self.gates, self.levels)

    def gate(self, level: Values) -> Values:
        """Return the voltage on the word line, V, that SETs half of the cells above `level` (S)."""
        return np.interp(level, self.levels, self.gates)


AFAR, NEAR = 0, 1  # from where a SET begins: below or above half of its target
BELOW_AFAR, BELOW_NEAR, INSIDE, ABOVE = range(4)  # where a fine RESET ends
PRIOR = 6.0  # pseudo-observations of the settings' spreads
RESETS = np.array([1.0, 2.0, 1.0, 2.0])  # and of where fine RESETs end
DECAY = 0.95  # of what was observed before, each time
LEFT_ABOVE = 0.3  # share of fine RESETs that shall leave a cell above its window
REFRESH = 0.25  # share of further observations after which the expected numbers of pulses are computed again
ROUNDS = 12  # of value iteration
TRIALS = 20  # fine RESETs of a level before many cells get them at once
LEAST = 0.1  # of the settings' spreads: no estimate is smaller


class Population:
    """Offsets, spreads and expected numbers of pulses of each level.

    - `mean`, `device` (levels,): mean and standard deviation of the cells' offsets, V.
    - `cycle` (2, levels): standard deviation from pulse to pulse, V, of SETs from afar and from near.
    - `left` (2, levels): expected number of pulses left of a cell that is below its window, afar and near.
    - `left_above` (levels,): and of one that is above.
    - `fine` (levels,): whether a fine RESET is expected to take fewer pulses than a full one.
    - `reset` (levels,): voltage at which a fine RESET lowers half of the cells far enough, V.

    `learns`: whether observations are taken; otherwise it is what the settings say.
    """

    def __init__(self, settings: WriteVerifySettings, learns: bool = True) -> None:
        self.settings, self.learns = settings, learns
        self.curve = GateCurve.of(settings)
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

        `near`: 1 for a SET from near. `shown`, `square`: offset that it showed, V; and the square of that for a
        cell's first SET, half of that of its difference from the one before for a later one, V^2.
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
        for counts in (self._pulses, self._firsts, self._resets):
            counts *= DECAY  # the oldest were made with the poorest expectations
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


AIMS = np.linspace(-2.5, 1.1, 25)  # aims that are tried, in spreads from the middle of the window


def best_aim(low: Values, high: Values, spread: Values, under: Values, over: Values) -> tuple[Values, Values]:
    """Return the mean to aim for, and the expected number of pulses W.

    `low`, `high`: the window, V of gate voltage; `high` may be infinite. `spread`: standard deviation of where a SET
    lands, V. `under`, `over`: expected numbers of pulses that are left after a SET that lands below, and above the
    window.
    """
    low, high, spread, under, over = (
        np.asarray(value, dtype=float)[..., None] for value in (low, high, spread, under, over)
    )
    width = np.minimum(high - low, 8.0 * spread)  # of one that is open above: far enough to be sure
    aims = low + 0.5 * width + np.maximum(spread, 0.2 * width) * AIMS
    below, above = ndtr((low - aims) / spread), ndtr((aims - high) / spread)
    left = 1.0 + under * below + over * above
    best = left.argmin(axis=-1)[..., None]
    return np.take_along_axis(aims, best, axis=-1)[..., 0], np.take_along_axis(left, best, axis=-1)[..., 0]


def beyond(spread: Values, excess: Values) -> tuple[Values, Values]:
    """Return mean and variance of a normal deviate with this standard deviation, given that it exceeds `excess`.

    Those of a truncated normal distribution, by the logarithm of its tail, which does not underflow.
    """
    z = np.clip(excess / spread, -6.0, 6.0)
    hazard = np.exp(-0.5 * z * z - 0.5 * np.log(2.0 * np.pi) - log_ndtr(-z))
    return spread * hazard, spread**2 * np.maximum(1.0 + z * hazard - hazard**2, 0.0)


HALFWAY = 0.5  # share of its target above which a cell is near; below its inverse a fine RESET may be enough
STILL = 0.02  # a cell that a SET raised by less than this share did not move
BENT = 0.2  # of the distance from the window, V: how far the curve may be wrong there
WANDER = 0.15  # of the spread from pulse to pulse, by which an offset may change with each: cells are not quite memoryless
OUTLIER = 3.0  # spreads, to which an innovation is cut

IDLE, RAISED, LOWERED, AFRESH = range(4)  # the last pulse: none yet, a SET, a fine or a full RESET


@dataclass
class Model(Strategy):
    """The pulse with the least expected number of pulses left, by the cell's own response."""

    pilot: ClassVar[int] = 64

    # Whether fine RESETs are given even where full ones would take fewer pulses: a cell is then never far off
    gently: bool = False
    level: Values = 0  # number of the cell's level in the population
    # offset, doubt: estimate of the cell's offset, V, and its standard deviation; NaN before the first SET
    offset: Values = nan
    doubt: Values = nan
    _act: Values = IDLE
    _gate: Values = nan  # V, of the last SET
    _reset: Values = nan  # V, of the last fine RESET
    _before: Values = nan  # S, read before the last pulse
    _shown: Values = nan  # V, offset that the last SET showed
    _unsure: Values = 0.0  # V^2, variance of that where the SET only told a bound

    @classmethod
    def new_memory(cls, settings: WriteVerifySettings) -> Population:
        """Return a population of which the settings only are known."""
        return Population(settings)

    @classmethod
    def towards(
        cls, target: Values, low: Values, high: Values, settings: WriteVerifySettings, memory: Any = None
    ) -> Self:
        """Create the state as `Strategy.towards`; without a memory nothing is learnt from one cell for another."""
        state = super().towards(target, low, high, settings, memory or Population(settings, learns=False))
        state.level = state.memory.number(state.target, state.low, state.high)
        return state

    def decide(self, read: Values) -> Pulses:
        """Learn from the last pulse, then raise a cell below its window and lower one above."""
        self._learn(read)
        s, known, level = self.settings, self.memory, self.level
        over = read > self.high
        gate = s.gate_range[0] if np.all(over) else self._best_gate(read)
        moved = where(self._act == LOWERED, where(over, 0.5, -0.5), 0.0) * s.reset_step
        reset = where(self._reset == self._reset, self._reset + moved, known.reset[level])
        reset = clip(reset, *s.reset_fine)
        able = over & (self.low > 0.0) & (read * HALFWAY < self.target)
        fine = able & (self.gently | known.lowers_finely(level, able))
        raised = self.raised(clip(gate, *s.gate_range))
        pulses = self.either(over, self.lowered(where(fine, reset, s.reset_full)), raised)
        self._act = where(over, where(fine, LOWERED, AFRESH), RAISED)
        self._gate = where(over, self._gate, pulses.gate)
        self._reset = where(over & fine, reset, self._reset)
        self._before = read
        return pulses

    def conclude(self, read: Values) -> None:
        """Learn from the last pulse: without those that landed, every spread would seem larger."""
        self._learn(read)

    def _best_gate(self, read: Values) -> Values:
        known, level, s_range = self.memory, self.level, self.settings.gate_range
        near = where(read > HALFWAY * self.target, 1, 0)
        unknown = self.offset != self.offset
        offset = where(unknown, known.mean[level], self.offset)
        doubt = where(unknown, known.device[level], self.doubt)
        spread = np.sqrt(doubt**2 + known.cycle[near, level] ** 2)
        low, high = known.window(level)
        aim, _ = best_aim(low, high, spread, known.left[NEAR, level], known.left_above[level])
        return where(high == np.inf, s_range[1], aim + offset)  # nothing is too high

    def _gate_for(self, read: Values, low: Values, high: Values) -> Values:
        """Return the gate voltage (V) at which the median cell reaches `read` (S); straight on above the window, `low` to
        `high` (V), since a curve that saturates would take a small excess for a large one.
        """
        straight = (read > self.high) & (high < np.inf)
        top = where(straight, high, low)
        steep = (top - low) / (self.high - self.low)
        return where(straight, top + (read - self.high) * steep, self.memory.curve.gate(read))

    def _learn(self, read: Values) -> None:
        """Update the cell and the population by what the last pulse did."""
        known, level = self.memory, self.level
        raised, lowered = self._act == RAISED, self._act == LOWERED
        if np.any(raised):
            self._learn_set(read, raised)
        if np.any(lowered):
            below = where(read < HALFWAY * self.target, BELOW_AFAR, BELOW_NEAR)
            ended = where(read > self.high, ABOVE, where(read < self.low, below, INSIDE))
            known.saw_resets(*_those(lowered, level, ended, self._reset))

    def _learn_set(self, read: Values, raised: Values) -> None:
        known, level = self.memory, self.level
        near = where(self._before > HALFWAY * self.target, 1, 0)
        first = self.offset != self.offset
        offset = where(first, known.mean[level], self.offset)
        doubt = where(first, known.device[level], self.doubt)
        low, high = known.window(level)
        still = read < self._before * (1.0 + STILL)
        reached = self._gate_for(where(still, self._before, read), low, high)
        away = np.maximum(np.maximum(low - reached, reached - high), 0.0)
        noise = np.sqrt(known.cycle[near, level] ** 2 + (BENT * away) ** 2)
        spread = np.sqrt(doubt**2 + noise**2)
        innovation = self._gate - reached - offset
        least, remains = beyond(spread, innovation)
        correction = where(still, least, np.clip(innovation, -OUTLIER * spread, OUTLIER * spread))
        remains = where(still, remains, 0.0)
        gain = doubt**2 / spread**2
        variance = doubt**2 * (1.0 - gain) + gain**2 * remains
        seen = raised & (away < 2.0 * spread)
        shown = correction + offset
        if np.any(seen):
            # The cell's own offset cancels in the difference of two pulses, and half of its square is their variance.
            square = where(
                first, shown**2 + remains, 0.5 * ((shown - self._shown) ** 2 + remains + self._unsure)
            )
            known.saw_sets(*_those(seen, level, near, shown, square, first))
        self._shown = where(raised, shown, self._shown)
        self._unsure = where(raised, remains, self._unsure)
        self.offset = where(raised, offset + gain * correction, self.offset)
        wander = (WANDER * known.cycle[near, level]) ** 2
        self.doubt = where(raised, np.sqrt(variance + wander), self.doubt)


def _those(which: Values, *values: Values) -> list[Any]:
    """Return each value of the cells chosen; of one cell, which is chosen, as it is."""
    if not isinstance(which, np.ndarray):
        return list(values)
    return [value[which] if isinstance(value, np.ndarray) else value for value in values]
