"""What a bench needs of a chip map's text: its arrays' sizes and wires, and what its cells bear.

The full check of a chip map is `mho.chip_maps.chip`'s; this floor does not know that one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from mho.errors import BenchError
from mho.toml import parse_toml

MOST_LINES, MOST_CELLS = 4096, 1 << 26
"""Rows or columns of an array, and cells of all arrays together: what is simulated takes memory for each."""

Lines = Annotated[int, Field(ge=1, le=MOST_LINES)]


class ArrayText(BaseModel):
    """One array; wire resistance in ohm between neighbouring cells."""

    name: str
    rows: Lines
    columns: Lines
    wire_resistance: float = Field(ge=0, allow_inf_nan=False)


class CellsText(BaseModel):
    """What cells bear by the names of the lines, V, and by ``current``, A."""

    bears: dict[str, float] = {}


class ChipText(BaseModel):
    """A chip map, as far as a bench looks at it."""

    arrays: tuple[ArrayText, ...] = Field(min_length=1)
    cells: CellsText = CellsText()

    @model_validator(mode="after")
    def _no_more_cells_than_memory(self) -> ChipText:
        cells = sum(array.rows * array.columns for array in self.arrays)
        if cells > MOST_CELLS:
            raise ValueError(f"the arrays have {cells} cells, more than {MOST_CELLS}")
        return self


@lru_cache(maxsize=16)  # a bench and its twin ask for the same one, and so does the next of a thousand runs
def read_chip_text(chip_text: str, name: str = "") -> ChipText:
    """Return what a chip map's text says.

    Parameters
    ----------
    name : str
        What errors call the map.

    Raises
    ------
    BenchError
        It is no TOML that is read, does not describe its arrays, or describes larger ones than are simulated.
    """
    return parse_toml(chip_text, ChipText, f"chip map {name}".rstrip(), BenchError)
