"""Transfer conductances of many blocks of one shape at once, wires included.

Column after column is eliminated as in `wires`, for all blocks together. What couples two rows of a block is small: the
current of one raises the source lines by a few parts in ten thousand of its voltage. The admittance F of the bit-line
nodes is therefore kept as D - N, D diagonal, and a piece of wire rho in each row turns it into

    (1 + rho F)^-1 F,    (1 + rho F)^-1 = d + d rho N d + d rho N d rho N d + ...,    d = 1/(1 + rho D),

of which the terms to second order in N are taken: products of matrices, which take a third of the time of LAPACK's
factorisations and do not hold the interpreter. The piece in front of the first column, long in a block far from the lines'
ends, is solved exactly. Blocks whose coupling is too large for the series are evaluated one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.instruments.simulated.physics.wires.wires import WiredBlock

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

LARGEST = 1e-3  # coupling rho N of a row to all others, up to which what is left out stays below a millionth
TOGETHER = 1 << 15  # cells evaluated together: a column's matrices then fit the processor's cache


def transfers(conductance: Floats, rows: Index, columns: Index, wire_resistance: float) -> Floats:
    """Return the transfer conductances (blocks, R, C), S, of blocks, as `WiredBlock.transfer` of each.

    Parameters
    ----------
    conductance : (blocks, R, C) array
        S.
    rows, columns : (blocks, R), (blocks, C) arrays
        Physical numbers of the blocks' lines, counted along the wires that cross them.
    wire_resistance : float
        Ohm between neighbouring cells.

    Raises
    ------
    BenchError
        As `WiredBlock.from_lines`.
    """
    if wire_resistance == 0.0:
        return conductance.copy()
    if conductance.shape[1] > conductance.shape[2]:  # the cheaper way round; by reciprocity the same
        turned = np.ascontiguousarray(conductance.swapaxes(1, 2))
        return np.ascontiguousarray(transfers(turned, columns, rows, wire_resistance).swapaxes(1, 2))
    found = np.empty_like(conductance)
    step = max(1, TOGETHER // max(conductance[0].size, 1))
    for start in range(0, len(conductance), step):
        part = slice(start, start + step)
        found[part] = _transfers(conductance[part], rows[part], columns[part], wire_resistance)
    return found


def _transfers(conductance: Floats, rows: Index, columns: Index, wire_resistance: float) -> Floats:
    row_order, source_gaps = _along(rows)
    column_order, bit_gaps = _along(columns)
    order = np.arange(len(rows))[:, None, None], row_order[:, :, None], column_order[:, None, :]
    possible = (source_gaps > 0.0).all(axis=1) & (bit_gaps > 0.0).all(axis=1)
    ends, coupling = _eliminated(conductance[order], source_gaps, bit_gaps, wire_resistance)
    found = np.empty_like(conductance)
    found[order] = ends
    for number in np.flatnonzero(~(possible & (coupling <= LARGEST))):
        lines = rows[number], columns[number]
        found[number] = WiredBlock.from_lines(conductance[number], *lines, wire_resistance).transfer
    return found


def _along(lines: Index) -> tuple[Index, Floats]:
    """Return the order of each block's lines along the wire that crosses them, and the wire in front of each."""
    order = np.argsort(lines, axis=1, kind="stable")
    return order, np.diff(np.take_along_axis(lines, order, axis=1), prepend=-1, axis=1).astype(np.float64)


def _eliminated(
    cells: Floats, source_gaps: Floats, bit_gaps: Floats, wire_resistance: float
) -> tuple[Floats, Floats]:
    """Return the transfer conductances (blocks, R, C), S, of sorted blocks, and the largest coupling of each (blocks,)."""
    blocks, n_rows, n_columns = cells.shape
    near, far, own, drawn = _columns(cells, source_gaps, wire_resistance)
    above = np.triu(np.ones((n_rows, n_rows)), 1)
    diagonal, coupled = np.zeros((blocks, n_rows)), np.zeros((blocks, n_rows, n_rows))
    ends = np.empty((blocks, n_columns, n_rows))
    largest = np.zeros(blocks)
    for column in range(n_columns - 1, -1, -1):
        pair = near[column][:, :, None] * far[column][:, None, :]
        pair *= above
        coupled += pair
        coupled += pair.swapaxes(1, 2)
        diagonal += own[column]
        ends[:, column] = drawn[column]
        wire = wire_resistance * bit_gaps[:, column, None]
        if column == 0:
            through = -wire[:, :, None] * coupled
            np.einsum("brr->br", through)[...] = 1.0 + wire * diagonal
            found = np.asarray(np.linalg.solve(through, ends.swapaxes(1, 2)), np.float64)
            return found, largest
        np.maximum(largest, (wire * coupled.sum(axis=2)).max(axis=1), out=largest)
        kept = 1.0 / (1.0 + wire * diagonal)
        drop = wire * kept
        current = ends[:, column:]
        current *= kept[:, None]
        change = current
        for _ in range(2):
            change = change @ coupled
            change *= drop[:, None]
            current += change
        coupled += (coupled * drop[:, None]) @ coupled
        coupled *= kept[:, :, None]
        coupled *= kept[:, None]
        second = np.einsum("brr->br", coupled)  # a view of the diagonals
        diagonal *= kept
        diagonal -= second
        second[...] = 0.0
    raise AssertionError("a block has a column")


def _columns(
    cells: Floats, source_gaps: Floats, wire_resistance: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return what the admittances H = G - R G (L + R G)^-1 G of all columns consist of, each (C, blocks, R).

    The inverse of the tridiagonal L + R G has the elements a_i b_j for i <= j, where a obeys its recurrence from the
    driven end, b that from the other one.

    Returns
    -------
    near, far : arrays
        -H[i, j] = near_i far_j for i < j.
    own, drawn : arrays
        Diagonal and row sums of H.
    """
    g = np.ascontiguousarray(cells.transpose(1, 2, 0))  # (R, C, blocks)
    loads, gaps = wire_resistance * g, source_gaps.T[:, None, :]
    near, far = np.empty_like(g), np.empty_like(g)
    value, slope = np.zeros_like(g[0]), np.ones_like(g[0])
    for row in range(len(g)):
        value = value + gaps[row] * slope
        slope = slope + loads[row] * value
        near[row] = value
    value, slope = np.ones_like(g[0]), np.zeros_like(g[0])
    for row in range(len(g) - 1, -1, -1):
        far[row] = value
        slope = slope + loads[row] * value
        value = value + gaps[row] * slope
    near *= g
    far *= loads / value
    own = g - near * far
    before, behind = np.cumsum(near, axis=0), np.cumsum(far[::-1], axis=0)[::-1] - far
    drawn = g - far * before - near * behind
    near, far, own, drawn = (
        np.ascontiguousarray(each.transpose(1, 2, 0)) for each in (near, far, own, drawn)
    )
    return near, far, own, drawn
