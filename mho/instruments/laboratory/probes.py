"""The contacts to a simulated chip without an array board: what stands in the laboratory in its place."""

from __future__ import annotations

import math

ALWAYS_ON = (
    5.0  # V: what the cells see at a word line that a bench does not have; their transistors are then shorts
)


class Probes:
    """Contacts to one device, which no switch interrupts; has what the lines ask of a board.

    `cell`: the device, or the cell that a tester has addressed, or the relays of a matrix; None while they are open.
    """

    mode = "SAFE"  # for vectors: no block is ever connected
    path = "OPEN"  # no switch moves
    block = None
    goes_safe_at = math.inf

    def __init__(self, cell: tuple[str, int, int]) -> None:
        self.cell: tuple[str, int, int] | None = cell

    def closes(self, path: str) -> bool:
        """Return True: every terminal reaches the device."""
        return True

    def watch(self) -> None:
        """Do nothing: there is no watchdog."""

    def heard(self, last: float, until: float) -> bool:
        """Return True: nothing has to be heard."""
        return True
