"""Patterns of +1 and -1 that read many cells of a line together, each with the noise of all readings averaged.

With N orthogonal patterns (rows of a Hadamard matrix) on N cells, each reading has the current of all cells, with signs;
their sum with the signs of one cell is N times its current, and the readings' noise adds up as sqrt(N): the variance of a
cell is that of one reading over N, with N readings for N cells (HARP, arXiv 2604.12420; long known as weighing designs:
Hotelling, Ann. Math. Stat. 15, 297 (1944)). It is the noise of the readout that is divided, that of amplifiers and
converters: what a cell does itself (1/f, telegraph, relaxation) is the same in every pattern, and stays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import hadamard

Floats = NDArray[np.float64]


def reading_patterns(cells: int, reads: int) -> Floats:
    """Return the signs of each cell in each reading, (readings, cells), at least `reads` readings.

    The columns are orthogonal. Each order is played alternately with both signs, so that what all readings have in common,
    an offset or the error of the reading at 0 V that is subtracted, cancels; an odd one left over has the signs of a bent
    function, by which every cell gets little of it, and alike.

    Raises
    ------
    ValueError
        Without a cell or a reading.
    """
    if cells < 1 or reads < 1:
        raise ValueError(f"{reads} readings of {cells} cells: give at least 1 of each")
    bits = int(cells - 1).bit_length()
    order = 1 << bits
    signs = _bent(bits)[:, None] * hadamard(order)[:, :cells].astype(float)
    repeats = -(-reads // order)
    return np.concatenate([signs * (-1.0) ** repeat for repeat in range(repeats)])


def conductances(currents: Floats, patterns: Floats, volts: float) -> Floats:
    """Return the conductances (cells, columns), S, from the currents (readings, columns), A, at patterns times `volts`."""
    return patterns.T @ currents / (volts * len(patterns))


def _bent(bits: int) -> Floats:
    """Return +-1 for each number of so many bits: the inner product of neighbouring bits, which is bent for an even count.

    Its Walsh spectrum is flat: no Hadamard pattern has much in common with it (Rothaus, J. Comb. Theory A 20, 300 (1976)).
    """
    numbers = np.arange(1 << bits)
    product = sum(((numbers >> k) & (numbers >> (k + 1)) & 1) for k in range(0, bits - 1, 2))
    return 1.0 - 2.0 * (np.asarray(product) % 2) * np.ones(len(numbers))
