"""Virtual time: instruments advance it, physics follows it, nobody waits for it."""

from __future__ import annotations

import math
from collections.abc import Callable


class VirtualClock:
    """Seconds since the bench was switched on; only ever goes forward."""

    __slots__ = ("_due", "_followers", "_repeated", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._due = math.inf
        self._followers: tuple[Callable[[float, float], None], ...] = ()
        self._repeated: dict[object, tuple[float, float, Callable[[], None]]] = {}

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at no cost of wall time."""
        if not seconds >= 0.0:
            raise ValueError(f"virtual time cannot advance by {seconds} s")
        end = self.now + seconds
        if end >= self._due:
            self._act_until(end)
        self._pass_until(end)

    def follow(self, act: Callable[[float, float], None]) -> None:
        """Call `act` with where the clock was and where it is now (s), whenever time has passed.

        Nothing else happens in between, so whatever lasts (a level, a waveform) lasted all the while.
        """
        self._followers += (act,)

    def every(self, period: float, act: Callable[[], None]) -> Callable[[], None]:
        """Call `act` every `period` seconds from now on, while time passes; return what ends it."""
        key = object()
        self._repeated[key] = (self.now + period, period, act)
        self._look_ahead()

        def end() -> None:
            self._repeated.pop(key, None)
            self._look_ahead()

        return end

    def _act_until(self, end: float) -> None:
        while self._due <= end:
            key, (due, period, act) = min(self._repeated.items(), key=lambda item: item[1][0])
            self._pass_until(due)
            self._repeated[key] = (due + period, period, act)  # first, for an act that takes time itself
            self._look_ahead()
            act()

    def _pass_until(self, end: float) -> None:
        start = self.now
        if end > start:
            self.now = end
            for act in self._followers:
                act(start, end)

    def _look_ahead(self) -> None:
        self._due = min((due for due, _, _ in self._repeated.values()), default=math.inf)
