"""Programming cells that are verified together through the DAQ: groups of a row or a column, or the products of a block.

Every cell of a group, a row or the cells of a column, gets its pulse, then all are read. With N orthogonal patterns of +1
and -1 (rows of a Hadamard matrix) on N cells, each reading has the current of all cells, with signs; their sum with the
signs of one cell is N times its current, and the readings' noise adds up as sqrt(N): the variance of a cell is that of one
reading over N, with N readings for N cells (HARP, arXiv 2604.12420; weighing designs: Hotelling, Ann. Math. Stat. 15, 297
(1944)). It is the noise of the readout that is divided, that of amplifiers and converters: what a cell does itself (1/f,
telegraph, relaxation) is the same in every pattern, and stays.

A descent of the error of products plays vectors through a whole block and pulses cells by the gradient's sign and size.
With vectors x of orthogonal random signs and the errors e of their products, the gradient of the mean of e^2 with respect
to the conductance of a cell is proportional to the mean of x e: the cell's own deviation, as the products see it, wires,
amplifiers and converters included. The cells with the largest ones get a pulse, decided by the run's strategy; then the
products are made again (Buechel et al., IEEE JETCAS 13, 1052 (2023), who pulse phase-change cells by the gradient times a
learning rate; orthogonal vectors keep cells out of each other's gradients).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.errors import InputError
from mho.instruments import ArrayBench, Bench, Cell, Pulse
from mho.instruments.arrays import CellPositions
from mho.instruments.simulated import CellPreset, levels_not_held
from mho.procedures.cells.programming.strategy import SET, Pulses, Strategy, batch_of, write_verify


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

    The columns are orthogonal. Each order is played alternately with both signs, so that what all readings have in
    common, an offset or the error of the reading at 0 V that is subtracted, cancels; an odd one left over has the
    signs of a bent function, by which every cell gets little of it, and alike. Raises `ValueError` without a cell or
    a reading.
    """
    from scipy.linalg import hadamard  # loads slowly

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
class CellGroup:
    """Cells that are read together, by their numbers in a block: one row and many columns, or many rows and one column."""

    rows: Integers
    columns: Integers


class GroupReads:
    """Reads groups of cells with `Bench.multiply`, at the bench's read voltage.

    `method`: ``row`` or ``hadamard``; `reads`: by what the variance of the readout's noise is divided: readings of a
    row, or patterns of a column. Raises `InputError` for another method.
    """

    def __init__(self, bench: Bench, method: str, reads: int) -> None:
        if method not in ("row", "hadamard"):
            raise InputError(f"cells are not read in groups by {method!r}; there are row and hadamard")
        self._bench, self._method, self._reads = bench, method, reads

    def groups(self, mask: Booleans) -> Iterator[CellGroup]:
        """Yield the groups of a block's cells in `mask`, as large as the DAQ has outputs and inputs."""
        outputs, inputs = self._bench.vector_size
        if self._method == "row":
            for row in np.flatnonzero(mask.any(axis=1)):
                columns = np.flatnonzero(mask[row])
                for start in range(0, len(columns), inputs):
                    yield CellGroup(np.array([row]), columns[start : start + inputs])
            return
        for column in np.flatnonzero(mask.any(axis=0)):
            rows = np.flatnonzero(mask[:, column])
            for start in range(0, len(rows), outputs):
                yield CellGroup(rows[start : start + outputs], np.array([column]))

    def read(self, array: str, rows: Integers, columns: Integers) -> tuple[Floats, int]:
        """Return the conductances of the cells at these lines of an array, S, and how many readings that took.

        A reading is one settled sample of one column; those of several columns take the time of one. Raises
        `LimitError` when the read voltage is not allowed at the DAQ's outputs.
        """
        volts = self._bench.file.read.voltage
        patterns = reading_patterns(len(rows), self._reads)
        self._bench.connect_multiply(array, rows.tolist(), columns.tolist())
        currents = self._bench.multiply(volts * patterns)
        return conductances(currents, patterns, volts).ravel(), currents.size


SURE = 0.5  # share of the lowest window above digit 0: what reads more through the DAQ is formed

Take = Callable[[Integers, Integers, Pulses | None, Floats, int], None]
"""Told of each verify: rows and columns of the cells on the array, the pulses before, conductances (S), readings."""

Announce = Callable[[Integers, Integers, Pulses], None]
"""Told of pulses that are given next: rows and columns of the cells on the array."""


