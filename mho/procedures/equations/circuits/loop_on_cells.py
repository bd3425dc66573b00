"""An inverting loop on its cells: the blocks that hold it, what it inverts once they are programmed, and its circuit.

What wires leave of the conductances of a block with all its lines in use, from those that were read cell by cell.

A cell that is read alone has its wires in series, so its reading includes them. With all lines in use, the wire that two
cells share drops the current of both. To first order, for currents small beside those of a short,

    T = G / (1 + r (C G + G K)),    C_km = 1 + min(row_k, row_m),  K_lj = 1 + min(column_l, column_j),  0 for k = m, l = j,

with T the current into the end of row k per volt at the end of column j, the other ends at 0 V, and r the resistance of
wire between neighbouring cells. Bit lines end in front of column 0, source lines in front of row 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.array_types import Floats
from mho.chip_maps.chip import ChipMap
from mho.chip_maps.forecast import damping, loop_eigenvalues, slowest_eigenvalue
from mho.chip_maps.inverse_encoding import InverseEncoding
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.instruments import Bench
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.circuits.second_slice import SecondSlice


def with_all_lines(conductances: ArrayLike, placed: Placement, wire_resistance: float) -> Floats:
    """Return the conductances of a block between its row ends and column ends, S.

    Parameters
    ----------
    conductances : (rows, columns) array
        As read, one cell at a time, S.
    placed : Placement
        The physical lines.
    wire_resistance : float
        Between neighbouring cells, ohm.

    Returns
    -------
    (rows, columns) array, S
    """
    g = np.asarray(conductances, np.float64)
    shared = wire_resistance * (_shared(placed.rows) @ g + g @ _shared(placed.columns))
    return np.asarray(g / (1.0 + shared))


def _shared(lines: NDArray[np.int64]) -> Floats:
    """Return the lengths of wire, in cells, that the cells at two lines share on their way to its end; 0 with itself."""
    cells = 1.0 + np.minimum.outer(lines, lines)
    np.fill_diagonal(cells, 0.0)
    return cells


@dataclass(frozen=True)
class AchievedLoop:
    """A loop as its cells came out, between the array's wires.

    Attributes
    ----------
    matrix : (n, n) array
        A0, whose inverse it computes, in the units of the matrix.
    network : (k, k) array
        G, signed, S: current into each amplifier per volt of each output.
    load : (k,) array
        The diagonal of D, all conductances on a row, S.
    eigenvalues : (k,) array
        Of D^-1 G.
    """

    matrix: Floats
    network: Floats
    load: Floats
    eigenvalues: NDArray[Any]

    @property
    def slowest(self) -> complex:
        """Eigenvalue with the smallest real part, lambda_min: the loop settles at the rate w_u times it, where positive."""
        return slowest_eigenvalue(self.eigenvalues)

    @property
    def damping(self) -> float:
        """Above 0, the loop also settles with amplifiers that have a second pole."""
        return float(damping(self.eigenvalues))

    @property
    def unstable(self) -> str:
        """Why the loop must not be connected; empty when it may."""
        if self.slowest.real > 0.0:
            return ""
        return (
            f"the programmed INV circuit would be unstable: eigenvalue {self.slowest:.4g} of D^-1 G has no positive real "
            "part; it was not connected"
        )


@dataclass(frozen=True)
class LoopOnCells:
    """An encoding on cells of a chip.

    Attributes
    ----------
    chip : ChipMap
    encoding : InverseEncoding
    levels : Levels
        What its digits stand for: the chip's levels, or finer targets.
    positive, negative : Block
        Cells of its digits; no second block where no entry needs it.
    second_slice : SecondSlice or None
        Cells that hold what those leave of the matrix.
    """

    chip: ChipMap
    encoding: InverseEncoding
    levels: Levels
    positive: Block
    negative: Block | None
    second_slice: SecondSlice | None = None

    @classmethod
    def on(
        cls,
        chip: ChipMap,
        placed: Placement,
        encoding: InverseEncoding,
        levels: Levels,
        slice_ratio: float | None = None,
    ) -> Self:
        """Put an encoding on lines of the inverting arrays, with a second slice where a ratio is given.

        Raises
        ------
        ChipMapError
            As `check_second_slice`.
        """
        negative = None
        if encoding.negative is not None:
            negative = Block(replace(placed, array=chip.arrays_for("invert")[1].name), encoding.negative)
        second = None if slice_ratio is None else SecondSlice.on(chip, placed, slice_ratio)
        return cls(chip, encoding, levels, Block(placed, encoding.positive), negative, second)

    def holding(self, encoding: InverseEncoding, placed: Placement | None = None) -> Self:
        """Return another encoding of the same order on the same cells, or on the same lines in another order."""
        ratio = None if self.second_slice is None else self.second_slice.ratio
        return self.on(self.chip, placed or self.positive.placement, encoding, self.levels, ratio)

    @property
    def step(self) -> float:
        """Conductance of one digit, S."""
        return self.levels.step

    def first_slice(self) -> list[Block]:
        """Blocks of its digits."""
        return [self.positive] if self.negative is None else [self.positive, self.negative]

    def blocks(self) -> list[Block]:
        """All its blocks; those of a second slice have their targets after `aim_second_slice` only."""
        return self.first_slice() + ([] if self.second_slice is None else self.second_slice.blocks())

    def aim_second_slice(self) -> list[Block]:
        """Set the second slice's targets by the first one as achieved, and return its blocks; none without it."""
        if self.second_slice is None:
            return []
        self.second_slice.aim(self.positive, self.negative, self.levels, self._with_wires)
        return self.second_slice.blocks()

    def second_targets(
        self, wanted: Mapping[str, Floats], read: Mapping[str, Floats], *, wires: bool = True
    ) -> dict[str, Floats]:
        """Return the targets of the second slice's cells, S, by array, before they are rounded; none without it.

        Parameters
        ----------
        wanted, read : mappings of (k, k) arrays
            What the cells of each array of the first slice were to hold, and what they are read as, S.
        wires : bool
            Whether there are wires, as the chip map has them.
        """
        if self.second_slice is None:
            return {}
        held = [
            self._between_wires(block, read[block.placement.array], wires) for block in self.first_slice()
        ]
        # Rounded, no entry is beyond the top; before, it may be by half a digit, which no cell holds.
        top = float(self.levels.nominal[-1])
        asked = [np.minimum(wanted[block.placement.array], top) for block in self.first_slice()]
        return dict(zip(self.second_slice.arrays, self.second_slice.left(asked, held, top), strict=True))

    def achieved(self, input_conductance: float) -> AchievedLoop:
        """Return the loop as its cells came out, with `input_conductance` (S) at each row."""
        encoding, diagonal = self.encoding, self.encoding.diagonal_conductance(self.step)
        bias = encoding.bias_conductance(self.step)
        positive = self._with_wires(self.positive)
        negative = None if self.negative is None else self._with_wires(self.negative)
        network = encoding.network(positive, negative, diagonal, bias)
        load = encoding.row_load(positive, negative, diagonal, input_conductance, bias)
        if self.second_slice is not None:
            network = network + self.second_slice.network(self._with_wires)
            load = load + self.second_slice.row_load(self._with_wires)
        matrix = encoding.represented(network, self.step)
        return AchievedLoop(matrix, network, load, loop_eigenvalues(network, load))

    def targets(self, matrix: Floats) -> dict[str, tuple[Floats, Floats]]:
        """Return what the cells (k, k) of each array of the first slice are to hold, S: as rounded, and before.

        Parameters
        ----------
        matrix : (n, n) array
            What the loop holds, with its shift.
        """
        exact = self.encoding.unrounded(matrix)
        return {
            block.placement.array: (self.levels.conductance(block.digits), digits * self.step)
            for block, digits in zip((self.positive, self.negative), exact, strict=True)
            if block is not None and digits is not None
        }

    def connect(self, bench: Bench) -> None:
        """Close the loop."""
        bench.connect_invert(
            self.positive.placement.array,
            self.positive.placement.rows,
            self.positive.placement.columns,
            negative=None if self.negative is None else self.negative.placement.array,
            second_slice=None if self.second_slice is None else self.second_slice.arrays,
            diagonal=self.encoding.diagonal_conductance(self.step),
            diagonal_count=self.encoding.size if self.encoding.diagonal else 0,
            bias=self.encoding.bias_conductance(self.step),
        )

    def _with_wires(self, block: Block) -> Floats:
        return self._between_wires(block, block.achieved)

    def _between_wires(self, block: Block, read: Floats, wires: bool = True) -> Floats:
        """Return the conductances of a block between its wires, S, whose cells are read as `read` one by one."""
        array = self.chip.array(block.placement.array)
        ohms = array.wire_resistance if wires else 0.0
        return with_all_lines(read, block.placement.within_segment(array), ohms)
