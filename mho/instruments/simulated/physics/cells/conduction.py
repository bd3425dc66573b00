"""The I-V law of a 1T1R cell below switching: a filament whose gap conducts by sinh, behind its select transistor.

Of the current of a cell, a share goes through a gap, I ~ sinh(V / V0), the law of the Stanford RRAM model (Jiang and Wong,
doi 10.4231/D37H1DN48, where V0 = 0.25 V), and the rest is ohmic. The share falls with the conductance: a cell in HRS is
superlinear, one in LRS is not. In series is a transistor, by the square law between its two ends at a and b,

    I = k (P(a) - P(b)),      P(x) = o y - y^2 / 2,  y = min(x, o),      o = V_WL - V_T,

which takes a larger part of the voltage the more the cell conducts and the lower its gate is, and which saturates.
A cell's conductance G is what a read at the rated voltage and gate says of it: there the law is I = G V, whatever the
parameters are, so that verified levels mean the same with and without it.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from mho.array_types import Floats
from mho.instruments.simulated.physics.cells.presets import CellPreset

Line = Literal["bit line", "source line"]

LEAST = 0.05  # share of the rated voltage that is at the filament at least, behind a transistor that is too small for it
STEPS = 60  # of Newton's method: three suffice below 0.5 V
ACCURACY = 1e-12  # V


def cell_current(
    preset: CellPreset, conductance: Any, volts: Any, gate: float, line: Line = "bit line"
) -> Floats:
    """Return the current (A) through cells at `volts` between their lines, without noise.

    Parameters
    ----------
    preset : CellPreset
        Its `nonlinearity` is the share of the deviation from I = G V that counts: 0 is a linear cell, 1 the whole law.
    conductance, volts : array
        S and V, broadcast against each other.
    gate : float
        On the word line, V, against the line at 0 V.
    line : {"bit line", "source line"}
        The line that is driven; the other is at 0 V. The transistor is at the source line.
    """
    g, volts = np.broadcast_arrays(np.asarray(conductance, np.float64), np.asarray(volts, np.float64))
    linear = g * volts
    if preset.nonlinearity == 0.0:
        return np.asarray(linear)
    gap = 1.0 / (1.0 + g / preset.ohmic_conductance)
    rated = preset.rated_voltage
    at_filament = np.maximum(rated - _rated_drop(preset, g * rated), LEAST * rated)
    strength = g * rated / _filament(preset, gap, at_filament)[0]
    drop = _transistor_drop(preset, strength, gap, volts, gate - preset.gate_threshold, line)
    current = strength * _filament(preset, gap, volts - drop)[0]
    return np.asarray(linear + preset.nonlinearity * (current - linear))


def conductance_at(preset: CellPreset, conductance: Any, wires: Any, volts: float, gate: float) -> Any:
    """Return what cells of `conductance` (S) behind `wires` (ohm) conduct with `volts` on the bit line, without the wires.

    The voltage that the wires leave is that of a linear cell: what the law changes in it is of second order.
    """
    if preset.nonlinearity and volts:
        across = volts / (1.0 + conductance * wires)
        return cell_current(preset, conductance, across, gate) / across
    return conductance


def _filament(preset: CellPreset, gap: Floats, volts: Floats) -> tuple[Floats, Floats]:
    """Return the current of a filament of unit conductance, V, and its slope; `gap` is the share of the gap."""
    scale = preset.hopping_voltage
    return (
        (1.0 - gap) * volts + gap * scale * np.sinh(volts / scale),
        1.0 - gap + gap * np.cosh(volts / scale),
    )


def _rated_drop(preset: CellPreset, current: Floats) -> Floats:
    """Return the transistor's voltage when a cell is read at the rated voltage and gate: k P(drop) = I, solved for it."""
    if preset.transistor_slope == 0.0:
        return np.zeros_like(current)
    over = preset.rated_gate - preset.gate_threshold
    return np.asarray(over - np.sqrt(np.maximum(over**2 - 2.0 * current / preset.transistor_slope, 0.0)))


def _transistor_drop(
    preset: CellPreset, strength: Floats, gap: Floats, volts: Floats, over: float, line: Line
) -> Floats:
    """Return the transistor's voltage, at which it carries the current of the filament in series with it.

    Newton's method from no drop: for a driven bit line what it solves is concave, so that it comes from one side.
    """
    drop = np.zeros_like(volts)
    slope = preset.transistor_slope
    if slope == 0.0:
        return drop

    def channel(volts: Floats) -> Floats:
        inside = np.minimum(volts, over)
        return np.asarray(over * inside - 0.5 * inside**2)

    driven = line == "source line"
    for _ in range(STEPS):
        current, conductance = _filament(preset, gap, volts - drop)
        far = volts - drop if driven else drop  # the end of the channel that moves with the drop
        carried = channel(volts) - channel(far) if driven else channel(far)
        step = (strength * current - slope * carried) / (
            strength * conductance + slope * np.maximum(over - far, 0.0)
        )
        drop += step
        if np.abs(step).max(initial=0.0) < ACCURACY:
            break
    return drop
