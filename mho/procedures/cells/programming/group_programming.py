"""Programming cells in groups that are verified together: every cell of the group gets its pulse, then all are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mho.array_types import Floats, Integers
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments import ArrayBench, Bench, Cell, Pulse
from mho.instruments.arrays import CellPositions
from mho.procedures.cells.programming.strategy import SET, Outcome, Pulses, Strategy
from mho.procedures.cells.programming.verify import Group, GroupReads

SURE = 0.5  # share of the lowest window above digit 0: what reads more through the DAQ is formed

Take = Callable[[Integers, Integers, Pulses | None, Floats, int], None]
"""Told of each verify: rows and columns of the cells on the array, the pulses before, conductances (S), readings."""

Announce = Callable[[Integers, Integers, Pulses], None]
"""Told of pulses that are given next: rows and columns of the cells on the array."""


class GroupProgramming:
    """Programs the groups of a block, one after the other.

    Parameters
    ----------
    bench : Bench
    reader : GroupReads
    levels : Levels
    settings : WriteVerifySettings
    strategy : type of Strategy
    memory : object
        What the strategy has learnt in this run.
    take : callable
        See `Take`.
    announce : callable
        See `Announce`.
    """

    def __init__(
        self,
        bench: Bench,
        reader: GroupReads,
        levels: Levels,
        settings: WriteVerifySettings,
        strategy: type[Strategy],
        memory: Any,
        take: Take,
        announce: Announce = lambda rows, columns, pulses: None,
    ) -> None:
        self._announce = announce
        self._bench, self._reader, self._levels = bench, reader, levels
        # A reading through the DAQ does not tell a virgin cell from a RESET one: what a cell conducts from the first level
        # on does. One that was formed before is known from then.
        above = max(settings.formed_above, SURE * float(levels.low[1]))
        self._settings = settings.model_copy(update={"formed_above": above})
        self._strategy, self._memory, self._take = strategy, memory, take

    def read(self, placement: Placement, group: Group, pulses: Pulses | None = None) -> Floats:
        """Return the conductances of a group's cells, S, in its order, after these pulses."""
        rows, columns = placement.rows[group.rows], placement.columns[group.columns]
        read, readings = self._reader.read(placement.array, rows, columns)
        above = self._settings.formed_above
        self._bench.forming.saw(placement.array, *cells_of(rows, columns), read, above)
        self._take(*cells_of(rows, columns), pulses, read, readings)
        return read

    def program(
        self, placement: Placement, digits: Integers, group: Group
    ) -> tuple[Floats, Integers, Integers]:
        """Pulse and read a group's cells until each is in its window or given up; the digits are the block's.

        Returns last reads (S), numbers of pulses, and outcomes, in the group's order.
        """
        wanted = digits[np.ix_(group.rows, group.columns)].ravel()
        windows = self._levels.nominal[wanted], self._levels.low[wanted], self._levels.high[wanted]
        state = self._strategy.towards(*windows, self._settings, self._memory)
        cells = cells_of(placement.rows[group.rows], placement.columns[group.columns])
        state.formed = self._bench.forming.formed(placement.array, *cells)
        which, count = np.arange(len(wanted)), len(wanted)
        pulses, outcome = np.zeros(count, np.int64), np.full(count, Outcome.IN_WINDOW, np.int64)
        read = self.read(placement, group)
        achieved = read.copy()
        while True:
            outside = ~state.done(read)
            lost = np.where(outside, state.outcome(read), Outcome.IN_WINDOW)
            going = np.flatnonzero(outside & (lost == Outcome.IN_WINDOW))
            outcome[which] = lost
            if state.learns:
                ended = np.setdiff1d(np.arange(len(which)), going)
                state.of(ended).conclude(read[ended])
            if not going.size:
                return achieved, pulses, outcome
            which, read, state = which[going], read[going], state.of(going)
            decided = state.next_pulses(read)
            remaining = _some(group, which)
            rows, columns = placement.rows[remaining.rows], placement.columns[remaining.columns]
            cells = cells_of(rows, columns)
            self._announce(*cells, decided)
            give_pulses(self._bench, placement.array, *cells, decided, self._take)
            with recorded_without_read(self._take, *cells, decided):
                if self._settings.verify_delay:
                    self._bench.wait_until(self._bench.now() + self._settings.verify_delay)
                read = achieved[which] = self.read(placement, remaining, decided)
            pulses[which] += 1


@contextmanager
def recorded_without_read(take: Take, rows: Integers, columns: Integers, pulses: Pulses) -> Iterator[None]:
    """Record pulses that were applied with NaN for their verify reads where these are cut short within the block."""
    try:
        yield
    except BaseException:
        take(rows, columns, pulses, np.full(len(rows), np.nan), 0)
        raise


def give_pulses(
    bench: Bench, array: str, rows: Integers, columns: Integers, pulses: Pulses, take: Take
) -> None:
    """Give each of the cells at these rows and columns of an array its pulse; `take` records those before an error."""
    if isinstance(bench, ArrayBench):
        with bench.visit([CellPositions(array, rows, columns)]) as visit:
            which = np.arange(len(rows))
            visit.pulse(which, pulses.kind == SET, pulses.voltage, pulses.width, pulses.gate)
        return
    each = (rows, columns, *pulses)
    given = 0
    try:
        for row, column, kind, voltage, width, gate in zip(*(one.tolist() for one in each), strict=True):
            bench.pulse(
                Cell(array, row, column), Pulse("set" if kind == SET else "reset", voltage, width, gate)
            )
            given += 1
    except BaseException:
        with recorded_without_read(
            take, rows[:given], columns[:given], Pulses(*(one[:given] for one in pulses))
        ):
            raise


def cells_of(rows: Integers, columns: Integers) -> tuple[Integers, Integers]:
    """Return row and column of each cell at the crossings of these lines, row by row."""
    return np.repeat(rows, len(columns)), np.tile(columns, len(rows))


def _some(group: Group, which: Integers) -> Group:
    """Return some cells of a group, which has one row or one column, as a group."""
    if len(group.rows) == 1:
        return Group(group.rows, group.columns[which])
    return Group(group.rows[which], group.columns)
