"""Reads of groups of cells through the DAQ: a row at once, or the cells of a column by Hadamard patterns.

Patterns of +1 and -1 that read many cells of a line together, each with the noise of all readings averaged.

With N orthogonal patterns (rows of a Hadamard matrix) on N cells, each reading has the current of all cells, with signs;
their sum with the signs of one cell is N times its current, and the readings' noise adds up as sqrt(N): the variance of a
cell is that of one reading over N, with N readings for N cells (HARP, arXiv 2604.12420; long known as weighing designs:
Hotelling, Ann. Math. Stat. 15, 297 (1944)). It is the noise of the readout that is divided, that of amplifiers and
converters: what a cell does itself (1/f, telegraph, relaxation) is the same in every pattern, and stays.

Cells of a simulated bench that do not hold the levels of its chip map: said before anything is programmed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import hadamard

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.levels import Levels
from mho.errors import InputError
from mho.instruments import Bench
from mho.instruments.simulated import CellPreset, levels_not_held


def unfit_cells(preset: CellPreset, levels: Levels) -> str:
    """Return a sentence on the levels that more than half of a preset's cells do not hold; "" where there are none."""
    unheld = levels_not_held(preset, levels.nominal, levels.low, levels.high)
    if not unheld:
        return ""
    return (
        f"cells of preset {preset.name} do not hold the levels of this chip map: {unheld}; take a chip map with levels of "
        "such cells"
    )


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


@dataclass(frozen=True)
class Group:
    """Cells that are read together, by their numbers in a block: one row and many columns, or many rows and one column."""

    rows: Integers
    columns: Integers


class GroupReads:
    """Reads groups of cells with `Bench.multiply`, at the bench's read voltage.

    Parameters
    ----------
    bench : Bench
    method : str
        ``row`` or ``hadamard``.
    reads : int
        By what the variance of the readout's noise is divided: readings of a row, or patterns of a column.

    Raises
    ------
    InputError
        For another method.
    """

    def __init__(self, bench: Bench, method: str, reads: int) -> None:
        if method not in ("row", "hadamard"):
            raise InputError(f"cells are not read in groups by {method!r}; there are row and hadamard")
        self._bench, self._method, self._reads = bench, method, reads

    def groups(self, mask: Booleans) -> Iterator[Group]:
        """Yield the groups of a block's cells in `mask`, as large as the DAQ has outputs and inputs."""
        outputs, inputs = self._bench.vector_size
        if self._method == "row":
            for row in np.flatnonzero(mask.any(axis=1)):
                columns = np.flatnonzero(mask[row])
                for start in range(0, len(columns), inputs):
                    yield Group(np.array([row]), columns[start : start + inputs])
            return
        for column in np.flatnonzero(mask.any(axis=0)):
            rows = np.flatnonzero(mask[:, column])
            for start in range(0, len(rows), outputs):
                yield Group(rows[start : start + outputs], np.array([column]))

    def read(self, array: str, rows: Integers, columns: Integers) -> tuple[Floats, int]:
        """Return the conductances of the cells at these lines of an array, S, and how many readings that took.

        A reading is one settled sample of one column; those of several columns take the time of one.

        Raises
        ------
        LimitError
            When the read voltage is not allowed at the DAQ's outputs.
        """
        volts = self._bench.file.read.voltage
        patterns = reading_patterns(len(rows), self._reads)
        self._bench.connect_multiply(array, rows.tolist(), columns.tolist())
        currents = self._bench.multiply(volts * patterns)
        return conductances(currents, patterns, volts).ravel(), currents.size
