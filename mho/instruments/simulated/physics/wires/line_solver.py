"""Lines of an array solved exactly, all in one call: each a ladder of wire whose rungs are its cells.

A line is driven at one end; node k sits `gaps[k]` wire lengths behind node k - 1 and its cell draws current
to the other side. With everything scaled by the wire's resistance R, the drops p from the driven end obey

    (L + gamma) p = gamma v,        gamma = R G,

L being the tridiagonal matrix of unit wires and v the voltage that would be across each cell if the wire
were perfect. Drops instead of node voltages keep their relative accuracy when they are small, and are
exactly zero when R is. All lines of one direction are one long tridiagonal system without coupling from
line to line, which LAPACK factorises once (dpttrf) and solves in one call (dpttrs).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpttrf, dpttrs

Floats = NDArray[np.float64]

# Idle nodes behind each line. A row of 2^k numbers would put a whole column into one cache set: transposing
# 1024 x 1024 then takes nine times as long.
PADDING = 4


class LineSolver:
    """Parallel lines of one direction.

    Parameters
    ----------
    loads : (lines, n) array
        Cell conductance times wire resistance, dimensionless.
    gaps : (n,) array
        Wire lengths in front of each node, in cells.
    """

    def __init__(self, loads: Floats, gaps: Floats) -> None:
        self.lines, self.n = loads.shape
        self._wire = 1.0 / gaps
        self.loads = self.zeros()
        self.cells(self.loads)[...] = loads
        diagonal = self.loads + 1.0  # 1 for the idle nodes
        self.cells(diagonal)[...] += self._wire - 1.0
        self.cells(diagonal)[:, :-1] += self._wire[1:]
        coupling = self.zeros()
        coupling[:, : self.n - 1] = -self._wire[1:]
        self._diagonal, self._coupling, failed = dpttrf(
            diagonal.reshape(-1), coupling.reshape(-1)[:-1], overwrite_d=1, overwrite_e=1
        )
        if failed:
            raise np.linalg.LinAlgError(f"the lines' matrix is not positive definite at node {failed}")

    def zeros(self, *batch: int) -> Floats:
        """Return an array that `solve` takes: (*batch, lines, n + PADDING)."""
        return np.zeros((*batch, self.lines, self.n + PADDING))

    def cells(self, padded: Floats) -> Floats:
        """Return the view of a padded array without its idle nodes, (..., lines, n)."""
        return padded[..., : self.n]

    def solve(self, padded: Floats) -> Floats:
        """Replace right-hand sides by the solutions of (L + gamma) p = rhs, in place."""
        flat = padded.reshape(-1, self._diagonal.size)
        dpttrs(self._diagonal, self._coupling, flat.T, overwrite_b=1)
        return padded

    def drops(self, volts: Floats, out: Floats) -> Floats:
        """Return the drops (lines, n) that `volts` (lines, n) across the cells cause; `out` is padded."""
        np.multiply(self.cells(self.loads), volts, out=self.cells(out))
        return self.cells(self.solve(out))

    def add_wire_currents(self, drops: Floats, out: Floats, scratch: Floats) -> None:
        """Add L `drops`, the currents that `drops` drive through the wires; all (lines, n + PADDING)."""
        p, sums, flow = self.cells(drops), self.cells(out), self.cells(scratch)
        flow[:, 0] = p[:, 0]
        np.subtract(p[:, 1:], p[:, :-1], out=flow[:, 1:])
        flow *= self._wire
        sums += flow
        sums[:, :-1] -= flow[:, 1:]
