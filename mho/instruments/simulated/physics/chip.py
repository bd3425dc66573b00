"""The simulated chip: its arrays of cells, and the blocks between their lines.

A sparse one stores only the cells in use, drawn when first needed, in one list for all arrays: a million cells take a tenth
of a second to draw and most runs use a hundred; in one list, cells of several arrays are read and pulsed together. So are
the transfer conductances of many blocks of one shape, wires included: column after column is eliminated as in `wires`, for
all blocks together. What couples two rows of a block is small: the current of one raises the source lines by a few parts in
ten thousand of its voltage. The admittance F of the bit-line nodes is therefore kept as D - N, D diagonal, and a piece of
wire rho in each row turns it into

    (1 + rho F)^-1 F,    (1 + rho F)^-1 = d + d rho N d + d rho N d rho N d + ...,    d = 1/(1 + rho D),

of which the terms to second order in N are taken: products of matrices, which take a third of the time of LAPACK's
factorisations and do not hold the interpreter. The piece in front of the first column, long in a block far from the lines'
ends, is solved exactly. Blocks whose coupling is too large for the series are evaluated one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any
from weakref import proxy

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats, Integers
from mho.errors import BenchError
from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.physics.cells.cells import CellArray, Loss
from mho.instruments.simulated.physics.cells.conduction import conductance_at
from mho.instruments.simulated.physics.cells.presets import CellPreset
from mho.instruments.simulated.physics.wires import WiredBlock, WireModel, series_resistance

CACHED = 8192  # blocks whose wires are cached, oldest dropped first
STALE = 0.01  # relaxation follows log time: a hundredth of the age has no relevant effect


@dataclass(frozen=True)
class ArrayGeometry:
    """Size and wires of one array, as the chip map gives them.

    Lines that are cut into segments have switches at the ends of each: the wire in front of a cell is that of its own.
    """

    name: str
    rows: int
    columns: int
    wire_resistance: float
    segment: int | None = None

    def along(self, lines: Any) -> Any:
        """Return the places of lines along the wires that cross them, counted from 0."""
        return lines if self.segment is None else lines % self.segment

    def series_resistance(self, row: Any, column: Any) -> Any:
        """Return the wire in series with one cell addressed alone, or with each of many, ohm."""
        return series_resistance(self.along(row), self.along(column), self.wire_resistance)


@dataclass(frozen=True)
class BlockNoise:
    """Noise of a block's cells during one batch of shots, relative to their conductance, (R, C) each.

    `frozen` is the deviation that is constant for the whole batch (1/f, trapped telegraph states), `variance` that from
    shot to shot.
    """

    frozen: Floats
    variance: Floats


Key = tuple[str, bytes, bytes]  # array, rows and columns of a block
Draws = np.random.Generator | None  # None for the chip's own generator
OnNoiseOfBlocks = Callable[[str, Integers, Integers, BlockNoise, Draws], None]


class SimulatedChip:
    """All arrays of a chip on one clock and one random generator, which must not be used elsewhere."""

    stale = STALE  # share of a chip's age after which relaxation is evaluated anew

    def __init__(
        self, arrays: tuple[ArrayGeometry, ...], preset: CellPreset, clock: VirtualClock,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self._clock, self._rng = clock, rng
        self.preset = preset
        self.geometry = {array.name: array for array in arrays}
        # Called with array, rows, columns and noise whenever the noise of a block was drawn; of many drawn at once,
        # (blocks, ...) each, with the generator that was given for them, or None. They must change nothing.
        self.on_noise: Callable[[str, Integers, Integers, BlockNoise], None] = _drop
        self.on_noise_of_blocks: OnNoiseOfBlocks = _drop
        self.wires: WireModel | None = None  # of blocks, in place of nodal analysis
        self._blocks: dict[Key, tuple[int, float, WiredBlock]] = {}  # with the version of the cells, and when

    @cached_property
    def cells(self) -> dict[str, CellArray]:
        """The cells of each array by its name.

        Drawing a million of them takes a tenth of a second, so all are drawn, in order, when the first one is needed.
        """
        cells = {
            name: CellArray(array.rows, array.columns, self.preset, self._clock, self._rng)
            for name, array in self.geometry.items()
        }
        for name, one in cells.items():
            one.cell_name = f"{name}[{{}}, {{}}]".format
        return cells

    @property
    def losses(self) -> list[tuple[str, Loss]]:
        """The cells that pulses and levels have destroyed so far, each with its array, in the order of time."""
        drawn: dict[str, CellArray] = vars(self).get("cells", {})  # cells not drawn yet have lost none
        return sorted(
            ((name, one) for name, cells in drawn.items() for one in cells.losses),
            key=lambda each: (each[1].time, each[0], each[1].row, each[1].column),
        )

    @property
    def temperature(self) -> float:
        """Of the chip, K; setting it counts from now on, for all arrays (`ValueError` unless positive)."""
        return next(iter(self.cells.values())).temperature

    @temperature.setter
    def temperature(self, kelvin: float) -> None:
        for cells in self.cells.values():
            cells.temperature = kelvin

    def at(self, array: str, rows: Integers, columns: Integers) -> tuple[CellArray, Any]:
        """Return the cells, and the index of the block (R, C) at the crossings of these lines."""
        return self.cells[array], (rows[:, None], columns[None, :])

    def read(self, array: str, row: int, column: int, aperture: float, voltage: float, gate: float) -> float:
        """Conductance (S) of one cell addressed alone, through its wires, read at `voltage` and `gate` (V)."""
        g = float(self.cells[array].read((row, column), aperture, voltage))
        wires = self.geometry[array].series_resistance(row, column)
        g = conductance_at(self.preset, g, wires, voltage, gate)
        return float(g / (1.0 + g * wires))

    def conductance(self, array: str, rows: Integers, columns: Integers) -> Floats:
        """Conductances (R, C) of a block's cells, S, without wires and noise."""
        cells, index = self.at(array, rows, columns)
        return cells.conductance(index)

    def conductance_of_blocks(self, array: str, rows: Integers, columns: Integers) -> Floats:
        """Conductances of many blocks of one shape, (blocks, R), (blocks, C), as `conductance`; (blocks, R, C), S."""
        return np.stack([self.conductance(array, *lines) for lines in zip(rows, columns, strict=True)])

    def block(self, array: str, rows: Integers, columns: Integers) -> WiredBlock:
        """A block between its wires, without noise; the same object until its array's cells change."""
        cells, index = self.at(array, rows, columns)
        key = (array, rows.tobytes(), columns.tobytes())
        now = self._clock.now
        version, at, block = self._blocks.pop(key, (None, now, None))
        if block is None or version != cells.version or now - at > self.stale * (now - cells.changed_at):
            geometry = self.geometry[array]
            places = geometry.along(rows), geometry.along(columns)
            block = WiredBlock.from_lines(
                cells.conductance(index), *places, geometry.wire_resistance, self.wires
            )
            at = now
        self._blocks[key] = cells.version, at, block
        if len(self._blocks) > CACHED:
            del self._blocks[next(iter(self._blocks))]
        return block

    def transfer(self, array: str, rows: Integers, columns: Integers) -> Floats:
        """Transfer conductances (R, C) between the ends of a block's lines, S, without noise."""
        return self.block(array, rows, columns).admittance.transfer

    def transfer_of_blocks(self, array: str, rows: Integers, columns: Integers) -> Floats:
        """Transfer conductances of many blocks of one shape, (blocks, R), (blocks, C), as `transfer`; (blocks, R, C), S."""
        return np.stack([self.transfer(array, *lines) for lines in zip(rows, columns, strict=True)])

    def noise_of_blocks(
        self, array: str, rows: Integers, columns: Integers, window: float, shot: float, rng: Draws = None
    ) -> tuple[Floats, Floats]:
        """Noise of many blocks of one shape, (blocks, R), (blocks, C), as `noise`; each array is (blocks, R, C)."""
        noises = [self.noise(array, *lines, window, shot, rng) for lines in zip(rows, columns, strict=True)]
        return np.stack([one.frozen for one in noises]), np.stack([one.variance for one in noises])

    def noise(
        self, array: str, rows: Integers, columns: Integers, window: float, shot: float, rng: Draws = None
    ) -> BlockNoise:
        """Noise of a block for a batch that lasts `window` s, `shot` s a shot; slow noise has memory.

        It is drawn from `rng` in place of the chip's generator where that is given.
        Relative deviations of cells equal those of the transfer conductances between their lines' ends: the
        redistribution of a deviation of a percent by the wires is of second order.
        """
        cells, index = self.at(array, rows, columns)
        g = cells.conductance(index)
        now, variance = cells.noise_split(index, window, shot, rng)
        noise = BlockNoise(now / g - 1.0, variance / g**2)
        self.on_noise(array, rows, columns, noise)
        return noise


