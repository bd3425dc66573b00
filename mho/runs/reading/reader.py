"""Reads a run file, finished, being written or left by a killed writer, without the procedure's code or a driver."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from mho.cell_sets import PackedCells, formed_cells_in, united
from mho.errors import RunFileError
from mho.runs.conclusion import GOING_ON, Status
from mho.runs.figures import Drawable, Figure
from mho.runs.reading import conformance
from mho.runs.reading.chunks import read_torn
from mho.runs.reading.opening import ATTEMPTS, PAUSE, intact_members, open_run_file
from mho.runs.reading.record import RunRecord, unit_of
from mho.runs.reading.text import decode


@intact_members
class Stored:
    """What stands in a run file: each fact is read when it is first asked for, from the open file.

    `RunFileError` by every member that meets damage.
    """

    def __init__(self, path: Path, dataset: h5py.Dataset) -> None:
        self.path = path
        self._dataset = dataset

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of its numbers."""
        dtype: np.dtype[Any] = self._dataset.dtype
        return dtype

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape, as of the first look."""
        return tuple(map(int, self._dataset.shape))

    @cached_property
    def chunks(self) -> tuple[int, ...] | None:
        """Shape of its chunks, if it is cut into some."""
        return None if self._dataset.chunks is None else tuple(map(int, self._dataset.chunks))

    @cached_property
    def unit(self) -> str:
        """Unit; "" without one."""
        return unit_of(self._dataset)

    @cached_property
    def description(self) -> str:
        """What it is, in words; "" where the file does not say."""
        return str(self._dataset.attrs.get("long_name", ""))


@dataclass(frozen=True)
class LogEntry:
    """One entry of a run's log.

    Attributes
    ----------
    time : float
        Seconds since the run started.
    level : str
        As given to the writer, such as ``INFO``.
    message : str
        The text; a long message takes several entries, each but the first opening with an ellipsis.
    """

    time: float
    level: str
    message: str


@intact_members
class RunFile(RunRecord):
    """A run file, open for reading; a context manager.

    Tables, maps and the log grow while the run lasts: call `refresh` to see what has come. All else is
    read from the file whenever it is asked for.

    Parameters
    ----------
    path : path
        The file.
    whole : bool
        Check at opening that all of the file is its own, see `mho.runs.reading.opening`. Otherwise each part is
        checked when it is asked for: of thousands of files, each is opened in a tenth of the time.

    Raises
    ------
    RunFileError
        The file is missing, no run file, damaged, or from a newer mho; also by every member that meets
        damage, or is asked for a table, column, map or array that is not there.
    """

    def __init__(self, path: str | os.PathLike[str], *, whole: bool = True) -> None:
        path = Path(path)
        super().__init__(path, open_run_file(path, whole=whole), whole=whole)
        self._growing: dict[str, h5py.Dataset] = {}
        self._named: set[str] = set()  # tables that are there
        self._conforming: set[str] = set()  # items already checked: no writer changes types and shapes
        self._final = False

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self.path.absolute()),)  # another process opens the file itself

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._growing.clear()
        self._items.close()
        # In the process of a writer that could write no more, closing tries once again; a reader loses nothing.
        with contextlib.suppress(OSError, RuntimeError):
            self._file.close()

    def refresh(self) -> None:
        """Refresh to what the writer has flushed: longer tables, maps and log. Costs nothing after the run."""
        if self._final:
            return
        # Asked before refreshing: what a finished run has written is all there to be refreshed.
        over = self.status not in GOING_ON
        for dataset in self._growing.values():
            dataset.refresh()
        self._final = over

    def log(self, start: int = 0, stop: int | None = None) -> list[LogEntry]:
        """Return what was logged, oldest first, from entry `start` on, and before `stop` where that is given."""
        self._check("log", lambda log: conformance.check_log(self._items.members("log")))
        columns = self._cut_together("log", ["time", "level", "message"], start, stop=stop)
        rows = zip(columns["time"], columns["level"], columns["message"], strict=True)
        return [LogEntry(float(when), decode(level), decode(message)) for when, level, message in rows]

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables, as declared."""
        return tuple(name for name, item in self._items.members("").items() if conformance.is_table(item))

    @cached_property
    def maps(self) -> tuple[str, ...]:
        """Names of the maps, as declared."""
        return tuple(self._items.names("maps"))

    @cached_property
    def arrays(self) -> tuple[str, ...]:
        """Names of the arrays, as declared."""
        return tuple(self._items.names("arrays"))

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        """The figures that the procedure declared; none in files of older versions."""
        self._items.check_all()
        return conformance.declared_figures(self._group(""))

    @cached_property
    def drawable(self) -> Drawable:
        """Contents from which figures can be drawn."""
        self._items.check_all()
        return conformance.drawable_of(self._group(""))

    def drawable_for(self, figure: Figure) -> Drawable:
        """Return the contents that one figure is drawn from, as far as they are there; nothing else is looked at."""
        tables: dict[str, dict[str, tuple[str, int]]] = {}
        maps: dict[str, tuple[int, int]] = {}
        arrays: dict[str, tuple[str, int]] = {}
        for table in (figure.table, figure.beside):
            if self._items.has("", table) and conformance.is_table(self._group(table)):
                there = [name for name in figure.columns if self._items.has(table, name)]
                stored = {name: self.stored(table, name) for name in there}
                tables[table] = {name: (one.dtype.kind, len(one.shape) - 1) for name, one in stored.items()}
        for name in (*figure.maps, *figure.subtrahends, *(figure.groups if figure.maps else ())):
            if self._items.has("maps", name):
                _, rows, columns = self.stored(f"maps/{name}").shape
                maps[name] = rows, columns
        if self._items.has("arrays", figure.array):
            array = self.stored(f"arrays/{figure.array}")
            arrays[figure.array] = array.dtype.kind, len(array.shape)
        return Drawable(tables, maps, arrays)

    @property
    def default(self) -> str:
        """The table, or map as ``maps/NAME``, that a viewer opens first; empty without any."""
        first = str(self._group("").attrs.get("default", ""))
        return f"maps/{self._group('maps').attrs['default']}" if first == "maps" else first

    def table(self, name: str, start: int = 0) -> dict[str, NDArray[Any]]:
        """Return the columns of a table from row `start` on, all cut to the length that all have reached."""
        return self._cut_together(name, self._columns(name), start)

    def column(self, table: str, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Return rows `start` to `stop` of one column (rows, *column shape), to its end cut as `table` does."""
        self._check_column(table, name)
        dataset = self._follow(f"{table}/{name}")
        length = len(dataset) if self._is_finished else self.length(table)
        return self._rows(dataset, start, length if stop is None else min(stop, length))

    def length(self, table: str) -> int:
        """Return how many rows a table has, as of the last `refresh`."""
        columns = self._columns(table)
        return min((len(self._follow(f"{table}/{column}")) for column in columns), default=0)

    def units(self, table: str) -> dict[str, str]:
        """Return the unit of each column of a table."""
        columns = self._columns(table)
        return {column: unit_of(self._follow(f"{table}/{column}")) for column in columns}

    def plotted(self, table: str) -> tuple[str, str]:
        """Return which column of a table is plotted by default, and against which one; "" is the row's number."""
        self._columns(table)
        attributes = self._group(table).attrs
        axis = str(np.atleast_1d(attributes.get("axes", "."))[0])
        return str(attributes.get("signal", "")), "" if axis == "." else axis

    def series(self, table: str) -> str:
        """Return the column of a table that separates the curves of its plot; "" where there is one curve."""
        self._columns(table)
        return str(self._group(table).attrs.get("series", ""))

    def map_axes(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the physical row numbers and column numbers of a map's images."""
        self._check_map(name)
        return self._group(f"maps/{name}/row")[()], self._group(f"maps/{name}/column")[()]

    def map_times(self, name: str) -> NDArray[np.float64]:
        """Return when each image of a map was taken, s since the run started."""
        self._check_map(name)
        times: NDArray[np.float64] = self._cut_together(f"maps/{name}", ["time"], 0, also="value")["time"]
        return times

    def map(self, name: str, index: int = -1) -> NDArray[np.float64]:
        """Return an image (rows, columns) of a map, in `map_unit`; by default the last."""
        count = self.map_length(name)
        if not -count <= index < count:
            raise RunFileError(
                f"run file {self.path} has {count} images of map {name!r}, none of index {index}"
            )
        image: NDArray[np.float64] = self.images(name, index % count, index % count + 1)[0]
        return image

    def map_length(self, name: str) -> int:
        """Return how many images a map has, as of the last `refresh`."""
        self._check_images(name)
        value = self._follow(f"maps/{name}/value")
        return len(value) if self._is_finished else min(len(value), len(self.map_times(name)))

    def map_unit(self, name: str) -> str:
        """Return the unit of a map's values."""
        return self.stored(f"maps/{name}").unit

    def ragged(self, table: str, name: str, start: int = 0) -> list[NDArray[Any]]:
        """Return the values of a ragged column from row `start` on, each as long as it was emitted."""
        values = self.column(table, name, start)
        lengths = self.column(table, f"{name}_length", start)
        return [value[:length] for value, length in zip(values, lengths, strict=False)]

    def stored(self, group: str, name: str = "value") -> Stored:
        """Return what a column, the images of a map or an array are, none of which is read.

        Parameters
        ----------
        group : str
            A table, ``maps/NAME`` or ``arrays/NAME``.
        name : str
            The column of a table.
        """
        kind, _, own = group.partition("/")
        if not own:
            self._check_column(group, name)
        elif kind == "maps":
            self._check_images(own)
        dataset = self._array(own) if kind == "arrays" and own else self._follow(f"{group}/{name}")
        return Stored(self.path, dataset)

    def images(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """Return images `start` to `stop` of a map (time, rows, columns), in `map_unit`."""
        count = self.map_length(name)
        end = count if stop is None else min(stop, count)
        stack: NDArray[np.float64] = self._rows(self._follow(f"maps/{name}/value"), start, end)
        return stack

    def array(self, name: str) -> NDArray[Any]:
        """Return an array, in `array_unit`, as it stands in the file now."""
        dataset = self._array(name)
        for _ in range(ATTEMPTS if self._file.swmr_mode else 0):
            dataset.refresh()  # the positions of its chunks may be cached from an earlier read
            # Its writer may be filling it in.
            with contextlib.suppress(OSError):
                return np.asarray(dataset[()])
            time.sleep(PAUSE)
        return np.asarray(dataset[()])

    def array_shape(self, name: str) -> tuple[int, ...]:
        """Return an array's shape, without reading it."""
        return self.stored(f"arrays/{name}").shape

    def array_unit(self, name: str) -> str:
        """Return an array's unit."""
        return self.stored(f"arrays/{name}").unit

    def formed_cells(
        self, shapes: Mapping[str, tuple[int, int]], formed_above: float
    ) -> tuple[PackedCells, ...]:
        """Return the chip's cells that were formed when the run ended, however it ended.

        Its record says it; one that was killed, or is of an older version, tells it by the reads in its table of pulses.

        Parameters
        ----------
        shapes : mapping
            Rows and columns of the chip's arrays, in their order.
        formed_above : float
            Conductance (S) from which a cell is formed.
        """
        recorded = formed_cells_in(self.formed, f"record of formed cells in {self.path}", RunFileError)
        masks = {name: np.zeros(shape, bool) for name, shape in shapes.items()}
        rows = self.table("pulses") if "pulses" in self.tables else {}
        if {"row", "column", "conductance"} <= rows.keys():
            conducts = rows["conductance"] >= formed_above
            one = self.parameters.get("array")
            for number, (name, mask) in enumerate(masks.items()):
                there = rows["array"] == number if "array" in rows else name == getattr(one, "value", None)
                here = conducts & there
                mask[rows["row"][here], rows["column"][here]] = True
        seen = (PackedCells.of(name, mask) for name, mask in masks.items() if mask.any())
        return united(recorded, seen)

    def _follow(self, name: str) -> h5py.Dataset:
        """Return a growing dataset, kept open so that `refresh` reaches it."""
        if name not in self._growing:
            dataset = self._group(name)
            if self._file.swmr_mode:
                dataset.refresh()  # its length may be remembered from an earlier look
            self._growing[name] = dataset
        return self._growing[name]

    def _rows(self, dataset: h5py.Dataset, start: int, stop: int) -> NDArray[Any]:
        try:
            return np.asarray(dataset[start:stop])
        except OSError:
            if not self.is_unclosed:
                raise
            return read_torn(dataset, start, stop)

    @cached_property
    def _is_finished(self) -> bool:
        """Whether the writer has finished the file: then all columns of a table are as long as each other."""
        return not self._file.swmr_mode and self._text("status") == Status.FINISHED

    def _columns(self, table: str) -> list[str]:
        self._check_named(table)
        self._check(table, lambda group: conformance.check_table(group, self._items.members(table)))
        return self._items.names(table)

    def _check_named(self, table: str) -> None:
        """Check that there is a table of this name; its columns are not looked at."""
        if table not in self._named:
            if not (self._items.has("", table) and conformance.is_table(self._group(table))):
                raise self._absent(f"table {table!r}", self.tables)
            self._named.add(table)

    def _check_column(self, table: str, name: str) -> None:
        self._check_named(table)
        if not self._items.has(table, name):
            raise self._absent(f"column {name!r} in table {table!r}", self._items.names(table))
        self._check(f"{table}/{name}", conformance.check_column)

    def _cut_together(
        self, group: str, columns: list[str], start: int, also: str = "", stop: int | None = None
    ) -> dict[str, NDArray[Any]]:
        datasets = {column: self._follow(f"{group}/{column}") for column in columns}
        lengths = [len(dataset) for dataset in datasets.values()]
        if also:
            lengths.append(len(self._follow(f"{group}/{also}")))
        end = min(lengths if stop is None else [*lengths, stop])
        return {column: self._rows(dataset, start, end) for column, dataset in datasets.items()}

    def _array(self, name: str) -> h5py.Dataset:
        if not self._items.has("arrays", name):
            raise self._absent(f"array {name!r}", self.arrays)
        array = self._group(f"arrays/{name}")  # a dataset until schema 1, then a group
        value = array if isinstance(array, h5py.Dataset) else self._group(f"arrays/{name}/value")
        self._check(f"arrays/{name}", lambda _: conformance.check_array(array))
        return value

    def _check_images(self, name: str) -> None:
        """Check that there is a map of this name, and its values; not its axes."""
        if not self._items.has("maps", name):
            raise self._absent(f"map {name!r}", self.maps)
        self._check(f"maps/{name}/value", conformance.check_images)

    def _check_map(self, name: str) -> None:
        self._check_images(name)
        self._check(f"maps/{name}", lambda _: conformance.check_map(self._items.members(f"maps/{name}")))

    def _check(self, name: str, check: conformance.Check) -> None:
        if name not in self._conforming:
            check(self._group(name))
            self._conforming.add(name)

    def _absent(self, what: str, present: Mapping[str, object] | tuple[str, ...] | list[str]) -> RunFileError:
        return RunFileError(f"run file {self.path} has no {what}; it has {', '.join(present) or 'none'}")
