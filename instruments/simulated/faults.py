"""Faults on the bus, to be injected into a rack: time outs, instrument errors, lost connections."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal


@dataclass(eq=False)
class Fault:
    """One thing that goes wrong on a VISA resource; put it into ``rack.faults``, a list.

    Attributes
    ----------
    resource : str
        VISA resource name, as the rack spells it.
    kind : {"timeout", "error", "disconnect"}
        ``timeout``: the message is carried out but its reply is lost. ``error``: the instrument queues error
        `code` before it carries the message out. ``disconnect``: the message does not arrive, and all I/O
        fails until the fault is taken out of the list again (the cable is back in).
    match : bytes
        Strikes only messages that contain these bytes, as they are on the wire; empty matches all.
    after : int
        How many matching messages pass unharmed first.
    times : int
        How many are struck.
    code : int
        SCPI error number of an ``error``.
    """

    resource: str
    kind: Literal["timeout", "error", "disconnect"]
    match: bytes = b""
    after: int = 0
    times: int = 1
    code: int = -240
    seen: int = field(default=0, init=False)

    def strikes(self, resource: str, message: bytes) -> bool:
        """Tell whether this message is struck; counts it."""
        if resource != self.resource or self.match not in message:
            return False
        self.seen += 1
        return self.after < self.seen <= self.after + self.times


def striking(faults: Iterable[Fault], resource: str, message: bytes) -> list[Fault]:
    """Return the faults that strike a message on its way to `resource`."""
    return [fault for fault in faults if fault.strikes(resource, message)]
