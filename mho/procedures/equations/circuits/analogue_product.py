"""Products of blocks in one step: voltages in proportion to the vector on the lines, currents read as they are.

A product with exact integers takes a shot for each bit (`integer_product`). Inside a preconditioner a few bits may be
enough: here the whole vector is played at once, and the columns' currents are summed with the weights of their digits. A
tile is calibrated like one of exact products: a factor for each line and each column takes the wires out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mho.procedures.equations.algorithms.trim import Trim
from mho.procedures.equations.circuits.tiles_on_chip import TilesOnChip

Floats = NDArray[np.float64]

REPEATS = 2  # shots of each line alone in the calibration


class AnalogueProducts:
    """The programmed tiles of many blocks as functions v -> about M v."""

    def __init__(self, on_chip: TilesOnChip) -> None:
        self._on_chip = on_chip
        self._trims: list[list[Trim]] = []

    def calibrate(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Fit each tile's factors of lines and columns; `progress` as that of `TilesOnChip.calibrated`."""
        self._trims = self._on_chip.calibrated(REPEATS, progress)

    def __call__(self, numbers: Sequence[int], vectors: Sequence[Floats]) -> list[Floats]:
        """Return about M_k v (..., outputs) for each k of `numbers` and its v (..., inputs), none of them all zero.

        Each vector is played at the full scale.
        """
        full, products = self._on_chip.volts, [self._on_chip.products[number] for number in numbers]
        tiles, volts = [], []
        peaks = [np.abs(vector).max(axis=-1, keepdims=True) for vector in vectors]
        for number, product, vector, peak in zip(numbers, products, vectors, peaks, strict=True):
            for tile, trim in zip(product.tiles, self._trims[number], strict=True):
                tiles.append(tile)
                volts.append(np.atleast_2d(_drive(trim) * (vector * (full / peak))))
        currents = iter(self._on_chip.play(tiles, volts))
        found = []
        for number, product, vector, peak in zip(numbers, products, vectors, peaks, strict=True):
            scale = [trim.gain * (trim.drive.max() / full) for trim in self._trims[number]]
            sums = np.concatenate([next(currents) * each for each in scale], axis=1)
            found.append(product.encoding.combine(sums).reshape(*vector.shape[:-1], -1) * peak)
        return found


def _drive(trim: Trim) -> Floats:
    """Return the factors of lines, of which the largest is 1: no voltage exceeds the full scale."""
    return np.asarray(trim.drive / trim.drive.max())
