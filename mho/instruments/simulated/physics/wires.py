"""Exact wire resistance: a block of cells between its wires, and its admittance at the ends of its lines.

Nodal analysis with two nodes a cell, one on its bit line (a row) and one on its source line (a column). Bit
lines are driven at the left end (column -1), source lines at the top end (row -1); lines and cells outside
the block carry no current, so their wire only adds distance. Currents count into the block:

    i_rows = Y_rr u - T w,      i_columns = Y_cc w - T^T u

for voltages u at the row ends and w at the column ends.

Lines are solved exactly, all in one call: each is a ladder of wire whose rungs are its cells, driven at one end; node k
sits `gaps[k]` wire lengths behind node k - 1. With everything scaled by the wire's resistance R, the drops p from the
driven end obey

    (L + gamma) p = gamma v,        gamma = R G,

L being the tridiagonal matrix of unit wires and v the voltage that would be across each cell if the wire
were perfect. Drops instead of node voltages keep their relative accuracy when they are small, and are
exactly zero when R is. All lines of one direction are one long tridiagonal system without coupling from
line to line, which LAPACK factorises once (dpttrf) and solves in one call (dpttrs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.array_types import Floats, Integers
from mho.errors import BenchError
from mho.lazy_names import compiled_alone

if TYPE_CHECKING:
    from scipy.linalg.lapack import dposv, dpttrf, dpttrs
else:
    dposv, dpttrf, dpttrs = compiled_alone(
        "scipy.linalg", "_flapack", ["dposv", "dpttrf", "dpttrs"], "scipy.linalg.lapack"
    )

# Idle nodes behind each line. A row of 2^k numbers would put a whole column into one cache set: transposing
# 1024 x 1024 then takes nine times as long.
PADDING = 4


class LineSolver:
    """Parallel lines of one direction, (lines, n).

    `loads` (lines, n) are conductances times the wire's resistance, dimensionless; `gaps` (n,) the wire lengths in front of
    each node, in cells.
    """

    def __init__(self, loads: Floats, gaps: Floats) -> None:
        self.lines, self.n = loads.shape
        self.wire = 1.0 / gaps
        self.loads = self.zeros()
        self.cells(self.loads)[...] = loads
        diagonal = self.loads + 1.0  # 1 for the idle nodes
        self.cells(diagonal)[...] += self.wire - 1.0
        self.cells(diagonal)[:, :-1] += self.wire[1:]
        coupling = self.zeros()
        coupling[:, : self.n - 1] = -self.wire[1:]
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


STEP = 30_000  # operations that eliminating a column costs beside its arithmetic
CHUNK = 1 << 21  # numbers held at once while columns are eliminated, 16 MiB

# Another model of the wires: conductances (blocks, R, C), S, places of the lines along the wires that cross them, (blocks,
# R) and (blocks, C), and ohm between neighbouring cells -> transfer conductances (blocks, R, C), S
WireModel = Callable[[Floats, Integers, Integers, float], Floats]


@dataclass(frozen=True)
class PortAdmittance:
    """A block as a network between its row ends and its column ends, S."""

    row_row: Floats  # (R, R): current into row ends per volt at row ends, all column ends at 0 V
    # (R, C): current out of column ends per volt at row ends; by reciprocity also the other way round
    transfer: Floats


@dataclass(frozen=True)
class WiredBlock:
    """Cells of a block in their order along the wires."""

    conductance: Floats  # (R, C): S, rows and columns sorted by physical line
    # row_order, column_order: (R,), (C,): position of each sorted line in the caller's order
    row_order: Integers
    column_order: Integers
    # bit_gaps, source_gaps: (C,), (R,): cells of wire in front of each column on a bit line, of each row on a source
    # line
    bit_gaps: Floats
    source_gaps: Floats
    wire_resistance: float  # ohm between neighbouring cells
    # Cells (R, C), S, in the caller's order -> transfer conductances, where a model in place of nodal analysis has them
    model: Callable[[Floats], Floats] | None = None

    @classmethod
    def from_lines(
        cls, conductance: ArrayLike, rows: ArrayLike, columns: ArrayLike, wire_resistance: float,
        wires: WireModel | None = None,
    ) -> WiredBlock:  # fmt: skip
        """Create from cells (R, C), S, and the physical numbers of their lines, in any order.

        `BenchError` for a conductance that is negative or not finite, a line number that is negative or used twice,
        shapes that do not match, or a wire resistance that is negative or not finite.
        """
        g = np.asarray(conductance, np.float64)
        row_numbers, column_numbers = np.asarray(rows), np.asarray(columns)
        if g.ndim != 2 or g.shape != (*row_numbers.shape, *column_numbers.shape) or g.size == 0:
            raise BenchError(
                f"conductance has shape {g.shape}, but there are {row_numbers.size} row and "
                f"{column_numbers.size} column numbers; give one number a line and at least one cell"
            )
        if not (np.isfinite(wire_resistance) and wire_resistance >= 0.0):
            raise BenchError(f"wire_resistance is {wire_resistance} ohm; give a finite value from 0 up")
        check_values("conductance", g, "S", lowest=0.0)
        row_order, source_gaps = _along("row", row_numbers)
        column_order, bit_gaps = _along("column", column_numbers)
        sorted_cells = np.ascontiguousarray(g[row_order[:, None], column_order])
        block = cls(sorted_cells, row_order, column_order, bit_gaps, source_gaps, float(wire_resistance))
        if wires is None:
            return block
        lines = row_numbers[None], column_numbers[None]
        return replace(block, model=lambda cells: wires(cells[None], *lines, block.wire_resistance)[0])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.conductance.shape[0], self.conductance.shape[1]

    def transposed(self) -> WiredBlock:
        """Return the same network with rows and columns exchanged."""
        return WiredBlock(
            np.ascontiguousarray(self.conductance.T), self.column_order, self.row_order, self.source_gaps,
            self.bit_gaps, self.wire_resistance,
        )  # fmt: skip

    def as_asked(self, cells: Floats) -> Floats:
        """Reorder (R, C) values per cell from the order of the wires to the caller's order."""
        result = np.empty_like(cells)
        result[self.row_order[:, None], self.column_order] = cells
        return result

    @cached_property
    def admittance(self) -> PortAdmittance:
        """Row-row and transfer admittance in the order asked for; computed once.

        By a `model`, whatever enters a row leaves by the columns: it says nothing of what rows exchange.
        """
        if self.model is not None:
            modelled = self.model(self.as_asked(self.conductance))
            return PortAdmittance(np.diag(modelled.sum(axis=1)), modelled)
        row_row, transfer = _eliminate(self)
        result = np.empty_like(row_row)
        result[self.row_order[:, None], self.row_order] = row_row
        return PortAdmittance(result, self.as_asked(transfer))

    @cached_property
    def transfer(self) -> Floats:
        """The transfer admittance alone, found the cheaper way round; computed once."""
        n_rows, n_columns = self.shape
        if self.model is not None or n_columns * (n_rows**3 + STEP) <= n_rows * (n_columns**3 + STEP):
            return self.admittance.transfer
        return np.ascontiguousarray(self.transposed().admittance.transfer.T)


