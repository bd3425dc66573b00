"""A simulated chip that stores only the cells in use: drawn when first needed, in one list for all arrays.

A million cells take a tenth of a second to draw and most runs use a hundred; in one list, cells of several arrays are
read and pulsed together. So are the transfer conductances of many blocks of one shape, wires included: column after column
is eliminated as in `wires`, for all blocks together. What couples two rows of a block is small: the current of one raises
the source lines by a few parts in ten thousand of its voltage. The admittance F of the bit-line nodes is therefore kept as
D - N, D diagonal, and a piece of wire rho in each row turns it into

    (1 + rho F)^-1 F,    (1 + rho F)^-1 = d + d rho N d + d rho N d rho N d + ...,    d = 1/(1 + rho D),

of which the terms to second order in N are taken: products of matrices, which take a third of the time of LAPACK's
factorisations and do not hold the interpreter. The piece in front of the first column, long in a block far from the lines'
ends, is solved exactly. Blocks whose coupling is too large for the series are evaluated one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.errors import BenchError
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray, Loss
from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.chip import ArrayGeometry, BlockNoise, Draws, SimulatedChip
from mho.instruments.simulated.physics.wires import WiredBlock

LARGEST = 1e-3  # coupling rho N of a row to all others, up to which what is left out stays below a millionth
TOGETHER = 1 << 15  # cells evaluated together: a column's matrices then fit the processor's cache


def transfers(conductance: Floats, rows: Integers, columns: Integers, wire_resistance: float) -> Floats:
    """Return the transfer conductances (blocks, R, C), S, of blocks, as `WiredBlock.transfer` of each.

    `conductance` (blocks, R, C) in S; `rows` (blocks, R) and `columns` (blocks, C) are the physical numbers of the lines,
    counted along the wires that cross them; `wire_resistance` in ohm between neighbouring cells.
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


def _transfers(conductance: Floats, rows: Integers, columns: Integers, wire_resistance: float) -> Floats:
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


def _along(lines: Integers) -> tuple[Integers, Floats]:
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

    The inverse of the tridiagonal L + R G has the elements a_i b_j for i <= j, where a obeys its recurrence from the driven
    end, b that from the other one. So -H[i, j] = near_i far_j for i < j; `own` and `drawn` are the diagonal and row sums.
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


Slots = NDArray[np.int32]


MANY = 1 << 19  # cells, from which some are drawn before they are used
CHANGED = 0.02
"""Change of a block's conductances, relative to all of them, from which its wires are evaluated anew."""


@dataclass(frozen=True)
class _CachedShare:
    cells: Floats
    share: Floats


