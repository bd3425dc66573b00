"""A run file open for writing: shared by threads, flushed regularly, ended with its outcome, or abandoned.

A second descriptor keeps the file reachable: one whose folder is removed during a run gets a name again after it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import h5py
import numpy as np

from mho import platforms
from mho.errors import RunFileError
from mho.runs.conclusion import Status
from mho.runs.integrity.seal import write_seal
from mho.runs.liveness import HEARTBEAT_PERIOD
from mho.runs.reading.opening import DAMAGE
from mho.runs.reading.text import cut, write_text
from mho.runs.writing.repacking import repack


def abandon(file: h5py.File, path: Path, holder: object) -> None:
    """Stop all writing to `file`, and keep it open until the process ends.

    `holder`: what refers to the file and its datasets: even dropping the last reference makes HDF5 write.
    """
    _freeze(file, path)
    # A thread that never ends keeps the holder.
    threading.Thread(target=_keep, args=(file, holder), name=f"keep {path.name}", daemon=True).start()


def _freeze(file: h5py.File, path: Path) -> None:
    """Replace HDF5's descriptor by a read-only one: otherwise HDF5 would still write at the end of the process."""
    # Where this is not possible (another system, a partly closed file), the file is only less tidy.
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        platforms.here.freeze(file.id.get_vfd_handle(), path)


def _keep(*kept: object) -> None:
    threading.Event().wait()


class RunOutcome:
    """The datasets status, reason and end_time of one file."""

    def __init__(self, path: Path, entry: h5py.Group) -> None:
        self._path = path
        self._start = datetime.fromisoformat(bytes(entry["start_time"][()]).decode())
        self._datasets = {name: entry[name] for name in ("reason", "end_time", "status")}
        # They have fixed sizes and places in the file; asked now, while HDF5 answers.
        self._places = {name: (d.id.get_offset(), d.dtype.itemsize) for name, d in self._datasets.items()}

    def write(self, status: Status, reason: str, elapsed: float, known: Mapping[str, bytes]) -> None:
        """Write the outcome and seal the file. `status` comes last: a reader that sees it takes the rest as final.

        `elapsed`: how long the run lasted, s; the end follows from it, as the clock on the wall may have been
            set.
        `known`: digests of datasets, as `mho.runs.integrity.seal.write_seal` takes them.
        """
        texts = self._texts(status, reason, elapsed)
        for name in ("reason", "end_time"):
            write_text(self._datasets[name], texts[name])
        last = self._datasets["status"]
        write_seal(last.file, {**known, last.name: hashlib.sha256(status.encode()).digest()})
        h5py.h5f.flush(last.file.id)
        write_text(last, status)

    def inscribe(self, status: Status, reason: str, elapsed: float) -> None:
        """Overwrite the outcome in place in the file, without HDF5; takes no new room on the disk."""
        # Should even this fail, the file reads as interrupted, which is true.
        with contextlib.suppress(OSError), self._path.open("r+b", buffering=0) as file:
            for name, text in self._texts(status, reason, elapsed).items():
                offset, size = self._places[name]
                file.seek(offset)
                file.write(cut(text, size).ljust(size, b"\0"))

    def _texts(self, status: Status, reason: str, elapsed: float) -> dict[str, str]:
        end = self._start + timedelta(seconds=elapsed)
        return {"reason": reason, "end_time": end.isoformat(timespec="milliseconds"), "status": status}


def plain_words(error: BaseException) -> str:
    """Extract the system's own message from one of HDF5's long ones."""
    text = str(error)
    match = re.search(r"error message = '([^']*)'", text)
    if not match and isinstance(error, OSError) and error.strerror:
        text = error.strerror
    return match[1] if match else (text.splitlines() or [type(error).__name__])[0]


class FileLocation:
    """Watches one file, from its creation until `close`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY) if platforms.here.renames_open_files else None

    def room(self) -> int:
        """Return how many bytes are free on the file's disk."""
        return shutil.disk_usage(self._path.parent if self._descriptor is None else self._descriptor).free

    def is_gone(self) -> bool:
        """Return whether the file has lost its name: another has taken it, or none has it."""
        if self._descriptor is None:
            return False
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except OSError:
            return True

    def put_back(self) -> Path | None:
        """Restore the name of the file, closed by its writer, if it has none; return the new name, or None if not needed.

        It gets its own name, or the same in the folder for temporary files when that fails.

        `RunFileError` when neither is possible.
        """
        if self._descriptor is None or os.fstat(self._descriptor).st_nlink > 0:
            return None
        troubles = []
        for place in (self._path, Path(tempfile.gettempdir()) / self._path.name):
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                with open(self._descriptor, "rb", closefd=False) as source, place.open("xb") as target:
                    source.seek(0)
                    shutil.copyfileobj(source, target, 1 << 20)
                return place
            except OSError as error:
                troubles.append(f"{place}: {error.strerror}")
        raise RunFileError(
            f"run file {self._path} was removed while it was written, and cannot be put back: {'; '.join(troubles)}"
        )

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


