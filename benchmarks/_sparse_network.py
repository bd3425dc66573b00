"""Blocks with wires, and loops around them, by a general sparse direct solver: what ours is checked against."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

from mho.array_types import Floats, Integers


@dataclass
class SparseNetwork:
    """Equations of a network, collected as entries; the wire's resistance must be above 0."""

    rows: list[Integers] = field(default_factory=list)
    columns: list[Integers] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)
    seconds: float = 0.0  # that the last `solve` took, without the assembly of its matrix

    def add(self, row: ArrayLike, column: ArrayLike, value: ArrayLike) -> None:
        for kept, new in zip(
            (self.rows, self.columns, self.values), np.broadcast_arrays(row, column, value), strict=True
        ):
            kept.append(new.ravel())

    def connect(self, a: ArrayLike, b: ArrayLike, conductance: ArrayLike) -> None:
        """Connect nodes a with nodes b."""
        for one, other in ((a, b), (b, a)):
            self.add(one, one, conductance)
            self.add(one, other, -np.asarray(conductance))

    def block(
        self,
        cells: Floats,
        lines: tuple[Integers, Integers],
        resistance: float,
        bit: Integers,
        source: Integers,
    ) -> None:
        """Connect cells and wires between nodes `bit` and `source` (R, C); ends are left open."""
        self.connect(bit, source, cells)
        rows, columns = lines
        for nodes, numbers in ((bit.T, columns), (source, rows)):
            order = np.argsort(numbers)
            wire = 1.0 / (resistance * np.diff(numbers[order]))
            self.connect(nodes[order[1:]], nodes[order[:-1]], wire[:, None])

    def solve(self, right: Floats) -> Floats:
        entries = (np.concatenate(self.values), (np.concatenate(self.rows), np.concatenate(self.columns)))
        matrix = coo_array(entries, shape=(len(right), len(right))).tocsc()
        start = time.perf_counter()
        volts = spsolve(matrix, right)
        self.seconds = time.perf_counter() - start
        return np.asarray(volts)


@dataclass(frozen=True)
class SparseBlock:
    """Currents into the block (A), node voltages (V), and the seconds of the solve alone."""

    row_currents: Floats
    column_currents: Floats
    bit: Floats
    source: Floats
    seconds: float


def solve_block(
    cells: Floats,
    rows: Integers,
    columns: Integers,
    resistance: float,
    row_volts: Floats,
    column_volts: Floats,
) -> SparseBlock:
    """Solve all nodes of a block for voltages at its ends."""
    nodes = np.arange(2 * cells.size).reshape(2, *cells.shape)
    bit, source = nodes
    network, right = SparseNetwork(), np.zeros(nodes.size)
    network.block(cells, (rows, columns), resistance, bit, source)
    for first, wire, volts in (
        (bit[:, columns.argmin()], 1.0 / (resistance * (columns.min() + 1)), row_volts),
        (source[rows.argmin()], 1.0 / (resistance * (rows.min() + 1)), column_volts),
    ):
        network.add(first, first, wire)
        right[first] += wire * volts
    at = network.solve(right)
    current = cells * (at[bit] - at[source])
    return SparseBlock(current.sum(axis=1), -current.sum(axis=0), at[bit], at[source], network.seconds)


def solve_loop(
    arrays: Sequence[tuple[Floats, Floats]],
    rows: Integers,
    columns: Integers,
    resistance: float,
    *,
    inputs: Floats,
    offsets: Floats,
    input_conductance: Floats,
    diagonal: Floats,
    gain: float,
) -> tuple[Floats, float]:
    """Return a loop's outputs, V, and the seconds of the solve alone.

    Each array is its cells and what drives its column ends, per volt of output: 1, or -(1 + error).
    """
    n = len(inputs)
    size = 2 * n * n * len(arrays) + 2 * n
    inverting, outputs = np.arange(size - 2 * n, size).reshape(2, n)
    network, right = SparseNetwork(), np.zeros(size)
    for k, (cells, drive) in enumerate(arrays):
        bit, source = 2 * n * n * k + np.arange(2 * n * n).reshape(2, n, n)
        network.block(cells, (rows, columns), resistance, bit, source)
        network.connect(bit[:, columns.argmin()], inverting, 1.0 / (resistance * (columns.min() + 1)))
        first, wire = source[rows.argmin()], 1.0 / (resistance * (rows.min() + 1))
        network.add(first, first, wire)
        network.add(first, outputs, -wire * drive)
    network.add(inverting, inverting, input_conductance + diagonal)
    network.add(inverting, outputs, -diagonal)
    right[inverting] = input_conductance * inputs
    network.add(outputs, inverting, 1.0)
    network.add(outputs, outputs, 1.0 / gain)
    right[outputs] = offsets
    return network.solve(right)[outputs], network.seconds
