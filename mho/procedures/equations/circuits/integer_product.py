"""Products of many blocks with exact integers: bit-serial vectors and digit columns, rounded, summed digitally.

As `products`, with vectors in two's complement, for blocks that are played together and without checksums: within a
preconditioner a wrong integer costs bits of one cycle and nothing of the truth. Lines whose cells' errors together might
reach half a digit are not active at once; the noise of the reading itself counts once, not for each line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.fixed_point import to_fixed_point
from mho.chip_maps.multiply_encoding import group_lines
from mho.procedures.equations.algorithms.bit_patterns import bit_serial_complement
from mho.procedures.equations.algorithms.trim import Trim
from mho.procedures.equations.circuits.tiles_on_chip import ProductOnChip, TilesOnChip

REPEATS = 4  # shots of each line alone in the calibration: half of those of products that must not err
SUBTRACTED = 0.07
"""Digits, known error of a cell from which on it is subtracted: with an offset for the sign few cells hold 0."""

JUMP = 0.07
"""Digits that are left for a cell that jumps after its calibration, as those with telegraph noise do."""


@dataclass(frozen=True)
class _Calibrated:
    """The tiles of one product with their factors, all their columns beside each other.

    Attributes
    ----------
    drives : list of (lines,) arrays
        Of each tile.
    gains : (columns,) array
    known, digits : (lines, columns) arrays
        Errors that are subtracted, and what is programmed.
    groups : list of index arrays
        Lines that may be active at once.
    """

    drives: list[Floats]
    gains: Floats
    known: Floats
    digits: Floats
    groups: list[Integers]

    @classmethod
    def of(cls, product: ProductOnChip, trims: Sequence[Trim]) -> _Calibrated:
        known = np.concatenate([trim.known(SUBTRACTED) for trim in trims], axis=1)
        errors = np.concatenate([trim.errors for trim in trims], axis=1)
        own = [
            trim.own_variance(tile.digits, REPEATS) for trim, tile in zip(trims, product.tiles, strict=True)
        ]
        reading = np.repeat([trim.reading for trim in trims], [one.shape[1] for one in own])
        # The mean of as many repeats is subtracted, which has noise of its own, and from a shot one with no line active.
        variance = np.concatenate(own, axis=1) * (1.0 + 1.0 / REPEATS) + reading**2 / REPEATS
        return cls(
            [trim.drive for trim in trims],
            np.concatenate([trim.gain for trim in trims]),
            known,
            product.encoding.digits.astype(np.float64),
            group_lines(errors - known, variance**0.5, reading=2.0**0.5 * reading, spare=JUMP),
        )


class IntegerProducts:
    """The programmed tiles of many blocks as functions v -> M v, v rounded to some bits.

    Parameters
    ----------
    on_chip : TilesOnChip
    bits : int
        Of the vectors.

    Attributes
    ----------
    shots : int
        Input patterns so far.
    outputs, wrong : int
        Integers so far, and those of them that differ from the digits' exact sum: a digital product, an oracle of simulated
        runs. No decision hangs on it.
    corrections : int
        Multiplications of the digital corrections, as those of `SlicedProduct`.
    """

    def __init__(self, on_chip: TilesOnChip, bits: int) -> None:
        self._on_chip, self._bits = on_chip, bits
        self._calibrated: list[_Calibrated] = []
        self.shots = self.outputs = self.wrong = self.corrections = 0

    def calibrate(self, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Play all lines alone, and choose those that may be active at once; `progress` as in `TilesOnChip.calibrated`."""
        trims = self._on_chip.calibrated(REPEATS, progress)
        self._calibrated = [
            _Calibrated.of(product, mine) for product, mine in zip(self._on_chip.products, trims, strict=True)
        ]

    def __call__(self, numbers: Sequence[int], vectors: Sequence[Floats]) -> list[Floats]:
        """Return M_k v (..., outputs) for each k of `numbers` and its v (..., inputs), none of them all zero."""
        if any(vector.ndim > 1 for vector in vectors):
            rows = [np.atleast_2d(vector) for vector in vectors]
            each = [number for number, one in zip(numbers, rows, strict=True) for _ in one]
            answers = iter(self(each, [row for one in rows for row in one]))
            return [
                np.stack([next(answers) for _ in one]).reshape(*vector.shape[:-1], -1)
                for one, vector in zip(rows, vectors, strict=True)
            ]
        products = [self._on_chip.products[number] for number in numbers]
        fixed = [to_fixed_point(vector, self._bits) for vector in vectors]
        played = [
            bit_serial_complement(vector, self._calibrated[number].groups)
            for number, vector in zip(numbers, fixed, strict=True)
        ]
        most = max(len(weights) for _, weights in played)  # of one length, they are played together
        tiles, volts = [], []
        for number, product, (patterns, _) in zip(numbers, products, played, strict=True):
            lines = np.zeros((most, patterns.shape[1]))
            lines[: len(patterns)] = patterns * self._on_chip.volts
            for tile, drive in zip(product.tiles, self._calibrated[number].drives, strict=True):
                tiles.append(tile)
                volts.append(lines * drive)
        currents = iter(self._on_chip.play(tiles, volts))
        found = []
        for number, product, vector, (patterns, weights) in zip(
            numbers, products, fixed, played, strict=True
        ):
            mine, shots = self._calibrated[number], len(weights)
            read = np.concatenate([next(currents)[:shots] for _ in product.tiles], axis=1)
            integers = np.rint(read * (mine.gains / self._on_chip.volts) - patterns @ mine.known)
            self.shots += shots
            self.outputs += integers.size
            self.corrections += integers.size
            self.corrections += int(patterns.sum(axis=0) @ np.count_nonzero(mine.known, axis=1))
            self.wrong += int(np.count_nonzero(integers != patterns @ mine.digits))
            sums = product.encoding.combine(weights @ integers, float(vector.integers.sum()))
            found.append(sums * (vector.scale * 2.0**-vector.bits))
        return found
