"""States of a bench's outputs: what is known of each, from which source and since when. An unknown state is so named."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

T = TypeVar("T")

Source = Literal["set and confirmed", "read", "unknown"]
"""Source of a state: the instrument accepted the setting without an error, or was queried. Idle never means off."""


OFF = ("off", "SAFE")  # values of an output that is off, and of the board when it isolates the chip


@dataclass(frozen=True)
class OutputState:
    """Known state of one role's output."""

    value: str  # in words: ``off``, ``ON, 2.5 V``, ``unknown``
    source: Source
    at: float | None = None  # time of that knowledge, s on the bench's clock; None when unknown
    wall: float | None = None  # the same as Unix time, s

    @property
    def live(self) -> bool:
        """Whether the output may be on, that is, is not known to be off."""
        return self.value not in OFF


UNKNOWN = OutputState("unknown", "unknown")


class OutputStates:
    """Last known state of each role, with its time; queries no instrument.

    `now`: seconds on the bench's clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._known: dict[str, tuple[str, Source, float, float]] = {}  # noted often, asked for seldom

    def note(self, role: str, value: str, source: Source = "set and confirmed") -> None:
        """Record what has just been set and confirmed, or read, for a role."""
        self._known[role] = value, source, self._now(), time.time()

    def during(self, role: str, afterwards: str, act: Callable[..., T], *arguments: Any) -> T:
        """Return the result of an action of a role, whose state is unknown while it acts, and `afterwards` when it has."""
        self._known.pop(role, None)
        result = act(*arguments)
        self._known[role] = afterwards, "set and confirmed", self._now(), time.time()
        return result

    def forget(self, *roles: str) -> None:
        """Mark the named roles, or all, as unknown."""
        if not roles:
            self._known.clear()
        for role in roles:
            self._known.pop(role, None)

    def of(self, role: str) -> OutputState:
        """Return what is known of a role."""
        known = self._known.get(role)
        return UNKNOWN if known is None else OutputState(*known)
