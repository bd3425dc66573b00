"""Writes how a run ended into its file: through HDF5, or directly into the bytes when HDF5 can write no more."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import h5py

from mho.runs.conclusion import Status
from mho.runs.integrity.seal import write_seal
from mho.runs.reading.text import cut, write_text


class RunOutcome:
    """The datasets status, reason and end_time of one file.

    Parameters
    ----------
    path : Path
        The file.
    entry : h5py.Group
        Its entry, laid out by `mho.runs.writing.structure`.
    """

    def __init__(self, path: Path, entry: h5py.Group) -> None:
        self._path = path
        self._start = datetime.fromisoformat(bytes(entry["start_time"][()]).decode())
        self._datasets = {name: entry[name] for name in ("reason", "end_time", "status")}
        # They have fixed sizes and places in the file; asked now, while HDF5 answers.
        self._places = {name: (d.id.get_offset(), d.dtype.itemsize) for name, d in self._datasets.items()}

    def write(self, status: Status, reason: str, elapsed: float, known: Mapping[str, bytes]) -> None:
        """Write the outcome and seal the file. `status` comes last: a reader that sees it takes the rest as final.

        Parameters
        ----------
        elapsed : float
            How long the run lasted, s; the end follows from it, as the clock on the wall may have been set.
        known : mapping
            Digests of datasets, as `mho.runs.integrity.seal.write_seal` takes them.
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
    found = re.search(r"error message = '([^']*)'", text)
    if not found and isinstance(error, OSError) and error.strerror:
        text = error.strerror
    return found[1] if found else (text.splitlines() or [type(error).__name__])[0]
