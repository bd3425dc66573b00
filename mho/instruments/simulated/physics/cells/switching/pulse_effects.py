"""How a pulse changes a cell: what all kinds of cells have in common, as functions of arrays.

    SET      G -> G + (G_c - G) (1 - exp(-width rate)),  rate = exp(min(V_BL - V_set, 0)/set_acceleration) / set_time
    limited  a source that may give no more than I leaves I/G to the cell: dG/dt = (G_c - G) rate(I/G) ends at I/V_stop,
             V_stop = V_set - set_acceleration ln(width/set_time (G_c V_stop/I - 1) V_stop/set_acceleration)
    forming  V_BL >= V_form + what too low a gate or too short a pulse costs
    wear     full cycles, each change counted as its share of one and times exp((V - wear_voltage)/acceleration)

The compliance G_c and what a RESET does are laws of their own: `gradual_law`, `threshold_law`.

Above its threshold a SET has one rate: the transistor fixes the remaining voltage at the cell. Below it,
the rate falls exponentially (the voltage-time dilemma), which is also what makes a read disturb a cell. A limit
of the current follows from that rate: the resistance after a SET is a voltage over the compliance, as measured on
oxide RRAM ((?) from memory: Ielmini, IEEE Trans. Electron Devices 58, 4309 (2011), about 0.4 V; here 0.6 V and
more after 20 ms).
Every function takes scalars as well as arrays, and standard normal draws for random quantities.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np

from mho.instruments.simulated.physics.cells.presets import CellPreset

Values = Any  # numpy scalar or array, float32 or float64; the result has the operands' shape

LN10 = math.log(10.0)
PULSE = 100e-9  # s: the width of which parameters of pulses are
FORMING_WIDTH = 1e-6  # s, of forming_voltage
HALVINGS = 16  # of a volt: to some 20 uV
LASTING = 1e-4  # s: a pulse ends when it forms a cell; a longer one continues, as a level does


class SwitchingLaw(Protocol):
    """What a pulse does to cells of one kind.

    Voltages in V, widths in s, conductances in S; `wear` in units of the endurance; `factor`, `shift` and `deviate` are the
    devices' own (`physics.devices`); `draw` is standard normal, one per cell and pulse.
    """

    def __init__(self, preset: CellPreset) -> None: ...

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
        """Conductance that a SET approaches; at most 0 while the transistor is off."""

    redraws: bool
    """Whether each SET draws its compliance anew, so that the largest of many counts."""

    def spread(self, growth: Values, limit: Values) -> Values:
        """Standard deviation (S) of a SET around its compliance `limit`, `growth` above where it began.

        None where the compliance has been drawn.
        """

    def arriving(self, voltage: Values, gate: Values) -> Values:
        """Voltage of a RESET that arrives at the cell."""

    def begins(self, arriving: Values, before: Values, deviate: Values) -> Values:
        """Whether a RESET of that voltage changes the cell."""

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
        """Conductance after `times` RESET pulses, of whose draws `deepest` is the largest."""


def at_least(values: Values, low: Values) -> Values:
    """Return `numpy.maximum` of values and a limit; of one cell's number in a tenth of the time, with equal bits."""
    kind = type(values)
    if kind is np.float32 or kind is np.float64:
        if type(low) is float:
            return kind(low) if values < low else values
        if type(low) is kind:
            return low if values < low else values
    return np.maximum(values, low)


def at_most(values: Values, high: Values) -> Values:
    """Return `numpy.minimum`, as `at_least`."""
    kind = type(values)
    if kind is np.float32 or kind is np.float64:
        if type(high) is float:
            return kind(high) if values > high else values
        if type(high) is kind:
            return high if values > high else values
    return np.minimum(values, high)


def after_set(law: SwitchingLaw, before: Values, limit: Values, progress: Values, draw: Values) -> Values:
    """Conductance (S) after a SET that went the share `progress` of the way from `before` to its compliance `limit`."""
    growth = at_least(limit - before, 0.0)
    spread = law.spread(growth, limit)
    if spread is not None:
        growth = at_least(growth + spread * draw, 0.0)
    return before + growth * progress


def set_rate(preset: CellPreset, voltage: Values, threshold: Values) -> Values:
    """Rate (1/s) at which a cell approaches its compliance with `voltage` (V) on the bit line."""
    return np.exp(at_most(voltage - threshold, 0.0) / preset.set_acceleration) / preset.set_time


def limited_conductance(
    preset: CellPreset, current: float, voltage: Values, width: Values, threshold: Values, limit: Values
) -> Values:
    """Conductance (S) at which a SET stops because its source gives no more than `current` (A).

    Nearly all of the time of the state equation is spent at its end, so that its integral is the value at the end divided
    by the slope of its logarithm (Laplace's method).

    Parameters
    ----------
    voltage, width : array
        On the bit line, V, and for how long, s.
    threshold, limit : array
        Threshold of the cell, V; conductance that a SET without the limit approaches, S.
    """
    scale = preset.set_acceleration
    least = current / np.maximum(limit, preset.unformed)  # V: below this the limit has no effect
    low, high = least, np.maximum(threshold, least)
    for _ in range(HALVINGS):
        stop = (low + high) / 2.0
        room = np.maximum(stop / least - 1.0, 1e-12)
        late = stop < threshold - scale * np.log(width / preset.set_time * room * stop / scale)
        low, high = np.where(late, stop, low), np.where(late, high, stop)
    return current / np.minimum(high, voltage)


def forming_cost(preset: CellPreset, width: Values, gate: Values) -> Values:
    """Additional voltage (V) for forming beyond the cell's forming voltage at this pulse `width` (s) and `gate` (V)."""
    narrow = preset.forming_decade * (np.log10(FORMING_WIDTH) - np.log10(width))
    return narrow + preset.forming_gate_loss * np.maximum(preset.forming_gate - gate, 0.0)


def wear_of(preset: CellPreset, change: Values, voltage: Values) -> Values:
    """Wear of a pulse that changed the conductance by `change` (S), in units of the endurance."""
    stress = np.exp((voltage - preset.wear_voltage) / preset.wear_acceleration) / preset.endurance
    return stress * (preset.wear_idle + np.abs(change) / (2.0 * preset.maximum))


def check_pulse(voltage: Values, width: Values, gate: Values) -> None:
    """Raise `ValueError` unless all values of a pulse are finite and it has a width."""
    for name, value, unit in (("voltage", voltage, "V"), ("width", width, "s"), ("gate", gate, "V")):
        array = isinstance(value, np.ndarray)
        if not (np.isfinite(value).all() if array else math.isfinite(value)):
            raise ValueError(f"a pulse needs a finite {name}: {value} {unit}")
    if not (width.min() if isinstance(width, np.ndarray) else width) > 0.0:
        raise ValueError(f"a pulse needs a width above 0 s: {width} s")


def deepest_of(times: int, draw: float) -> float:
    """Largest of `times` standard normal draws, from one uniform `draw` between 0 and 1."""
    share = -math.expm1(math.log(max(draw, 1e-300)) / times)  # share of the draws that lie above it
    return NormalDist().inv_cdf(1.0 - share) if share > 1e-16 else 8.2


def deviate_exceeded_by(share: float) -> float:
    """Standard normal deviate that a `share` of the draws exceed."""
    if share <= 0.0 or share >= 1.0:
        return math.inf if share <= 0.0 else -math.inf
    return NormalDist().inv_cdf(1.0 - share)
