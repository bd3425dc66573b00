"""Where a runner and its clients meet: a private folder with the runner's socket, its lock and its secret."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mho_errors import QueueError

LOOPBACK = "127.0.0.1"
SOCKET_NAME_LIMIT = 100  # bytes; the system takes little more (sun_path, 108 on Linux and 104 on macOS)


@dataclass(frozen=True)
class Card:
    """What a runner leaves for its clients, readable by its user alone.

    Attributes
    ----------
    pid, started : int, float
        Its process and start time.
    address : str or (str, int)
        Of its socket: a path, or loopback host and port where there are no Unix sockets.
    secret : bytes
        What both prove to know.
    """

    pid: int
    started: float
    address: str | tuple[str, int]
    secret: bytes


class MeetingPlace:
    """The place for one queue and one bench.

    Raises
    ------
    QueueError
        The folder cannot be made, or is open to others.
    """

    def __init__(self, queue: Path, bench: str) -> None:
        self.folder = _private_folder()
        self._stem = hashlib.sha256(f"{queue}\0{bench}".encode()).hexdigest()[:16]

    @property
    def lock(self) -> Path:
        """The file that a runner holds locked."""
        return self.folder / f"{self._stem}.lock"

    @property
    def _card(self) -> Path:
        return self.folder / f"{self._stem}.json"

    def listen(self) -> socket.socket:
        """Return a socket that listens here; only for the runner that holds the lock."""
        if not hasattr(socket, "AF_UNIX"):
            return socket.create_server((LOOPBACK, 0))
        path = self.folder / f"{self._stem}.socket"
        if len(os.fsencode(path)) > SOCKET_NAME_LIMIT:
            raise QueueError(
                f"{path} is too long a name for a socket; set XDG_RUNTIME_DIR to a shorter folder"
            )
        path.unlink(missing_ok=True)  # left by a runner that was killed
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen()
        except OSError as error:
            listener.close()
            raise QueueError(f"the runner's socket {path} cannot be made: {error.strerror}") from None
        return listener

    def publish(self, listener: socket.socket) -> Card:
        """Leave a card with a fresh secret; it is there as a whole or not at all."""
        card = Card(
            os.getpid(), psutil.Process().create_time(), listener.getsockname(), secrets.token_bytes(32)
        )
        draft = self._card.with_suffix(f".{card.pid}.part")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(vars(card) | {"secret": card.secret.hex()}, file)
        os.replace(draft, self._card)
        return card

    def card(self) -> Card | None:
        """Return the card of the runner that was here last, or None; it may be gone."""
        try:
            content: dict[str, Any] = json.loads(self._card.read_text("utf-8"))
            address = content["address"]
            return Card(
                int(content["pid"]),
                float(content["started"]),
                address if isinstance(address, str) else (str(address[0]), int(address[1])),
                bytes.fromhex(content["secret"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise QueueError(f"the runner's card {self._card} cannot be read: {error}; remove it") from None

    def withdraw(self) -> None:
        """Take the card and the socket away."""
        self._card.unlink(missing_ok=True)
        (self.folder / f"{self._stem}.socket").unlink(missing_ok=True)


def _private_folder() -> Path:
    """Return this user's folder for sockets, made if it is not there."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and Path(base).is_dir():
        folder = Path(base) / "mho"
    else:
        user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
        folder = Path(tempfile.gettempdir()) / f"mho-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise QueueError(
            f"the folder {folder} for the runner's socket cannot be made: {error.strerror}"
        ) from None
    if hasattr(os, "getuid"):
        private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
        if not private:
            raise QueueError(
                f"the folder {folder} must be yours, and closed to others: chmod 700, or remove it"
            )
    return folder
