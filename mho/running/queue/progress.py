"""The progress of a running job, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable

from mho.procedures.stream import Event, Paused, Progress, Resumed


class Pace:
    """Follows the events of one run; pauses do not count.

    The remaining time is the larger of the rest of the estimate and of the rest of the current stage at its pace so far:
    only the estimate contains later stages, and only the pace shows a stage that is slower than expected.
    """

    def __init__(self, estimate: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.progress: Progress | None = None  # the last one received
        self._estimate, self._clock = estimate, clock
        self._began = self._clock()
        self._paused_at: float | None = None
        self._stage: tuple[str, float, int] = ("", 0.0, 0)  # its name, and when and where it was first seen

    def take(self, event: Event) -> None:
        """Handle an event of the run."""
        if isinstance(event, Progress):
            if event.stage != self._stage[0]:
                self._stage = (event.stage, self.elapsed(), event.done)
            self.progress = event
        elif isinstance(event, Paused):
            self._paused_at = self._paused_at or self._clock()
        elif isinstance(event, Resumed) and self._paused_at is not None:
            self._began += self._clock() - self._paused_at
            self._paused_at = None

    def seconds_left(self) -> float | None:
        """Return the time that is left, s, or None when nothing is known."""
        rest = None if self._estimate is None else max(self._estimate - self.elapsed(), 0.0)
        known = [left for left in (rest, self._by_stage()) if left is not None]
        return max(known) if known else None

    def _by_stage(self) -> float | None:
        if self.progress is None:
            return None
        _, since, first = self._stage
        made = self.progress.done - first
        if made <= 0:
            return None
        return (self.elapsed() - since) / made * max(self.progress.total - self.progress.done, 0)

    def elapsed(self) -> float:
        """Return the time since the start, pauses left out, s."""
        return (self._paused_at or self._clock()) - self._began
