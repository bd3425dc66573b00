"""The cells of one simulated array: forming, SET, RESET, relaxation and read noise, vectorised.

First version of the physics (physics.md, section 9); see `instruments.simulated.physics.presets` for the laws.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from instruments.simulated.clock import VirtualClock
from instruments.simulated.physics.presets import CellPreset

Floats = NDArray[np.float64]
Index = Any  # whatever indexes a two-dimensional array

LN10 = np.log(10.0)


class CellArray:
    """State of rows x columns cells; pulses act on one cell in constant time.

    Parameters
    ----------
    rows, columns : int
        Size of the array.
    preset : CellPreset
        What kind of cell.
    clock : VirtualClock
        Relaxation follows it.
    rng : numpy.random.Generator
        Devices are drawn here once, cycles and noise as they happen.
    """

    def __init__(
        self, rows: int, columns: int, preset: CellPreset, clock: VirtualClock, rng: np.random.Generator
    ) -> None:
        self.preset, self._clock, self._rng = preset, clock, rng
        shape = (rows, columns)
        normal = rng.standard_normal
        self._programmed = np.full(shape, preset.unformed)
        self._relaxing = np.zeros(shape)  # in units of the spread, drawn at each programming
        self._since = np.zeros(shape)
        self._formed = np.zeros(shape, dtype=bool)
        self._set_factor = np.exp(LN10 * preset.set_device_spread * normal(shape))
        self._set_threshold = preset.set_threshold + preset.set_threshold_spread * normal(shape)
        self._reset_threshold = preset.reset_threshold + preset.reset_threshold_spread * normal(shape)
        self._forming_voltage = preset.forming_voltage + preset.forming_spread * normal(shape)
        stuck = rng.random(shape)
        self._stuck_on = stuck < preset.stuck_on
        self._stuck_off = stuck > 1.0 - preset.stuck_off
        self.version = 0
        self.changed_at = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._programmed.shape

    def conductance(self, index: Index = slice(None)) -> Floats:
        """Conductance (S) now, without read noise, of the cells at `index`."""
        p = self.preset
        g: Floats = self._programmed[index]
        age = self._clock.now - self._since[index]
        weight = g / (g + p.relaxation_half)
        spread = p.relaxation * np.log1p(age / p.relaxation_time)
        g = g + weight * (self._relaxing[index] * spread + p.drift * np.log1p(age))
        g = np.where(self._stuck_on[index], p.maximum, np.where(self._stuck_off[index], p.unformed, g))
        return np.asarray(np.maximum(g, p.unformed))

    def read_spread(self, conductance: Floats) -> Floats:
        """Standard deviation (S) of a read of cells at `conductance`."""
        return self.preset.read_noise * conductance

    def read(self, index: Index) -> Floats:
        """One noisy read of the cells at `index`, S."""
        g = self.conductance(index)
        return g + self.read_spread(g) * self._rng.standard_normal(g.shape)

    def set(self, cell: tuple[int, int], voltage: float, width: float, gate: float) -> None:
        """A pulse of `voltage` on the bit line: forms a virgin cell, SETs a formed one."""
        p = self.preset
        limit = p.set_slope * (gate - p.gate_threshold) * self._set_factor[cell]
        limit = min(limit, p.maximum)
        if limit <= 0.0 or self._lost(cell, voltage):
            return
        if not self._formed[cell]:
            if voltage < self._forming_voltage[cell]:
                return
            self._formed[cell] = True
        elif voltage < self._set_threshold[cell]:
            return
        g = self._now(cell)
        growth = limit - g
        if growth > 0.0:
            # The spread belongs to the change, not to the level: full from HRS, small for a small step.
            growth += (
                limit * LN10 * p.set_cycle_spread * (growth / limit) ** 0.5 * self._rng.standard_normal()
            )
            self._program(cell, g + max(growth, 0.0) * -np.expm1(-width / p.set_time))

    def reset(self, cell: tuple[int, int], voltage: float, width: float, gate: float) -> None:
        """A pulse of `voltage` on the source line: lowers the conductance gradually to the floor."""
        p = self.preset
        over = voltage - self._reset_threshold[cell]
        if not self._formed[cell] or gate < p.reset_gate or over <= 0.0 or self._lost(cell, voltage):
            return
        drop = p.reset_slope * over * (width / 100e-9) ** 0.5
        drop *= np.exp(p.reset_cycle_spread * self._rng.standard_normal())
        floor = p.floor * np.exp(p.floor_spread * self._rng.standard_normal())
        g = self._now(cell)
        self._program(cell, max(g * np.exp(-drop), min(g, floor)))

    def _lost(self, cell: tuple[int, int], voltage: float) -> bool:
        if self._stuck_on[cell] or self._stuck_off[cell]:
            return True
        if self._formed[cell] and voltage > self.preset.damage_voltage:
            self._stuck_on[cell] = True
            self._touched()
            return True
        return False

    def _now(self, cell: tuple[int, int]) -> float:
        return float(self.conductance(cell))

    def _program(self, cell: tuple[int, int], conductance: float) -> None:
        tail = self.preset.relaxation_tail
        self._programmed[cell] = conductance
        self._since[cell] = self._clock.now
        self._relaxing[cell] = self._rng.standard_t(tail) * ((tail - 2.0) / tail) ** 0.5
        self._touched()

    def _touched(self) -> None:
        self.version += 1
        self.changed_at = self._clock.now
