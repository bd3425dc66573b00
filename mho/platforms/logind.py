"""Asks logind, on the system bus of Linux, to let the computer neither sleep nor shut down.

One call on one connection (D-Bus Specification, "Message Protocol" and "Authentication Protocol"; org.freedesktop.login1,
`Inhibit`), so that neither a library nor a child process is needed: a child would be taken for one of a procedure.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import sys

assert sys.platform != "win32"  # for type checkers

ADDRESS = "unix:path=/run/dbus/system_bus_socket"
WHAT = "shutdown:sleep:idle"
MOST = 1 << 16  # bytes of all answers
CALL, RETURN, ERROR = 1, 2, 3  # kinds of messages
REFUSED = (b".AccessDenied\0", b".InteractiveAuthorizationRequired\0")


def inhibit(reason: str, patience: float) -> int:
    """Return a descriptor: until it is closed, or this process ends, the computer stays awake.

    `reason`: told to who wants to shut the computer down.
    `patience`: s for each step.

    Raises
    ------
    PermissionError
        When logind refuses.
    OSError
        When there is no bus or no logind, or it does not answer.
    """
    address = re.search(r"unix:path=([^,;]+)", os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", ADDRESS))
    if address is None:
        raise FileNotFoundError("the system bus is at no path")
    user = str(os.getuid()).encode().hex().encode()
    with socket.socket(socket.AF_UNIX) as bus:
        bus.settimeout(patience)
        bus.connect(address[1])
        for line, answer in (
            (b"\0AUTH EXTERNAL " + user, b"OK "),
            (b"NEGOTIATE_UNIX_FD", b"AGREE_UNIX_FD"),
        ):
            bus.sendall(line + b"\r\n")
            if not bus.recv(1 << 10).startswith(answer):
                raise ConnectionRefusedError("the system bus does not take this process")
        manager = "org.freedesktop.login1.Manager"
        bus.sendall(
            b"BEGIN\r\n"
            + _call(1, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")
            + _call(
                2, "org.freedesktop.login1", "/org/freedesktop/login1", manager, "Inhibit", WHAT, "mho", reason, "block"
            )
        )  # fmt: skip
        return _descriptor(bus)


def _call(serial: int, destination: str, path: str, interface: str, member: str, *arguments: str) -> bytes:
    """Return the message of a call whose arguments are texts."""
    fields = b""
    signature = "s" * len(arguments)
    for code, kind, text in (
        (1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", destination), (8, "g", signature),
    ):  # fmt: skip
        value = struct.pack("B", len(text)) + text.encode() + b"\0" if kind == "g" else _string(text)
        fields = _padded(fields, 8) + bytes([code, 1]) + kind.encode() + b"\0" + value
    body = b""
    for text in arguments:
        body = _padded(body, 4) + _string(text)
    # Little endian, version 1 of the protocol
    head = struct.pack("<cBBBLLL", b"l", CALL, 0, 1, len(body), serial, len(fields))
    return _padded(head + fields, 8) + body


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<L", len(data)) + data + b"\0"


def _padded(data: bytes, boundary: int) -> bytes:
    return data + b"\0" * (-len(data) % boundary)


def _descriptor(bus: socket.socket) -> int:
    """Return the descriptor that comes with the answer to the second call."""
    data, descriptors, answers = b"", list[int](), 0
    try:
        while answers < 2:
            chunk, more, _, _ = socket.recv_fds(bus, 1 << 12, 4)
            descriptors += more
            data += chunk
            if not chunk or len(data) > MOST:
                raise ConnectionAbortedError("the system bus ends the conversation")
            while message := _first(data):
                data = data[len(message) :]
                answers += message[1] in (RETURN, ERROR)
                if message[1] == ERROR:
                    refused = any(name in message for name in REFUSED)
                    raise (PermissionError if refused else ConnectionRefusedError)("logind refuses")
        if not descriptors:
            raise ConnectionAbortedError("logind gives no descriptor")
    except OSError:
        for one in descriptors:
            os.close(one)
        raise
    for one in descriptors:
        os.set_inheritable(one, False)
    return descriptors[0]


def _first(data: bytes) -> bytes:
    """Return the first whole message; b"" when it is not all there."""
    if len(data) < 16:
        return b""
    order = "<" if data[:1] == b"l" else ">"
    body, _, fields = struct.unpack_from(f"{order}LLL", data, 4)
    length = 16 + -(-fields // 8) * 8 + body
    return data[:length] if len(data) >= length else b""