class SparseChip(SimulatedChip):
    """All arrays of a chip, their cells as rows (count, 1) of one `population`, drawn in the order of their first use."""

    stale = 0.05

    def __init__(
        self,
        arrays: tuple[ArrayGeometry, ...],
        preset: CellPreset,
        clock: VirtualClock,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(arrays, preset, clock, rng)
        self.population = CellArray(0, 1, preset, clock, rng)
        self._drawn = 0  # cells with a number; of many, the population has some to spare
        self._shares: dict[tuple[str, bytes, bytes], _CachedShare] = {}
        self._found: dict[tuple[str, bytes, bytes], Slots] = {}
        # Numbers from 1, 0 where no cell is drawn; pages of zeros are allocated when first written.
        self._numbers = {array.name: np.zeros((array.rows, array.columns), np.int32) for array in arrays}

    @cached_property
    def cells(self) -> dict[str, CellArray]:
        """The population, for every array."""
        return dict.fromkeys(self.geometry, self.population)

    @property
    def losses(self) -> list[tuple[str, Loss]]:
        """The cells that pulses and levels have destroyed so far, each with its array, in the order of time."""
        lost = {one.row + 1: one for one in self.population.losses}  # by number
        found = []
        for name, numbers in self._numbers.items() if lost else ():
            for row, column in np.argwhere(np.isin(numbers, list(lost))).tolist():
                found.append((name, replace(lost[int(numbers[row, column])], row=row, column=column)))
        return sorted(found, key=lambda each: (each[1].time, each[0], each[1].row, each[1].column))

    def slots(self, array: str, rows: Integers, columns: Integers) -> Slots:
        """Rows of the population where these cells are, in the shape to which `rows` and `columns` broadcast.

        Raises `BenchError` when the chip has no such array, or the array no such line.
        """
        return self.slots_of([(array, rows, columns)])[0]

    def slots_of(self, cells: Sequence[tuple[str, Integers, Integers]]) -> list[Slots]:
        """Rows of the population where each of several lots of cells are, as `slots`; those not drawn yet are drawn."""
        found, lots, count = [], [], self._drawn
        for array, rows, columns in cells:
            numbers = self._numbers_of(array, rows, columns)
            missing = numbers[rows, columns] == 0
            if missing.any():
                new = tuple(lines[missing] for lines in np.broadcast_arrays(rows, columns))
                numbers[new] = np.arange(count + 1, count + 1 + new[0].size)
                lots.append(new[0].size)
                count += new[0].size
            found.append(numbers[rows, columns] - 1)
        short = count - self.population.shape[0]
        if short > 0 and count > MANY:  # each time copies all cells so far, so spare ones are drawn with them
            self.population.extend(short + self.population.shape[0] // 2)
        elif short > 0:
            self.population.extend(*lots)
        self._drawn = count
        return found

    def _numbers_of(self, array: str, rows: Integers, columns: Integers) -> Slots:
        """Return the numbers of an array's cells; errors as `slots`."""
        numbers = self._numbers.get(array)
        if numbers is None:
            raise BenchError(f"the chip has no array {array!r}; it has {', '.join(self.geometry)}")
        for name, lines, count in zip(("row", "column"), (rows, columns), numbers.shape, strict=True):
            if lines.size and not 0 <= lines.min() <= lines.max() < count:
                wrong = int(lines.max() if lines.max() >= count else lines.min())
                raise BenchError(f"array {array} has no {name} {wrong}; it has 0 to {count - 1}")
        return numbers

    def at(self, array: str, rows: Integers, columns: Integers) -> tuple[CellArray, Any]:
        """Return the population, and the index of a block (R, C) of it."""
        key = (array, rows.tobytes(), columns.tobytes())
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self.slots(array, rows[:, None], columns)
        return self.population, (found, 0)

    def transfer(self, array: str, rows: Integers, columns: Integers) -> Floats:
        """Transfer conductances (R, C) between the ends of a block's lines, S, as `transfer_of_blocks`."""
        return np.asarray(self.transfer_of_blocks(array, rows[None], columns[None])[0])

    def transfer_of_blocks(self, array: str, rows: Integers, columns: Integers) -> Floats:
        """Transfer conductances of many blocks of one shape, (blocks, R, C), S.

        They are the cells' own at this moment, times the share that the wires leave of each. That share is found again
        once the block's conductances have changed by two percent in all: what less changes in it is of second order.
        """
        cells = self.population.conductance((self._slots_of_blocks(array, rows, columns), 0))
        return cells * self._wire_shares(array, rows, columns, cells)

    def _wire_shares(self, array: str, rows: Integers, columns: Integers, cells: Floats) -> Floats:
        """Return the transfer conductances of blocks relative to those of their cells (blocks, R, C), S, all above 0."""
        keys = [(array, r.tobytes(), c.tobytes()) for r, c in zip(rows, columns, strict=True)]
        stale = [n for n, (key, now) in enumerate(zip(keys, cells, strict=True)) if self._changed(key, now)]
        if stale:
            geometry, some = self.geometry[array], cells[stale]
            places = geometry.along(rows[stale]), geometry.along(columns[stale])
            shares = transfers(some, *places, geometry.wire_resistance) / some
            for number, now, share in zip(stale, some, shares, strict=True):
                self._shares[keys[number]] = _CachedShare(now, share)
        return np.stack([self._shares[key].share for key in keys])

    def _changed(self, key: tuple[str, bytes, bytes], cells: Floats) -> bool:
        """Return whether a block's wires are to be evaluated: for the first time, or because of what its cells are now."""
        kept = self._shares.get(key)
        return kept is None or bool(np.abs(cells - kept.cells).sum() > CHANGED * kept.cells.sum())

    def noise(
        self, array: str, rows: Integers, columns: Integers, window: float, shot: float, rng: Draws = None
    ) -> BlockNoise:
        """Noise of a block for a batch, as `SimulatedChip.noise`, without the conductances that cancel."""
        cells, index = self.at(array, rows, columns)
        noise = BlockNoise(*cells.relative_noise(index, window, shot, rng))
        self.on_noise(array, rows, columns, noise)
        return noise

    def noise_of_blocks(
        self, array: str, rows: Integers, columns: Integers, window: float, shot: float, rng: Draws = None
    ) -> tuple[Floats, Floats]:
        """Noise of many blocks, (blocks, R, C), evaluated at once: all cells are of one population."""
        index = self._slots_of_blocks(array, rows, columns), 0
        frozen, variance = self.population.relative_noise(index, window, shot, rng)
        self.on_noise_of_blocks(array, rows, columns, BlockNoise(frozen, variance), rng)
        return frozen, variance

    def apart(self, array: str, rows: Integers, columns: Integers) -> bool:
        """Draw the cells of many blocks; return whether all numbers of the first half's are below the second's.

        Then the halves have no cell in common.
        """
        slots = self._slots_of_blocks(array, rows, columns)
        half = len(slots) // 2
        return bool(slots[:half].max(initial=-1) < slots[half:].min())

    def _slots_of_blocks(self, array: str, rows: Integers, columns: Integers) -> Slots:
        """Return the rows of the population of many blocks' cells, (blocks, R, C)."""
        return np.stack([self.at(array, *lines)[1][0] for lines in zip(rows, columns, strict=True)])

    def one(self, array: str, row: int, column: int) -> tuple[int, int]:
        """Return the index of one cell in the population."""
        return int(self.slots(array, np.array([row]), np.array([column]))[0]), 0
