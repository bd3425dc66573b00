"""A system bus with logind on it, as far as one call to `Inhibit` goes."""

from __future__ import annotations

import os
import socket
import struct
import threading
from pathlib import Path

from mho.platforms import logind


def _message(kind: int, serial: int, words: bytes = b"") -> bytes:
    fields = struct.pack("<BBcBL", 5, 1, b"u", 0, serial) + words  # what it answers to
    head = struct.pack("<cBBBLLL", b"l", kind, 0, 1, 0, serial, len(fields)) + fields
    return head + b"\0" * (-len(head) % 8)


class SystemBus:
    """Listens at a path, and answers one process: `error` is the name of logind's refusal, "" to grant."""

    def __init__(self, path: Path, error: str = "") -> None:
        self.address = f"unix:path={path}"
        self.heard = b""
        self.ended = threading.Event()  # the descriptor that was given is closed
        self._error = error
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        peer, _ = self._listener.accept()
        with peer, self._listener:
            peer.recv(1 << 10)
            peer.sendall(b"OK 0123456789abcdef\r\n")
            peer.recv(1 << 10)
            peer.sendall(b"AGREE_UNIX_FD\r\n")
            while b"block\0" not in self.heard:
                self.heard += peer.recv(1 << 12)
            signal = _message(4, 7)
            peer.sendall((_message(logind.RETURN, 1) + signal)[:20])  # a bus may cut them anywhere
            peer.sendall((_message(logind.RETURN, 1) + signal)[20:])
            if self._error:
                peer.sendall(_message(logind.ERROR, 2, self._error.encode() + b"\0"))
                return
            out, given = os.pipe()
            socket.send_fds(peer, [_message(logind.RETURN, 2)], [given])
            os.close(given)
        os.read(out, 1)
        os.close(out)
        self.ended.set()
