"""Every node of a wired block for given voltages at its ends, by conjugate gradients over whole lines.

Let p be the drops along the bit lines and q those along the source lines, for cells that would see the
voltage D (row end minus column end) through perfect wires. With gamma = R G:

    (L_b + gamma) p = gamma (D - q),     (L_s + gamma) q = gamma (D - p).

Source lines are eliminated exactly and bit lines precondition what is left: both are line solves. How many
iterations that takes depends on the load N^2 G R alone, 6 for 256 x 256 cells at 1.73 ohm. Where it is large, both nodes of
a cell are at nearly the same voltage, which spreads slowly: over it the cells do not matter, and what remains is the wires'
own grid, L_b + L_s. On functions that are linear between a few lines its inverse is a product of two small eigenproblems
(fast diagonalisation; Lynch, Rice & Thomas 1964), whatever the cells hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh

from mho.array_types import Floats
from mho.errors import BenchError, ConvergenceError
from mho.instruments.simulated.physics.wires import LineSolver, WiredBlock, check_values

MOST_KNOTS = 64  # a direction: finer costs more a step than it saves
TOLERANCE = 1e-12  # of the drops, in the energy norm: ends and nodes then agree to about 1e-12 as well
MAX_ITERATIONS = 1000
HEAVY = 50.0  # N^2 G R above which a coarse grid saves more iterations than it costs


def dot(a: Floats, b: Floats) -> float:
    """Return the inner product of two arrays of the same shape, on this thread."""
    return float(np.einsum("i,i->", a.reshape(-1), b.reshape(-1)))


def line_drops(lines: LineSolver, volts: Floats, out: Floats) -> Floats:
    """Return the drops (lines, n) that `volts` (lines, n) across the cells cause; `out` is padded."""
    np.multiply(lines.cells(lines.loads), volts, out=lines.cells(out))
    return lines.cells(lines.solve(out))


class BlockLines:
    """The bit lines (the block's rows) and the source lines (its columns) of a block, factorised."""

    def __init__(self, block: WiredBlock) -> None:
        loads = block.wire_resistance * block.conductance
        self.bit = LineSolver(loads, block.bit_gaps)
        self.source = LineSolver(loads.T, block.source_gaps)
        self._scratch = self.source.zeros()

    def source_drops(self, volts: Floats) -> Floats:
        """Return the source lines' drops (R, C) for `volts` across the cells; valid until the next call."""
        return line_drops(self.source, volts.T, self._scratch).T


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


@dataclass(frozen=True)
class NodalSolution:
    """Solution of a block for one vector, or for each of a batch (leading axes).

    Attributes
    ----------
    row_currents, column_currents : (..., R), (..., C) arrays
        Into the block at its ends, A.
    bit_volts, source_volts : (..., R, C) arrays or None
        Node voltages on the bit lines and on the source lines, V, when asked for.
    iterations : int
        Most that any vector took.
    """

    row_currents: Floats
    column_currents: Floats
    bit_volts: Floats | None
    source_volts: Floats | None
    iterations: int


class NodalSolver:
    """Nodal analysis of one block; its factorisations serve as long as its cells are unchanged.

    For many vectors at the ends alone, `WiredBlock.admittance` is cheaper: one product a vector.
    """

    def __init__(self, block: WiredBlock) -> None:
        self._block = block
        self._lines = BlockLines(block)
        mean_load = block.wire_resistance * float(block.conductance.mean())
        spans = np.array([block.source_gaps.sum(), block.bit_gaps.sum()])
        self._coarse = None
        if mean_load * float((spans * block.shape).max()) > HEAVY:
            self._coarse = CoarseGrid(block.source_gaps, block.bit_gaps, mean_load)

    def solve(
        self, row_volts: ArrayLike, column_volts: ArrayLike = 0.0, *, nodes: bool = False
    ) -> NodalSolution:
        """Solve for voltages at all ends; a grounded end is one at 0 V.

        Parameters
        ----------
        row_volts, column_volts : (..., R), (..., C) arrays
            V; they broadcast against each other, a number drives all ends of its side.
        nodes : bool
            Return the voltages of all nodes, too.

        Raises
        ------
        BenchError
            A voltage is not finite, or there is not one for each end.
        ConvergenceError
            The iteration did not reach 1e-12.
        """
        block = self._block
        u, w = (
            _at_ends(name, volts, count)
            for name, volts, count in zip(
                ("row_volts", "column_volts"), (row_volts, column_volts), block.shape, strict=True
            )
        )
        batch = np.broadcast_shapes(u.shape[:-1], w.shape[:-1])
        u = np.broadcast_to(u, (*batch, block.shape[0])).reshape(-1, block.shape[0])
        w = np.broadcast_to(w, (*batch, block.shape[1])).reshape(-1, block.shape[1])
        rows, columns = np.empty(u.shape), np.empty(w.shape)
        bit, source = np.empty((2, len(u) if nodes else 0, *block.shape))
        most = 0
        for k, (u_k, w_k) in enumerate(zip(u, w, strict=True)):
            across = u_k[block.row_order, None] - w_k[block.column_order]
            p, iterations = self._bit_drops(across)
            most = max(most, iterations)
            across -= p
            q = self._lines.source_drops(across)
            current = block.conductance * (across - q)
            rows[k, block.row_order] = current.sum(axis=1)
            columns[k, block.column_order] = -current.sum(axis=0)
            if nodes:
                bit[k] = u_k[:, None] - block.as_asked(p)
                source[k] = w_k + block.as_asked(q)
        return NodalSolution(
            rows.reshape(*batch, -1),
            columns.reshape(*batch, -1),
            bit.reshape(*batch, *block.shape) if nodes else None,
            source.reshape(*batch, *block.shape) if nodes else None,
            most,
        )

    def _bit_drops(self, across: Floats) -> tuple[Floats, int]:
        """Return p (R, C) and the iterations it took: S p = gamma (D - (L_s + gamma)^-1 gamma D)."""
        bit = self._lines.bit
        p, step, applied, z, residual, scratch = (bit.zeros() for _ in range(6))
        bit.cells(residual)[...] = across - self._lines.source_drops(across)
        residual *= bit.loads
        first = last = 0.0
        for iteration in range(MAX_ITERATIONS):
            np.copyto(z, residual)
            bit.solve(z)
            if self._coarse is not None:
                bit.cells(z)[...] += self._coarse.correct(bit.cells(residual))
            energy = dot(residual, z)
            first = first or energy
            if energy <= TOLERANCE**2 * first:
                return bit.cells(p), iteration
            if last:
                step *= energy / last
            step += z
            last = energy
            np.subtract(bit.cells(step), self._lines.source_drops(bit.cells(step)), out=bit.cells(applied))
            applied *= bit.loads
            _add_wire_currents(bit, step, applied, scratch)
            length = energy / dot(step, applied)
            p += np.multiply(step, length, out=scratch)
            residual -= np.multiply(applied, length, out=scratch)
        raise ConvergenceError(
            f"the node voltages of a block of {self._block.shape[0]} x {self._block.shape[1]} cells did not "
            f"settle in {MAX_ITERATIONS} iterations at {self._block.wire_resistance:g} ohm a cell; "
            "its conductances span too much: look for shorted cells"
        )


def _add_wire_currents(lines: LineSolver, drops: Floats, out: Floats, scratch: Floats) -> None:
    """Add L `drops`, the currents that `drops` drive through the wires; all (lines, n + PADDING)."""
    p, sums, flow = lines.cells(drops), lines.cells(out), lines.cells(scratch)
    flow[:, 0] = p[:, 0]
    np.subtract(p[:, 1:], p[:, :-1], out=flow[:, 1:])
    flow *= lines.wire
    sums += flow
    sums[:, :-1] -= flow[:, 1:]


def _at_ends(name: str, volts: ArrayLike, count: int) -> Floats:
    values = np.asarray(volts, np.float64)
    check_values(name, values, "V")
    if values.ndim == 0:
        return np.broadcast_to(values, (count,))
    if values.shape[-1] != count:
        raise BenchError(
            f"{name} has {values.shape[-1]} values a vector, but the block has {count} such ends"
        )
    return values


def port_matrix(
    conductance: ArrayLike, rows: ArrayLike, columns: ArrayLike, wire_resistance: float
) -> Floats:
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
    return WiredBlock.from_lines(conductance, rows, columns, wire_resistance).transfer
