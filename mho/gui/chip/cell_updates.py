"""Follows the cells of a run file: reads the images once, then every pulse and read as it comes.

A table of cells has the columns ``row``, ``column`` and ``conductance``, and most often ``time``, ``array`` and
``kind``. It is followed from its end on. Earlier rows are read backwards in blocks, until images and later rows
determine every cell, so a run of any length opens at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.chip_maps.chip import ChipMap
from mho.gui.chip.cell_grid import CellGrid, CellRows
from mho.runs import GOING_ON, RunFile

QUANTITIES = ("target", "conductance", "pulses")

Lines = tuple[NDArray[np.int64], NDArray[np.int64]]

Changes = dict[str, NDArray[np.int64] | None]
"""By array: the cells that changed, as indices into the flattened array; None for all of them."""

BLOCK = 32_768
"""Rows read at once, so that one look stays short."""


@dataclass(frozen=True)
class CellTable:
    """A table whose rows are about cells, of one `array`; that is empty where a column says which."""

    name: str
    array: str
    columns: frozenset[str]


def cell_tables(run: RunFile) -> tuple[CellTable, ...]:
    """Return the tables of `run` whose rows are about cells."""
    arrays = array_names(run)
    tables = []
    for name in run.tables:
        columns = frozenset(run.units(name))
        if columns >= {"row", "column", "conductance"} and ("array" in columns or len(arrays) == 1):
            tables.append(CellTable(name, "" if "array" in columns else arrays[0], columns))
    return tuple(tables)


def _images(run: RunFile) -> Iterator[tuple[str, str]]:
    """Yield the maps that are images of an array's cells, each with its array: by their names, or the run's parameter."""
    given = run.parameters.get("array")
    own = "" if given is None else str(given.value)
    for name in run.maps:
        array, _, quantity = name.rpartition("_")
        if array and quantity in QUANTITIES:
            yield name, array
        elif own and name.startswith(f"{own}_"):
            yield name, own


def array_names(run: RunFile) -> tuple[str, ...]:
    """Return the arrays of which `run` has images."""
    return tuple(dict.fromkeys(array for _, array in _images(run)))


def lines_in_use(run: RunFile) -> dict[str, Lines]:
    """Return by array the rows and columns of which `run` has images."""
    lines: dict[str, Lines] = {}
    for name, array in _images(run):
        axes = run.map_axes(name)
        before = lines.get(array, axes)
        lines[array] = np.union1d(before[0], axes[0]), np.union1d(before[1], axes[1])
    return {array: axes for array, axes in lines.items() if len(axes[0]) and len(axes[1])}


def array_shapes(lines: Mapping[str, Lines], chip: ChipMap | None) -> dict[str, tuple[int, int]]:
    """Return rows and columns of the chip's arrays, and of others as far as the lines in use reach."""
    shapes = {array.name: (array.rows, array.columns) for array in chip.arrays} if chip else {}
    for array, (rows, columns) in lines.items():
        known = shapes.get(array, (0, 0))
        shapes[array] = max(known[0], int(rows[-1]) + 1), max(known[1], int(columns[-1]) + 1)
    return shapes


