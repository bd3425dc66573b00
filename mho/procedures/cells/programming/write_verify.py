"""The strategy `asap`: the decisions of write-verify, independent of instruments.

The scheme is the published one ("ASAP", Zuo 2025): RESET, one coarse SET whose gate voltage comes from
the measured G(V_WL) curve, then fine SET and RESET pulses whose step grows after a small change and
shrinks after a large one. All functions accept numbers for one cell and arrays for many, with equal results.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import Pulse
from mho.procedures.cells.programming.strategy import RESET, SET, Pulses, Strategy, clip, take, where

Values = Any  # a number for one cell, an array for many

FORM, RAISE, AFRESH, LOWER = range(4)  # purposes of a pulse: forming, SET, full RESET, fine RESET


def largest_pulses(settings: WriteVerifySettings) -> tuple[Pulse, ...]:
    """Return the largest pulse of each kind, which a bench's limits must allow before any is sent."""
    return WriteVerify.largest_pulses(settings)


@dataclass
class WriteVerify(Strategy):
    """The state of cells on their way to `target`; `next_pulses` decides from each verify read."""

    _before: Values = 0.0
    _gate: Values = nan  # V; NaN as long as no SET or RESET has been tried
    _reset: Values = nan
    _gate_step: Values = nan
    _reset_step: Values = nan

    def __post_init__(self) -> None:
        if self._gate_step is nan:
            self._gate_step, self._reset_step = self.settings.gate_step, self.settings.reset_step

    def next_pulses(self, conductance: Values) -> Pulses:
        """Decide the next pulse of each cell from its last verify read (S).

        A cell that has not conducted yet is formed. One above its window is lowered, by a full RESET when it is far
        above or its target is digit 0. Any other is raised.
        """
        if type(conductance) is float and type(self._before) is float:
            return self._next_of_one(conductance)
        s, g = self.settings, conductance
        far = (self.low <= 0.0) | (g > 2.5 * self.target)
        act = where(self._must_form(g), FORM, where(g > self.high, where(far, AFRESH, LOWER), RAISE))
        gate, gate_step = self._raised(act, g)
        reset, reset_step = self._lowered(act, g)
        pulses = Pulses(
            where(act <= RAISE, SET, RESET),
            where(
                act == FORM,
                take(s.forming_voltages, self._forming),
                where(act == RAISE, s.set_voltage, where(act == LOWER, reset, s.reset_full)),
            ),
            where(act == FORM, s.forming_width, s.width),
            where(act == FORM, s.forming_gate, where(act == RAISE, gate, s.reset_gate)),
        )
        self._gate, self._gate_step, self._reset, self._reset_step = gate, gate_step, reset, reset_step
        self._forming = self._forming + (act == FORM)
        self._in_a_row = where(pulses.kind == self._last, self._in_a_row + 1, 1)
        self._last, self._before = pulses.kind, g
        self.pulses = self.pulses + 1
        return pulses

    def _next_of_one(self, g: float) -> Pulses:
        """Decide the same for one cell, in a third of the time: a bench visits cell after cell."""
        s, gate, gate_step, reset, reset_step = (
            self.settings, self._gate, self._gate_step, self._reset, self._reset_step,
        )  # fmt: skip
        width, untried, unlowered = s.width, gate != gate, reset != reset
        if untried and unlowered and g < s.formed_above:
            kind, voltage, width, word_line = (
                SET,
                take(s.forming_voltages, self._forming),
                s.forming_width,
                s.forming_gate,
            )
            self._forming += 1
        elif g <= self.high:
            tried = s.set_offset + s.coarse_share * self.target / s.set_slope if untried else gate
            if self._last == SET and not untried:
                gate_step = self._adapted(gate_step, s.gate_step, g - self._before)
                tried = gate + gate_step
            gate = clip(tried, *s.gate_range)
            kind, voltage, word_line = SET, s.set_voltage, gate
        else:
            kind, word_line = RESET, s.reset_gate
            if self.low <= 0.0 or g > 2.5 * self.target:
                voltage, reset = s.reset_full, nan
            else:
                if self._last == SET:
                    gate = gate - 0.5 * gate_step
                tried = s.reset_fine[0] if unlowered else reset - reset_step
                if self._last == RESET and not unlowered:
                    reset_step = self._adapted(reset_step, s.reset_step, self._before - g)
                    tried = reset + reset_step
                voltage = reset = clip(tried, *s.reset_fine)
        self._gate, self._gate_step, self._reset, self._reset_step = gate, gate_step, reset, reset_step
        self._in_a_row = self._in_a_row + 1 if kind == self._last else 1
        self._last, self._before = kind, g
        self.pulses += 1
        return Pulses(kind, voltage, width, word_line)

    def _must_form(self, conductance: Values) -> Values:
        """Return whether a cell has not conducted yet: it is virgin, or its forming pulse was too weak."""
        untouched = (self._gate != self._gate) & (self._reset != self._reset)  # both are NaN
        return untouched & (conductance < self.settings.formed_above)

    def _raised(self, act: Values, conductance: Values) -> tuple[Values, Values]:
        """Return the gate voltage (V) and its step after this decision."""
        s = self.settings
        first, after_set = self._gate != self._gate, self._last == SET
        step = self._adapted(self._gate_step, s.gate_step, conductance - self._before)
        coarse = s.set_offset + s.coarse_share * self.target / s.set_slope
        # After a RESET, retry with the gate voltage that nearly reached the level.
        tried = where(first, coarse, where(after_set, self._gate + step, self._gate))
        overshot = (act == LOWER) & after_set  # restart a little lower
        gate = where(overshot, self._gate - 0.5 * self._gate_step, self._gate)
        gate = where(act == RAISE, clip(tried, *s.gate_range), gate)
        return gate, where((act == RAISE) & (first < after_set), step, self._gate_step)

    def _lowered(self, act: Values, conductance: Values) -> tuple[Values, Values]:
        """Return the RESET voltage (V) and its step after this decision; a full RESET restarts the sequence."""
        s = self.settings
        first, after_reset = self._reset != self._reset, self._last == RESET
        step = self._adapted(self._reset_step, s.reset_step, self._before - conductance)
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
