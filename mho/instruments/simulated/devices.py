"""The seam between simulated instruments and the transports that carry their messages: PyVISA, sockets.

What a transport needs of an instrument and of a set of them, and how it counts what it carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mho.instruments.simulated.clock import VirtualClock


@dataclass(slots=True)
class Traffic:
    """Messages on their way to one instrument, and its replies; for a DAQ: blocks of samples played."""

    messages: int = 0
    bytes_sent: int = 0
    replies: int = 0
    bytes_received: int = 0


class Device(Protocol):
    """An instrument as a transport sees it."""

    stream: bool
    """Whether replies follow each other without message boundaries (serial ports, sockets)."""

    @property
    def service_requests(self) -> int:
        """Number of service requests so far."""
        ...

    def write(self, data: bytes, end: bool = True) -> None:
        """Receive a part of a message; `end` is whether END came with its last byte."""
        ...

    def read(self) -> bytes:
        """Return what is queued, or nothing."""
        ...

    def status_byte(self) -> int:
        """Answer a serial poll."""
        ...

    def clear(self) -> None:
        """Device clear."""
        ...

    def trigger(self) -> None:
        """React to a bus trigger."""
        ...

    def push_error(self, code: int, detail: str = "") -> None:
        """Queue an error (fault injection)."""
        ...


class Rack(Protocol):
    """A set of simulated instruments on one clock.

    It may have `faults`, a list of `Fault`, and `traffic`, a dict of `Traffic` by resource name.
    """

    @property
    def devices(self) -> Mapping[str, Device]:
        """Instruments by VISA resource name."""
        ...

    @property
    def clock(self) -> VirtualClock:
        """The time they share."""
        ...
