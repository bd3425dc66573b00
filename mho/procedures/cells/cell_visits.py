"""An experiment on many cells: at the wire one cell after the other, on a bench without instruments many at once.

An experiment is a function of `VisitedCells`: it reads and pulses cells by number, decides for all of them with arrays,
and records rows. It is written once: at the wire it is called for every cell alone, on an `ArrayBench` for tens of
thousands together, each with its own time. What was recorded is in the run file, however the visit ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Booleans, Floats, Integers
from mho.instruments import ArrayBench, Bench, Cell, Pulse
from mho.instruments.arrays import CellPositions, CellVisit
from mho.procedures.cell_range import CellRange
from mho.procedures.stream import Stream

Result = TypeVar("Result")

BATCH = 1 << 15  # cells visited at once: their rows take some ten megabytes
PICTURE_PERIOD, PICTURED = 0.5, 0.01  # s of bench time and share of the cells between two images of the maps


class ImageSchedule:
    """Says when images of the maps are due: by the bench's clock, so that a run with the same seed stores the same."""

    def __init__(self, bench: Bench, cells: int) -> None:
        self._bench, self._cells = bench, cells
        self._done, self._at = 0, bench.now()

    def due(self, done: int) -> bool:
        """Return whether they are, with so many cells done; then they are due again only a while later."""
        now = self._bench.now()
        if done - self._done < PICTURED * self._cells or now - self._at <= PICTURE_PERIOD:
            return False
        self._done, self._at = done, now
        return True


def cells_at(array: str, rows: Integers, columns: Integers) -> list[Cell]:
    """Return the cells at these rows and columns, one each."""
    return [Cell(array, *place) for place in zip(rows.tolist(), columns.tolist(), strict=True)]


def each_cell(array: str, cells: CellRange) -> Iterator[tuple[tuple[int, int], Cell]]:
    """Yield each cell, with its place (i, j) in an image of them, in the order of the visits."""
    for place in np.ndindex(cells.shape):
        yield place, Cell(array, int(cells.rows[place[0]]), int(cells.columns[place[1]]))


class CellReads(NamedTuple):
    """Readings of some cells."""

    current: Floats  # (n,): A; NaN beyond the range of the meter
    limited: Booleans  # (n,): in compliance: the cell would take more
    conductance: Floats  # (n,): S; of a limited cell the least that it can be


Readings = tuple[Floats, Booleans, Floats, Floats]
"""Currents (A), which are limited, voltages at the cells (V), and times (s)."""


class _AtTheWire:
    """Reading and pulsing of one cell of a bench of instruments, real or simulated."""

    def __init__(self, bench: Bench, cell: Cell) -> None:
        self._bench, self._cell = bench, cell

    def measure(self, which: Integers, voltage: float, gate: float | None) -> Readings:
        volts, amperes, limited = self._bench.measure(self._cell, voltage, gate)
        return np.array([amperes]), np.array([limited]), np.array([volts]), np.array([self._bench.now()])

    def pulse(self, which: Integers, sets: Booleans, voltage: Floats, width: Floats, gate: Floats) -> None:
        kind: Literal["set", "reset"] = "set" if sets[0] else "reset"
        self._bench.pulse(self._cell, Pulse(kind, float(voltage[0]), float(width[0]), float(gate[0])))

    @property
    def formed(self) -> Booleans:
        return np.array([self._bench.forming.is_formed(self._cell)])


class _AtOnce:
    """Reading and pulsing of many cells, by number, of a bench without instruments."""

    def __init__(self, visit: CellVisit) -> None:
        self._visit = visit

    def measure(self, which: Integers, voltage: float, gate: float | None) -> Readings:
        amperes, limited, times = self._visit.measure(which, voltage, gate)
        return amperes, limited, np.full(which.shape, voltage), times

    def pulse(self, which: Integers, sets: Booleans, voltage: Floats, width: Floats, gate: Floats) -> None:
        self._visit.pulse(which, sets, voltage, width, gate)

    @property
    def formed(self) -> Booleans:
        return self._visit.formed


