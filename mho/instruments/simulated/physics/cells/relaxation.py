"""Evolution of an idle cell: relaxation and drift in log time, retention with temperature.

    G(t) = [G + w(G) (c relaxation ln(1 + t/t0)^p + drift ln(1 + t/s))] exp(-s(t)/retention_time)

with one heavy-tailed coefficient c per cell, drawn when it was programmed, w(G) = min(1, G/relaxation_full), and s the
time at the retention temperature equivalent to the chip's thermal history (Arrhenius). The stored state does not change
by itself: any moment is evaluated from the last pulse in one step.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mho.instruments.simulated.physics.cells.presets import CellPreset

Values = Any  # numpy scalar or array

BOLTZMANN = 8.617333e-5  # eV/K
ROOM = 298.15  # K


def heavy_tailed(draw: Values, tail: float) -> Values:
    """Transform standard normal draws to Tukey's h distribution of unit variance.

    ``z exp(h z^2/2)`` has the variance (1 - 2h)^-1.5 (Hoaglin 1985); a tail of the order 1/h.
    """
    if tail == 0.0:
        return draw
    return (1.0 - 2.0 * tail) ** 0.75 * draw * np.exp(0.5 * tail * draw * draw)


def relaxed(preset: CellPreset, programmed: Values, coefficient: Values, age: Values) -> Values:
    """Conductance (S) at `age` (s) of cells programmed to `programmed` (S), retention apart."""
    if preset.relaxation == 0.0 and preset.drift == 0.0:
        return programmed
    weight = np.minimum(programmed / preset.relaxation_full, 1.0)
    change = coefficient * relaxation_spread(preset, age) + preset.drift * np.log1p(age)
    return programmed + weight * change


def relaxation_spread(preset: CellPreset, age: Values) -> Values:
    """Standard deviation (S) among cells at `age` (s), of those above `relaxation_full`."""
    return preset.relaxation * np.log1p(age / preset.relaxation_time) ** preset.relaxation_power


class ThermalHistory:
    """The chip's temperature since power-up, as the equivalent time at `reference` kelvin.

    Parameters
    ----------
    energy : float
        Activation energy, eV.
    reference : float
        Temperature (K) at which effective time equals clock time.
    """

    def __init__(self, energy: float, reference: float) -> None:
        self._energy, self._reference = energy, reference
        self.temperature = ROOM
        self._changed = np.zeros(1)  # clock times of the changes, s
        self._passed = np.zeros(1)  # effective time at each of them
        self._rates = np.array([self._rate(ROOM)])  # from then on

    def _rate(self, kelvin: float) -> float:
        return math.exp(self._energy / BOLTZMANN * (1.0 / self._reference - 1.0 / kelvin))

    def change(self, now: float, kelvin: float) -> None:
        """Set the temperature to `kelvin` from clock time `now` (s) on; raises `ValueError` when it is no temperature."""
        if not (math.isfinite(kelvin) and kelvin > 0.0):
            raise ValueError(f"the chip's temperature must be positive and finite: {kelvin} K")
        self._passed = np.append(self._passed, self.effective(now))
        self._changed = np.append(self._changed, now)
        self._rates = np.append(self._rates, self._rate(kelvin))
        self.temperature = kelvin

    def effective(self, time: Values) -> Values:
        """Effective seconds passed at clock `time` (s, any shape); infinite stays infinite."""
        if len(self._changed) == 1:
            return time * self._rates[0]
        k = np.searchsorted(self._changed, time, side="right") - 1
        return self._passed[k] + (time - self._changed[k]) * self._rates[k]