def _drop(*arguments: Any) -> None:
    """Do nothing."""


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
    factors = np.empty_like(conductance)
    step = max(1, TOGETHER // max(conductance[0].size, 1))
    for start in range(0, len(conductance), step):
        part = slice(start, start + step)
        factors[part] = _transfers(conductance[part], rows[part], columns[part], wire_resistance)
    return factors


def _transfers(conductance: Floats, rows: Integers, columns: Integers, wire_resistance: float) -> Floats:
    row_order, source_gaps = _along(rows)
    column_order, bit_gaps = _along(columns)
    order = np.arange(len(rows))[:, None, None], row_order[:, :, None], column_order[:, None, :]
    possible = (source_gaps > 0.0).all(axis=1) & (bit_gaps > 0.0).all(axis=1)
    ends, coupling = _eliminated(conductance[order], source_gaps, bit_gaps, wire_resistance)
    factors = np.empty_like(conductance)
    factors[order] = ends
    for number in np.flatnonzero(~(possible & (coupling <= LARGEST))):
        lines = rows[number], columns[number]
        factors[number] = WiredBlock.from_lines(conductance[number], *lines, wire_resistance).transfer
    return factors


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
            solution = np.asarray(np.linalg.solve(through, ends.swapaxes(1, 2)), np.float64)
            return solution, largest
        np.maximum(largest, (wire * coupled.sum(axis=2)).max(axis=1), out=largest)
        divider = 1.0 / (1.0 + wire * diagonal)
        drop = wire * divider
        current = ends[:, column:]
        current *= divider[:, None]
        change = current
        for _ in range(2):
            change = change @ coupled
            change *= drop[:, None]
            current += change
        coupled += (coupled * drop[:, None]) @ coupled
        coupled *= divider[:, :, None]
        coupled *= divider[:, None]
        second = np.einsum("brr->br", coupled)  # a view of the diagonals
        diagonal *= divider
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
# Change of a block's conductances, relative to all of them, from which its wires are evaluated anew
CHANGED = 0.02


def _name_of_slot(chip: SparseChip, row: int, column: int) -> str:
    """Return the name of the cell in a row of a chip's population."""
    for name, numbers in chip._numbers.items():
        for place in np.argwhere(numbers == row + 1).tolist():
            return f"{name}[{place[0]}, {place[1]}]"
    return str(row)


class SparseChip(SimulatedChip):
    """All arrays of a chip, their cells as rows (count, 1) of one `population`, drawn in the order of their first use."""

    stale = 0.05

    def __init__(
        self, arrays: tuple[ArrayGeometry, ...], preset: CellPreset, clock: VirtualClock,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        super().__init__(arrays, preset, clock, rng)
        self.population = CellArray(0, 1, preset, clock, rng)
        self.population.cell_name = partial(_name_of_slot, proxy(self))
        self._drawn = 0  # cells with a number; of many, the population has some to spare
        self._shares: dict[Key, tuple[Floats, Floats]] = {}  # cells, and the shares that were found for them
        self._slot_cache: dict[Key, Slots] = {}
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
        losses = []
        for name, numbers in self._numbers.items() if lost else ():
            for row, column in np.argwhere(np.isin(numbers, list(lost))).tolist():
                losses.append((name, replace(lost[int(numbers[row, column])], row=row, column=column)))
        return sorted(losses, key=lambda each: (each[1].time, each[0], each[1].row, each[1].column))

    def slots(self, array: str, rows: Integers, columns: Integers) -> Slots:
        """Rows of the population where these cells are, in the shape to which `rows` and `columns` broadcast.

        Raises `BenchError` when the chip has no such array, or the array no such line.
        """
        return self.slots_of([(array, rows, columns)])[0]

    def slots_of(self, cells: Sequence[tuple[str, Integers, Integers]]) -> list[Slots]:
        """Rows of the population where each of several lots of cells are, as `slots`; those not drawn yet are drawn."""
        slots, lots, count = [], [], self._drawn
        for array, rows, columns in cells:
            numbers = self._numbers_of(array, rows, columns)
            missing = numbers[rows, columns] == 0
            if missing.any():
                new = tuple(lines[missing] for lines in np.broadcast_arrays(rows, columns))
                numbers[new] = np.arange(count + 1, count + 1 + new[0].size)
                lots.append(new[0].size)
                count += new[0].size
            slots.append(numbers[rows, columns] - 1)
        short = count - self.population.shape[0]
        if short > 0 and count > MANY:  # each time copies all cells so far, so spare ones are drawn with them
            self.population.extend(short + self.population.shape[0] // 2)
        elif short > 0:
            self.population.extend(*lots)
        self._drawn = count
        return slots

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
        slots = self._slot_cache.get(key)
        if slots is None:
            slots = self._slot_cache[key] = self.slots(array, rows[:, None], columns)
        return self.population, (slots, 0)

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
            shares = (self.wires or transfers)(some, *places, geometry.wire_resistance) / some
            for number, now, share in zip(stale, some, shares, strict=True):
                self._shares[keys[number]] = now, share
        return np.stack([self._shares[key][1] for key in keys])

    def _changed(self, key: Key, cells: Floats) -> bool:
        """Return whether a block's wires are to be evaluated: for the first time, or because of what its cells are now."""
        before = self._shares[key][0] if key in self._shares else None
        return before is None or bool(np.abs(cells - before).sum() > CHANGED * before.sum())

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
