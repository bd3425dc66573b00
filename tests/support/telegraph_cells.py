"""Reads in a row of many of the twin's cells at once, with the traps that the twin knows of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray
from mho.instruments.simulated.physics.cells.noise import TelegraphNoise
from mho.instruments.simulated.physics.cells.presets import cell_preset

INTERVAL, APERTURE, SAMPLES, CELLS = 468e-6, 200e-6, 2500, 100


@dataclass(frozen=True)
class Traps:
    """The cells' traps: number (0 without), correlation time (s), share of time in the upper state; (cells,) each."""

    number: NDArray[np.int64]
    time: NDArray[np.float64]
    occupancy: NDArray[np.float64]

    @property
    def dwell_low(self) -> NDArray[np.float64]:
        return self.time / self.occupancy

    @property
    def dwell_high(self) -> NDArray[np.float64]:
        return self.time / (1.0 - self.occupancy)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Whether a trap is slower than two samples, and its states shorter than a quarter of the series."""
        longest = np.maximum(self.dwell_low, self.dwell_high)
        return (self.number > 0) & (self.time > 2 * INTERVAL) & (longest < SAMPLES * INTERVAL / 4)


@lru_cache(maxsize=4)
def read_in_a_row(preset: str, seed: int) -> tuple[NDArray[np.float64], Traps]:
    """Return reads (samples, cells), S, of formed cells as fast as a bench reads them, and their traps."""
    clock, rng = VirtualClock(), np.random.default_rng(seed)
    kind = replace(cell_preset(preset), rtn_share=0.4, forming_spread=0.0)
    cells, index = CellArray(CELLS, 1, kind, clock, rng), (np.arange(CELLS), 0)
    cells.set_cells(index, 3.6, 1e-6, 1.6)
    clock.advance(1000.0)
    series = np.zeros((SAMPLES, CELLS))
    for sample in range(SAMPLES):
        series[sample] = cells.read(index, APERTURE, 0.2)
        clock.advance(INTERVAL)
    noise = next(part for part in cells._noise._parts if isinstance(part, TelegraphNoise))
    number = np.asarray(noise._slot[index])
    return series, Traps(number, noise.times[number], noise.occupancy[number])
