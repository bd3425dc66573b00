"""Replies that go wrong on their way from a served instrument: garbled, cut, doubled, late, and out of all range."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

NUMBER = re.compile(rb"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")

BAD: dict[str, Callable[[bytes, bytes], bytes]] = {
    "garbage": lambda reply, earlier: b"#?!~ nonsense\n",
    "earlier": lambda reply, earlier: earlier + reply,  # as if it were unread: all later replies are one late
    "cut": lambda reply, earlier: reply[: len(reply) // 2],  # its end is lost, and the line feed with it
    "non-ASCII": lambda reply, earlier: reply[:1] + b"\xff\xc3\x28" + reply[1:],
    "out of range": lambda reply, earlier: NUMBER.sub(b"9.91E+37", reply, count=1),
    "empty": lambda reply, earlier: b"\n",
}
"""Changes a reply, given the one before it."""


class BadReply:
    """Spoils one reply of a device that is served, and says whether it has.

    Parameters
    ----------
    device : object
        A twin.
    kind : str
        One of `BAD`, or "late": the reply is withheld, and comes with the next one, in front of it.
    after : int
        How many replies pass unharmed first.
    """

    def __init__(self, device: Any, kind: str, after: int = 0) -> None:
        self._device, self._read, self._kind, self._left = device, device.read, kind, after
        self._earlier, self._withheld = b"\n", b""
        self.struck = False
        device.read = self.read

    def read(self) -> bytes:
        """Read from the device, as the server does after each message."""
        reply: bytes = self._read()
        if not reply:
            return reply
        if self._withheld:
            reply, self._withheld = self._withheld + reply, b""
        elif not self.struck and self._left == 0:
            self.struck = True
            if self._kind == "late":
                self._withheld = reply
                return b""
            reply = BAD[self._kind](reply, self._earlier)
        self._left -= 1
        self._earlier = reply
        return reply

    def undo(self) -> None:
        """Pass the device's replies unchanged."""
        self._device.read = self._read
