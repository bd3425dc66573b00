"""Read noise with memory: 1/f from Lorentzians, random telegraph noise, and the white floor.

All noise is relative to the conductance, has zero mean, and is exact over any step of time; both kinds can be averaged
over an aperture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.physics.blocks import is_list, is_whole, pieces, stretches
from mho.instruments.simulated.physics.cells.noise.flicker import FlickerNoise
from mho.instruments.simulated.physics.cells.noise.telegraph import TelegraphNoise
from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.cells.relaxation import BOLTZMANN

Floats = NDArray[np.float64]
Index = Any
Values = Any
Rows = NDArray[np.int32] | slice

ELEMENTARY = 1.602176634e-19  # C


@lru_cache(maxsize=64)
def white_variance(voltage: float, aperture: float, temperature: float) -> float:
    """Variance (S^2) per siemens of a read at `voltage` (V) averaged over `aperture` (s).

    Thermal and shot noise are one: 2 q I coth(qV/2kT), which is 4kTG at rest and 2qI far from it
    (van der Ziel 1970), in the bandwidth 1/(2 aperture). 0 V counts as 1 uV: its current is still finite.
    """
    v = max(abs(voltage), 1e-6)
    density = 2.0 * ELEMENTARY / (v * math.tanh(v / (2.0 * BOLTZMANN * temperature)))
    return density / (2.0 * aperture)


def noise_share(preset: CellPreset, conductance: Values) -> Values:
    """Return by how much a cell at `conductance` (S) is quieter, relative to it, than one at the bottom.

    Above `noise_full` the noise in siemens grows no more; below, it is in proportion to the conductance.
    """
    return 1.0 / (1.0 + conductance / preset.noise_full) if preset.noise_full else 1.0


class ReadNoise:
    """A cell's noise with memory: 1/f noise, and telegraph noise where there is a trap.

    Parameters
    ----------
    trapped : (rows, columns) array of bool
        Cells with a trap.
    """

    def __init__(self, trapped: NDArray[np.bool_], preset: CellPreset, rng: np.random.Generator) -> None:
        self._shape = trapped.shape
        self._preset, self._rng = preset, rng
        self._parts: list[FlickerNoise | TelegraphNoise] = []
        if preset.read_noise:
            self._parts.append(FlickerNoise(trapped.shape, preset, rng))
        if preset.rtn_noise and trapped.any():
            self._parts.append(TelegraphNoise(trapped, preset, rng))

    def extend(self, lots: Sequence[ReadNoise]) -> None:
        """Append the cells of `lots`."""
        if any(isinstance(part, TelegraphNoise) for noise in (self, *lots) for part in noise._parts):
            for noise in (self, *lots):
                noise._with_traps()
        for number, part in enumerate(self._parts):
            part.extend([lot._parts[number] for lot in lots])  # type: ignore[misc]
        self._shape = (self._shape[0] + sum(lot._shape[0] for lot in lots), self._shape[1])

    def _with_traps(self) -> None:
        if not any(isinstance(part, TelegraphNoise) for part in self._parts):
            self._parts.append(TelegraphNoise(np.zeros(self._shape, bool), self._preset, self._rng))

    def taken(self, rows: Rows, rng: np.random.Generator, apart: float) -> Self:
        """Return the noise of the cells of some rows, as `CellArray.taken`."""
        some = copy(self)
        some._rng, some._shape = rng, np.broadcast_to(np.int8(0), self._shape)[rows].shape
        some._parts = [
            part.taken(rows, rng, apart) if isinstance(part, FlickerNoise) else part.taken(rows, rng)
            for part in self._parts
        ]
        return some

    def put(self, rows: Rows, some: ReadNoise) -> None:
        """Return the noise of cells that was `taken`, as it is now."""
        for part, own in zip(self._parts, some._parts, strict=True):
            part.put(rows, own)  # type: ignore[arg-type]

    def postpone(self, index: Index, begun: float, early: Values, late: Values) -> None:
        """Shift the stored times of the cells at `index`, as `CellArray.postpone`."""
        for part in self._parts:
            part.postpone(index, begun, early, late)

    def average(self, index: Index, conductance: Values, now: float, aperture: float) -> Values:
        """Mean deviation (relative) of cells at `conductance` (S) over `aperture` seconds from `now`; ends there."""
        if isinstance(index, tuple) and isinstance(index[0], int):  # one cell, the fast way
            total = 0.0
            for part in self._parts:
                total += part.average(index, now, aperture)
            return total * noise_share(self._preset, conductance) if self._preset.noise_full else total
        deviation = self._sum(index, lambda part, cells: part.average(cells, now, aperture))
        return deviation * noise_share(self._preset, conductance)

    def frozen(
        self,
        index: Index,
        conductance: Values,
        now: float,
        window: float,
        rng: np.random.Generator | None = None,
    ) -> Values:
        """Relative deviation at `now` of the noise that is constant for `window` seconds.

        It is drawn from `rng` in place of the cells' own generator where that is given.
        """
        deviation = self._sum(index, lambda part, cells: part.frozen(cells, now, window, rng))
        return deviation * noise_share(self._preset, conductance)

    def fast_variance(self, index: Index, conductance: Values, window: float, shot: float) -> Values:
        """Relative variance, of a mean over `shot` seconds, of what changes within `window` seconds."""
        variance = self._sum(index, lambda part, cells: part.fast_variance(cells, window, shot))
        return variance * noise_share(self._preset, conductance) ** 2

    def _sum(self, index: Index, of: Callable[[FlickerNoise | TelegraphNoise, Index], Values]) -> Values:
        if isinstance(index, tuple) and isinstance(index[0], int):
            return sum(of(part, index) for part in self._parts)  # one cell, the fast way
        if self._parts and is_whole(index):
            if not is_list(index):
                return np.asarray(sum(of(part, index) for part in self._parts), np.float64)
            listed = np.empty(index[0].size)
            for piece, place in stretches(index):
                listed[place] = sum(of(part, piece) for part in self._parts)
            return listed.reshape(index[0].shape)
        total = np.zeros(np.broadcast_to(np.int8(0), self._shape)[index].shape)
        for piece, place in pieces(index, self._shape):
            for part in self._parts:
                total[place] += of(part, piece)
        return total[()]
