"""Abandons a file that HDF5 could not write: closing it would fail again and crash the interpreter."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import h5py


def abandon(file: h5py.File, path: Path, holder: object) -> None:
    """Stop all writing to `file`, and keep it open until the process ends.

    Parameters
    ----------
    holder : object
        What refers to the file and its datasets: even dropping the last reference makes HDF5 write.
    """
    _freeze(file, path)
    # A thread that never ends keeps the holder.
    threading.Thread(target=_keep, args=(file, holder), name=f"keep {path.name}", daemon=True).start()


def _freeze(file: h5py.File, path: Path) -> None:
    """Replace HDF5's descriptor by a read-only one: otherwise HDF5 would still write at the end of the process."""
    # Where this is not possible (another system, a partly closed file), the file is only less tidy.
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        if os.name == "posix":
            descriptor = file.id.get_vfd_handle()
            # The file itself may have been removed meanwhile; any that cannot be written serves.
            frozen = os.open(path if path.exists() else os.devnull, os.O_RDONLY)
            os.dup2(frozen, descriptor, inheritable=False)
            os.close(frozen)


def _keep(*kept: object) -> None:
    threading.Event().wait()
