"""Virtual time: instruments advance it, the physics follows it, and no wall time passes."""

from __future__ import annotations

import math
from collections.abc import Callable

AFRESH = 16  # times that something is done before the like of it may be passed over

Skip = Callable[[float, float], bool]


class VirtualClock:
    """Seconds since the bench was switched on; only ever goes forward."""

    __slots__ = ("_due", "_followers", "_repeated", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._due = math.inf
        self._followers: tuple[Callable[[float, float], None], ...] = ()
        self._repeated: dict[object, tuple[float, float, Callable[[], None], Skip | None]] = {}

    def advance(self, seconds: float) -> None:
        """Advance by `seconds` without wall time."""
        if not seconds >= 0.0:
            raise ValueError(f"virtual time cannot advance by {seconds} s")
        start = self.now
        end = start + seconds
        if end >= self._due:
            self._act_until(end)
            self._pass_until(end)
        elif end > start:
            self.now = end
            for act in self._followers:
                act(start, end)

    def follow(self, act: Callable[[float, float], None]) -> None:
        """Call `act` with where the clock was and where it is now (s), whenever time has passed.

        Nothing else happens in between, so whatever lasts (a level, a waveform) lasted all the while.
        """
        self._followers += (act,)

    def every(self, period: float, act: Callable[[], None], skip: Skip | None = None) -> Callable[[], None]:
        """Call `act` every `period` seconds from now on, while time passes; return what ends it.

        `skip` is asked in a long wait, given when `act` was called last and when it would be called last but one (s): True
        lets all in between be left out, so that a day costs no more than a minute.
        """
        key = object()
        self._repeated[key] = (self.now + period, period, act, skip)
        self._look_ahead()

        def end() -> None:
            self._repeated.pop(key, None)
            self._look_ahead()

        return end

    def _act_until(self, end: float) -> None:
        acted = 0
        while self._due <= end:
            key, (due, period, act, skip) = min(self._repeated.items(), key=lambda item: item[1][0])
            left = int((end - due) / period)
            if (
                skip
                and acted >= AFRESH
                and left > 1
                and len(self._repeated) == 1
                and skip(due - period, due + (left - 1) * period)
            ):
                due += left * period
            self._pass_until(due)
            # First, for an act that takes time itself.
            self._repeated[key] = (due + period, period, act, skip)
            self._look_ahead()
            act()
            acted += 1

    def _pass_until(self, end: float) -> None:
        start = self.now
        if end > start:
            self.now = end
            for act in self._followers:
                act(start, end)

    def _look_ahead(self) -> None:
        self._due = min((due for due, _, _, _ in self._repeated.values()), default=math.inf)
