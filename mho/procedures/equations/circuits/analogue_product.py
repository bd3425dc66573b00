"""Products of blocks in one step: voltages in proportion to the vector on the lines, currents read as they are.

A product with exact integers takes a shot for each bit (`SlicedProduct`). Inside a preconditioner a few bits are enough:
here the whole vector is played at once, and the columns' currents are summed with the weights of their digits. A tile is
calibrated like one of exact products: a factor for each line and each column takes the wires out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.multiply_encoding import MultiplyEncoding
from mho.chip_maps.placement import Placement
from mho.instruments import ArrayBench, Bench
from mho.procedures.cells.programming import Block
from mho.procedures.equations.algorithms.trim import Trim, fit_trim

Floats = NDArray[np.float64]

REPEATS = 2  # shots of each line alone in the calibration
AT_ONCE = 1024  # tiles that are evaluated together


@dataclass(frozen=True)
class ProductOnChip:
    """A block to multiply with, in digit slices, and its cells: the encoding's columns in order, cut into tiles."""

    encoding: MultiplyEncoding
    tiles: list[Block]


class AnalogueProducts:
    """The programmed tiles of many blocks as functions v -> about M v.

    Parameters
    ----------
    bench : Bench
    products : sequence of ProductOnChip
    step : float
        Nominal conductance of one digit, S.
    voltage : float
        Full scale of the lines, V.
    """

    def __init__(self, bench: Bench, products: Sequence[ProductOnChip], step: float, voltage: float) -> None:
        self._bench, self._products = bench, list(products)
        self._step, self._volts = step, voltage
        self._trims: list[list[Trim]] = []

    def calibrate(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Play every line of every tile alone, and fit each tile's factors of lines and columns.

        `progress` is told how many tiles of how many are done.
        """
        tiles = [tile for one in self._products for tile in one.tiles]
        trims: list[Trim] = []
        for start in range(0, len(tiles), AT_ONCE):
            progress(start, len(tiles))
            part = tiles[start : start + AT_ONCE]
            volts = [np.tile(np.eye(len(tile.digits)), (REPEATS, 1)) * self._volts for tile in part]
            for tile, currents in zip(part, self._play(part, volts), strict=True):
                response = currents.reshape(REPEATS, *tile.digits.shape) / self._volts
                trims.append(fit_trim(response, tile.digits, self._step))
        progress(len(tiles), len(tiles))
        remaining = iter(trims)
        self._trims = [[next(remaining) for _ in one.tiles] for one in self._products]

    def __call__(self, numbers: Sequence[int], vectors: Sequence[Floats]) -> list[Floats]:
        """Return about M_k v (outputs,) for each k of `numbers` and its v (inputs,), not all zero."""
        tiles, volts = [], []
        peaks = [float(np.abs(vector).max()) for vector in vectors]
        for number, vector, peak in zip(numbers, vectors, peaks, strict=True):
            for tile, trim in zip(self._products[number].tiles, self._trims[number], strict=True):
                tiles.append(tile)
                volts.append((_drive(trim) * (vector * (self._volts / peak)))[None])
        currents = iter(self._play(tiles, volts))
        found = []
        for number, peak in zip(numbers, peaks, strict=True):
            scale = [trim.gain * (trim.drive.max() / self._volts) for trim in self._trims[number]]
            sums = np.concatenate([next(currents)[0] * each for each in scale])
            found.append(self._products[number].encoding.combine(sums) * peak)
        return found

    def _play(self, tiles: Sequence[Block], volts: Sequence[Floats]) -> list[Floats]:
        """Return the currents (samples, columns), A, of each tile for its `volts` (samples, lines)."""
        bench = self._bench
        if not isinstance(bench, ArrayBench):
            found = []
            for tile, each in zip(tiles, volts, strict=True):
                place = tile.placement
                bench.connect_multiply(place.array, place.rows, place.columns)
                found.append(bench.multiply(each))
            return found
        answers: list[Floats] = [np.empty((0, 0))] * len(tiles)
        for alike in _alike([tile.placement for tile in tiles], volts):
            places = [tiles[number].placement for number in alike]
            played = bench.multiply_blocks(
                places[0].array,
                np.stack([place.rows for place in places]),
                np.stack([place.columns for place in places]),
                np.stack([volts[number] for number in alike]),
            )
            for number, answer in zip(alike, played, strict=True):
                answers[number] = answer
        return answers


def _drive(trim: Trim) -> Floats:
    """Return the factors of lines, of which the largest is 1: no voltage exceeds the full scale."""
    return np.asarray(trim.drive / trim.drive.max())


def _alike(places: Sequence[Placement], volts: Sequence[Floats]) -> list[list[int]]:
    """Return the numbers of tiles that can be evaluated together: of one array, shape and number of samples."""
    groups: dict[tuple[str, tuple[int, int], int], list[int]] = {}
    for number, (place, each) in enumerate(zip(places, volts, strict=True)):
        groups.setdefault((place.array, place.shape, len(each)), []).append(number)
    return list(groups.values())