class GroupProgramming:
    """Programs the groups of a block, one after the other.

    `memory`: what the strategy has learnt in this run; `take`: see `Take`; `announce`: see `Announce`.
    """

    def __init__(
        self, bench: Bench, reader: GroupReads, levels: Levels, settings: WriteVerifySettings,
        strategy: type[Strategy], memory: Any, take: Take,
        announce: Announce = lambda rows, columns, pulses: None,
    ) -> None:  # fmt: skip
        self._announce = announce
        self._bench, self._reader, self._levels = bench, reader, levels
        # A reading through the DAQ does not tell a virgin cell from a RESET one: what a cell conducts from the first level
        # on does. One that was formed before is known from then.
        above = max(settings.formed_above, SURE * float(levels.low[1]))
        self._settings = settings.model_copy(update={"formed_above": above})
        self._strategy, self._memory, self._take = strategy, memory, take

    def read(self, placement: Placement, group: CellGroup, pulses: Pulses | None = None) -> Floats:
        """Return the conductances of a group's cells, S, in its order, after these pulses."""
        rows, columns = placement.rows[group.rows], placement.columns[group.columns]
        read, readings = self._reader.read(placement.array, rows, columns)
        above = self._settings.formed_above
        self._bench.forming.saw(placement.array, *cells_of(rows, columns), read, above)
        self._take(*cells_of(rows, columns), pulses, read, readings)
        return read

    def program(
        self, placement: Placement, digits: Integers, group: CellGroup
    ) -> tuple[Floats, Integers, Integers]:
        """Pulse and read a group's cells until each is in its window or given up; the digits are the block's.

        Returns last reads (S), numbers of pulses, and outcomes, in the group's order.
        """
        aims = digits[np.ix_(group.rows, group.columns)].ravel()
        windows = self._levels.nominal[aims], self._levels.low[aims], self._levels.high[aims]
        state = self._strategy.towards(*windows, self._settings, self._memory)
        cells = cells_of(placement.rows[group.rows], placement.columns[group.columns])
        state.formed = self._bench.forming.formed(placement.array, *cells)

        def step(which: Integers, pulses: Pulses | None) -> Floats:
            some = _some(group, which)
            if pulses is None:
                return self.read(placement, some)
            cells = cells_of(placement.rows[some.rows], placement.columns[some.columns])
            with pulses_given(self._bench, placement.array, *cells, pulses, self._take, self._announce):
                if self._settings.verify_delay:
                    self._bench.wait_until(self._bench.now() + self._settings.verify_delay)
                return self.read(placement, some, pulses)

        return write_verify(state, len(aims), step, few=0)


@contextmanager
def pulses_given(
    bench: Bench, array: str, rows: Integers, columns: Integers, pulses: Pulses, take: Take,
    announce: Announce,
) -> Iterator[None]:  # fmt: skip
    """Announce pulses and give each of the cells at these rows and columns its own; their verify reads follow within.

    Where these or the pulses are cut short, those that were given are recorded with NaN for their reads.
    """
    announce(rows, columns, pulses)
    given = 0
    try:
        if isinstance(bench, ArrayBench):
            with bench.visit([CellPositions(array, rows, columns)]) as visit:
                which = np.arange(len(rows))
                visit.pulse(which, pulses.kind == SET, pulses.voltage, pulses.width, pulses.gate)
            given = len(rows)
        else:
            for row, column, kind, *rest in zip(
                *(one.tolist() for one in (rows, columns, *pulses)), strict=True
            ):
                bench.pulse(Cell(array, row, column), Pulse("set" if kind == SET else "reset", *rest))
                given += 1
        yield
    except BaseException:
        some = Pulses(*(one[:given] for one in pulses))
        take(rows[:given], columns[:given], some, np.full(given, np.nan), 0)
        raise


def cells_of(rows: Integers, columns: Integers) -> tuple[Integers, Integers]:
    """Return row and column of each cell at the crossings of these lines, row by row."""
    return np.repeat(rows, len(columns)), np.tile(columns, len(rows))


def _some(group: CellGroup, which: Integers) -> CellGroup:
    """Return some cells of a group, which has one row or one column, as a group."""
    if len(group.rows) == 1:
        return CellGroup(group.rows, group.columns[which])
    return CellGroup(group.rows[which], group.columns)


RESERVE = 2  # pulses that are kept for each cell outside its window
PATIENCE = 100  # batches without a smaller error, after which only cells outside their windows get pulses; twice, the end
STILL = 0.1  # of its deviation: a pulse that changed a cell by less did not move it
STUCK = 10  # pulses in a row that did not move a cell, after which it gets no more


@dataclass(frozen=True)
class Descent:
    """What a descent did in one tile."""

    # before, after: root mean square of the products' errors over that of the products
    before: float
    after: float
    achieved: Floats  # (rows, columns): conductances that the last products tell, S
    pulses: Integers  # (rows, columns): pulses of each cell


