"""Binary patterns on the multiplying tiles: sums of digits as measured, before they are rounded to integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.instruments import Bench
from mho.procedures.cells.programming import Block
from mho.procedures.equations.algorithms.trim import Trim, fit_trim
from mho.procedures.equations.circuits.products import REPEATS

Floats = NDArray[np.float64]
Digits = NDArray[np.int64]


class DigitSums:
    """The programmed tiles as a function of patterns of active lines.

    Parameters
    ----------
    bench : Bench
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
    trims : list of Trim
        Of each tile, once calibrated.
    shots : int
        Patterns played after the calibration.
    """

    def __init__(self, bench: Bench, tiles: Sequence[Block], step: float, read_voltage: float) -> None:
        self._bench, self._tiles = bench, tuple(tiles)
        self._step, self._volts = step, read_voltage
        self.digits: Digits = np.concatenate([tile.digits for tile in tiles], axis=1)
        self.trims: list[Trim] = []
        self.shots = 0

    def calibrate(self) -> None:
        """Play every line alone, and none, several times, and fit the trims.

        What is read with no line active is left of the offsets: the bench subtracts one reading of them, whose error is in
        all readings of an exchange. In those of single lines it would count once for each active line.
        """
        lines = len(self.digits)
        patterns = np.concatenate([np.zeros((1, lines)), np.eye(lines)])
        volts = np.tile(patterns, (REPEATS, 1)) * self._volts
        self.trims = []
        for tile in self._tiles:
            self._connect(tile)
            response = self._bench.multiply(volts).reshape(REPEATS, lines + 1, -1) / self._volts
            self.trims.append(
                fit_trim(response[:, 1:] - response[:, 0].mean(axis=0), tile.digits, self._step)
            )

    @property
    def errors(self) -> Floats:
        """Error per cell that the trims leave, in digits, (lines, columns)."""
        return np.concatenate([trim.errors for trim in self.trims], axis=1)

    @property
    def noise(self) -> Floats:
        """Standard deviation of a line's contribution from shot to shot, in digits, (lines, columns)."""
        return np.concatenate([trim.noise for trim in self.trims], axis=1)

    def expected(self, patterns: Digits) -> Digits:
        """Return the digits' exact sums (shots, columns) of patterns (shots, lines) of 0 and 1."""
        return np.asarray(patterns @ self.digits)

    def measured(self, patterns: Digits) -> Floats:
        """Play patterns (shots, lines) of 0 and 1 on every tile; return sums (shots, columns) in digits."""
        parts = []
        for tile, trim in zip(self._tiles, self.trims, strict=True):
            self._connect(tile)
            currents = self._bench.multiply(patterns * (self._volts * trim.drive))
            parts.append(currents * trim.gain / self._volts)
        self.shots += len(patterns)
        return np.concatenate(parts, axis=1)

    def _connect(self, tile: Block) -> None:
        place = tile.placement
        self._bench.connect_multiply(place.array, place.rows, place.columns)
