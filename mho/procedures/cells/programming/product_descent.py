"""Descent of the error of products: vectors through a whole block, the gradient by cells, pulses by its sign and size.

With vectors x of orthogonal random signs and the errors e of their products, the gradient of the mean of e^2 with respect
to the conductance of a cell is proportional to the mean of x e: the cell's own deviation, as the products see it, wires,
amplifiers and converters included. The cells with the largest ones get a pulse, decided by the run's strategy; then the
products are made again (Buechel et al., IEEE JETCAS 13, 1052 (2023), who pulse phase-change cells by the gradient
times a learning rate; orthogonal vectors keep cells out of each other's gradients).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import Bench
from mho.procedures.cells.programming.group_programming import (
    Announce,
    Take,
    cells_of,
    conductances,
    give_pulses,
    reading_patterns,
    recorded_without_read,
)
from mho.procedures.cells.programming.strategy import Strategy

SHARE = 0.01  # of a tile's cells that get a pulse after each batch: with more, many are left half-way
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


def batch_of(cells: int) -> int:
    """Return how many of so many cells get a pulse between two batches of products."""
    return max(1, round(SHARE * cells))


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
        wanted, shape = self._levels.nominal[digits], digits.shape
        zero = (digits == 0).ravel()
        window = float((self._levels.high - self._levels.nominal)[1:].min())
        reach = self._settings.gdp_tolerance * window
        # A cell of digit 0 may be anything that reads as one.
        low = np.where(zero, -np.inf, wanted.ravel() - reach)
        high = np.where(zero, self._levels.high[0], wanted.ravel() + reach)
        state = self._strategy.descending(wanted.ravel(), low, high, self._settings, self._memory)
        pulses, used, since, closing = np.zeros(digits.size, np.int64), 0, 0, False
        errors: list[float] = []
        batch = batch_of(digits.size)
        rows, columns = cells_of(placement.rows, placement.columns)
        still = np.zeros(digits.size, np.int64)
        achieved, error = self._products(placement, wanted)
        while True:
            since = 0 if not errors or error < min(errors) else since + 1
            errors.append(error)
            read = achieved.ravel()
            off = np.where(zero, read - high, np.abs(read - wanted.ravel()) - reach)
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
            self._announce(*cells, decided)
            give_pulses(self._bench, placement.array, *cells, decided, self._take)
            with recorded_without_read(self._take, *cells, decided):
                achieved, error = self._products(placement, wanted)
            after, before = achieved.ravel()[which], read[which]
            self._take(*cells, decided, after, 0)
            moved = np.abs(after - before) > STILL * np.abs(before - wanted.ravel()[which])
            still[which] = np.where(moved, 0, still[which] + 1)
            pulses[which] += 1
            used += count

    def _products(self, placement: Placement, wanted: Floats) -> tuple[Floats, float]:
        """Return the conductances that a batch of products tells, S, and the products' relative error."""
        bench, volts = self._bench, self._bench.file.read.voltage
        patterns = reading_patterns(len(wanted), self._settings.gdp_reads)
        vectors = patterns * self._rng.choice([-1.0, 1.0], len(wanted))
        bench.connect_multiply(placement.array, placement.rows.tolist(), placement.columns.tolist())
        currents = bench.multiply(volts * vectors)
        exact = volts * vectors @ wanted
        self._take(*2 * (np.zeros(0, np.int64),), None, np.zeros(0), currents.size)
        # The gradient of half the mean squared error, over the voltage: the deviation of each cell.
        deviation = conductances(currents - exact, vectors, volts)
        return wanted + deviation, float(np.sqrt(((currents - exact) ** 2).mean() / (exact**2).mean()))
