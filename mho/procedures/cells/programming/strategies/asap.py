"""The strategy `asap`: one coarse SET by the measured curve, then fine SET and RESET pulses whose step adapts.

The scheme is the published one ("ASAP", Zuo 2025): RESET, one coarse SET whose gate voltage comes from
the measured G(V_WL) curve, then fine SET and RESET pulses whose step grows after a small change and
shrinks after a large one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

from mho.procedures.cells.programming.strategy import RESET, SET, Pulses, Strategy, Values, clip, where

RAISE, LOWER, AFRESH = range(3)  # purposes of a pulse: SET, fine RESET, full RESET


@dataclass
class Asap(Strategy):
    """SETs and RESETs with adaptive steps: a cell far above its window, or of digit 0, is lowered by a full RESET."""

    _before: Values = 0.0  # S, read before the last pulse
    _gate: Values = nan  # V; NaN as long as no SET has been tried
    _reset: Values = nan  # V; NaN as long as no fine RESET has been tried since the last full one
    _gate_step: Values = nan
    _reset_step: Values = nan

    def __post_init__(self) -> None:
        if self._gate_step is nan:
            self._gate_step, self._reset_step = self.settings.gate_step, self.settings.reset_step

    def decide(self, read: Values) -> Pulses:
        """Lower a cell above its window, raise any other."""
        far = (self.low <= 0.0) | (read > 2.5 * self.target)
        act = where(read > self.high, where(far, AFRESH, LOWER), RAISE)
        gate, gate_step = self._raised_gate(act, read)
        reset, reset_step = self._lowered_voltage(act, read)
        pulses = self.either(
            act == RAISE,
            self.raised(gate),
            self.lowered(where(act == LOWER, reset, self.settings.reset_full)),
        )
        self._gate, self._gate_step, self._reset, self._reset_step = gate, gate_step, reset, reset_step
        self._before = read
        return pulses

    def _raised_gate(self, act: Values, read: Values) -> tuple[Values, Values]:
        """Return the gate voltage (V) and its step after this decision."""
        s = self.settings
        first, after_set = self._gate != self._gate, self._last == SET
        step = self._adapted(self._gate_step, s.gate_step, read - self._before)
        coarse = s.set_offset + s.coarse_share * self.target / s.set_slope
        # After a RESET, retry with the gate voltage that nearly reached the level.
        tried = where(first, coarse, where(after_set, self._gate + step, self._gate))
        overshot = (act == LOWER) & after_set  # restart a little lower
        gate = where(overshot, self._gate - 0.5 * self._gate_step, self._gate)
        gate = where(act == RAISE, clip(tried, *s.gate_range), gate)
        return gate, where((act == RAISE) & (first < after_set), step, self._gate_step)

    def _lowered_voltage(self, act: Values, read: Values) -> tuple[Values, Values]:
        """Return the RESET voltage (V) and its step after this decision; a full RESET restarts the sequence."""
        s = self.settings
        first, after_reset = self._reset != self._reset, self._last == RESET
        step = self._adapted(self._reset_step, s.reset_step, self._before - read)
        again = where(after_reset, self._reset + step, self._reset - self._reset_step)
        tried = clip(where(first, s.reset_fine[0], again), *s.reset_fine)
        reset = where(act == LOWER, tried, where(act == AFRESH, nan, self._reset))
        return reset, where((act == LOWER) & (first < after_reset), step, self._reset_step)

    def _adapted(self, step: Values, first: float, change: Values) -> Values:
        """Increase the step after a small change, decrease it after a large one."""
        s = self.settings
        window = self.high - self.low
        factor = where(change < 0.25 * window, s.grow, where(change > window, s.shrink, 1.0))
        return clip(step * factor, s.smallest_step * first, 8.0 * first)
