"""Wire resistance, exactly: what a block of cells looks like from the ends of its lines.

Nodal analysis with two nodes a cell (one on its bit line, one on its source line). Bit lines are driven at
the left end (column -1), source lines at the top end (row -1); lines and cells outside the block carry no
current, so their wire only adds distance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import splu

Floats = NDArray[np.float64]
Index = NDArray[np.int64]


def port_matrix(conductance: Floats, rows: Index, columns: Index, wire_resistance: float) -> Floats:
    """Transfer conductances between row ends and column ends of a block, wires included.

    Parameters
    ----------
    conductance : (R, C) array
        Cells of the block, S.
    rows, columns : (R,), (C,) arrays of int
        Their physical line numbers; the distance along a line is counted in cells.
    wire_resistance : float
        Ohm between neighbouring cells.

    Returns
    -------
    (R, C) array
        Current into the end of column c, held at 0 V, per volt at the end of row r. By reciprocity the
        same numbers are the currents into the row ends per volt at the column ends. S.
    """
    if wire_resistance == 0.0:
        return conductance.copy()
    n_rows, n_columns = conductance.shape
    order_r, order_c = np.argsort(rows), np.argsort(columns)
    g = conductance[np.ix_(order_r, order_c)]
    along_row = 1.0 / (wire_resistance * np.diff(columns[order_c], prepend=-1))  # left of each column
    along_column = 1.0 / (wire_resistance * np.diff(rows[order_r], prepend=-1))  # above each row
    bit = np.arange(n_rows * n_columns).reshape(n_rows, n_columns)
    source = bit + bit.size
    a = [bit.ravel(), bit[:, 1:].ravel(), source[1:].ravel()]
    b = [source.ravel(), bit[:, :-1].ravel(), source[:-1].ravel()]
    values = [
        g.ravel(),
        np.broadcast_to(along_row[1:], (n_rows, n_columns - 1)).ravel(),
        np.broadcast_to(along_column[1:, None], (n_rows - 1, n_columns)).ravel(),
    ]
    i, j, y = np.concatenate(a), np.concatenate(b), np.concatenate(values)
    size = 2 * bit.size
    diagonal = np.bincount(i, y, size) + np.bincount(j, y, size)
    diagonal[bit[:, 0]] += along_row[0]
    diagonal[source[0]] += along_column[0]
    index = np.arange(size)
    matrix = coo_array(
        (
            np.concatenate([-y, -y, diagonal]),
            (np.concatenate([i, j, index]), np.concatenate([j, i, index])),
        ),
        shape=(size, size),
    ).tocsc()
    drive = np.zeros((size, n_rows))
    drive[bit[:, 0], np.arange(n_rows)] = along_row[0]
    volts = splu(matrix).solve(drive)
    ports = volts[source[0]].T * along_column[0]
    result = np.empty_like(conductance)
    result[np.ix_(order_r, order_c)] = ports
    return result


def series_resistance(row: int, column: int, wire_resistance: float) -> float:
    """Wire in series with one cell addressed alone, ohm."""
    return wire_resistance * (row + column + 2)
