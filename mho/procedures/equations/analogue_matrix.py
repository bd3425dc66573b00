"""A real matrix as analogue cells, and its products as the chip makes them: scaled, and nothing of them repaired.

An element a_ij is a pair of cells, of which the one of its sign holds |a_ij| and the other nothing; an input is a voltage
in proportion to x_j (Le Gallo et al., Nature Electronics 6, 680 (2023)). What the chip returns is scaled by three factors,
which no cell is asked for: the matrix's, the vector's, and one of each output, fitted to what its cells hold:

    y_i = f_i (peak / G_top) sum_j (G+_ij - G-_ij) v_j |x|_max / V
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.placement import Placement
from mho.instruments import ArrayBench, Bench
from mho.instruments.arrays import BoundBlocks
from mho.procedures.cells.programming.record import Block
from mho.procedures.cells.programming.settings_text import settings_in_use
from mho.procedures.equations.circuits.programmed_blocks import check_limits, make_programmer, program
from mho.procedures.equations.circuits.tiles import FreeTiles, TilesOnChip, lines_alone, response_of
from mho.procedures.equations.drawn_cells import drawn_cells
from mho.procedures.stream import NullStream, Stream

FULL_SCALE = 0.2  # V, of the largest element of a vector
REPEATS = 4  # readings of each line alone, from which it is known what the cells hold
AT_ONCE = 1024  # vectors in one exchange


@dataclass(frozen=True)
class _Tile:
    """The cells of a part of the matrix: its inputs, and the columns of its pairs."""

    part: int  # of the inputs, by number
    inputs: slice
    columns: slice
    placement: Placement


class AnalogueMatrix:
    """A matrix (m, n) on the chip of a bench, programmed by write-verify.

    Parameters
    ----------
    matrix : (m, n) array
        Real and finite.
    bench : Bench
    tiles : FreeTiles
        Of this bench; those that the matrix takes are its own from then on.
    stream : Stream, optional
        Warnings go there; nothing is recorded.
    bits : int
        To which a vector is rounded, beside its largest element; the converters of the bench round as well.
    write_verify : str, optional
        Settings in place of the chip map's.
    drawn : numpy.random.Generator, optional
        Draws cells as write-verify leaves them, without pulses: on a bench without instruments.

    Attributes
    ----------
    measured : (m, n) array
        What the cells hold, as products of single lines tell it: the mean of `REPEATS` readings, scaled as products are.

    Raises
    ------
    InputError
        For write-verify settings that cannot be.
    ChipMapError, LimitError
        When chip or bench cannot do it.
    """

    measured: Floats

    def __init__(
        self, matrix: Floats, bench: Bench, tiles: FreeTiles, stream: Stream | None = None, *, bits: int = 24,
        write_verify: str | None = None, drawn: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        self._bench, self._stream, self._bits, self._drawn = bench, stream or NullStream(), bits, drawn
        chip = tiles.chip
        self._levels = chip.level_scale().refined()
        settings = settings_in_use(chip.write_verify, write_verify)
        check_limits(bench, settings, FULL_SCALE)
        outputs, inputs = matrix.shape
        rows, columns = (
            [slice(start, min(start + size, count)) for start in range(0, count, size)]
            for count, size in ((inputs, tiles.shape[0]), (2 * outputs, tiles.shape[1]))
        )
        places = iter(tiles.take(len(rows) * len(columns)))
        self._inputs = rows
        self._tiles = [
            _Tile(part, down, across, _corner(next(places), down, across))
            for part, down in enumerate(rows)
            for across in columns
        ]
        self._bound = _bound(bench, self._tiles)
        self._samples = None if drawn is None else drawn_cells(bench, self._levels, settings)
        self._programmer = make_programmer(bench, self._stream, chip, settings, self._levels)
        self._player = TilesOnChip(bench, (), self._levels.step, FULL_SCALE)
        self._vectors = 0
        self.program(matrix)

    def program(self, matrix: Floats) -> None:
        """Program another matrix of the same shape into the same cells; those that hold their target get no pulse."""
        self._hold(matrix, self._targets(matrix))
        if self._samples is None or self._drawn is None or not isinstance(self._bench, ArrayBench):
            self._failed = program(self._programmer, self._blocks, self._stream)
        else:
            self._samples.draw(self._bench, self._blocks, self._drawn)
            self._failed = self._programmer.failed(self._blocks)
        self._measure()

    def multiply(self, vectors: Floats) -> Floats:
        """Return A X, (m, k), of vectors X (n, k), all in one exchange; rounded, noisy and clipped as the chip is."""
        count = vectors.shape[1]
        if count > AT_ONCE:
            parts = [self.multiply(vectors[:, start : start + AT_ONCE]) for start in range(0, count, AT_ONCE)]
            return np.concatenate(parts, axis=1)
        if not count:
            return np.empty((len(self.measured), 0))
        peaks, full = np.maximum(vectors.max(axis=0), -vectors.min(axis=0)), 2.0**self._bits - 1.0
        volts = vectors.T * (full / np.where(peaks > 0.0, peaks, 1.0))[:, None]
        np.rint(volts, out=volts)
        volts *= FULL_SCALE / full
        products = self._currents(volts)
        self._vectors += count
        products *= self._factors
        products *= peaks[:, None] / FULL_SCALE
        return products.T

    @property
    def relative_error(self) -> float:
        """||measured - A|| / ||A|| in the Frobenius norm; 0 of a matrix of zeros that is held as such."""
        off, whole = np.linalg.norm(self.measured - self.matrix), np.linalg.norm(self.matrix)
        return float(off / whole) if whole else float(off)

    def summary(self) -> dict[str, Any]:
        """Return how the chip holds it, and what it took so far: a plain dict."""
        outputs, inputs = self.matrix.shape
        return {
            "rows": outputs, "columns": inputs, "encoding": "a pair of analogue cells for each element",
            "programmed": "written" if self._samples is None else "drawn",
            "tiles": len(self._tiles), "cells": 2 * self.matrix.size, "cells_failed": self._failed,
            "pulses": self._programmer.pulses, "reads": self._programmer.reads,
            "joules": self._programmer.joules, "vectors": self._vectors, "products_from": "chip",
            "rms_error": float(np.sqrt(np.mean(np.square(self.measured - self.matrix)))),
            "relative_error": self.relative_error,
        }  # fmt: skip

    def _targets(self, matrix: Floats) -> Integers:
        """Return the targets of all cells, (n, 2 m), the pairs of an output beside each other."""
        peak = float(np.abs(matrix).max(initial=0.0)) or 1.0
        scaled = matrix.T / peak * self._levels.top
        pairs = np.stack([np.maximum(scaled, 0.0), np.maximum(-scaled, 0.0)], axis=2)
        return np.asarray(np.rint(pairs).astype(np.int64).reshape(matrix.shape[1], -1))

    def _hold(self, matrix: Floats, targets: Integers) -> None:
        self.matrix = matrix
        self._blocks = [Block(one.placement, targets[one.inputs, one.columns]) for one in self._tiles]
        peak = float(np.abs(matrix).max(initial=0.0)) or 1.0
        self._factors: Floats = np.full(len(matrix), peak / float(self._levels.nominal[-1]))
        self._targeted = targets.reshape(len(targets), -1, 2).any(
            axis=(0, 2)
        )  # outputs that do not round to zero

    def _measure(self) -> None:
        """Play every line alone, and fit one factor of each output to what its cells hold."""
        volts = [lines_alone(rows.stop - rows.start, REPEATS, FULL_SCALE) for rows in self._inputs]
        held = np.zeros((self.matrix.shape[1], 2 * len(self.matrix)))
        for numbers, currents in self._played(volts):
            mean = response_of(currents, REPEATS, FULL_SCALE).mean(axis=-3)
            for number, mine in zip(numbers, mean, strict=True):
                held[self._tiles[number].inputs, self._tiles[number].columns] = mine
        seen = _signed(held).T * self._factors[:, None]
        along, squares = (self.matrix * seen).sum(axis=1), (seen**2).sum(axis=1)
        # Cells are off by half a step or so. An output of little more than that says nothing of its scale, and keeps it.
        off = len(self.matrix.T) * (0.5 * np.abs(self.matrix).max(initial=0.0) / self._levels.top) ** 2
        fits = np.divide(along + off, squares + off, out=np.ones_like(along), where=along > 0.0)
        self._factors = self._factors * fits
        self.measured = seen * fits[:, None]

    def _currents(self, volts: Floats) -> Floats:
        """Return the currents (k, m), A, of the pairs for voltages (k, n), V, those of all inputs together."""
        parts, sums = [volts[:, rows] for rows in self._inputs], np.zeros((len(volts), len(self.matrix)))
        for bound in self._bound:
            pairs = bound.blocks.differences(bound.of_parts(parts))  # (blocks, k, outputs of each)
            sums[:, bound.outputs] += pairs.swapaxes(0, 1).reshape(len(volts), -1)
        if not self._bound:
            for (number,), (mine,) in self._played(parts):
                sums[:, _outputs(self._tiles[number].columns)] += _signed(mine)
        return sums

    def _played(self, volts: Sequence[Floats]) -> Iterator[tuple[list[int], Floats]]:
        """Yield numbers of tiles and their currents (tiles, samples, columns), A.

        `volts` (samples, lines): V, of each part of the inputs.
        """
        for one in self._bound:
            played = one.blocks.multiply(one.of_parts(volts))
            yield one.numbers, played.reshape(-1, *played.shape[2:])
        if not self._bound:
            currents = self._player.play(self._blocks, [volts[one.part] for one in self._tiles])
            yield from (([number], mine[None]) for number, mine in enumerate(currents))


def _signed(columns: Floats) -> Floats:
    return np.asarray(columns[:, ::2] - columns[:, 1::2])


def _outputs(columns: slice) -> slice:
    """Return the outputs whose pairs of columns these are."""
    return slice(columns.start // 2, columns.stop // 2)


def _corner(place: Placement, rows: slice, columns: slice) -> Placement:
    """Return as many lines of a place as there are rows and columns."""
    down, across = rows.stop - rows.start, columns.stop - columns.start
    return Placement(place.array, place.rows[:down], place.columns[:across])


@dataclass(frozen=True)
class _Bound:
    """Tiles of one shape that are multiplied together: those of one part of the inputs, then those of the next.

    `numbers`: of the tiles; `parts`: of the inputs; `outputs`: those of each part's tiles together.
    """

    blocks: BoundBlocks
    numbers: list[int]
    parts: list[int]
    outputs: slice

    @classmethod
    def of(cls, bench: ArrayBench, tiles: Sequence[_Tile], numbers: list[int]) -> Self:
        places = [tiles[number].placement for number in numbers]
        rows, columns = (
            np.stack(lines) for lines in zip(*((one.rows, one.columns) for one in places), strict=True)
        )
        parts = sorted({tiles[number].part for number in numbers})
        outputs = _outputs(slice(tiles[numbers[0]].columns.start, tiles[numbers[-1]].columns.stop))
        return cls(BoundBlocks(bench, places[0].array, rows, columns, len(parts)), numbers, parts, outputs)

    def of_parts(self, volts: Sequence[Floats]) -> Floats:
        """Return of `volts` of each part of all inputs those of its own parts, (parts, samples, lines)."""
        return np.stack([volts[part] for part in self.parts])


def _bound(bench: Bench, tiles: Sequence[_Tile]) -> list[_Bound]:
    """Return tiles bound once, those of one shape together; none of a bench with instruments."""
    alike: dict[tuple[int, int], list[int]] = {}
    for number, tile in enumerate(tiles):
        alike.setdefault(tile.placement.shape, []).append(number)
    return [_Bound.of(bench, tiles, one) for one in alike.values()] if isinstance(bench, ArrayBench) else []
