"""Voltages held on cells: their effect depends on the total time, however this is divided into steps.

A pulse is over before anything else happens. A level lasts while the clock advances in steps, each of which acts on the
cell: all steps of a level share one initial state and one draw, like a single pulse.
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
        Duration so far, s.
    before, draw : float or array
        Initial conductance (S) of the cells, and the standard normal draw of the level; None until it acts.
    """

    seconds: Values = 0.0
    before: Values = None
    draw: Values = None
    _parts: dict[int, HeldLevel] = field(default_factory=dict)

    @property
    def acted(self) -> bool:
        """Whether the level has acted before."""
        return self.before is not None

    def begin(self, before: Values, draw: Values) -> tuple[Values, Values]:
        """Return the initial conductance and draw; they are set now if the level has not acted yet."""
        if not self.acted:
            self.before, self.draw = before, draw
        return self.before, self.draw

    def part(self, number: int) -> HeldLevel:
        """Return the same level for one of the pieces in which a large block is processed."""
        return self._parts.setdefault(number, HeldLevel())


class HeldLevels:
    """The levels of all sources of a bench, each from its start until it changes.

    Attributes
    ----------
    known : dict
        By source, what it holds, and the level.
    """

    def __init__(self) -> None:
        self.known: dict[str, tuple[object, HeldLevel]] = {}

    def of(self, source: str, *what: object) -> HeldLevel:
        """Return the level of a source; a new one when `what` (volts, cell, gate…) has changed."""
        known = self.known.get(source)
        if known is None or known[0] != what:
            known = self.known[source] = what, HeldLevel()
        return known[1]

    def end(self, source: str | None = None) -> None:
        """End the level of a source, or of all sources: the same voltage is then a new level when it returns."""
        if source is None:
            self.known.clear()
        else:
            self.known.pop(source, None)
