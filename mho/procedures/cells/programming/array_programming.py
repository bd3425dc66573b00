"""Write-verify of many cells at once, on a bench without instruments: the same decisions, with separate cell times.

Cells take the energy V^2 G w from pulses and verify reads, G the read that follows, w the width or the aperture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.array_types import Booleans, Floats, Integers
from mho.chip_maps.levels import Levels
from mho.chip_maps.placement import Placement
from mho.chip_maps.write_verify_settings import WriteVerifySettings
from mho.instruments.arrays import ArrayBench, CellPositions, CellVisit
from mho.instruments.bench_file import BenchFile
from mho.procedures.cells.programming.strategy import SET, Pulses, Strategy, write_verify

LINE_FREQUENCY = 60.0  # Hz, of the meter's power line cycles


def cell_energy(read: BenchFile, voltage: float, width: float, conductance: float, reads: int = 1) -> float:
    """Return the energy, J, of verify reads and of the pulse before them: V, s (both 0 without a pulse), S."""
    return abs(conductance) * (voltage * voltage * width + reads * _of_read(read))


def pulse_energy(
    read: BenchFile, kind: ArrayLike, voltage: ArrayLike, width: ArrayLike, conductance: ArrayLike,
    reads: int = 1,
) -> float:  # fmt: skip
    """Return the energy, J, of rows of the table of pulses.

    `read`: with the voltage and aperture of a verify read, of which each row has one. `kind`, `voltage`, `width`,
    `conductance` (n,): 0 for a read alone; V; s; S. `reads`: verify reads of each row.
    """
    pulses = np.where(np.asarray(kind) > 0, np.square(voltage) * np.asarray(width), 0.0)
    return float((np.abs(conductance) * (pulses + reads * _of_read(read))).sum())


def _of_read(read: BenchFile) -> float:
    """Return the energy of a verify read for each siemens, J/S."""
    return read.read.voltage**2 * read.read.nplc / LINE_FREQUENCY


Rows = Mapping[str, NDArray[Any]]

BATCH = 1 << 18  # cells visited at once: the last ones of a batch cost as much as the last ones of a few
STEPS_PER_CELL = 5.5  # expected reads per cell, which set the age of a cell when its turn comes


@dataclass(frozen=True)
class FlatCells:
    """Cells of several blocks in one list, in the order in which they are visited."""

    block: Integers  # (count,): index of each cell's block
    place: Integers  # (count,): flat index in the block
    # rows, columns: (count,): row and column of each cell
    rows: Integers
    columns: Integers

    @classmethod
    def of(
        cls, placements: Sequence[Placement], masks: Sequence[Booleans],
        orders: Sequence[Integers] | None = None,
    ) -> FlatCells:  # fmt: skip
        """List the cells in `masks`, block by block, in each in the order of its flat indices, or row by row."""
        parts = []
        for number, (placement, mask) in enumerate(zip(placements, masks, strict=True)):
            place = np.flatnonzero(mask) if orders is None else orders[number][mask.ravel()[orders[number]]]
            row, column = np.divmod(place, mask.shape[1])
            parts.append((np.full(len(place), number), place, placement.rows[row], placement.columns[column]))
        return cls(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def batches(self, pilot: int = 0) -> Iterator[FlatCells]:
        """Split the list into the first `pilot` cells, and batches of at most `BATCH` cells."""
        count = len(self.block)
        pilot = pilot if pilot < count else 0
        edges = [0] * bool(pilot) + [*range(pilot, count, BATCH), count]
        for start, end in pairwise(edges):
            part = slice(start, end)
            yield FlatCells(self.block[part], self.place[part], self.rows[part], self.columns[part])

    def parts(self) -> Iterator[tuple[int, slice]]:
        """Return each block's number with its stretch of the list."""
        edges = [0, *(np.flatnonzero(np.diff(self.block)) + 1).tolist(), len(self.block)]
        for first, last in pairwise(edges):
            yield int(self.block[first]), slice(first, last)

    def of_blocks(self, values: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Return each cell's value from its block's `values`."""
        return np.concatenate([values[number].ravel()[self.place[part]] for number, part in self.parts()])

    def put(self, values: Sequence[NDArray[Any]], some: NDArray[Any]) -> None:
        """Store each cell's value in its block's `values`."""
        for number, part in self.parts():
            values[number].ravel()[self.place[part]] = some[part]

    def lines(self, placements: Sequence[Placement]) -> list[CellPositions]:
        """Return the cells by array and lines."""
        return [
            CellPositions(placements[number].array, self.rows[part], self.columns[part])
            for number, part in self.parts()
        ]


class _Record:
    """Log of the reads and pulses of cells, from the `first` on, as rows of the table `pulses` without `array`.

    Where they are not `kept`, they are only counted: those of millions of cells would fill the memory. `reads`:
    number of reads; `joules`: energy of reads and pulses, J; `averaged`: reads of a cell that are averaged each time.
    """

    def __init__(
        self, cells: FlatCells, file: BenchFile, keep: bool, averaged: int = 1, first: int = 0
    ) -> None:
        self._cells, self._file, self._keep, self._first = cells, file, keep, first
        self.averaged = averaged
        self._resting = Pulses(0, file.read.voltage, 0.0, file.read.gate)  # of a read without a pulse
        self._steps: list[tuple[NDArray[Any], ...]] = []
        self.reads, self.joules = 0, 0.0

    def part(self, first: int) -> _Record:
        """Return an empty log for the cells from the `first` on, which `join` adds to this one."""
        return _Record(self._cells, self._file, self._keep, self.averaged, first)

    def join(self, parts: Sequence[_Record]) -> _Record:
        """Add the parts' logs, and return the whole."""
        for part in parts:
            self._steps += part._steps
            self.reads += part.reads
            self.joules += part.joules
        return self

    def take(self, which: Integers, times: Floats, conductance: Floats, pulses: Pulses | None) -> None:
        """Store a read of some cells, and the pulses before it."""
        if pulses is None:
            pulses = Pulses(*(np.full(which.shape, value) for value in self._resting))
        self.reads += len(which) * self.averaged
        self.joules += pulse_energy(
            self._file, pulses.kind, pulses.voltage, pulses.width, conductance, self.averaged
        )
        if self._keep:
            self._steps.append((which + self._first, times, conductance, *pulses))

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return all reads and the pulses before them, in the order in which they were made."""
        names = ("which", "time", "conductance", "kind", "voltage", "width", "gate")
        parts = map(np.concatenate, zip(*self._steps, strict=True))
        return dict(zip(names, parts, strict=True))

    def rows(self, begun: Floats) -> dict[str, NDArray[Any]]:
        """Return the rows, cell by cell; each cell's turn began at `begun` (s)."""
        columns = self.columns()
        order = np.argsort(columns["which"], kind="stable")
        which = columns.pop("which")[order]
        return {
            "time": begun[which] + columns.pop("time")[order],
            "block": self._cells.block[which],
            "row": self._cells.rows[which],
            "column": self._cells.columns[which],
            **{name: column[order] for name, column in columns.items()},
        }


@dataclass(frozen=True)
class Verified:
    """Result of verifying cells."""

    achieved: Floats  # (count,): last verify reads, S
    pulses: Integers  # (count,): number of pulses per cell
    outcome: Integers  # (count,): `Outcome` of each cell
    record: _Record  # all reads and pulses
    begun: Floats  # (count,): start of each cell's turn, s

    @property
    def reads(self) -> int:
        """Number of reads."""
        return self.record.reads

    @property
    def joules(self) -> float:
        """Energy of reads and pulses, J."""
        return self.record.joules

    @cached_property
    def rows(self) -> Rows:
        """Rows of the table `pulses`, with ``block`` instead of ``array``; only where they were recorded."""
        return self.record.rows(self.begun)


def read_cells(
    bench: ArrayBench, cells: FlatCells, placements: Sequence[Placement], voltage: float | None = None, *,
    recorded: bool = True, reads: int = 1,
) -> Verified:  # fmt: skip
    """Read each cell `reads` times for an average, at `voltage` (V) or the bench's own."""
    whole = _Record(cells, bench.file, recorded, reads)

    def read(visit: CellVisit, part: slice) -> tuple[Floats, Integers, _Record]:
        which, record = np.arange(part.stop - part.start), whole.part(part.start)
        return _read(visit, which, record, None, voltage), np.zeros_like(which), record

    with bench.visit(cells.lines(placements)) as visit:
        achieved, pulses, records = zip(*visit.run(read), strict=True)
    nothing = np.concatenate(pulses)
    return Verified(np.concatenate(achieved), nothing, nothing, whole.join(records), visit.begun)


def verify_cells(
    bench: ArrayBench, cells: FlatCells, placements: Sequence[Placement], digits: Integers, levels: Levels,
    settings: WriteVerifySettings, strategy: type[Strategy], memory: Any = None, *, recorded: bool = True,
) -> Verified:  # fmt: skip
    """Program each cell to its digit: read, then pulse and read until it is in its window or given up.

    Of many cells, which are evaluated in halves, each half learns by itself: `memory` is then left as it was.
    """
    whole = _Record(cells, bench.file, recorded, settings.verify_reads)

    def verify(visit: CellVisit, part: slice) -> tuple[Floats, Integers, Integers, _Record]:
        some, record = digits[part], whole.part(part.start)
        windows = levels.nominal[some], levels.low[some], levels.high[some]
        known = memory if len(some) == len(digits) else deepcopy(memory)
        state = strategy.towards(*windows, settings, known)
        state.formed = visit.formed

        def step(which: Integers, pulses: Pulses | None) -> Floats:
            if pulses is not None:
                visit.pulse(which, pulses.kind == SET, pulses.voltage, pulses.width, pulses.gate)
                if settings.verify_delay:
                    visit.wait(which, settings.verify_delay)
            return _read(visit, which, record, pulses)

        return *write_verify(state, len(some), step), record

    with bench.visit(cells.lines(placements), STEPS_PER_CELL) as visit:
        *results, records = zip(*visit.run(verify), strict=True)
    achieved, pulses, outcome = map(np.concatenate, results)
    return Verified(achieved, pulses, outcome, whole.join(records), visit.begun)


def _read(
    visit: CellVisit, which: Integers, record: _Record, pulses: Pulses | None, voltage: float | None = None
) -> Floats:
    conductance, times = visit.read(which, voltage)
    for number in range(1, record.averaged):
        further, times = visit.read(which, voltage)
        conductance = conductance + (further - conductance) / (number + 1)
    record.take(which, times, conductance, pulses)
    return conductance
