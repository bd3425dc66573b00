"""Whether h5py's lock is free: while one thread keeps it, HDF5 waits in all others."""

from __future__ import annotations

import threading

from h5py._objects import phil


def is_free(within: float = 20.0) -> bool:
    """Return whether another thread gets the lock within so many seconds."""
    other = threading.Thread(target=_take, daemon=True)
    other.start()
    other.join(within)
    return not other.is_alive()


def _take() -> None:
    with phil:
        pass
