"""Which level each cell holds, from reads of it: the nearest one, and whether it lies in that level's verify window."""

from __future__ import annotations

import numpy as np

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.levels import Levels

UNKNOWN = -1  # level of a cell that does not conduct, or was not read


def nearest_levels(conductance: Floats, levels: Levels, formed: Booleans) -> Integers:
    """Return the digit whose level lies nearest to each conductance (S); `UNKNOWN` of cells that are not `formed`.

    A level counts as far as the middle between it and the next.
    """
    edges = 0.5 * (levels.nominal[1:] + levels.nominal[:-1])
    digits = np.searchsorted(edges, conductance).astype(np.int64)
    return np.where(formed, digits, UNKNOWN)


def in_windows(conductance: Floats, digits: Integers, levels: Levels) -> Booleans:
    """Return whether conductances (..., cells), S, lie in the windows of their `digits` (cells,); never of `UNKNOWN`."""
    known = np.maximum(digits, 0)
    low, high = levels.low[known], levels.high[known]
    inside: Booleans = (conductance >= low) & (conductance <= high) & (digits != UNKNOWN)
    return inside


def unformed_reads(unformed: int, cells: int, formed_above: float) -> str:
    """Return what a run without blanks says of cells that read as cells do which were never formed."""
    some = "all cells" if unformed == cells else f"{unformed} of {cells} cells"
    return (
        f"{some} read below {1e6 * formed_above:g} µS: they were never formed, or are too deep in HRS; they are left out "
        "of the result: form or program them first"
    )
