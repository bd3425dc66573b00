"""The law of cells that switch at thresholds, as measured on a foundry's HfO2 cells (Levy et al., Stanford).

    SET      x = V_WL - V_on + gate_cycle_spread z,
             V_on = gate_threshold + gate_rise (100 ns/width)^gate_power - gate_bit_line V_BL + the device's shift
             G_c = set_slope x below the knee, maximum + maximum_slope x beyond it, with spreads; G -> max(G, G_c)
    RESET    V = min(V_SL, V_WL - reset_gate);  x = V - reset_threshold - the device's,  over = x - reset_rise G
             k = 1 - exp(-over/reset_reach sqrt(width/100 ns)), share of the way of ln G to
             ln G_end = max(ln reset_top - reset_slope x, ln floor);  then a redraw of the size
             (reset_cycle_spread^2 (1 - (1 - k)^2) + (reset_drop_spread drop)^2)^(1/2)

A SET draws its compliance anew with every pulse: a ramp of the gate ends with the largest of the draws so far, which is
why small steps reach a level at a lower voltage than large ones. A RESET is an autoregression in ln G: a cell in LRS
holds still up to its own threshold, then falls in drops; near its end it goes up as often as down. The source line is
a source follower: no more than V_WL - reset_gate arrives at the cell.

The functions take scalars as well as arrays, and standard normal draws for random quantities.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.cells.switching.pulse_effects import PULSE, at_least

Values = Any  # numpy scalar or array, float32 or float64; the result has the operands' shape


class ThresholdLaw:
    """SET along a threshold curve that saturates, redrawn with every pulse; RESET as a redraw; a `SwitchingLaw`."""

    redraws = True

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
        """Conductance (S) to which this pulse SETs a cell, its draw included; 0 below its threshold."""
        p = self._preset
        if p.set_tail:  # weak pulses are weaker than a normal draw has them
            draw = draw * np.exp(0.5 * p.set_tail * np.minimum(draw, 0.0) ** 2)
        on = p.gate_threshold + p.gate_rise * (PULSE / width) ** p.gate_power - p.gate_bit_line * voltage
        over = at_least(gate - on - shift + p.gate_cycle_spread * draw, 0.0)
        linear = p.set_slope * over
        top = (p.maximum + p.maximum_slope * over) * factor * 10.0 ** (p.set_cycle_spread * draw)
        limit = linear * (1.0 + (linear / top) ** p.set_knee) ** (-1.0 / p.set_knee)
        return limit / (1.0 + p.wear_top * wear)

    def spread(self, growth: Values, limit: Values) -> None:
        """Return None: `compliance` has its draw."""

    def arriving(self, voltage: Values, gate: Values) -> Values:
        """Voltage (V) of a RESET that arrives at the cell, a threshold below the gate at most."""
        return np.minimum(voltage, gate - self._preset.reset_gate)

    def begins(self, arriving: Values, before: Values, deviate: Values) -> Values:
        """Whether a RESET of the voltage `arriving` (V) changes cells."""
        p = self._preset
        return arriving > p.reset_threshold + p.reset_threshold_spread * deviate + p.reset_rise * before

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
        """Conductance (S) after one RESET pulse of `voltage` (V), or after `times` of them.

        A cell that resets late has a higher floor.
        """
        p = self._preset
        beyond = voltage - p.reset_threshold - p.reset_threshold_spread * deviate
        over = beyond - p.reset_rise * before
        left = np.exp(-at_least(over, 0.0) / p.reset_reach * (width / PULSE) ** 0.5 * times)  # 1 - k
        floor = np.log(p.floor * (1.0 + p.wear_floor * wear)) + p.floor_device_spread * deviate
        end = np.maximum(np.log(p.reset_top) - p.reset_slope * beyond, floor)
        log = np.log(before)
        drop = log - np.clip(log, floor, end)  # negative below the floor
        weaker = np.clip(end - log, 0.0, end - floor) / p.reset_slope  # V, than what brought the cell here
        spread = p.reset_cycle_spread**2 * (1.0 - left * left) * np.exp(-2.0 * weaker / p.reset_margin)
        spread = spread + (p.reset_drop_spread * (1.0 - left) * at_least(drop, 0.0)) ** 2
        after = log - (1.0 - left) * drop - spread**0.5 * draw
        return np.where(over > 0.0, np.minimum(np.exp(after), np.maximum(before, p.maximum)), before)
