"""Reads of groups of cells through the DAQ: a row at once, or the cells of a column by Hadamard patterns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.errors import InputError
from mho.instruments import Bench
from mho.procedures.cells.programming.verify.patterns import conductances, reading_patterns

Floats = NDArray[np.float64]
Lines = NDArray[np.int64]
Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class Group:
    """Cells that are read together, by their numbers in a block: one row and many columns, or many rows and one column."""

    rows: Lines
    columns: Lines


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

    def groups(self, mask: Masks) -> Iterator[Group]:
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

    def read(self, array: str, rows: Lines, columns: Lines) -> tuple[Floats, int]:
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
