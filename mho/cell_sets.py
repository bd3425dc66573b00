"""Sets of cells of a chip's arrays as text: a line an array, its mask in packed bits; at most 175 kB for a Mb."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable, Mapping

import numpy as np
from pydantic import BaseModel, Field, model_validator

from mho.array_types import Booleans
from mho.errors import MhoError
from mho.toml import StrictModel, parse_toml

MOST_LINES = 4096  # rows or columns of an array, at most


class PackedCells(StrictModel):
    """The cells of one array that are in a set."""

    array: str  # name of the array
    rows: int = Field(ge=1, le=MOST_LINES)  # of the array
    columns: int = Field(ge=1, le=MOST_LINES)  # of the array
    cells: int = Field(ge=0)  # how many cells are in the set
    bits: str  # the mask, row by row, eight cells a byte, compressed by zlib, in base 64

    @classmethod
    def of(cls, array: str, mask: Booleans) -> PackedCells:
        """Pack a mask (rows, columns)."""
        bits = base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 6)).decode()
        rows, columns = mask.shape
        return cls(array=array, rows=rows, columns=columns, cells=int(mask.sum()), bits=bits)

    @property
    def mask(self) -> Booleans:
        """The mask (rows, columns)."""
        count = self.rows * self.columns
        packed = _unpacked(self.bits, -(-count // 8))
        bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=count)
        return bits.astype(bool).reshape(self.rows, self.columns)

    @model_validator(mode="after")
    def _bits_are_its_cells(self) -> PackedCells:
        if int(self.mask.sum()) != self.cells:
            raise ValueError(
                f"{self.array}: `bits` hold {int(self.mask.sum())} cells, and `cells` says {self.cells}: take the line out "
                "or put it back as it was written"
            )
        return self


class _FormedCells(BaseModel):
    """A text with a list of formed cells, whatever else it holds."""

    formed: tuple[PackedCells, ...] = ()


def formed_cells_in(text: str, source: str, error: type[MhoError]) -> tuple[PackedCells, ...]:
    """Return the formed cells in a text of TOML, a list of defects or what a run file holds; raises as `parse_toml`."""
    return parse_toml(text, _FormedCells, source, error).formed


def formed_cells_text(cells: Iterable[PackedCells]) -> str:
    """Return a text of TOML with formed cells alone."""
    return "\n".join(["formed = [", *cells_lines(cells), "]", ""])


def _unpacked(bits: str, size: int) -> bytes:
    """Return so many bytes of packed bits, never more; `ValueError` where it is not that."""
    try:
        inflate = zlib.decompressobj()
        data = inflate.decompress(base64.b64decode(bits, validate=True), size + 1)
    except (ValueError, binascii.Error, zlib.error):
        data = b""
    if len(data) != size:
        raise ValueError(
            f"`bits` are not the packed mask of {size} bytes that this array has: take the line out, or put it back as it "
            "was written"
        )
    return data


def cells_lines(cells: Iterable[PackedCells]) -> list[str]:
    """Return the lines of TOML, one an array, that stand in a list of such tables."""
    return [
        "  { "
        + ", ".join(f"{name} = {json.dumps(value)}" for name, value in one.model_dump().items())
        + " },"
        for one in cells
    ]


def united(*sets: Iterable[PackedCells]) -> tuple[PackedCells, ...]:
    """Return the cells that are in any of the sets, by array; `ValueError` for an array of two sizes."""
    masks: dict[str, Booleans] = {}
    for one in (one for cells in sets for one in cells):
        before = masks.setdefault(one.array, np.zeros((one.rows, one.columns), bool))
        if before.shape != (one.rows, one.columns):
            raise ValueError(
                f"{one.array} has {before.shape[0]} x {before.shape[1]} cells in one set and {one.rows} x {one.columns} in "
                "another"
            )
        masks[one.array] = before | one.mask
    return tuple(PackedCells.of(name, masks[name]) for name in sorted(masks) if masks[name].any())


def most_bytes(shapes: Mapping[str, tuple[int, int]]) -> int:
    """Return how long the lines of a chip's arrays can become, in bytes."""
    return sum(
        300 + len(name.encode()) + 2 * (-(-rows * columns // 8)) for name, (rows, columns) in shapes.items()
    )
