"""The blocks of cells that a run uses on the arrays, and the borders between the slices of a matrix."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from mho.chip_maps.checksums import checked_tiles
from mho.chip_maps.chip import ChipMap
from mho.chip_maps.multiply_encoding import encode_multiply
from mho.errors import MhoError
from mho.gui.solve.reading import as_held
from mho.runs import RunFile

TILE_WIDTH = 32  # columns of a solve's tiles, as many as the packaged benches read at once
CHECKSUM = "checksum"
_RANGE = re.compile(r"(?P<array>\w+)\[(?P<top>\d+):(?P<bottom>\d+), (?P<left>\d+):(?P<right>\d+)\]")


@dataclass(frozen=True)
class Outline:
    """A rectangle of cells; `bottom` and `right` are the lines after the last.

    `slices` has the column at which each slice of the matrix begins, and the slice's name.
    """

    array: str
    top: int
    bottom: int
    left: int
    right: int
    slices: tuple[tuple[int, str], ...] = ()

    @property
    def name(self) -> str:
        """The cells as a run file names them."""
        return f"{self.array}[{self.top}:{self.bottom}, {self.left}:{self.right}]"

    def holds(self, row: int, column: int) -> bool:
        """Return whether a cell lies within."""
        return self.top <= row < self.bottom and self.left <= column < self.right

    def slice_at(self, column: int) -> str:
        """Return the name of the slice that `column` belongs to; empty where none is known."""
        return next((name for start, name in reversed(self.slices) if start <= column), "")


def read_outlines(run: RunFile, chip: ChipMap | None) -> tuple[Outline, ...]:
    """Return the blocks of cells that `run` says it uses, in its order; `RunFileError` for a damaged file."""
    blocks = []
    for match in _RANGE.finditer(run.cells):
        top, bottom, left, right = (int(match[name]) for name in ("top", "bottom", "left", "right"))
        blocks.append(Outline(match["array"], top, bottom, left, right))
    return _with_slices(run, tuple(blocks), chip) if chip else tuple(blocks)


def _with_slices(run: RunFile, blocks: tuple[Outline, ...], chip: ChipMap) -> tuple[Outline, ...]:
    """Mark the slices in the blocks that hold a solve's multiplying digits, column after column.

    The digits of one sign and one power of two stand side by side, see `mho.chip_maps.multiply_encoding`; each tile ends
    with its check columns (`mho.chip_maps.checksums`), but those of older runs.
    """
    multiplying = {array.name for array in chip.arrays_for("multiply")}
    tiles = [block for block in blocks if block.array in multiplying]
    widths = [tile.right - tile.left for tile in tiles]
    names = _slice_names(run, chip, widths)
    if sum(widths) != len(names):
        return blocks  # lines around bad cells are left out: which column holds what is not known
    marked, done = {}, 0
    for tile in tiles:
        width = tile.right - tile.left
        mine = names[done : done + width]
        starts = [k for k in range(width) if k == 0 or mine[k] != mine[k - 1]]
        slices = tuple((tile.left + k, mine[k]) for k in starts)
        marked[tile] = Outline(tile.array, tile.top, tile.bottom, tile.left, tile.right, slices)
        done += width
    return tuple(marked.get(block, block) for block in blocks)


def _slice_names(run: RunFile, chip: ChipMap, widths: list[int]) -> list[str]:
    """Return for each column of a solve's tiles which slice it is of; nothing for another run."""
    bits = run.parameters.get("bits")
    if (
        bits is None
        or not isinstance(bits.value, int)
        or not {"matrix_held", "digits_multiply"} <= {*run.arrays}
    ):
        return []
    digit_bits = chip.level_scale().bits
    try:
        encoding = encode_multiply(as_held(run, run.array("matrix_held")), bits.value, digit_bits)
    except (MhoError, ValueError):
        return []
    if encoding.digits.shape != run.array("digits_multiply").shape:
        return []
    power = np.log2(np.abs(encoding.weight)).astype(int) // digit_bits
    most = int(power.max(initial=0))
    signs = np.where(encoding.weight > 0, "positive", "negative")
    names = [
        f"slice {most - p} of the {sign} part" for p, sign in zip(power.tolist(), signs.tolist(), strict=True)
    ]
    checked = checked_tiles(encoding.digits, TILE_WIDTH, digit_bits)
    if [tile.digits.shape[1] for tile in checked] != widths:
        return names
    data = iter(names)
    return [
        name
        for tile in checked
        for name in [
            *(next(data) for _ in range(tile.code.columns)),
            *[CHECKSUM] * (tile.digits.shape[1] - tile.code.columns),
        ]
    ]
