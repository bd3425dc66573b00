"""A coarse grid for heavily loaded blocks, where a cell's bit line and source line move together.

Where N^2 G R is large, both nodes of a cell are at nearly the same voltage, and that common voltage
spreads slowly: over it the cells do not matter, and what remains is the wires' own grid, L_b + L_s. On
functions that are linear between a few lines its inverse is a product of two small eigenproblems (fast
diagonalisation; Lynch, Rice & Thomas 1964), whatever the cells hold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Floats = NDArray[np.float64]

MOST_KNOTS = 64  # a direction: finer costs more a step than it saves


class CoarseGrid:
    """Approximate inverse of the wires' grid on a few lines of each direction.

    Parameters
    ----------
    source_gaps, bit_gaps : (R,), (C,) arrays
        Cells of wire in front of each row and each column.
    mean_load : float
        Mean conductance times wire resistance; its inverse root is how far, in cells, a cell is felt.
    """

    def __init__(self, source_gaps: Floats, bit_gaps: Floats, mean_load: float) -> None:
        row_stiffness, self._rows = _modes(source_gaps, mean_load)
        column_stiffness, self._columns = _modes(bit_gaps, mean_load)
        self._inverse = 1.0 / (row_stiffness[:, None] + column_stiffness)

    def correct(self, residual: Floats) -> Floats:
        """Return the coarse correction (R, C) to a residual (R, C)."""
        modes = self._rows.T @ residual @ self._columns
        return np.asarray(self._rows @ (modes * self._inverse) @ self._columns.T)


def _modes(gaps: Floats, mean_load: float) -> tuple[Floats, Floats]:
    """Return stiffnesses (m,) and shapes (n, m) of the modes along one direction."""
    n = len(gaps)
    position = np.cumsum(gaps)
    count = int(np.clip(np.ceil(position[-1] * np.sqrt(mean_load)), 1, min(n, MOST_KNOTS)))
    knots = np.unique(np.round(np.linspace(0, n, count + 1)[1:]).astype(np.int64)) - 1
    shapes = np.empty((n, len(knots)))
    at = np.concatenate([[0.0], position[knots]])  # the driven end is fixed
    for k, unit in enumerate(np.eye(len(at))[1:]):
        shapes[:, k] = np.interp(position, at, unit)
    slopes = np.diff(shapes, axis=0, prepend=0.0)
    stiffness, vectors = eigh(slopes.T @ (slopes / gaps[:, None]), shapes.T @ shapes)
    return stiffness, shapes @ vectors