def tiles_of(shape: tuple[int, int], lines: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Split a block into tiles that fit the DAQ's outputs and inputs."""
    for row in range(0, shape[0], lines[0]):
        for column in range(0, shape[1], lines[1]):
            yield slice(row, row + lines[0]), slice(column, column + lines[1])


class ProductDescent:
    """Lowers the error of the products of blocks, tile by tile.

    - `settings`: with `gdp_reads` and `gdp_tolerance`.
    - `strategy`: decides the pulses, cell by cell.
    - `memory`: what the cells of the run have in common, see `Strategy.new_memory`.
    - `rng`: draws the signs of the vectors.
    - `take`: see `Take`.
    - `announce`: see `Announce`.
    - `check`: called between batches; may raise to end the run.
    """

    def __init__(
        self, bench: Bench, levels: Levels, settings: WriteVerifySettings, strategy: type[Strategy],
        memory: Any, rng: np.random.Generator, take: Take, announce: Announce, check: Callable[[], None],
    ) -> None:  # fmt: skip
        self._bench, self._levels, self._settings, self._rng = bench, levels, settings, rng
        self._take, self._announce, self._check = take, announce, check
        self._strategy, self._memory = strategy, memory

    def run(self, placement: Placement, digits: Integers, most: int) -> Descent:
        """Descend on one tile with at most so many pulses."""
        targets, shape = self._levels.nominal[digits], digits.shape
        zero = (digits == 0).ravel()
        window = float((self._levels.high - self._levels.nominal)[1:].min())
        reach = self._settings.gdp_tolerance * window
        # A cell of digit 0 may be anything that reads as one.
        low = np.where(zero, -np.inf, targets.ravel() - reach)
        high = np.where(zero, self._levels.high[0], targets.ravel() + reach)
        state = self._strategy.descending(targets.ravel(), low, high, self._settings, self._memory)
        pulses, used, since, closing = np.zeros(digits.size, np.int64), 0, 0, False
        errors: list[float] = []
        batch = batch_of(digits.size)
        rows, columns = cells_of(placement.rows, placement.columns)
        still = np.zeros(digits.size, np.int64)
        achieved, error = self._products(placement, targets)
        while True:
            since = 0 if not errors or error < min(errors) else since + 1
            errors.append(error)
            read = achieved.ravel()
            off = np.where(zero, read - high, np.abs(read - targets.ravel()) - reach)
            off[still >= STUCK] = 0.0
            outside = off > np.where(zero, 0.0, max(window - reach, 0.0))
            # The last pulses are for cells outside their windows, so that none is left half-way after a RESET.
            away = int(np.count_nonzero(outside)) + batch  # as this batch may leave behind
            closing = closing or since >= PATIENCE or most - used <= RESERVE * away
            off = np.where(outside, off, 0.0) if closing else np.maximum(off, 0.0)
            count = min(batch, int(np.count_nonzero(off)), most - used)
            if count < 1 or since >= 2 * PATIENCE:
                return Descent(errors[0], errors[-1], achieved, pulses.reshape(shape))
            self._check()
            which = np.sort(np.argsort(-off, kind="stable")[:count])
            some = state.of(which)
            decided = some.next_pulses(read[which])
            state.put(which, some)
            cells = rows[which], columns[which]
            with pulses_given(self._bench, placement.array, *cells, decided, self._take, self._announce):
                achieved, error = self._products(placement, targets)
            after, before = achieved.ravel()[which], read[which]
            self._take(*cells, decided, after, 0)
            moved = np.abs(after - before) > STILL * np.abs(before - targets.ravel()[which])
            still[which] = np.where(moved, 0, still[which] + 1)
            pulses[which] += 1
            used += count

    def _products(self, placement: Placement, targets: Floats) -> tuple[Floats, float]:
        """Return the conductances that a batch of products tells, S, and the products' relative error."""
        bench, volts = self._bench, self._bench.file.read.voltage
        patterns = reading_patterns(len(targets), self._settings.gdp_reads)
        vectors = patterns * self._rng.choice([-1.0, 1.0], len(targets))
        bench.connect_multiply(placement.array, placement.rows.tolist(), placement.columns.tolist())
        currents = bench.multiply(volts * vectors)
        exact = volts * vectors @ targets
        self._take(*2 * (np.zeros(0, np.int64),), None, np.zeros(0), currents.size)
        # The gradient of half the mean squared error, over the voltage: the deviation of each cell.
        deviation = conductances(currents - exact, vectors, volts)
        return targets + deviation, float(np.sqrt(((currents - exact) ** 2).mean() / (exact**2).mean()))
