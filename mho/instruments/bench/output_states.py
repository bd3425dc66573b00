"""How the outputs of a bench stand: what is known of each, from where, and since when. Unknown is said to be unknown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Source = Literal["set and confirmed", "read", "unknown"]
"""How a state is known: the instrument took the setting without an error, or was asked for it. Idle never means off."""


OFF = ("off", "SAFE")  # values of an output that is off, and of the board when it keeps the chip apart


@dataclass(frozen=True)
class OutputState:
    """What is known of one role's output.

    Attributes
    ----------
    value : str
        In words: ``off``, ``ON, 2.5 V``, ``unknown``.
    source : {"set and confirmed", "read", "unknown"}
    at : float or None
        When that was so, s on the bench's clock; None of what is unknown.
    wall : float or None
        The same as Unix time, s.
    """

    value: str
    source: Source
    at: float | None = None
    wall: float | None = None

    @property
    def live(self) -> bool:
        """Whether the output may be on: all that is not known to be off."""
        return self.value not in OFF


UNKNOWN = OutputState("unknown", "unknown")


class OutputStates:
    """Remembers what was last known of each role, and when; asks nobody.

    Parameters
    ----------
    now : callable
        Seconds on the bench's clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._known: dict[str, OutputState] = {}

    def note(self, role: str, value: str, source: Source = "set and confirmed") -> None:
        """Note what has just been set and confirmed, or read, of a role."""
        self._known[role] = OutputState(value, source, self._now(), time.time())

    @contextmanager
    def moving(self, role: str, afterwards: str) -> Iterator[None]:
        """Take a role for unknown while it acts, and for `afterwards` when that ends well."""
        self.forget(role)
        yield
        self.note(role, afterwards)

    def forget(self, *roles: str) -> None:
        """Take the roles named, or all, for unknown."""
        for role in roles or tuple(self._known):
            self._known.pop(role, None)

    def of(self, role: str) -> OutputState:
        """Return what is known of a role."""
        return self._known.get(role, UNKNOWN)
