"""Writes one run file during the run: readers follow it live, and a crash loses a second at most.

It is laid out under a temporary name, switched to HDF5's single-writer-multiple-readers mode (SWMR) and only then given
its name. Every method may be interrupted by an exception between two HDF5 calls and called again: rows count as written
once all columns are, so a reader that follows live sees data only.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self, TypeVar

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho import platforms
from mho.errors import Aborted, RunFileError
from mho.runs.conclusion import GOING_ON, MOST_WARNINGS, WARNING_BYTES, Conclusion, Status
from mho.runs.liveness import Writer
from mho.runs.paths import new_run_path
from mho.runs.reading.opening import FORMAT, items_of
from mho.runs.reading.text import cut, decode, split, write_json, write_text
from mho.runs.schema import Column, Layout, Map, RunHeader, Table
from mho.runs.writing import live_file
from mho.runs.writing.appending import Growing, fill_up, fill_up_all, fit, wrong_columns
from mho.runs.writing.live_file import LiveFile, plain_words
from mho.runs.writing.structure import FORMED, LEVEL_BYTES, MESSAGE_BYTES, check_layout, lay_out

Item = TypeVar("Item")
STAGE_ROWS = 4096
STAGE_BYTES = 1 << 20
MOST_RACES = 1000  # names of one new file that other runs may take before it


class RowStream:
    """Growing datasets of one group that get their rows together."""

    def __init__(self, group: h5py.Group, names: list[str]) -> None:
        self.datasets = [Growing(group[name]) for name in names]
        self.length = self.staged = 0  # rows that are written, and rows that wait in memory

    def _write(self, rows: list[NDArray[Any]]) -> None:
        for dataset, values in zip(self.datasets, rows, strict=True):
            dataset.write(self.length, values)
        self.length += len(rows[0])


class TableStream(RowStream):
    """One table: rows are staged in memory, blocks go to one dataset per column."""

    def __init__(self, group: h5py.Group, table: Table) -> None:
        self._name = table.name
        self._columns = table.stored
        self._names = [column.name for column in table.columns]
        super().__init__(group, [column.name for column in self._columns])
        self._dtypes = [np.dtype(column.dtype) for column in self._columns]
        row = np.dtype(
            [(c.name, dtype, c.shape) for c, dtype in zip(self._columns, self._dtypes, strict=True)]
        )
        self._stage = np.zeros(max(16, min(STAGE_ROWS, STAGE_BYTES // row.itemsize)), row)
        self._pick = _picker([column.name for column in self._columns])
        self._ragged = [column for column in table.columns if column.ragged]
        # Check first where numpy's own assignment would truncate or broadcast silently.
        self._delicate = [
            (column, dtype, *_whole_range(column, dtype))
            for column, dtype in zip(self._columns, self._dtypes, strict=True)
            if dtype.kind in "biu" or column.shape
        ]

    def append(self, values: Mapping[str, Any]) -> bool:
        """Stage one row, a value for every column; return whether the stage is full and must be drained."""
        if self._ragged:
            values = self._filled_up(values)
        try:
            row = self._pick(values)
        except KeyError:
            raise wrong_columns(self._name, self._names, values) from None
        if len(values) != len(self._columns):
            raise wrong_columns(self._name, self._names, values)
        for column, dtype, lowest, highest in self._delicate:
            value = values[column.name]
            if type(value) is not int or not lowest <= value <= highest:  # else there is nothing to lose
                fit(value, dtype, column.shape, self._what(column))
        try:
            self._stage[self.staged] = row
        except (TypeError, ValueError) as error:
            raise RunFileError(f"a row of table {self._name!r} does not fit its columns: {error}") from error
        self.staged += 1
        return self.staged == len(self._stage)

    def extend(self, columns: Mapping[str, Any]) -> None:
        """Write many rows at once, behind those staged: an array (rows, *shape) for every column."""
        if columns.keys() != set(self._names):
            raise wrong_columns(self._name, self._names, columns)
        columns = dict(columns)
        for column in self._ragged:
            full = fill_up_all(columns[column.name], column, self._what(column))
            columns[column.name], columns[column.length_name] = full
        count = len(np.atleast_1d(np.asarray(columns[self._columns[0].name])))
        rows = [
            fit(columns[column.name], dtype, (count, *column.shape), self._what(column))
            for column, dtype in zip(self._columns, self._dtypes, strict=True)
        ]
        self.drain()
        if count:
            self._write(rows)

    def drain(self) -> bool:
        """Write what is staged; return whether there was anything."""
        if not self.staged:
            return False
        self._write([self._stage[column.name][: self.staged] for column in self._columns])
        self.staged = 0
        return True

    def _filled_up(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row whose ragged values have their full shape, and their lengths beside them."""
        if values.keys() != set(self._names):
            raise wrong_columns(self._name, self._names, values)
        row = dict(values)
        for column in self._ragged:
            row[column.name], row[column.length_name] = fill_up(
                values[column.name], column, self._what(column)
            )
        return row

    def _what(self, column: Column) -> str:
        return f"column {self._name}.{column.name}"


