"""The I-V law of a 1T1R cell below switching: a filament whose gap conducts by sinh, behind its select transistor.

Of the current of a cell, a share goes through a gap, I ~ sinh(V / V0), the law of the Stanford RRAM model (Jiang and Wong,
doi 10.4231/D37H1DN48, where V0 = 0.25 V), and the rest is ohmic. The share falls with the conductance: a cell in HRS is
superlinear, one in LRS is not. In series is a transistor, by the square law between its two ends at a and b,

    I = k (P(a) - P(b)),      P(x) = o y - y^2 / 2,  y = min(x, o),      o = V_WL - V_T,

which takes a larger part of the voltage the more the cell conducts and the lower its gate is, and which saturates.
A cell's conductance G is what a read at the rated voltage and gate says of it: there the law is I = G V, whatever the
parameters are, so that verified levels mean the same with and without it.

A circuit with linear cells is solved once for all inputs. The rest of the law is a current beside it, as Chebyshev
polynomials in the voltage on the lines, which a batch of vectors gets from one product of matrices, and Newton's method
its slopes. Their coefficients, relative to G, are kept over ln G for a preset, a gate and a range of voltages, so that
cells that age need no new solution of the law.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.polynomial import chebyshev

from mho.array_types import Floats
from mho.instruments.simulated.physics.cells.own_answers import ask
from mho.instruments.simulated.physics.cells.presets import CellPreset

Line = Literal["bit line", "source line"]

LEAST = 0.05  # share of the rated voltage that is at the filament at least, behind a transistor that is too small for it
STEPS = 60  # of Newton's method: three suffice below 0.5 V
ACCURACY = 1e-12  # V
MOST_CURRENT = 1.0  # A, of a law of a user's own


def cell_current(
    preset: CellPreset, conductance: Any, volts: Any, gate: float, line: Line = "bit line"
) -> Floats:
    """Return the current (A) through cells of `conductance` (S) at `volts` (V) between their lines, without noise.

    The preset's `nonlinearity` is the share of the deviation from I = G V that counts: 0 is a linear cell, 1 the whole law.
    `gate` (V) is on the word line, against the line at 0 V; `line` is the one that is driven, the other is at 0 V. The
    transistor is at the source line.
    """
    g, volts = np.broadcast_arrays(np.asarray(conductance, np.float64), np.asarray(volts, np.float64))
    linear = g * volts
    if preset.nonlinearity == 0.0:
        return np.asarray(linear)
    if (own := preset.own) is not None and (law := own.conduction) is not None:
        current = ask(
            law, "current", g, volts, unit="A", low=-MOST_CURRENT, high=MOST_CURRENT, rest=(gate, line)
        )
        return np.asarray(linear + preset.nonlinearity * (current - linear))
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


DEGREE = 8  # of the polynomials: within 1e-5 of the excess up to 0.4 V
LOWEST, HIGHEST, POINTS = 1e-10, 1e-2, 4096  # S; of ln G, interpolated linearly
_NODES = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
_FITTED = np.linalg.inv(chebyshev.chebvander(_NODES, DEGREE))  # values at the nodes -> coefficients
_SLOPES = chebyshev.chebder(np.eye(DEGREE + 1))  # of T_q, by T_0 to T_(DEGREE - 1)
_STRETCH = _FITTED @ (_NODES[:, None] * (chebyshev.chebvander(_NODES, DEGREE - 1) @ _SLOPES))  # f -> x df/dx


@dataclass(frozen=True)
class ExcessCurrents:
    """The currents of a block's cells beyond I = G V, summed over the lines that drive them."""

    # (..., DEGREE + 1, inputs, outputs): of each cell's current, A, by Chebyshev polynomials in the voltage over
    # `reach`
    coefficients: Floats
    reach: float  # largest voltage, V; the excess stays the same beyond

    def __add__(self, other: ExcessCurrents) -> ExcessCurrents:
        """Return those of two blocks between the same lines, over the same voltages."""
        return ExcessCurrents(self.coefficients + other.coefficients, self.reach)

    def currents(self, volts: Floats) -> Floats:
        """Return the currents (..., samples, outputs), A, at `volts` (..., samples, inputs), V, on the inputs."""
        x = np.clip(volts / self.reach, -1.0, 1.0)
        before, power = np.ones_like(x), x
        result = before @ self.coefficients[..., 0, :, :]
        for degree in range(1, DEGREE + 1):
            result += power @ self.coefficients[..., degree, :, :]
            before, power = power, 2.0 * x * power - before
        return np.asarray(result)

    def slopes(self, volts: Floats) -> Floats:
        """Return the conductances (samples, outputs, inputs), S, that they add at `volts` (samples, inputs)."""
        inside = np.abs(volts) <= self.reach
        x = np.clip(volts / self.reach, -1.0, 1.0)
        basis = chebyshev.chebvander(x, DEGREE - 1) @ _SLOPES * (inside / self.reach)[..., None]
        return np.asarray(np.einsum("sjq,qjk->skj", basis, self.coefficients, optimize=True))


def excess_currents(
    preset: CellPreset, cells: Floats, transfer: Floats, gate: float, line: Line, reach: float,
    drive: float = 1.0,
) -> ExcessCurrents | None:  # fmt: skip
    """Return what cells carry beyond I = G V; None where they are linear.

    Of a cell's voltage the wires leave the share s = T / G, and of a current at the cell as much reaches the end of the
    line: T v + s e(s v), with e at s v to first order in 1 - s.

    `cells`, `transfer` (..., inputs, outputs): G, and T between the lines' ends, S; 0 for no cell.
    `gate`, `line`: as for `cell_current`.
    `reach`: largest voltage on an input, V.
    `drive`: volts on a line per volt on its input: -1 behind an inverter.
    """
    if preset.nonlinearity == 0.0:
        return None
    cells = np.maximum(cells, LOWEST)
    share = transfer / cells
    law = _law(preset, gate, line, reach * abs(drive))
    places = np.log(np.minimum(cells, HIGHEST) / LOWEST) * ((POINTS - 1) / np.log(HIGHEST / LOWEST))
    left = np.minimum(places.astype(np.intp), POINTS - 2)
    right = (places - left)[..., None]
    relative = law[left] * (1.0 - right) + law[left + 1] * right  # (..., inputs, outputs, DEGREE + 1)
    relative = relative + (share - 1.0)[..., None] * (relative @ _STRETCH.T)
    relative *= (share * cells)[..., None]
    if drive < 0.0:
        relative[..., 1::2] *= -1.0
    return ExcessCurrents(np.ascontiguousarray(np.moveaxis(relative, -1, -3)), reach)


@lru_cache(maxsize=64)
def _law(preset: CellPreset, gate: float, line: Line, reach: float) -> Floats:
    """Return the coefficients (POINTS, DEGREE + 1), V, of a cell's excess current over G, by ln G."""
    conductance = np.geomspace(LOWEST, HIGHEST, POINTS)
    volts = reach * _NODES
    excess = cell_current(preset, conductance[:, None], volts, gate, line) / conductance[:, None] - volts
    return np.asarray(excess @ _FITTED.T)