class VisitedCells:
    """Cells that are visited, known by their numbers 0 to `count` - 1; every row is recorded with time and cell."""

    def __init__(self, operations: _AtTheWire | _AtOnce, count: int) -> None:
        self._operations, self.count = operations, count
        self._last = np.zeros(count)  # time of the last read of each
        self._rows: list[dict[str, NDArray[Any]]] = []

    @property
    def formed(self) -> Booleans:
        """Which of the cells have conducted once, in this run or before: none of them is to be formed."""
        return self._operations.formed

    def read(self, which: Integers, voltage: float, gate: float | None = None) -> CellReads:
        """Read some of the cells at `voltage` (V), word line at `gate` (V) or as the bench reads."""
        current, limited, volts, times = self._operations.measure(which, voltage, gate)
        self._last[which] = times
        return CellReads(current, limited, current / volts)

    def pulse(self, which: Integers, kind: str | Booleans, voltage: Any, width: Any, gate: Any) -> None:
        """Apply one pulse to each of some cells.

        `kind`, "set", "reset", or (n,): whether each is a SET (or forming) pulse; `voltage`, `width`, `gate`, float
        or (n,): V, s, and V at the word line.
        """
        sets = np.full(which.shape, kind == "set") if isinstance(kind, str) else kind
        values = (
            np.broadcast_to(np.asarray(one, dtype=float), which.shape) for one in (voltage, width, gate)
        )
        self._operations.pulse(which, sets, *values)

    def record(self, which: Integers, **columns: Any) -> None:
        """Record a row for each of some cells, with the time of its last read; a number stands for all of them."""
        self._rows.append(
            {
                "which": which,
                "time": self._last[which],
                **{name: np.broadcast_to(np.asarray(one), which.shape) for name, one in columns.items()},
            }
        )

    def rows(self, begun: Any, rows: Integers, columns: Integers) -> dict[str, NDArray[Any]]:
        """Return what was recorded, cell by cell; `begun` (s) is added to times, `rows` and `columns` are the cells'."""
        if not self._rows:
            return {}
        whole = {name: np.concatenate([one[name] for one in self._rows]) for name in self._rows[0]}
        order = np.argsort(whole["which"], kind="stable")
        which = whole.pop("which")[order]
        whole = {name: values[order] for name, values in whole.items()}
        whole["time"] = whole["time"] + np.broadcast_to(begun, (self.count,))[which]
        return {**whole, "row": rows[which], "column": columns[which]}


class CellSurvey:
    """An experiment on cells of an array, in their order.

    `bench`, `stream`: where it acts, and where its rows go; `cells` (rows, columns): row and column of each cell, as
    `CellRange.positions` has them; `table`: to which rows are recorded, with columns ``time``, ``row`` and
    ``column``; `steps`: expected number of reads of each cell.
    """

    def __init__(
        self, bench: Bench, stream: Stream, array: str, cells: tuple[Integers, Integers], table: str,
        steps: float = 1.0,
    ) -> None:  # fmt: skip
        self._bench, self._stream, self._table, self._steps = bench, stream, table, steps
        self._array = array
        self._rows, self._columns = cells

    def visit(
        self, stage: str, act: Callable[[VisitedCells], Result], picture: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[slice, Result]]:
        """Return, part by part, which cells were visited (a stretch of their flat order) and what `act` returned of them.

        `stage`: what is announced of the progress; `picture`: called now and then, and at the end whatever happens:
        it stores images of what is known so far.
        """
        total = len(self._rows)
        pictures = ImageSchedule(self._bench, total)
        try:
            for part, result in self._parts(act):
                yield part, result
                self._stream.pace(stage, part.stop, total, now=part.stop == total)
                if part.stop < total and pictures.due(part.stop):
                    picture()
        finally:
            picture()

    def _parts(self, act: Callable[[VisitedCells], Result]) -> Iterator[tuple[slice, Result]]:
        if isinstance(self._bench, ArrayBench):
            yield from self._at_once(self._bench, act)
            return
        for number, cell in enumerate(cells_at(self._array, self._rows, self._columns)):
            part = slice(number, number + 1)
            cells = VisitedCells(_AtTheWire(self._bench, cell), 1)
            try:
                result = act(cells)
            finally:
                self._record(cells, 0.0, part)
            yield part, result

    def _at_once(
        self, bench: ArrayBench, act: Callable[[VisitedCells], Result]
    ) -> Iterator[tuple[slice, Result]]:
        bench.draw([CellPositions(self._array, self._rows, self._columns)])
        for start in range(0, len(self._rows), BATCH):
            part = slice(start, min(start + BATCH, len(self._rows)))
            positions = CellPositions(self._array, self._rows[part], self._columns[part])
            visit = bench.visit([positions], self._steps)
            cells = VisitedCells(_AtOnce(visit), part.stop - part.start)
            try:
                with visit:
                    result = act(cells)
            finally:
                self._record(cells, visit.begun, part)
            yield part, result

    def _record(self, cells: VisitedCells, begun: Any, part: slice) -> None:
        if rows := cells.rows(begun, self._rows[part], self._columns[part]):
            self._stream.record_block(self._table, rows)
