"""The law of cells that switch gradually, such as those of the published TaOx chip.

    SET      G_c = min(set_slope (V_WL - gate_threshold), maximum); the spread of a pulse grows with what it changes
    RESET    ln G -> ln G - reset_slope (V_SL - V_reset) sqrt(width/100 ns),  not below the floor

The functions take scalars as well as arrays, and standard normal draws for random quantities.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.cells.switching.pulse_effects import LN10, PULSE, at_least, at_most

Values = Any  # numpy scalar or array, float32 or float64; the result has the operands' shape


class GradualLaw:
    """SET towards a compliance that is linear in the gate, RESET in drops of ln G; a `SwitchingLaw`."""

    redraws = False  # one draw for the whole way to the compliance

    def __init__(self, preset: CellPreset) -> None:
        self._preset = preset

    def compliance(
        self,
        gate: Values,
        voltage: Values,
        width: Values,
        factor: Values,
        shift: Values,
        wear: Values,
        draw: Values,
    ) -> Values:
        """Conductance (S) that a SET at gate voltage `gate` (V) approaches; <= 0 while the transistor is off."""
        p = self._preset
        limit = at_most(p.set_slope * (gate - p.gate_threshold) * factor, p.maximum)
        return limit / (1.0 + p.wear_top * wear)

    def spread(self, growth: Values, limit: Values) -> Values:
        """Standard deviation (S) of a SET around its compliance `limit`, `growth` above where it began.

        It depends on the change, not on the level: full from HRS, small for a small step, and never below the resolution
        of a single pulse.
        """
        p = self._preset
        spread = LN10 * p.set_cycle_spread * (growth * at_least(limit, 0.0)) ** 0.5
        if p.landing or p.landing_share:
            spread = spread + p.landing + p.landing_share * limit
        return spread

    def arriving(self, voltage: Values, gate: Values) -> Values:
        """Voltage (V) of a RESET that arrives at the cell; below `reset_gate` the transistor starves it."""
        if isinstance(gate, np.ndarray):
            return np.where(gate >= self._preset.reset_gate, voltage, -np.inf)
        return voltage if gate >= self._preset.reset_gate else voltage - np.inf

    def begins(self, arriving: Values, before: Values, deviate: Values) -> Values:
        """Whether a RESET of the voltage `arriving` (V) changes cells."""
        p = self._preset
        return arriving > p.reset_threshold + p.reset_threshold_spread * deviate

    def after_reset(
        self,
        before: Values,
        voltage: Values,
        width: Values,
        deviate: Values,
        wear: Values,
        draw: Values,
        deepest: Values,
        times: int = 1,
    ) -> Values:
        """Conductance (S) after a RESET pulse of `voltage` (V); its one draw makes it deep.

        Of many pulses the deepest draw counts, and the drop of each is the mean. A cell that resets late has a higher
        floor.
        """
        p = self._preset
        over = at_least(voltage - p.reset_threshold - p.reset_threshold_spread * deviate, 0.0)
        drop = p.reset_slope * over * (width / PULSE) ** 0.5
        if times == 1:
            drop = drop * np.exp(p.reset_cycle_spread * deepest)
        else:
            drop = drop * times * math.exp(0.5 * p.reset_cycle_spread**2)
        bottom = p.floor * (1.0 + p.wear_floor * wear)
        bottom = bottom * np.exp(p.floor_device_spread * deviate - p.floor_spread * deepest)
        return at_most(before, at_least(before * np.exp(-drop), bottom))
