"""Virtual time: instruments advance it, physics follows it, nobody waits for it."""

from __future__ import annotations


class VirtualClock:
    """Seconds since the bench was switched on; only ever goes forward."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0.0

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at no cost of wall time."""
        if not seconds >= 0.0:
            raise ValueError(f"virtual time cannot advance by {seconds} s")
        self.now += seconds
