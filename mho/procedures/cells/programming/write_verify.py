"""The decisions of write-verify, by which cells are programmed to their levels; independent of instruments.

The scheme is the published one ("ASAP", Zuo 2025): RESET, one coarse SET whose gate voltage comes from
the measured G(V_WL) curve, then fine SET and RESET pulses whose step grows after a small change and
shrinks after a large one. All functions accept numbers for one cell and arrays for many, with equal results.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from math import nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import Pulse

Values = Any  # a number for one cell, an array for many

SET, RESET = 1, 2  # kinds of pulses; 0 means none yet
FORM, RAISE, AFRESH, LOWER = range(4)  # purposes of a pulse: forming, SET, full RESET, fine RESET


def largest_pulses(settings: WriteVerifySettings) -> tuple[Pulse, ...]:
    """Return the largest pulse of each kind, which a bench's limits must allow before any is sent."""
    s = settings
    return (
        Pulse("set", s.set_voltage, s.width, s.gate_range[1]),
        Pulse("set", max(s.forming_voltages), s.forming_width, max(s.gate_range[1], s.forming_gate)),
        Pulse("reset", max(s.reset_full, s.reset_fine[1]), s.width, s.reset_gate),
    )


class Pulses(NamedTuple):
    """Decided pulses as numbers: kind (`SET` or `RESET`), V, s, and V on the word line, as `Pulse` has them."""

    kind: Values
    voltage: Values
    width: Values
    gate: Values


