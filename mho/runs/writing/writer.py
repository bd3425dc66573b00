"""Writes one run file during the run: readers follow it live, and a crash loses a second at most.

A second thread flushes pending data and checks the file, see `mho.runs.writing.flushing`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import h5py
from numpy.typing import ArrayLike

from mho.errors import Aborted, RunFileError
from mho.runs.conclusion import MOST_WARNINGS, WARNING_BYTES, Conclusion
from mho.runs.reading.opening import items_of
from mho.runs.reading.text import cut, decode, write_json, write_text
from mho.runs.schema import GOING_ON, Layout, RunHeader, Status
from mho.runs.writing.conversion import fit
from mho.runs.writing.creation import create_run_file
from mho.runs.writing.live_file import LiveFile
from mho.runs.writing.streams import LogStream, MapStream, RowStream, TableStream
from mho.runs.writing.structure import FORMED


class RunWriter:
    """One run's file, open for writing; use `create`, and as a context manager.

    Leaving the block closes the file with the status that fits: finished; aborted after `Aborted`,
    ``KeyboardInterrupt`` or ``SystemExit``; failed, with the exception's type and text, after any other.

    Every method may be called from any thread. What cannot be written (a full disk) raises `RunFileError` in
    the call that notices, or in the next one when the flushing thread noticed, and in every call after it.
    """

    def __init__(self, path: Path, file: h5py.File, layout: Layout) -> None:
        entry = file["entry"]
        self._entry = entry
        self._tables = {table.name: TableStream(entry[table.name], table) for table in layout.tables}
        self._maps = {image.name: MapStream(entry["maps"][image.name], image) for image in layout.maps}
        self._arrays = {array.name: entry["arrays"][array.name]["value"] for array in layout.arrays}
        self._log = LogStream(entry["log"])
        self._filled: set[str] = set()  # arrays
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
        writer._live.start()
        return writer

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._live.path

    def emit(self, table: str, /, **values: ArrayLike) -> None:
        """Append one row to `table`: a value for every column, in the column's unit.

        Raises
        ------
        RunFileError
            Unknown table, missing or unknown column, a value of another shape or kind than declared.
        """
        with self._lock:
            if self._live.refusal:
                raise self._live.refused()
            try:
                stream = self._tables[table]
            except KeyError:
                raise self._undeclared("table", table, self._tables) from None
            if stream.append(values):
                with self._writing():
                    stream.drain()

    def emit_block(self, table: str, columns: Mapping[str, ArrayLike]) -> None:
        """Append many rows to `table`: for every column an array (rows, *column shape), all of one length.

        Raises
        ------
        RunFileError
            As `emit`.
        """
        with self._writing(sum(getattr(values, "nbytes", 0) for values in columns.values())):
            if table not in self._tables:
                raise self._undeclared("table", table, self._tables)
            self._tables[table].extend(columns)

    def snapshot(self, map: str, values: ArrayLike, time: float | None = None) -> None:
        """Append an image (rows, columns) to `map`.

        Parameters
        ----------
        time : float, optional
            When it was taken, s; the time since the run started if not given.

        Raises
        ------
        RunFileError
            Unknown map, or an image of another shape than declared.
        """
        with self._writing():
            if map not in self._maps:
                raise self._undeclared("map", map, self._maps)
            self._maps[map].append(values, self._live.elapsed() if time is None else time)

    def set_array(self, name: str, values: ArrayLike) -> None:
        """Fill a declared array in place; `values` has its shape.

        Raises
        ------
        RunFileError
            Unknown array, or values of another shape or kind than declared.
        """
        with self._writing():
            if name not in self._arrays:
                raise self._undeclared("array", name, self._arrays)
            dataset = self._arrays[name]
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
        """Store an instrument's settings after the run (at most 64 KiB as JSON).

        Raises
        ------
        RunFileError
            An instrument that the header does not list, or settings too long.
        """
        with self._writing():
            known = [name for name, item in items_of(self._entry["bench"]) if isinstance(item, h5py.Group)]
            if instrument not in known:
                raise self._undeclared("instrument", instrument, known)
            target = self._entry["bench"][instrument]["settings_after"]
            write_json(target, settings, f"settings of {instrument!r}")

    def set_formed(self, formed: str) -> None:
        """Store which of the chip's cells are formed, as text that fits the room that the header asked for."""
        with self._writing():
            write_text(self._entry["chip"][FORMED], formed)

    def set_result(self, values: Mapping[str, Any], units: Mapping[str, str] | None = None) -> None:
        """Store the run's result in a few numbers and words (at most 64 KiB as JSON), replacing any before.

        Parameters
        ----------
        values : mapping
            Numbers, text, lists and mappings of them.
        units : mapping, optional
            SI units, by name; of what lies in a mapping by ``NAME.KEY``.

        Raises
        ------
        RunFileError
            The result has no JSON form or is too long.
        """
        with self._writing():
            write_json(self._entry["result/values"], values, "the result")
            write_json(self._entry["result/units"], units or {}, "the units of the result")

    def lengths(self) -> dict[str, int]:
        """Return the rows of every table, the images of every map (``maps/NAME``), and 1 for a filled array."""
        with self._lock:
            rows = {name: stream.length for name, stream in self._tables.items()}
            images = {f"maps/{name}": stream.length for name, stream in self._maps.items()}
            return rows | images | {f"arrays/{name}": int(name in self._filled) for name in self._arrays}

    def conclude(self, conclusion: Conclusion) -> Conclusion:
        """Store what the run concludes, replacing any before; return it with the warnings that were logged.

        Raises
        ------
        RunFileError
            It cannot be written any more.
        """
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

    def _note(self, message: str) -> None:
        self._log.append(self._live.elapsed(), "WARNING", message)
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

    def _undeclared(self, what: str, name: str, declared: Mapping[str, object] | list[str]) -> RunFileError:
        return RunFileError(
            f"{what} {name!r} is not declared in this run; declared: {', '.join(declared) or 'none'}"
        )
