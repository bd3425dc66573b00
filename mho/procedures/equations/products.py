"""Exact products through the bench: bit-serial vectors and digit columns give integers, which are summed digitally."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.fixed_point import FixedPoint
from mho.chip_maps.multiply_encoding import MultiplyEncoding, group_lines
from mho.instruments import Bench
from mho.procedures.cells.programming import Block

Floats = NDArray[np.float64]
Digits = NDArray[np.int64]

SAMPLE = 256  # outputs of a product that are stored as measured
REPEATS = 8  # shots per line in the calibration, from which the noise is estimated


@dataclass(frozen=True)
class Trim:
    """Calibration of one tile.

    Attributes
    ----------
    drive : (rows,) array
        Factor on each line's voltage that compensates its wire resistance.
    gain : (columns,) array
        Digits per ampere and volt of each column: wires, cells and amplifier together.
    errors, noise : (rows, columns) arrays
        Remaining error per cell, in digits: systematic, and standard deviation from shot to shot.
    """

    drive: Floats
    gain: Floats
    errors: Floats
    noise: Floats


def fit_trim(response: Floats, digits: Digits, step: float) -> Trim:
    """Fit line drives and column gains to one-hot responses.

    Wire resistance weakens far lines and far columns; to first order this is one factor per line and one per
    column (each line's current through its own wire), which a trim removes.

    Parameters
    ----------
    response : (repeats, rows, columns) array
        Conductance measured in each shot, S.
    digits : (rows, columns) array
    step : float
        Nominal conductance of one digit, S.
    """
    seen = response.mean(axis=0) / step
    weight = digits.astype(float)
    line, column = np.ones(len(digits)), np.ones(digits.shape[1])
    for _ in range(4):
        line = _ratio((seen * weight * column).sum(axis=1), (weight**2 * column**2).sum(axis=1))
        column = _ratio(
            (seen * weight * line[:, None]).sum(axis=0), (weight**2 * line[:, None] ** 2).sum(axis=0)
        )
    scale = line[:, None] * column
    return Trim(
        drive=1.0 / line,
        gain=1.0 / (step * column),
        errors=seen / scale - digits,
        noise=response.std(axis=0, ddof=1) / step / scale,
    )


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return least-squares factors; 1 for lines without a digit, and at most 30 % from 1."""
    ratio = np.divide(above, below, out=np.ones_like(above), where=below > 0)
    return np.clip(ratio, 0.7, 1.3)


class SlicedProduct:
    """The programmed multiplying tiles as a function dx -> A dx.

    Parameters
    ----------
    bench : Bench
    encoding : MultiplyEncoding
    tiles : sequence of Block
        The encoding's columns in order, cut into tiles.
    step : float
        Nominal conductance of one digit, S.
    read_voltage : float
        Voltage of a 1, V.

    Attributes
    ----------
    outputs, wrong : int
        Number of integers read so far, and of those that differed from the digits' exact sum.
    shots : int
        Input patterns played.
    sample : (2, k) array
        Even sample of the outputs of the last product: the digits' exact sums, and the measured values before
        rounding, in digits.
    """

    def __init__(
        self,
        bench: Bench,
        encoding: MultiplyEncoding,
        tiles: Sequence[Block],
        step: float,
        read_voltage: float,
    ) -> None:
        self._bench, self._encoding, self._tiles = bench, encoding, tuple(tiles)
        self._step, self._volts = step, read_voltage
        self._trims: list[Trim] = []
        self.groups: list[Digits] = []
        self.outputs = self.wrong = self.shots = 0
        self.sample: Floats = np.empty((2, 0))

    def calibrate(self) -> None:
        """Play every line alone, fit the trims, and choose the number of lines active at once."""
        lines = self._encoding.digits.shape[0]
        single = np.tile(np.eye(lines), (REPEATS, 1)) * self._volts
        self._trims = []
        for tile in self._tiles:
            self._connect(tile)
            response = self._bench.multiply(single).reshape(REPEATS, lines, -1) / self._volts
            self._trims.append(fit_trim(response, tile.digits, self._step))
        self.groups = group_lines(
            np.concatenate([trim.errors for trim in self._trims], axis=1),
            np.concatenate([trim.noise for trim in self._trims], axis=1),
        )

    def __call__(self, vector: FixedPoint) -> Floats:
        """Multiply; each bit of each sign of each group of lines is one shot on every tile."""
        shots, weights = self._patterns(vector)
        measured = np.concatenate([self._play(tile, trim, shots) for tile, trim in self._paired()], axis=1)
        sums, exact = np.rint(measured), shots @ self._encoding.digits
        every = max(measured.size // SAMPLE, 1)
        self.sample = np.stack([exact.ravel()[::every], measured.ravel()[::every]])
        self.shots += len(shots)
        self.outputs += sums.size
        self.wrong += int(np.count_nonzero(sums != exact))
        return self._encoding.combine(weights @ sums) * (vector.scale * 2.0**-vector.bits)

    def _patterns(self, vector: FixedPoint) -> tuple[Digits, Floats]:
        """Return binary input patterns (shots, lines), and the weight of each shot's integers."""
        magnitudes = np.maximum(np.multiply.outer((1, -1), vector.integers), 0)
        bits = np.arange(vector.bits)
        patterns = (magnitudes[:, None] >> bits[:, None]) & 1
        chosen = np.zeros((len(self.groups), len(vector.integers)), np.int64)
        for mask, group in zip(chosen, self.groups, strict=True):
            mask[group] = 1
        shots = patterns[:, :, None] * chosen  # (signs, bits, groups, lines)
        weights = np.broadcast_to(np.multiply.outer((1.0, -1.0), 2.0**bits)[..., None], shots.shape[:-1])
        played = shots.any(axis=-1)
        return shots[played], weights[played]

    def _play(self, tile: Block, trim: Trim, shots: Digits) -> Floats:
        self._connect(tile)
        currents = self._bench.multiply(shots * (self._volts * trim.drive))
        return currents * trim.gain / self._volts

    def _connect(self, tile: Block) -> None:
        place = tile.placement
        self._bench.connect_multiply(place.array, place.rows, place.columns)

    def _paired(self) -> list[tuple[Block, Trim]]:
        return list(zip(self._tiles, self._trims, strict=True))
