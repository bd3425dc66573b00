"""Target and achieved conductances of the cells of a run, read from its maps array by array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.chip_maps.chip import ChipMap, parse_chip_map
from mho.chip_maps.defects import chip_with_defects
from mho.chip_maps.levels import Levels
from mho.errors import ChipMapError
from mho.runs import RunFile


@dataclass(frozen=True)
class ArrayCells:
    """The cells of one array that a run uses, as of its latest images."""

    name: str  # the array's name on the chip
    rows: NDArray[np.int64]  # (r,): physical numbers of the lines
    columns: NDArray[np.int64]  # (c,)
    target: Floats  # (r, c): wanted conductance, S; NaN where no cell is in use
    conductance: Floats  # (r, c): last verified conductance, S; NaN where none was read yet
    pulses: Floats  # (r, c): pulses each cell took; NaN where unknown

    @property
    def error(self) -> Floats:
        """Achieved minus wanted conductance, S; NaN where either is missing."""
        return self.conductance - self.target

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which cells are in use."""
        return np.isfinite(self.target)

    @property
    def programmed(self) -> NDArray[np.bool_]:
        """Which cells in use have been read at least once."""
        return np.isfinite(self.error)

    def outside(self, levels: Levels) -> NDArray[np.bool_]:
        """Which programmed cells read outside the verify window of their digit."""
        mask = self.programmed
        digits = np.abs(levels.nominal - self.target[mask][:, None]).argmin(axis=1)
        outside = np.zeros_like(mask)
        outside[mask] = ~levels.inside(self.conductance[mask], digits)
        return outside


def read_arrays(run: RunFile) -> tuple[ArrayCells, ...]:
    """Return the arrays whose programming `run` has recorded, in declared order; none for a run without any.

    An array is known by its maps ``<array>_conductance`` and ``<array>_target``.

    Raises `RunFileError`: the file is damaged.
    """
    names = [name.removesuffix("_conductance") for name in run.maps if name.endswith("_conductance")]
    return tuple(_read(run, name) for name in names if f"{name}_target" in run.maps)


def _read(run: RunFile, name: str) -> ArrayCells:
    rows, columns = run.map_axes(f"{name}_conductance")

    def latest(quantity: str) -> Floats:
        image = f"{name}_{quantity}"
        if image not in run.maps or not len(run.map_times(image)):
            return np.full((len(rows), len(columns)), np.nan)
        return run.map(image)

    return ArrayCells(name, rows, columns, latest("target"), latest("conductance"), latest("pulses"))


def read_chip(run: RunFile) -> ChipMap | None:
    """Return the chip that `run` was made on; None when its file holds no chip map that can be read."""
    try:
        return chip_with_defects(parse_chip_map(run.chip), run.defects)
    except ChipMapError:
        return None
