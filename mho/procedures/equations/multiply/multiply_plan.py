"""Plan of a multiplication: the factors, the matrix in digits, and its tiles on the chip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.array_types import Floats
from mho.chip_maps.chip import ChipMap
from mho.chip_maps.fixed_point import FixedPoint
from mho.chip_maps.multiply_encoding import MultiplyEncoding
from mho.chip_maps.placement import place_tiles
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import ChipMapError
from mho.procedures.cells.programming.record import Block

TILE_WIDTH = 16  # columns measured at once; limits the current in one line's wire


@dataclass(frozen=True)
class Factors:
    """The matrix (m, n) and the vectors (count, n), as real ones, with their products (count, m) in float64."""

    matrix: Floats
    vectors: Floats
    exact: Floats


@dataclass(frozen=True)
class MultiplyPlan:
    """The factors on one chip.

    Attributes
    ----------
    encoding : MultiplyEncoding
    fixed : tuple of FixedPoint or None
        The vectors as played; None for one that is zero everywhere.
    tiles : tuple of Block
        The encoding's columns in order.
    """

    factors: Factors
    chip: ChipMap
    encoding: MultiplyEncoding
    fixed: tuple[FixedPoint | None, ...]
    tiles: tuple[Block, ...]
    settings: WriteVerifySettings


def place_product(chip: ChipMap, encoding: MultiplyEncoding, lines: tuple[int, int]) -> tuple[Block, ...]:
    """Place the tiles on the chip's multiplying array."""
    arrays = chip.arrays_for("multiply")
    if not arrays:
        raise ChipMapError(f"chip {chip.name!r} has no multiplying array; choose a bench whose chip has one")
    rows, columns = encoding.digits.shape
    if rows > lines[0]:
        raise ChipMapError(
            f"the matrix has {rows} columns (as a real one), and the bench drives {lines[0]} lines at once; give a "
            f"matrix of at most {lines[0]} columns"
        )
    places = place_tiles(arrays[0], rows, columns, min(TILE_WIDTH, lines[1]))
    starts = np.cumsum([0] + [len(place.columns) for place in places])
    parts = zip(places, starts, starts[1:], strict=False)
    return tuple(Block(place, encoding.digits[:, a:b]) for place, a, b in parts)