@dataclass
class WriteVerify:
    """The state of cells on their way to `target`; `next_pulses` decides from each verify read.

    Attributes
    ----------
    target, low, high : float or array
        Level and the window to aim for, S.
    pulses : int or array
        Pulses decided so far.
    """

    target: Values
    low: Values
    high: Values
    settings: WriteVerifySettings = field(default_factory=WriteVerifySettings)
    pulses: Values = 0
    _forming: Values = 0
    _in_a_row: Values = 0  # pulses of the last kind
    _last: Values = 0
    _before: Values = 0.0
    _gate: Values = nan  # V; NaN as long as no SET or RESET has been tried
    _reset: Values = nan
    _gate_step: Values = nan
    _reset_step: Values = nan

    def __post_init__(self) -> None:
        if self._gate_step is nan:
            self._gate_step, self._reset_step = self.settings.gate_step, self.settings.reset_step

    @classmethod
    def towards(cls, target: Values, low: Values, high: Values, settings: WriteVerifySettings) -> WriteVerify:
        """Create the state with the inner part of the verify window `low` to `high` (S) around `target` as the aim."""
        margin = (1.0 - settings.inner) * (high - target)
        return cls(target, _ops(low).where(low > 0.0, low + margin, low), high - margin, settings)

    def of(self, cells: NDArray[np.int64]) -> WriteVerify:
        """Return the state of some of the cells, by number."""
        some = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(some, name, value[cells])
        return some

    def alone(self, cell: int) -> WriteVerify:
        """Return the state of one of the cells, in plain numbers."""
        one = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(one, name, value[cell].item())
        return one

    def done(self, conductance: Values) -> Values:
        """Return whether the verify read (S) lies in the window."""
        return (self.low <= conductance) & (conductance <= self.high)

    def given_up(self, conductance: Values) -> Values:
        """Return whether a cell with the verify read `conductance` (S) is given up."""
        unformed = self._must_form(conductance) & (self._forming >= len(self.settings.forming_voltages))
        stuck = self._in_a_row >= self.settings.futile
        return unformed | stuck | (self.pulses >= self.settings.max_pulses)

    def next_pulse(self, conductance: float) -> Pulse:
        """Decide one cell's next pulse from its last verify read (S); only while neither `done` nor `given_up`."""
        kind, voltage, width, gate = self.next_pulses(conductance)
        return Pulse("set" if kind == SET else "reset", voltage, width, gate)

    def next_pulses(self, conductance: Values) -> Pulses:
        """Decide the next pulse of each cell from its last verify read (S).

        A cell that has not conducted yet is formed. One above its window is lowered, by a full RESET when it is far
        above or its target is digit 0. Any other is raised.
        """
        s, where, g = self.settings, _ops(conductance).where, conductance
        far = (self.low <= 0.0) | (g > 2.5 * self.target)
        act = where(self._must_form(g), FORM, where(g > self.high, where(far, AFRESH, LOWER), RAISE))
        gate, gate_step = self._raised(act, g)
        reset, reset_step = self._lowered(act, g)
        pulses = Pulses(
            where(act <= RAISE, SET, RESET),
            where(
                act == FORM,
                _ops(g).take(s.forming_voltages, self._forming),
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

    def _must_form(self, conductance: Values) -> Values:
        """Return whether a cell has not conducted yet: it is virgin, or its forming pulse was too weak."""
        untouched = (self._gate != self._gate) & (self._reset != self._reset)  # both are NaN
        return untouched & (conductance < self.settings.formed_above)

    def _raised(self, act: Values, conductance: Values) -> tuple[Values, Values]:
        """Return the gate voltage (V) and its step after this decision."""
        s, ops = self.settings, _ops(conductance)
        first, after_set = self._gate != self._gate, self._last == SET
        step = self._adapted(self._gate_step, s.gate_step, conductance - self._before)
        coarse = s.set_offset + s.coarse_share * self.target / s.set_slope
        # After a RESET, retry with the gate voltage that nearly reached the level.
        tried = ops.where(first, coarse, ops.where(after_set, self._gate + step, self._gate))
        overshot = (act == LOWER) & after_set  # restart a little lower
        gate = ops.where(overshot, self._gate - 0.5 * self._gate_step, self._gate)
        gate = ops.where(act == RAISE, ops.clip(tried, *s.gate_range), gate)
        return gate, ops.where((act == RAISE) & (first < after_set), step, self._gate_step)

    def _lowered(self, act: Values, conductance: Values) -> tuple[Values, Values]:
        """Return the RESET voltage (V) and its step after this decision; a full RESET restarts the sequence."""
        s, ops = self.settings, _ops(conductance)
        first, after_reset = self._reset != self._reset, self._last == RESET
        step = self._adapted(self._reset_step, s.reset_step, self._before - conductance)
        again = ops.where(after_reset, self._reset + step, self._reset - self._reset_step)
        tried = ops.clip(ops.where(first, s.reset_fine[0], again), *s.reset_fine)
        reset = ops.where(act == LOWER, tried, ops.where(act == AFRESH, nan, self._reset))
        return reset, ops.where((act == LOWER) & (first < after_reset), step, self._reset_step)

    def _adapted(self, step: Values, first: float, change: Values) -> Values:
        """Increase the step after a small change, decrease it after a large one."""
        s, ops = self.settings, _ops(change)
        window = self.high - self.low
        factor = ops.where(change < 0.25 * window, s.grow, ops.where(change > window, s.shrink, 1.0))
        return ops.clip(step * factor, s.smallest_step * first, 8.0 * first)


class _Number:
    """Elementary operations of the decisions, for one cell."""

    @staticmethod
    def where(condition: bool, yes: Any, no: Any) -> Any:
        return yes if condition else no

    @staticmethod
    def clip(value: float, low: float, high: float) -> float:
        return min(max(value, low), high)

    @staticmethod
    def take(table: tuple[float, ...], index: int) -> float:
        return table[min(index, len(table) - 1)]


class _Numbers:
    """Elementary operations of the decisions, for arrays of cells."""

    where = staticmethod(np.where)

    @staticmethod
    def clip(value: Values, low: float, high: float) -> Values:
        return np.minimum(np.maximum(value, low), high)

    @staticmethod
    def take(table: tuple[float, ...], index: Values) -> Values:
        return np.take(table, index, mode="clip")


def _ops(values: Values) -> Any:
    return _Numbers if isinstance(values, np.ndarray) else _Number