TOLERANCE = 2.0  # s that the clock may be set by: small corrections of a time service
FLUSH_PERIOD = 0.05  # interval at which pending data are written to the file, s
RESERVE = 32_000_000  # room on the disk below which a run stops, bytes
log = logging.getLogger(__name__)


class Look:
    """What the clocks showed at one time, s."""

    def __init__(self) -> None:
        self.wall, self.monotonic = time.time(), time.monotonic()
        self.going, standing = platforms.here.clocks()  # while the computer sleeps
        self.slept = self.going - standing  # since some time before


def _length(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class LiveFile:
    """The open HDF5 file of a `mho.runs.writing.writer.RunWriter`, which handles the contents.

    `note`: adds a level and a message to the run's log.
    `drain`: writes what is staged in memory; returns whether there was anything.
    `digests`: returns the digests of what was hashed while it was written, see
        `mho.runs.integrity.seal.write_seal`.
    """

    def __init__(
        self,
        path: Path,
        file: h5py.File,
        drain: Callable[[], bool],
        note: Callable[[str, str], None],
        digests: Callable[[], Mapping[str, bytes]],
    ) -> None:
        self.path = path
        self.refusal = ""  # reason why nothing can be written any more, if so
        # Re-entrant: a signal handler may log while its own thread is inside a call.
        self.lock = threading.RLock()
        self._file = file
        self._entry = file["entry"]
        self._drain, self._note, self._digests = drain, note, digests
        self._outcome = RunOutcome(path, self._entry)
        self._location = FileLocation(path)
        self._thread = threading.Thread(target=self._keep_up, name=f"flush {path.name}", daemon=True)
        self._stop = threading.Event()
        self._began = time.monotonic()
        self._looked = Look()
        self._clock = self._looked.wall - self._looked.going  # what the clock on the wall is ahead
        self._gone = False  # whether it was said that the file has lost its name
        self._dirty = False
        self._over = False
        self._failure: BaseException | None = None  # the failed operation of HDF5

    def start(self) -> None:
        """Start the thread that flushes, writes the heartbeat and checks the disk."""
        self._thread.start()

    def elapsed(self) -> float:
        """Return how long the run has lasted, s."""
        return time.monotonic() - self._began

    @contextlib.contextmanager
    def writing(self, size: int = 0) -> Iterator[None]:
        """Hold the lock and check the free space for `size` bytes; an error of HDF5 ends the run."""
        with self.lock:
            try:
                if not self.refusal:
                    self._check_space(size)
                if self.refusal:
                    raise self.refused()
                self._dirty = True
                yield
            except (OSError, RuntimeError) as error:
                self._give_up(error)
                raise self.refused() from error

    def flush(self) -> None:
        """Pass everything so far to the operating system; the caller holds the lock."""
        self._dirty |= self._drain()
        if self._dirty:
            h5py.h5f.flush(self._file.id)
            self._dirty = False

    def finish(self, status: Status, reason: str) -> None:
        """Write everything and the outcome, close and repack; only the first call counts.

        `RunFileError` where the data could not all be written; the file then says failed, if it can still be
        written at all.
        """
        with self.lock:
            if self._over:
                return
            # The thread checks this under the lock, so there is no need to wait for it.
            self._over = True
            self._stop.set()
            if self.refusal and status is not Status.FAILED:
                status, reason = Status.FAILED, self.refusal
            if self._failure is None:
                try:
                    self._drain()
                    self._outcome.write(status, reason, self.elapsed(), self._digests())
                    self._file.close()
                except (OSError, RuntimeError) as error:
                    self._give_up(error)
                else:  # no circle with writer or thread: their buffers, megabytes, would wait for a full collection
                    del self._drain, self._note, self._digests, self._thread
            if self._failure is not None:
                self._outcome.inscribe(Status.FAILED, reason or self.refusal, self.elapsed())
            in_place = not self._location.is_gone()
            self._leave()
            if self.refusal:
                raise self.refused()
            if in_place:
                self._repack()
            self.refusal = f"run file {self.path} is closed: nothing can be written after the run"

    def refused(self) -> RunFileError:
        """Return the error that says why nothing can be written any more."""
        refused = RunFileError(self.refusal)
        refused.__cause__ = self._failure
        return refused

    def _keep_up(self) -> None:
        """Keep the file up to date, also while the procedure writes nothing; and the computer awake."""
        last, lasts = time.monotonic(), False
        with contextlib.ExitStack() as awake:
            while not self._stop.wait(FLUSH_PERIOD):
                if time.monotonic() - last >= HEARTBEAT_PERIOD:
                    last = time.monotonic()
                    self._beat(self._look_around())
                    if not lasts:  # a short run does not ask
                        lasts = True
                        asked = platforms.here.kept_awake(f"a run is measured: {self.path.name}")
                        self._say_refusal(awake.enter_context(asked))
                if not self._flush_pending():
                    return

    def _look_around(self) -> str:
        return "; ".join(filter(None, (self._slept(), self._clock_set(), self._lost_name())))

    def _slept(self) -> str:
        before, self._looked = self._looked, Look()
        slept = self._looked.slept - before.slept
        if slept <= TOLERANCE:
            return ""
        since = datetime.fromtimestamp(before.wall)
        counted = self._looked.monotonic - before.monotonic > slept
        return (
            f"the computer slept for {_length(slept)} from {since:%H:%M}: nothing was measured meanwhile; delays and "
            "retention times across it lasted longer than asked for, and the times in this file "
            f"{'count it' if counted else 'leave it out'}"
        )

    def _clock_set(self) -> str:
        clock = self._looked.wall - self._looked.going
        jump, self._clock = clock - self._clock, clock
        if abs(jump) <= TOLERANCE:
            return ""
        return (
            f"the computer's clock was set {'forward' if jump > 0 else 'back'} by {abs(jump):.0f} s; "
            "the times in this file count from the start of the run and do not follow"
        )

    def _lost_name(self) -> str:
        if self._gone or not self._location.is_gone():
            return ""
        self._gone = True
        return (
            f"run file {self.path} was removed or renamed while it is written; nothing is lost: "
            "the run goes on, and a removed file is put back at its end"
        )

    def _say_refusal(self, refusal: str) -> None:
        """Keep in the run's log that the computer may fall asleep."""
        if refusal:
            with contextlib.suppress(RunFileError), self.writing():
                self._note("INFO", f"the computer may fall asleep meanwhile: {refusal}")

    def _flush_pending(self) -> bool:
        """Flush; store an error for the next call to raise. Return whether the run continues."""
        with self.lock:
            if self.refusal or self._over:
                return False
            try:
                self.flush()
            except Exception as error:
                self._give_up(error)
            return not self.refusal

    def _beat(self, note: str) -> None:
        """Write the heartbeat, and log `note` if there is one."""
        with self.lock:
            if self.refusal or self._over:
                return
            try:
                self._entry["heartbeat"][()] = np.float64(time.time())
                self._dirty = True
                if note:
                    log.warning("%s", note)
                    self._note("WARNING", note)
                self._check_space()
            except Exception as error:
                self._give_up(error)

    def _check_space(self, size: int = 0) -> None:
        """Stop while there is still room to close the file well: HDF5 does not survive a full disk."""
        free = self._location.room()
        if free < size + RESERVE:
            self.refusal = (
                f"run file {self.path} cannot grow: its disk has {free / 1e6:.0f} MB left; all before is "
                "kept, free the disk or choose another output, and run again"
            )

    def _give_up(self, error: BaseException) -> None:
        """Abandon the file: what HDF5 could not write it cannot close either."""
        if self._failure is not None:
            return
        self._failure = error
        self.refusal = (
            f"run file {self.path} cannot be written any more ({plain_words(error)}); what was flushed "
            "is kept, see to the disk or choose another output, and run again"
        )
        abandon(self._file, self.path, self)

    def _repack(self) -> None:
        """Shrink a small file; the file is whole without that too."""
        try:
            repack(self.path)
        except (RunFileError, *DAMAGE) as error:
            log.info("run file %s stays as large as it is: %s", self.path, plain_words(error))

    def _leave(self) -> None:
        """Restore a file that was removed meanwhile, and close the descriptor."""
        try:
            place = self._location.put_back()
            if place is not None:
                log.warning("run file %s, removed while it was written, is back as %s", self.path, place)
        except RunFileError as error:
            self.refusal = self.refusal or str(error)
        finally:
            self._location.close()
