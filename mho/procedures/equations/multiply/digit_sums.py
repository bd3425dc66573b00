"""Binary patterns on the multiplying tiles: sums of digits as measured, before they are rounded to integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mho.array_types import Floats, Integers
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.circuits.products import REPEATS
from mho.procedures.equations.circuits.programmed_tile import ConnectsMultiply, ProgrammedTile


class DigitSums:
    """The programmed tiles as a function of patterns of active lines.

    Parameters
    ----------
    bench : Bench, or what multiplies as one
    tiles : sequence of Block
        The encoding's columns in order, cut into tiles of equal height.
    step : float
        Nominal conductance of one digit, S.
    read_voltage : float
        Voltage of an active line, V.

    Attributes
    ----------
    digits : (lines, columns) array
        Of all tiles.
    shots : int
        Patterns played after the calibration.
    """

    def __init__(
        self, bench: ConnectsMultiply, tiles: Sequence[Block], step: float, read_voltage: float
    ) -> None:
        self._tiles = [ProgrammedTile(bench, tile, step, read_voltage) for tile in tiles]
        self.digits: Integers = np.concatenate([tile.digits for tile in tiles], axis=1)
        self.shots = 0

    def calibrate(self) -> None:
        """Play every line alone, and none, several times, and fit the trims."""
        for tile in self._tiles:
            tile.fit(tile.respond(REPEATS))

    @property
    def errors(self) -> Floats:
        """Error per cell that the trims leave, in digits, (lines, columns)."""
        return np.concatenate([tile.trim.errors for tile in self._tiles], axis=1)

    @property
    def noise(self) -> Floats:
        """Standard deviation of a line's contribution from shot to shot, in digits, (lines, columns)."""
        return np.concatenate([tile.trim.noise for tile in self._tiles], axis=1)

    def expected(self, patterns: Integers) -> Integers:
        """Return the digits' exact sums (shots, columns) of patterns (shots, lines) of 0 and 1."""
        return np.asarray(patterns @ self.digits)

    def measured(self, patterns: Integers) -> Floats:
        """Play patterns (shots, lines) of 0 and 1 on every tile; return sums (shots, columns) in digits."""
        parts = []
        for tile in self._tiles:
            tile.connect()
            parts.append(tile.sums(patterns))
        self.shots += len(patterns)
        return np.concatenate(parts, axis=1)
