"""Notices when the wall clock is set during a run; the run's own times do not follow it."""

from __future__ import annotations

import time

TOLERANCE = 2.0
"""Steps up to this size, s, are taken for the small corrections of a time service."""


class WallClock:
    """Compares the wall clock with a monotonic clock."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def jump(self) -> float:
        """Return by how many seconds the clock was set since the last call; 0 when it was not."""
        offset = time.time() - time.monotonic()
        moved, self._offset = offset - self._offset, offset
        return moved if abs(moved) > TOLERANCE else 0.0