def _whole_range(column: Column, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return the range of integers that a column takes unchecked; an empty range where values need a check."""
    if column.shape or dtype.kind not in "iu":
        return 1, 0
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def _picker(names: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return a function that takes the values of `names` from a mapping, as a tuple even of one."""
    if len(names) == 1:
        return lambda values: (values[names[0]],)
    return itemgetter(*names)


class MapStream(RowStream):
    """One map: a stack of images over time."""

    def __init__(self, group: h5py.Group, image: Map) -> None:
        self._name = image.name
        super().__init__(group, ["value", "time"])
        self._shape = (len(image.rows), len(image.columns))

    def append(self, values: ArrayLike, time: float) -> None:
        """Append one image (rows, columns) taken at `time` (s)."""
        image = fit(values, np.dtype("f8"), self._shape, f"map {self._name!r} (rows, columns)")
        self._write([image[np.newaxis], np.array([time], dtype="f8")])


class LogStream(RowStream):
    """The log: long messages go into as many rows as they need."""

    def __init__(self, group: h5py.Group) -> None:
        super().__init__(group, ["time", "level", "message"])

    def append(self, time: float, level: str, message: str) -> None:
        """Append `message` of `level`, logged at `time` (s)."""
        pieces = split(message, MESSAGE_BYTES)
        levels = np.full(len(pieces), cut(level, LEVEL_BYTES), dtype=f"S{LEVEL_BYTES}")
        messages = np.array(pieces, dtype=f"S{MESSAGE_BYTES}")
        self._write([np.full(len(pieces), time), levels, messages])


def create_run_file(path: Path, header: RunHeader, layout: Layout) -> h5py.File:
    """Create the run file at `path`, with its missing folders, and return it open for SWMR writing.

    `RunFileError` where the path exists, cannot be written, or header or layout do not fit a run file.
    """
    check_layout(layout)
    if trouble := platforms.here.path_trouble(path):
        raise RunFileError(f"run file {path} cannot be created: {trouble}; choose another output")
    # Where no open file is renamed, the file has its name from the start.
    draft = (
        path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        if platforms.here.renames_open_files
        else path
    )
    try:
        if path.exists():
            raise _in_the_way(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_space(path)
        # HDF5 does not survive a write that fails while it lays out a file: it does so in memory.
        beginning = _laid_out(header, layout)
        with ExitStack() as undo:
            new = _created(draft, path)
            undo.callback(draft.unlink, missing_ok=True)
            with new:
                new.write(beginning)
            # Without a cache of chunks, rows are in the file before the metadata that tell of them, and a write
            # that fails does so at once: what a reader sees has been written, whatever happens next.
            file = h5py.File(draft, "r+", libver=FORMAT, locking="best-effort", rdcc_nbytes=0)
            undo.callback(file.close)
            # Before the name, not after: SWMR gives up the lock with which a reader could get in the way.
            file.swmr_mode = True
            if draft != path:
                _publish(draft, path)
            undo.pop_all()
    except OSError as error:
        raise RunFileError(
            f"run file {path} cannot be created: {plain_words(error)}; choose another output"
        ) from error
    return file


def _created(draft: Path, path: Path) -> BinaryIO:
    try:
        return draft.open("xb")
    except FileExistsError:  # another's: it is neither replaced nor removed
        raise _in_the_way(path) from None


def _laid_out(header: RunHeader, layout: Layout) -> bytes:
    # HDF5 knows open files by their names, those in memory too: each has one of its own
    name = f"run {secrets.token_hex(8)}"
    with h5py.File(name, "w", driver="core", backing_store=False, libver=FORMAT, rdcc_nbytes=0) as file:
        lay_out(file, header, layout, Writer.this_process(), datetime.now().astimezone())
        file.flush()
        return bytes(file.id.get_file_image())


def _check_space(path: Path) -> None:
    """Refuse to start when the disk is so full that the run would stop at once."""
    free = shutil.disk_usage(path.parent).free
    if free < live_file.RESERVE:
        raise RunFileError(
            f"run file {path} cannot be created: its disk has {free / 1e6:.0f} MB left and a run needs "
            f"{live_file.RESERVE / 1e6:.0f} MB; free the disk or choose another output"
        )


def _publish(draft: Path, path: Path) -> None:
    """Rename the laid-out file to its name; a file that was created under this name meanwhile is not replaced."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise _in_the_way(path) from None
    except OSError:
        # No hard links on this file system: rename, which would replace a file of that name.
        if path.exists():
            raise _in_the_way(path) from None
        platforms.here.replace(draft, path)
    else:
        draft.unlink()


def _in_the_way(path: Path) -> RunFileError:
    return RunFileError(f"run file {path} exists already and is never overwritten; choose another output")


class RunWriter:
    """One run's file, open for writing; use `create`, and as a context manager.

    Leaving the block closes the file with the status that fits: finished; aborted after `Aborted`,
    ``KeyboardInterrupt`` or ``SystemExit``; failed, with the exception's type and text, after any other.

    Every method may be called from any thread.

    Raises
    ------
    RunFileError
        By a method that gets a table, column, map, array or instrument that was not declared, a value of another shape or
        kind, or what has no JSON form or is too long. What cannot be written (a full disk) raises it in the call that
        notices, or in the next one when the flushing thread noticed, and in every call after it.
    """

    def __init__(self, path: Path, file: h5py.File, layout: Layout) -> None:
        entry = file["entry"]
        self._entry = entry
        self._tables = {table.name: TableStream(entry[table.name], table) for table in layout.tables}
        self._maps = {image.name: MapStream(entry["maps"][image.name], image) for image in layout.maps}
        self._arrays = {array.name: entry["arrays"][array.name]["value"] for array in layout.arrays}
        self._settings = {
            name: item["settings_after"]
            for name, item in items_of(entry["bench"])
            if isinstance(item, h5py.Group)
        }
        self._log = LogStream(entry["log"])
        self._filled: set[str] = set()  # arrays
        self._formed: str | None = None  # as the file has it, if known
        self._warnings: list[str] = []  # different ones
        self._further = 0  # how many came after MOST_WARNINGS of them
        self._live = LiveFile(path, file, self._drain, self._note, self._digests)
        self._lock = self._live.lock
        self._writing = self._live.writing

    @classmethod
    def create(cls, path: str | os.PathLike[str], header: RunHeader, layout: Layout) -> RunWriter:
        """Create the run file and start writing it.

        Parameters
        ----------
        path : path
            Where; missing folders are created.
        header : RunHeader
            Facts that are known before the run.
        layout : Layout
            Every table, map and array the run may write.

        Raises
        ------
        RunFileError
            The path exists, cannot be written, or header or layout do not fit a run file.
        """
        path = Path(path)
        writer = cls(path, create_run_file(path, header, layout), layout)
        writer._formed = header.formed
        writer._live.start()
        return writer

    @classmethod
    def create_new(
        cls, procedure: str, output: str | os.PathLike[str] | None, header: RunHeader, layout: Layout
    ) -> RunWriter:
        """Create the run file of a run of `procedure` and start writing it; `output` as for `mho.runs.new_run_path`.

        A generated name that another run, of whatever thread or process, takes meanwhile is left to it: the next one is
        tried. A name that was given is not.

        `RunFileError` as `create`, and as `new_run_path`.
        """
        for _ in range(MOST_RACES):
            path = new_run_path(procedure, output)
            try:
                return cls.create(path, header, layout)
            except RunFileError:
                if not path.exists():
                    raise  # else another run began in this second, and took the name
        raise RunFileError(
            f"no run file could be created in {path.parent}: each of {MOST_RACES} names was taken by another run; "
            "choose another output"
        )

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._live.path

    def emit(self, table: str, /, **values: ArrayLike) -> None:
        """Append one row to `table`: a value for every column, in the column's unit."""
        with self._lock:
            if self._live.refusal:
                raise self._live.refused()
            stream = self._tables.get(table) or self._declared("table", table, self._tables)
            if stream.append(values):
                with self._writing():
                    stream.drain()

    def emit_block(self, table: str, columns: Mapping[str, ArrayLike]) -> None:
        """Append many rows to `table`: for every column an array (rows, *column shape), all of one length."""
        with self._writing(sum(getattr(values, "nbytes", 0) for values in columns.values())):
            self._declared("table", table, self._tables).extend(columns)

    def snapshot(self, map: str, values: ArrayLike, time: float | None = None) -> None:
        """Append an image (rows, columns) to `map`.

        Parameters
        ----------
        time : float, optional
            When it was taken, s; the time since the run started if not given.
        """
        with self._writing():
            now = self._live.elapsed() if time is None else time
            self._declared("map", map, self._maps).append(values, now)

    def set_array(self, name: str, values: ArrayLike) -> None:
        """Fill a declared array in place; `values` has its shape."""
        with self._writing():
            dataset = self._declared("array", name, self._arrays)
            dataset[...] = fit(values, dataset.dtype, dataset.shape, f"array {name!r}")
            self._filled.add(name)

    def log(self, level: str, message: str) -> None:
        """Append `message` to the run's log, with the time; a long one takes several entries.

        One of the level ``WARNING`` is among the warnings of the run's conclusion, too.
        """
        with self._writing():
            self._log.append(self._live.elapsed(), level, message)
            if level == "WARNING":
                self._warn(message)

    def set_settings(self, instrument: str, settings: Mapping[str, str]) -> None:
        """Store an instrument's settings after the run (at most 64 KiB as JSON)."""
        with self._writing():
            target = self._declared("instrument", instrument, self._settings)
            write_json(target, settings, f"settings of {instrument!r}")

    def set_formed(self, formed: str) -> None:
        """Store which of the chip's cells are formed, as text that fits the room that the header asked for."""
        if formed == self._formed:  # packing the room for all cells again takes long
            return
        with self._writing():
            self._formed = None
            write_text(self._entry["chip"][FORMED], formed)
            self._formed = formed

    def set_result(self, values: Mapping[str, Any], units: Mapping[str, str] | None = None) -> None:
        """Store the run's result in a few numbers and words (at most 64 KiB as JSON), replacing any before.

        Parameters
        ----------
        values : mapping
            Numbers, text, lists and mappings of them.
        units : mapping, optional
            SI units, by name; of what lies in a mapping by ``NAME.KEY``.
        """
        with self._writing():
            write_json(self._entry["result/values"], values, "the result")
            write_json(self._entry["result/units"], units or {}, "the units of the result")

    def lengths(self) -> dict[str, int]:
        """Return the rows of every table, the images of every map (``maps/NAME``), and 1 for a filled array."""
        with self._lock:
            rows = {name: stream.length + stream.staged for name, stream in self._tables.items()}
            images = {f"maps/{name}": stream.length for name, stream in self._maps.items()}
            return rows | images | {f"arrays/{name}": int(name in self._filled) for name in self._arrays}

    def conclude(self, conclusion: Conclusion) -> Conclusion:
        """Store what the run concludes, replacing any before; return it with the warnings that were logged."""
        with self._writing():
            for warning in conclusion.warnings:
                self._warn(warning)
            warnings = [
                *self._warnings,
                *[f"{self._further} more warnings are in the log"] * bool(self._further),
            ]
            group = self._entry["conclusion"]
            write_text(group["line"], conclusion.line)
            write_text(group["unsafe"], conclusion.unsafe)
            group["measured"][()] = int(conclusion.measured)
            if self._further:
                write_json(group["warnings"], warnings, "the warnings")
            return replace(conclusion, warnings=tuple(warnings))

    def pause(self, paused: bool) -> None:
        """Record in the file that the run is paused or resumed."""
        with self._writing():
            write_text(self._entry["status"], Status.PAUSED if paused else Status.RUNNING)

    def flush(self) -> None:
        """Make everything so far visible to readers now; the writer does this automatically every 50 ms."""
        with self._writing():
            self._live.flush()

    def finish(self, status: Status, reason: str = "") -> None:
        """Write everything, the end time, `status` and `reason`, and close the file; the first call counts.

        Raises
        ------
        RunFileError
            The data could not all be written; the file then says failed, if it can still be written at all.
        """
        if status in GOING_ON:
            raise ValueError(f"a run cannot finish as {status}")
        self._live.finish(status, reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        if error is None:
            self.finish(Status.FINISHED)
            return False
        stopped = isinstance(error, Aborted | KeyboardInterrupt | SystemExit)
        # The error that ended the run matters more than a failed closing of its file.
        try:
            self.finish(
                Status.ABORTED if stopped else Status.FAILED,
                f"{type(error).__name__}: {error}".removesuffix(": "),
            )
        except RunFileError as trouble:
            if str(trouble) != str(error):
                error.add_note(str(trouble))
        return False

    def _drain(self) -> bool:
        return sum(stream.drain() for stream in self._tables.values()) > 0

    def _note(self, level: str, message: str) -> None:
        self._log.append(self._live.elapsed(), level, message)
        if level == "WARNING":
            self._warn(message)

    def _warn(self, message: str) -> None:
        """Keep a warning for the conclusion, at once: the process may be killed before the run ends."""
        warning = decode(cut(" ".join(message.split()), WARNING_BYTES))
        if warning in self._warnings:
            return
        if len(self._warnings) == MOST_WARNINGS:
            self._further += 1
            return
        self._warnings.append(warning)
        write_json(self._entry["conclusion/warnings"], self._warnings, "the warnings")

    def _digests(self) -> dict[str, bytes]:
        streams: list[RowStream] = [*self._tables.values(), *self._maps.values(), self._log]
        return {dataset.name: dataset.digest() for stream in streams for dataset in stream.datasets}

    def _declared(self, what: str, name: str, declared: Mapping[str, Item]) -> Item:
        if name not in declared:
            raise RunFileError(
                f"{what} {name!r} is not declared in this run; declared: {', '.join(declared) or 'none'}"
            )
        return declared[name]
