"""Programming by each cell's own response, which is learnt from what its pulses did: the strategy `model`.

The chip's response curve gives the gate voltage at which half of the cells reach a conductance. A cell differs from it by
an offset of its own (V of gate voltage, normal with the spread among devices), and each pulse by a deviation that is drawn
anew (normal with the spread from cycle to cycle). A SET with gate voltage V that ended at G tells the offset,

    V - curve^-1(G)

within the spread from cycle to cycle: a Kalman filter with one state a cell. A SET that changed nothing tells that the
offset is above that (the moments of a truncated normal distribution). The next voltage is the one with the least expected
number of pulses left (`landing`). Spreads and mean offsets are learnt beside, level by level, from all cells that the run
has programmed so far (`population`), and so is whether fine RESETs pay or full ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any, ClassVar, Self

import numpy as np

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.procedures.cells.programming.strategies.landing import best_aim, beyond
from mho.procedures.cells.programming.strategies.population import (
    ABOVE,
    BELOW_AFAR,
    BELOW_NEAR,
    INSIDE,
    NEAR,
    Population,
)
from mho.procedures.cells.programming.strategy import Pulses, Strategy, Values, where

HALFWAY = 0.5  # share of its target above which a cell is near; below its inverse a fine RESET may be enough
STILL = 0.02  # a cell that a SET raised by less than this share did not move
BENT = 0.2  # of the distance from the window, V: how far the curve may be wrong there
WANDER = 0.15  # of the spread from pulse to pulse, by which an offset may change with each: cells are not quite memoryless
OUTLIER = 3.0  # spreads, to which an innovation is cut

IDLE, RAISED, LOWERED, AFRESH = range(4)  # the last pulse: none yet, a SET, a fine or a full RESET


@dataclass
class Model(Strategy):
    """The pulse with the least expected number of pulses left, by the cell's own response.

    Attributes
    ----------
    gently : bool
        Whether fine RESETs are given even where full ones would take fewer pulses: a cell is then never far off.
    level : int or array
        Number of the cell's level in the population.
    offset, doubt : float or array
        Estimate of the cell's offset, V, and its standard deviation; NaN before the first SET.
    """

    pilot: ClassVar[int] = 64

    gently: bool = False
    level: Values = 0
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
        gate = s.gate_range[0] if _all(over) else self._best_gate(read)
        moved = where(self._act == LOWERED, where(over, 0.5, -0.5), 0.0) * s.reset_step
        reset = clip_to(
            where(self._reset == self._reset, self._reset + moved, known.reset[level]), s.reset_fine
        )
        able = over & (self.low > 0.0) & (read * HALFWAY < self.target)
        fine = able & (self.gently | known.lowers_finely(level, able))
        pulses = self.either(
            over, self.lowered(where(fine, reset, s.reset_full)), self.raised(clip_to(gate, s.gate_range))
        )
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
        if _any(raised):
            self._learn_set(read, raised)
        if _any(lowered):
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
        told = where(still, least, np.clip(innovation, -OUTLIER * spread, OUTLIER * spread))
        remains = where(still, remains, 0.0)
        gain = doubt**2 / spread**2
        variance = doubt**2 * (1.0 - gain) + gain**2 * remains
        seen = raised & (away < 2.0 * spread)
        shown = told + offset
        if _any(seen):
            # The cell's own offset cancels in the difference of two pulses, and half of its square is their variance.
            square = where(
                first, shown**2 + remains, 0.5 * ((shown - self._shown) ** 2 + remains + self._unsure)
            )
            known.saw_sets(*_those(seen, level, near, shown, square, first))
        self._shown = where(raised, shown, self._shown)
        self._unsure = where(raised, remains, self._unsure)
        self.offset = where(raised, offset + gain * told, self.offset)
        wander = (WANDER * known.cycle[near, level]) ** 2
        self.doubt = where(raised, np.sqrt(variance + wander), self.doubt)


def clip_to(values: Values, limits: tuple[float, float]) -> Values:
    """Return values within limits."""
    return np.minimum(np.maximum(values, limits[0]), limits[1])


def _all(values: Values) -> bool:
    return bool(np.all(values))


def _any(values: Values) -> bool:
    return bool(np.any(values))


def _those(which: Values, *values: Values) -> list[Any]:
    """Return each value of the cells chosen; of one cell, which is chosen, as it is."""
    if not isinstance(which, np.ndarray):
        return list(values)
    return [value[which] if isinstance(value, np.ndarray) else value for value in values]
