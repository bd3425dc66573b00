"""Sending of messages to a pipe or a socket in a separate thread, so that a slow receiver does not block the sender."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, BinaryIO

from mho.running.runner.messages import Missed, encode

ROOM = 2000  # messages waiting to be taken; more are left out, and counted

log = logging.getLogger(__name__)


class Outbox:
    """Messages on their way to one receiver.

    `receiver`: takes a message as a line of JSON; may block, and may fail, after which nothing more is sent.
    """

    def __init__(self, receiver: BinaryIO | Callable[[bytes], object]) -> None:
        self._take = receiver if callable(receiver) else lambda line: _write(receiver, line + b"\n")
        self._waiting: deque[Any] = deque()
        self._missed = 0
        self._closing = self.failed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._send_all, name="outbox", daemon=True)
        self._thread.start()

    def offer(self, message: Any) -> None:
        """Send a message unless too many wait; the number of those dropped is sent as `Missed`."""
        with self._changed:
            if len(self._waiting) >= ROOM:
                self._missed += 1
                return
            self._put(message)

    def send(self, message: Any) -> None:
        """Send a message that must not be dropped."""
        with self._changed:
            self._put(message)

    def _put(self, message: Any) -> None:
        if self._missed:
            self._waiting.append(Missed(self._missed))
            self._missed = 0
        self._waiting.append(message)
        self._changed.notify()

    def close(self, patience: float) -> None:
        """Send what waits, for at most `patience` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(patience)

    def _send_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                message = self._waiting.popleft()
            try:
                line = encode(message)
            except (ValueError, TypeError, RecursionError):
                log.exception("a message that has no JSON form is left out")
                continue
            try:
                self._take(line)
            except (OSError, ValueError) as error:  # ValueError: it was closed meanwhile
                log.debug("a receiver is gone: %s", error)
                self.failed = True
                return


def _write(file: BinaryIO, data: bytes) -> None:
    """Write all of `data` to an unbuffered file."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]
