"""One end of a connection between runner and client: both prove that they know the secret, then exchange messages.

Authentication is that of `multiprocessing.connection` (HMAC challenge, both ways); messages are bytes, never pickles.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

LIMIT = 1 << 24  # bytes of a message from the runner; a row of a large table is one
REQUEST_LIMIT = 1 << 12  # bytes of a client's request
PATIENCE = 5.0  # s for the other side to prove itself

_Challenge = Callable[[Connection, bytes], None]


class Wire:
    """A connected socket that has passed authentication; use `accepted` or `opened`."""

    def __init__(self, sock: socket.socket, limit: int) -> None:
        self._sock = sock.dup()  # wakes threads that are blocked in the connection
        self._connection = Connection(sock.detach())
        self._limit = limit

    @classmethod
    def accepted(cls, sock: socket.socket, secret: bytes) -> Wire:
        """Authenticate a client; `OSError`, `EOFError` or `AuthenticationError` when it does not prove itself in time."""
        return cls(sock, REQUEST_LIMIT)._proving(secret, first=deliver_challenge, then=answer_challenge)

    @classmethod
    def opened(cls, sock: socket.socket, secret: bytes) -> Wire:
        """Connect to a runner, with authentication both ways; raises as `accepted`."""
        return cls(sock, LIMIT)._proving(secret, first=answer_challenge, then=deliver_challenge)

    def _proving(self, secret: bytes, *, first: _Challenge, then: _Challenge) -> Wire:
        try:
            set_patience(self._sock, PATIENCE)
            first(self._connection, secret)
            then(self._connection, secret)
            set_patience(self._sock, 0.0)
        except AssertionError:  # of the library: the other side said something else
            self.release()
            raise AuthenticationError("it does not speak as a runner or a client does") from None
        except BaseException:
            self.release()
            raise
        return self

    def send(self, message: bytes) -> None:
        """Send a message; `OSError` when the other side is gone."""
        self._connection.send_bytes(message)

    def receive(self, timeout: float | None = None) -> bytes | None:
        """Return the next message, or None after `timeout` seconds without one.

        `EOFError` where the other side has closed; `OSError` where the connection broke, or the message is
        longer than may be.
        """
        if timeout is not None and not self._connection.poll(timeout):
            return None
        return self._connection.recv_bytes(self._limit)

    def close(self) -> None:
        """End the connection, also for a thread that is blocked in `send` or `receive`; a second call does nothing."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def release(self) -> None:
        """Close the socket, when no thread uses it any more."""
        self.close()
        self._connection.close()


def set_patience(sock: socket.socket, seconds: float) -> None:
    """Set the timeout of connecting, reading and writing, s; 0 is unlimited."""
    if os.name == "posix":
        time = struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, time)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, time)
