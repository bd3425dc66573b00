"""The order in which the cells of a block are programmed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.write_verify_settings import Order

Numbers = NDArray[np.int64]


def visiting_order(order: Order, digits: Numbers) -> Numbers:
    """Return the flat indices of a block's cells in the order in which they are visited.

    Parameters
    ----------
    order : str
        ``rows``: row by row. ``columns``: column by column. ``interleaved``: along diagonals, so that successive cells
        share no line. ``low first`` and ``high first``: by digit, row by row within one.
    digits : (rows, columns) array
    """
    rows, columns = np.indices(digits.shape).reshape(2, -1)
    match order:
        case "rows":
            return np.arange(digits.size)
        case "columns":
            return np.lexsort((rows, columns))
        case "interleaved":
            return np.lexsort((rows, (columns - rows) % digits.shape[1]))
        case "low first":
            return np.argsort(digits, axis=None, kind="stable")
        case "high first":
            return np.argsort(-digits, axis=None, kind="stable")
