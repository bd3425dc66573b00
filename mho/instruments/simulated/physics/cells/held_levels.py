"""Voltages that stay on cells: what they do goes by how long they have been there, however the time is cut.

A pulse is over before anything else happens. A level lasts while the clock goes on in steps, of which each is an act on
the cell: all steps of a level have one beginning and one draw, as one pulse has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Values = Any  # numpy scalar or array


@dataclass
class HeldLevel:
    """A voltage that is held at one cell, or at the cells of a block.

    Attributes
    ----------
    seconds : float or array
        How long it has acted so far, s.
    before, draw : float or array
        Conductance (S) of the cells when it came, and the standard normal draw that it was given; None until it acts.
    """

    seconds: Values = 0.0
    before: Values = None
    draw: Values = None
    _parts: dict[int, HeldLevel] = field(default_factory=dict)

    @property
    def acted(self) -> bool:
        """Whether it goes on, and does not only begin."""
        return self.before is not None

    def begin(self, before: Values, draw: Values) -> tuple[Values, Values]:
        """Return conductance and draw of its beginning, which is now if it has not acted yet."""
        if not self.acted:
            self.before, self.draw = before, draw
        return self.before, self.draw

    def part(self, number: int) -> HeldLevel:
        """Return the same level at one of the pieces in which a large block is worked on."""
        return self._parts.setdefault(number, HeldLevel())


class HeldLevels:
    """The levels of all sources of a bench, each from when it comes until it changes."""

    def __init__(self) -> None:
        self._levels: dict[str, tuple[object, HeldLevel]] = {}

    def of(self, source: str, *what: object) -> HeldLevel:
        """Return the level of a source; it is another one when `what` (volts, cell, gate…) is not what it was."""
        known = self._levels.get(source)
        if known is None or known[0] != what:
            known = self._levels[source] = what, HeldLevel()
        return known[1]

    def end(self, source: str | None = None) -> None:
        """The level of a source ends, or that of every source: the same volts are another level when they return."""
        if source is None:
            self._levels.clear()
        else:
            self._levels.pop(source, None)
