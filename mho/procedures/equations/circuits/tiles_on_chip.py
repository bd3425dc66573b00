"""Programmed tiles of many blocks to multiply with: played together where the bench can, and calibrated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.multiply_encoding import MultiplyEncoding
from mho.chip_maps.placement import Placement
from mho.instruments import ArrayBench, Bench
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.algorithms.trim import Trim, fit_trims
from mho.procedures.equations.circuits.programmed_tile import lines_alone, reading_noise, response_of

AT_ONCE = 1 << 22  # currents that a calibration plays together, 32 MiB
IN_CACHE = (
    1 << 17
)  # currents that are evaluated together: half of them, with voltages and noise, fit a core's cache


@dataclass(frozen=True)
class ProductOnChip:
    """A block to multiply with, in digit slices, and its cells: the encoding's columns in order, cut into tiles."""

    encoding: MultiplyEncoding
    tiles: list[Block]


class TilesOnChip:
    """The tiles of `products` on a bench.

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
        self._bench, self.products = bench, list(products)
        self.step, self.volts = step, voltage

    def calibrated(
        self, repeats: int, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> list[list[Trim]]:
        """Play every line of every tile alone, so many times, and return the factors of each product's tiles.

        `progress` is told how many tiles of how many are done.
        """
        tiles = [tile for one in self.products for tile in one.tiles]
        trims: list[Trim] = []
        while len(trims) < len(tiles):
            progress(len(trims), len(tiles))
            played = max(1, AT_ONCE // (repeats * tiles[len(trims)].digits.size))
            part = tiles[len(trims) : len(trims) + played]
            volts = [lines_alone(len(tile.digits), repeats, self.volts) for tile in part]
            trims += self._fitted(part, self.play(part, volts), repeats)
        progress(len(tiles), len(tiles))
        remaining = iter(trims)
        return [[next(remaining) for _ in one.tiles] for one in self.products]

    def _fitted(self, tiles: Sequence[Block], currents: Sequence[Floats], repeats: int) -> list[Trim]:
        """Return the factors of each tile from the currents of its lines alone."""
        trims: dict[int, Trim] = {}
        for alike in _alike([tile.placement for tile in tiles], currents, IN_CACHE // 2):
            played = np.stack([currents[number] for number in alike])
            response = response_of(played, repeats, self.volts)
            reading = reading_noise(played, repeats, self.volts)
            digits = np.stack([tiles[number].digits for number in alike])
            trims |= zip(alike, fit_trims(response, digits, self.step, reading), strict=True)
        return [trims[number] for number in range(len(tiles))]

    def play(self, tiles: Sequence[Block], volts: Sequence[Floats]) -> list[Floats]:
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
        for alike in _alike([tile.placement for tile in tiles], volts, IN_CACHE):
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


def _alike(places: Sequence[Placement], volts: Sequence[Floats], most: int) -> list[list[int]]:
    """Return the numbers of tiles that are evaluated together: of one array, shape and number of samples.

    They have about `most` currents.
    """
    groups: dict[tuple[str, tuple[int, int], int], list[int]] = {}
    for number, (place, each) in enumerate(zip(places, volts, strict=True)):
        groups.setdefault((place.array, place.shape, len(each)), []).append(number)
    found = []
    for (_, (_, columns), samples), numbers in groups.items():
        count = max(1, most // max(columns * samples, 1))
        found += [numbers[start : start + count] for start in range(0, len(numbers), count)]
    return found
