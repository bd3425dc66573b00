"""The part of a chip map that a bench needs: sizes and wires of its arrays, ratings of its cells, where its list is.

`mho.chip_maps.chip` checks a chip map fully; this package does not import it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from mho.errors import BenchError
from mho.toml import parse_toml

# Largest number of rows or columns of an array, and of cells of all arrays: simulation takes memory for each
MOST_LINES, MOST_CELLS = 4096, 1 << 26
Lines = Annotated[int, Field(ge=1, le=MOST_LINES)]


class ArrayText(BaseModel):
    """One array; wire resistance in ohm between neighbouring cells."""

    name: str
    rows: Lines
    columns: Lines
    wire_resistance: float = Field(ge=0, allow_inf_nan=False)
    segment: int | None = Field(default=None, ge=1)


class CellsText(BaseModel):
    """Ratings of the cells, and of formed ones: V by the names of the lines, and ``current``, A."""

    bears: dict[str, float] = {}
    bears_formed: dict[str, float] = {}


class FormingText(BaseModel):
    """When a cell is formed: from which conductance (S) on; the default is that of the settings of write-verify."""

    formed_above: float = 0.1e-6


class ChipText(BaseModel):
    """A chip map, as far as a bench reads it."""

    terminals: tuple[str, ...] = ("bit line", "source line", "word line")
    arrays: tuple[ArrayText, ...] = Field(min_length=1)
    cells: CellsText = CellsText()
    write_verify: FormingText = FormingText()
    defects: str = ""

    @property
    def passive(self) -> bool:
        """Whether nothing selects a cell but its two lines: the chip has no word lines."""
        return "word line" not in self.terminals

    @model_validator(mode="after")
    def _no_more_cells_than_memory(self) -> ChipText:
        cells = sum(array.rows * array.columns for array in self.arrays)
        if cells > MOST_CELLS:
            raise ValueError(f"the arrays have {cells} cells, more than {MOST_CELLS}")
        return self


@lru_cache(maxsize=16)  # a bench and its twin read the same map, and so does each of a thousand runs
def read_chip_text(chip_text: str, name: str = "") -> ChipText:
    """Parse a chip map's text.

    `name`: name of the map in errors.

    `BenchError` when it is not valid TOML, does not describe its arrays, or describes larger ones than can be
    simulated.
    """
    return parse_toml(chip_text, ChipText, f"chip map {name}".rstrip(), BenchError)
