"""What wires leave of the conductances of a block with all its lines in use, from those that were read cell by cell.

A cell that is read alone has its wires in series, so its reading includes them. With all lines in use, the wire that two
cells share drops the current of both. To first order, for currents small beside those of a short,

    T = G / (1 + r (C G + G K)),    C_km = 1 + min(row_k, row_m),  K_lj = 1 + min(column_l, column_j),  0 for k = m, l = j,

with T the current into the end of row k per volt at the end of column j, the other ends at 0 V, and r the resistance of
wire between neighbouring cells. Bit lines end in front of column 0, source lines in front of row 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.chip_maps.placement import Placement

Floats = NDArray[np.float64]


def with_all_lines(conductances: ArrayLike, placed: Placement, wire_resistance: float) -> Floats:
    """Return the conductances of a block between its row ends and column ends, S.

    Parameters
    ----------
    conductances : (rows, columns) array
        As read, one cell at a time, S.
    placed : Placement
        The physical lines.
    wire_resistance : float
        Between neighbouring cells, ohm.

    Returns
    -------
    (rows, columns) array, S
    """
    g = np.asarray(conductances, np.float64)
    shared = wire_resistance * (_shared(placed.rows) @ g + g @ _shared(placed.columns))
    return np.asarray(g / (1.0 + shared))


def _shared(lines: NDArray[np.int64]) -> Floats:
    """Return the lengths of wire, in cells, that the cells at two lines share on their way to its end; 0 with itself."""
    cells = 1.0 + np.minimum.outer(lines, lines)
    np.fill_diagonal(cells, 0.0)
    return cells
