"""How clients reach a runner: a private folder with socket, lock and secret, and a connection on which both prove it.

Authentication is that of `multiprocessing.connection` (HMAC challenge, both ways); messages are bytes, never pickles.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Any

from mho import platforms
from mho.errors import QueueError, os_errors_as
from mho.runs.liveness import lives

SUFFIX = ".runners"


@dataclass(frozen=True)
class RunnerAddress:
    """Address of a runner for its clients; readable only by its user."""

    pid: int  # of its process
    birth: str  # of its process, see `mho.platforms.system.System.birth_of`
    address: str | tuple[str, int]  # path of its socket, or loopback host and port
    secret: bytes  # shared secret that both sides prove to know

    def lives(self) -> bool:
        """Return whether the runner's process is still there."""
        return lives(self.pid, self.birth)


class Rendezvous:
    """The place for one queue and one bench: the same for every process, whatever its environment says.

    `queue`: the queue's file, by whatever name.
    `bench`: as `mho.input_files.bench_key` names it.
    `QueueError` by every method: the folder cannot be made, or is open to others.
    """

    def __init__(self, queue: Path, bench: str) -> None:
        queue = queue.resolve()
        self.folder = queue.with_name(f".{queue.name}{SUFFIX}")
        self._stem = hashlib.sha256(bench.encode()).hexdigest()[:12]

    @property
    def lock(self) -> Path:
        """The file that a runner holds locked."""
        return self.folder / f"{self._stem}.lock"

    @property
    def _card(self) -> Path:
        return self.folder / f"{self._stem}.json"

    def prepare(self) -> None:
        """Make the folder if it is missing; only a runner needs it."""
        with os_errors_as(QueueError, f"the folder {self.folder} for runners cannot be made"):
            platforms.here.make_private(self.folder)
        _check_private(self.folder)

    def listen(self) -> socket.socket:
        """Return a socket that listens here; only for the runner that holds the lock."""
        beside = self.folder / f"{self._stem}.socket"
        with os_errors_as(QueueError, f"no socket for the runner can be made beside {self.folder}, nor in the folder for "
                          "temporary files (TMPDIR), which must be yours, and short"):  # fmt: skip
            return platforms.here.listen(beside, self._elsewhere())

    def publish(self, listener: socket.socket) -> RunnerAddress:
        """Write the address with a new secret, atomically."""
        pid = os.getpid()
        card = RunnerAddress(
            pid, platforms.here.birth_of(pid), listener.getsockname(), secrets.token_bytes(32)
        )
        draft = self._card.with_suffix(f".{card.pid}.part")
        with os_errors_as(QueueError, f"the runner's card {self._card} cannot be written"):
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(vars(card) | {"secret": card.secret.hex()}, file)
            os.replace(draft, self._card)
        return card

    def card(self) -> RunnerAddress | None:
        """Return the card of the runner that was here last, or None; it may be gone."""
        if os.path.exists(self.folder):  # where a Path may raise, when nothing in the folder can be seen
            _check_private(self.folder)
        try:
            content: dict[str, Any] = json.loads(self._card.read_text("utf-8"))
            address = content["address"]
            return RunnerAddress(
                int(content["pid"]),
                str(content["birth"]),
                address if isinstance(address, str) else (str(address[0]), int(address[1])),
                bytes.fromhex(content["secret"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise QueueError(f"the runner's card {self._card} cannot be read: {error}; remove it") from None

    def withdraw(self) -> None:
        """Remove the address and the socket."""
        for path in (self._card, self.folder / f"{self._stem}.socket", self._elsewhere()):
            with suppress(OSError):
                path.unlink()

    def _elsewhere(self) -> Path:
        """Return the socket's place when its name beside the queue is too long; the address file contains it."""
        user = platforms.here.user()
        whose = hashlib.sha256(f"{self.folder}\0{self._stem}".encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"mho-{user}" / f"{whose}.socket"


def _check_private(folder: Path) -> None:
    with os_errors_as(QueueError, f"whose the folder {folder} is cannot be told"):
        private = platforms.here.is_private(folder)
    if not private:
        raise QueueError(
            f"the folder {folder} must be yours, and closed to others: give the command as its owner, or see that "
            "no runner is there and remove it"
        )


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
            platforms.here.set_patience(self._sock, PATIENCE)
            first(self._connection, secret)
            then(self._connection, secret)
            platforms.here.set_patience(self._sock, 0.0)
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
