"""Writes one run file while the run happens: readers follow it live, and a crash costs a second at most.

A thread of its own writes out what is
pending and beats the heartbeat, however silent the procedure is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import h5py
import numpy as np
from numpy.typing import ArrayLike

from mho_errors import Aborted, RunFileError
from runs.creation import create_run_file
from runs.liveness import HEARTBEAT_PERIOD
from runs.outcome import Outcome, plain_words
from runs.schema import Layout, RunHeader, Status
from runs.streams import LogStream, MapStream, TableStream, fit
from runs.text import write_json

FLUSH_PERIOD = 0.05
"""How often what is pending goes to the file, s."""

RESERVE = 32_000_000
"""Room on the disk below which a run stops, bytes."""


class RunWriter:
    """One run's file, open for writing; use `create`, and as a context manager.

    Leaving the block closes the file with the status that fits: finished; aborted after `Aborted`,
    ``KeyboardInterrupt`` or ``SystemExit``; failed, with the exception's type and text, after any other.

    Every method may be called from any thread. What cannot be written (a full disk) raises `RunFileError` in
    the call that notices, or in the next one when the flushing thread noticed, and in every call after it.
    """

    def __init__(self, path: Path, file: h5py.File, layout: Layout) -> None:
        self._path = path
        self._file = file
        entry = file["entry"]
        self._entry = entry
        self._tables = {table.name: TableStream(entry[table.name], table) for table in layout.tables}
        self._maps = {image.name: MapStream(entry["maps"][image.name], image) for image in layout.maps}
        self._arrays = {array.name: entry["arrays"][array.name] for array in layout.arrays}
        self._log = LogStream(entry["log"])
        self._outcome = Outcome(path, entry)
        self._began = time.monotonic()
        self._dirty = False
        self._refusal = ""  # why nothing can be written any more, once that is so
        self._wreck: BaseException | None = None  # what HDF5 could not do
        # Re-entrant: a signal handler may log while its own thread is inside a call.
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._flusher = threading.Thread(target=self._flush_steadily, name=f"flush {path.name}", daemon=True)

    @classmethod
    def create(cls, path: str | os.PathLike[str], header: RunHeader, layout: Layout) -> RunWriter:
        """Create the run file and start writing it.

        Parameters
        ----------
        path : path
            Where; missing folders are created.
        header : RunHeader
            What is known before the run.
        layout : Layout
            Every table, map and array the run may write.

        Raises
        ------
        RunFileError
            The path exists, cannot be written, or header or layout do not fit a run file.
        """
        path = Path(path)
        writer = cls(path, create_run_file(path, header, layout), layout)
        writer._flusher.start()
        return writer

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    def emit(self, table: str, /, **values: ArrayLike) -> None:
        """Append one row to `table`: a value for every column, in the column's unit.

        Raises
        ------
        RunFileError
            Unknown table, missing or unknown column, a value of another shape or kind than declared.
        """
        with self._lock:
            if self._refusal:
                raise self._refused()
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
            self._maps[map].append(values, self._elapsed() if time is None else time)

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

    def log(self, level: str, message: str) -> None:
        """Append `message` to the run's log, with the time; a long one takes several entries."""
        with self._writing():
            self._log.append(self._elapsed(), level, message)

    def set_settings(self, instrument: str, settings: Mapping[str, str]) -> None:
        """Store an instrument's settings after the run (at most 64 KiB as JSON).

        Raises
        ------
        RunFileError
            An instrument that the header does not list, or settings too long.
        """
        with self._writing():
            known = [name for name, item in self._entry["bench"].items() if isinstance(item, h5py.Group)]
            if instrument not in known:
                raise self._undeclared("instrument", instrument, known)
            target = self._entry["bench"][instrument]["settings_after"]
            write_json(target, settings, f"settings of {instrument!r}")

    def set_summary(self, summary: Mapping[str, Any]) -> None:
        """Store the run's result in a few numbers and words (at most 64 KiB as JSON), replacing any before.

        Raises
        ------
        RunFileError
            The summary has no JSON form or is too long.
        """
        with self._writing():
            write_json(self._entry["summary"], summary, "the summary")

    def flush(self) -> None:
        """Make everything so far visible to readers now; the writer does so by itself every 50 ms."""
        with self._writing():
            self._flush()

    def finish(self, status: Status, reason: str = "") -> None:
        """Write everything, the end time, `status` and `reason`, and close the file; the first call counts.

        Raises
        ------
        RunFileError
            The data could not all be written; the file then says failed, if it can still be written at all.
        """
        if status in (Status.RUNNING, Status.INTERRUPTED):
            raise ValueError(f"a run cannot finish as {status}")
        with self._lock:
            if self._stop.is_set():
                return
            # The flusher looks at this under the lock, so it need not be waited for.
            self._stop.set()
            if self._refusal and status is not Status.FAILED:
                status, reason = Status.FAILED, self._refusal
            if self._wreck is None:
                try:
                    self._drain()
                    self._outcome.write(status, reason)
                    self._file.close()
                except (OSError, RuntimeError) as error:
                    self._give_up(error)
            if self._wreck is not None:
                self._outcome.inscribe(Status.FAILED, reason or self._refusal)
            if self._refusal:
                raise self._refused()
            self._refusal = f"run file {self._path} is closed: nothing can be written after the run"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        if error is None:
            self.finish(Status.FINISHED)
            return False
        stopped = isinstance(error, Aborted | KeyboardInterrupt | SystemExit)
        # What ended the run matters more than that its file could not be closed well.
        try:
            self.finish(
                Status.ABORTED if stopped else Status.FAILED,
                f"{type(error).__name__}: {error}".removesuffix(": "),
            )
        except RunFileError as trouble:
            if str(trouble) != str(error):
                error.add_note(str(trouble))
        return False

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    @contextlib.contextmanager
    def _writing(self, size: int = 0) -> Iterator[None]:
        """Hold the lock and see to room for `size` bytes; turn what HDF5 raises into the end of the run."""
        with self._lock:
            try:
                if not self._refusal:
                    self._see_to_room(size)
                if self._refusal:
                    raise self._refused()
                self._dirty = True
                yield
            except (OSError, RuntimeError) as error:
                self._give_up(error)
                raise self._refused() from error

    def _drain(self) -> None:
        for stream in self._tables.values():
            self._dirty |= stream.drain()

    def _flush(self) -> None:
        self._drain()
        if self._dirty:
            h5py.h5f.flush(self._file.id)
            self._dirty = False

    def _flush_steadily(self) -> None:
        """Flush and beat until told to stop; what goes wrong is kept for the next call to raise."""
        beat = time.monotonic()
        while not self._stop.wait(FLUSH_PERIOD):
            with self._lock:
                if self._refusal or self._stop.is_set():
                    return
                try:
                    if time.monotonic() - beat >= HEARTBEAT_PERIOD:
                        beat = time.monotonic()
                        self._entry["heartbeat"][()] = np.float64(time.time())
                        self._dirty = True
                        self._see_to_room()
                    self._flush()
                except Exception as error:
                    self._give_up(error)

    def _see_to_room(self, size: int = 0) -> None:
        """Stop while there is still room to close the file well: HDF5 does not survive a full disk."""
        free = shutil.disk_usage(self._path.parent).free
        if free < size + RESERVE:
            self._refusal = (
                f"run file {self._path} cannot grow: its disk has {free / 1e6:.0f} MB left; all before is "
                "kept, free the disk or choose another place with --output, and run again"
            )

    def _give_up(self, error: BaseException) -> None:
        """Leave the file as it is: what HDF5 could not write it cannot close either."""
        if self._wreck is not None:
            return
        self._wreck = error
        self._refusal = (
            f"run file {self._path} cannot be written any more ({plain_words(error)}); what was flushed "
            "is kept, see to the disk or choose another place with --output, and run again"
        )
        # Even dropping the last reference makes HDF5 try, and crash the interpreter. A thread that never ends
        # keeps this writer, so that nothing of it is closed before the process is gone.
        self._freeze()
        threading.Thread(target=self._keep, name=f"keep {self._path.name}", daemon=True).start()

    def _freeze(self) -> None:
        """Leave HDF5 a read-only descriptor: at the end of the process it would write on regardless."""
        # Where that does not go (another system, a file half closed), the file is only left less tidy.
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            if os.name == "posix":
                descriptor = self._file.id.get_vfd_handle()
                frozen = os.open(self._path, os.O_RDONLY)
                os.dup2(frozen, descriptor, inheritable=False)
                os.close(frozen)

    def _keep(self) -> None:
        threading.Event().wait()

    def _refused(self) -> RunFileError:
        refused = RunFileError(self._refusal)
        refused.__cause__ = self._wreck
        return refused

    def _undeclared(self, what: str, name: str, declared: Mapping[str, object] | list[str]) -> RunFileError:
        return RunFileError(
            f"{what} {name!r} is not declared in this run; declared: {', '.join(declared) or 'none'}"
        )
