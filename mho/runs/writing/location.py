"""Location of the file that is being written: the free space on its disk, and whether the file was removed.

A second descriptor keeps the file reachable. A file whose folder is removed during a run continues to exist without a
name, and gets one again after the run. (Windows does not remove an open file.)
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from mho.errors import RunFileError


class FileLocation:
    """Watches one file, from its creation until `close`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY) if os.name == "posix" else None

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

        Raises
        ------
        RunFileError
            When neither is possible.
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
