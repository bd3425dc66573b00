"""The cells that a run programmed, with the digits that they hold and what they read then."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ChipMap
from mho.chip_maps.placement import Placement
from mho.errors import InputError
from mho.procedures.chip_in_use import check_same_chip
from mho.runs import RunFile

TARGET = "_target"


@dataclass(frozen=True)
class ProgrammedCells:
    """A block of cells and what it is to hold.

    Attributes
    ----------
    placement : Placement
    digits : (rows, columns) array
    achieved : (rows, columns) array
        What the cells read when they were last verified, S; NaN where that is not known.
    run : Path or None
        The run file they are from.
    """

    placement: Placement
    digits: NDArray[np.int64]
    achieved: NDArray[np.float64]
    run: Path | None = None

    def check_chip(self, chip: ChipMap) -> None:
        """Raise unless they are on this chip; errors as `check_same_chip`."""
        if self.run is not None:
            with RunFile(self.run) as run:
                check_same_chip(run, chip)


def programmed_by(path: Path) -> ProgrammedCells:
    """Return the cells of the program or refresh run in a file.

    Raises
    ------
    RunFileError
        When it cannot be read.
    InputError
        When it programmed no block of digits.
    """
    with RunFile(path) as run:
        arrays = [name.removesuffix(TARGET) for name in run.maps if name.endswith(TARGET)]
        if len(arrays) != 1 or "digits" not in run.arrays or "pulses" not in run.tables:
            raise InputError(
                f"{path} ({run.procedure}) did not program a block of digits; name a run of program or refresh"
            )
        array, digits = arrays[0], run.array("digits")
        placement = Placement(array, *run.map_axes(f"{array}{TARGET}"))
        known = len(run.map_times(f"{array}_conductance"))
        achieved = run.map(f"{array}_conductance") if known else np.full(digits.shape, np.nan)
    return ProgrammedCells(placement, digits.astype(np.int64), achieved, path)
