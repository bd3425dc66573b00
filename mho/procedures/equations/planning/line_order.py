"""Another order of a loop's lines, in which the cells that could not be programmed do the least harm.

A cell stuck in its low resistance beside a large entry changes little; beside the diagonal of the second array it cancels
the entry that the loop's stability rests on, and no shift helps. The same lines in another order put it elsewhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.forecast import contraction, loop_eigenvalues, slowest_eigenvalue
from mho.procedures.equations.circuits.loop_on_cells import LoopOnCells

Order = NDArray[np.int64]

TRIES = 300  # orders that are drawn; of eight lines one in some tens serves


def order_around_lost_cells(
    loop: LoopOnCells,
    input_conductance: float,
    rng: np.random.Generator,
) -> tuple[Order, Order] | None:
    """Return the order of rows and of columns, of those drawn, whose loop is expected to settle and errs least.

    Cells outside their windows are taken to keep what they read, all others to reach their targets.

    Parameters
    ----------
    loop : LoopOnCells
        As programmed; what a second slice makes up for is not counted.
    input_conductance : float
        g_in, S.

    Returns
    -------
    tuple of (k,) arrays, or None
        Row i of the loop goes to the line that row ``order[i]`` is on now, and so for columns. None where no cell is lost,
        or no order that was drawn settles.
    """
    encoding, levels, blocks = loop.encoding, loop.levels, loop.first_slice()
    lost = [~levels.inside(block.achieved, block.digits) for block in blocks]
    if not any(cells.any() for cells in lost):
        return None
    targets = [levels.conductance(block.digits) for block in blocks]
    diagonal, bias = encoding.diagonal_conductance(levels.step), encoding.bias_conductance(levels.step)
    k = encoding.order
    second = targets[1] if len(blocks) > 1 else None
    wanted = encoding.represented(encoding.network(targets[0], second, diagonal, bias), levels.step)
    best: tuple[float, tuple[Order, Order]] | None = None
    for _ in range(TRIES):
        order = rng.permutation(k), rng.permutation(k)
        place = np.ix_(*order)
        cells = [
            np.where(out[place], block.achieved[place], target)
            for out, block, target in zip(lost, blocks, targets, strict=True)
        ]
        negative = cells[1] if len(cells) > 1 else None
        network = encoding.network(cells[0], negative, diagonal, bias)
        load = encoding.row_load(cells[0], negative, diagonal, input_conductance, bias)
        if slowest_eigenvalue(loop_eigenvalues(network, load)).real <= 0.0:
            continue
        off = float(contraction(wanted, encoding.represented(network, levels.step)))
        if best is None or off < best[0]:
            best = off, order
    return None if best is None else best[1]