class CellFeed:
    """The arrays of an open run file, kept up to date by `look`.

    Attributes
    ----------
    grids : dict of CellGrid
        By the array's name.
    lines : dict of two arrays of int
        Rows and columns that the run uses, likewise.
    now : float
        Latest known bench time, s.
    codes : tuple of str
        Arrays by their number in a table's column ``array``.

    Raises
    ------
    RunFileError
        The file is damaged; also by `look` and `look_back`.
    """

    TIME = 0.01  # s after which a look takes no further image: a large one alone takes several times that

    def __init__(self, run: RunFile, chip: ChipMap | None) -> None:
        self.run = run
        self.lines = lines_in_use(run)
        self.grids = {name: CellGrid(shape) for name, shape in array_shapes(self.lines, chip).items()}
        self.codes = tuple(array.name for array in chip.arrays) if chip else array_names(run)
        self.now = 0.0
        self.tables = cell_tables(run)
        self._fed: set[str] = set()  # arrays whose rows are known: they tell more than images, and sooner
        self._images = dict.fromkeys(run.maps, 0)  # number known of each
        self._pending = True
        self._next = {table.name: run.length(table.name) for table in self.tables}
        self._before = dict(self._next)

    @property
    def complete(self) -> bool:
        """Whether all earlier data are loaded."""
        return not self._pending and not any(self._before.values())

    @property
    def has_images(self) -> bool:
        """Whether the latest images are loaded."""
        return not self._pending

    @property
    def rows_seen(self) -> int:
        """Number of rows at the last look, or loaded since."""
        return sum(self._next.values())

    def look(self) -> Changes:
        """Apply new rows and images, or a part of them, and return which cells changed."""
        if self.run.status in GOING_ON:
            self.run.refresh()
        changed = self._take_images()
        if self._pending:
            return changed
        for table in self.tables:
            start = self._next[table.name]
            stop = min(self.run.length(table.name), start + BLOCK)
            if stop > start:
                for name, rows in self._read(table, start, stop).items():
                    self.grids[name].apply(rows)
                    self._fed.add(name)
                    if name not in changed:
                        changed[name] = rows.cells
                    elif (cells := changed[name]) is not None:
                        changed[name] = np.concatenate([cells, rows.cells])
                self._next[table.name] = stop
        return changed

    def look_back(self) -> Changes:
        """Apply one block of earlier rows, once all images are known, and return which cells changed."""
        changed: Changes = {}
        if self._pending:
            return changed
        for table in self.tables:
            stop = self._before[table.name]
            if not stop:
                continue
            start = max(0, stop - BLOCK)
            earliest = np.inf
            for name, rows in self._read(table, start, stop).items():
                self.grids[name].apply_earlier(rows)
                earliest = min(earliest, float(rows.time[0]))
                self._fed.add(name)
                changed[name] = rows.cells
            self._before[table.name] = 0 if self._nothing_missing(table, earliest) else start
            break
        return changed

    def _nothing_missing(self, table: CellTable, earliest: float) -> bool:
        names = [table.array] if table.array else self.codes
        grids = [self.grids[name] for name in names if name in self.grids]
        return "time" in table.columns and all(
            bool(np.isfinite(grid.touched[grid.used]).all())
            and earliest <= min(grid.conductance_as_of, grid.pulses_as_of)
            for grid in grids
            if grid.used.any()
        )

    def _take_images(self) -> Changes:
        """Apply new images of arrays that no table describes row by row."""
        changed: Changes = {}
        late = time.monotonic() + self.TIME
        self._pending = False
        for name, seen in self._images.items():
            array, _, quantity = name.rpartition("_")
            if array not in self.lines or quantity not in QUANTITIES:
                continue
            if quantity != "target" and array in self._fed:
                continue
            times = self.run.map_times(name)
            if len(times) == seen:
                continue
            if time.monotonic() > late:
                self._pending = True
                break
            lines, taken = self.run.map_axes(name), float(times[-1])
            self.grids[array].take_image(quantity, self.run.map(name), lines, taken)
            self._images[name] = len(times)
            self.now = max(self.now, taken)
            changed[array] = None
        return changed

    def _read(self, table: CellTable, start: int, stop: int) -> Mapping[str, CellRows]:
        """Return rows of `table` by array; those of cells that no array has are left out."""

        def column(name: str) -> NDArray[np.float64]:
            if name not in table.columns:
                return np.zeros(stop - start)
            return self.run.column(table.name, name, start, stop)

        row, col = column("row").astype(np.int64), column("column").astype(np.int64)
        when = column("time") if "time" in table.columns else np.arange(start, stop, dtype=np.float64)
        conductance, pulsed = column("conductance"), column("kind") != 0
        code = column("array")
        if len(when):
            self.now = max(self.now, float(when[-1]))
        rows_by_table = {}
        for number, name in enumerate((table.array,) if table.array else self.codes):
            if name not in self.grids:
                continue
            height, width = self.grids[name].shape
            mine = (code == number) & (row < height) & (col < width)
            if mine.any():
                rows_by_table[name] = CellRows(
                    row[mine] * width + col[mine], when[mine], conductance[mine], pulsed[mine]
                )
        return rows_by_table
