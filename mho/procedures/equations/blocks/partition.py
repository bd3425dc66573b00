"""Parts of the graph of a sparse matrix: unknowns are neighbours where the matrix couples them.

A part is bisected along the level sets of reverse Cuthill-McKee's breadth-first order (George and Liu, Computer Solution of
Large Sparse Positive Definite Systems, 1981), which keeps the parts compact and their borders short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Order = NDArray[np.int64]


def pattern_of(matrix: csr_array) -> csr_array:
    """Return the graph of a sparse (n, n) matrix: 1 where it couples two unknowns in either direction."""
    from scipy.sparse import csr_array  # loads slowly

    coupled = abs(matrix) + abs(matrix.T)  # a sum stores no zeros
    return csr_array((np.ones(coupled.nnz), coupled.indices, coupled.indptr), shape=coupled.shape)


def graph_parts(pattern: csr_array, count: int) -> list[Order]:
    """Return `count` compact parts of nearly equal size, each in ascending order; neighbours in the list are near."""
    return _bisected(pattern, np.arange(pattern.shape[0]), count)


def _bisected(pattern: csr_array, unknowns: Order, count: int) -> list[Order]:
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    if count == 1:
        return [np.sort(unknowns)]
    within = pattern[unknowns][:, unknowns]
    order = unknowns[reverse_cuthill_mckee(within, symmetric_mode=True)]
    half = count // 2
    middle = len(unknowns) * half // count
    return _bisected(pattern, order[:middle], half) + _bisected(pattern, order[middle:], count - half)


def contiguous_parts(pattern: csr_array, count: int) -> list[Order]:
    """Return `count` stretches of unknowns of nearly equal size, in the order given."""
    return np.array_split(np.arange(pattern.shape[0]), count)


def grown(pattern: csr_array, part: Order, layers: int) -> Order:
    """Return a part with so many layers of its neighbours, in ascending order."""
    for _ in range(layers):
        part = np.union1d(part, pattern[part].indices)
    return part.astype(np.int64)
