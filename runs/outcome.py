"""How a run ended, written into its file: through HDF5, or past it when HDF5 can write no more."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime
from pathlib import Path

import h5py

from runs.schema import Status
from runs.text import cut, write_text


class Outcome:
    """The datasets status, reason and end_time of one file.

    Parameters
    ----------
    path : Path
        The file.
    entry : h5py.Group
        Its entry, laid out by `runs.structure`.
    """

    def __init__(self, path: Path, entry: h5py.Group) -> None:
        self._path = path
        self._datasets = {name: entry[name] for name in ("reason", "end_time", "status")}
        # They have fixed sizes and places in the file; asked now, while HDF5 answers.
        self._places = {name: (d.id.get_offset(), d.dtype.itemsize) for name, d in self._datasets.items()}

    def write(self, status: Status, reason: str) -> None:
        """Write the outcome; `status` comes last, for readers that see it take the rest as settled."""
        for name, text in _texts(status, reason).items():
            if name == "status":
                h5py.h5f.flush(self._datasets[name].file.id)
            write_text(self._datasets[name], text)

    def inscribe(self, status: Status, reason: str) -> None:
        """Overwrite the outcome in place in the file, without HDF5; takes no new room on the disk."""
        # Should even this fail, the file reads as interrupted, which is true.
        with contextlib.suppress(OSError), self._path.open("r+b", buffering=0) as file:
            for name, text in _texts(status, reason).items():
                offset, size = self._places[name]
                file.seek(offset)
                file.write(cut(text, size).ljust(size, b"\0"))


def _texts(status: Status, reason: str) -> dict[str, str]:
    end = datetime.now().astimezone().isoformat(timespec="milliseconds")
    return {"reason": reason, "end_time": end, "status": status}


def plain_words(error: BaseException) -> str:
    """Return the system's own words out of one of HDF5's long messages."""
    text = str(error)
    found = re.search(r"error message = '([^']*)'", text)
    return found[1] if found else (text.splitlines() or [type(error).__name__])[0]