def series_resistance(row: Any, column: Any, wire_resistance: float) -> Any:
    """Wire in series with one cell addressed alone, or with each of many, ohm."""
    return wire_resistance * (row + column + 2)


def check_values(name: str, values: Floats, unit: str, lowest: float = -np.inf) -> None:
    """Raise `BenchError` for the first of `values` that is not finite or below `lowest`."""
    good = np.isfinite(values) & (values >= lowest)
    if not good.all():
        where = tuple(int(k) for k in np.argwhere(~good)[0])
        need = "a finite value" if lowest == -np.inf else f"a finite value from {lowest:g} up"
        at = f" at {where if len(where) > 1 else where[0]}" if where else ""
        raise BenchError(f"{name}{at} is {f'{values[where]:g} {unit}'.rstrip()}; give {need}")


def _along(kind: str, numbers: NDArray[np.generic]) -> tuple[Integers, Floats]:
    """Return the order of lines along the wire that crosses them, and the wire in front of each."""
    order = np.argsort(numbers, kind="stable")
    gaps = np.diff(numbers[order], prepend=-1).astype(np.float64)
    if gaps.min() <= 0.0:
        wrong = int(numbers[order[int(np.argmin(gaps))]])
        raise BenchError(
            f"{kind} {wrong} is {'negative' if wrong < 0 else 'there twice'}; number lines from 0"
        )
    return order, gaps


def _eliminate(block: WiredBlock) -> tuple[Floats, Floats]:
    """Return row-row and transfer admittance of a sorted block, eliminating column after column.

    From the far end of the bit lines inwards: F is the admittance (R, R) that the bit-line nodes of a column
    see to their right, E (R, columns so far) the currents that the column ends there draw from them. A piece
    of wire rho in each row turns both into (1 + rho F)^-1 [F, E]; the next column adds its own cells and
    source line to F and a column to E.
    """
    n_rows, n_columns = block.shape
    if block.wire_resistance == 0.0:
        return np.diag(block.conductance.sum(axis=1)), block.conductance.copy()
    ends = np.zeros((n_rows, n_rows + n_columns), order="F")
    near = ends[:, :n_rows]
    for done, (own, gap) in enumerate(zip(_columns(block), block.bit_gaps[::-1], strict=True), start=1):
        near += own
        ends[:, n_rows + done - 1] = own.sum(axis=1)
        through = (block.wire_resistance * gap) * near
        through.T.flat[:: n_rows + 1] += 1.0
        _, _, failed = dposv(through, ends[:, : n_rows + done], overwrite_a=1, overwrite_b=1)
        if failed:
            raise np.linalg.LinAlgError(f"the block's admittance is not positive definite in row {failed}")
    return np.ascontiguousarray(near), np.ascontiguousarray(ends[:, : n_rows - 1 : -1])


def _columns(block: WiredBlock) -> Iterator[Floats]:
    """Yield the admittance (R, R) between a column's bit-line nodes, its source line included; last first.

    H = G - R G (L + R G)^-1 G for one source line, held at 0 V at its end.
    """
    n_rows, n_columns = block.shape
    step = max(1, CHUNK // (n_rows * (n_rows + PADDING)))
    each = np.arange(n_rows)
    for stop in range(n_columns, 0, -step):
        g = block.conductance[:, max(0, stop - step) : stop].T
        lines = LineSolver(block.wire_resistance * g, block.source_gaps)
        drops = lines.zeros(n_rows)
        drops[each, :, each] = lines.cells(lines.loads).T
        own = lines.cells(lines.solve(drops)).transpose(1, 0, 2) * -g[:, None, :]
        own[:, each, each] += g
        yield from own[::-1]
