"""Canonical spelling of VISA addresses and DAQ channels, so that two spellings of one instrument compare equal.

VISA Library Specification VPP-4.3, section 4.3.1.1: resource names are read without regard to case, boards default to 0,
the resource class to INSTR. An alias of VISA's own configuration, or a second connection to an instrument (a GPIB address
and a network address), cannot be recognised from the text.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Callable, Iterable

HERE = "localhost"
RAW_PORT = "5025"  # of SCPI over a plain socket (IANA `scpi-raw`): the instrument behind it is that of inst0
CLASSES = ("INSTR", "SOCKET", "RAW", "INTFC", "SERVANT", "MEMACC", "BACKPLANE")
SERIAL = re.compile(r"(?:\\\\\.\\)?(?:ASRL)?COM(\d+)|ASRL(\d+)", re.IGNORECASE)
HEAD = re.compile(r"(GPIB|USB|TCPIP|VICP|PXI|VXI|ASRL)(\d*)", re.IGNORECASE)
BETWEEN = re.compile(r"::(?![^\[]*\])")  # an IPv6 address in brackets contains colons
NUMBER = re.compile(r"(?<=,)0+(?=\d)")  # zeros before an address behind a gateway: gpib0,05 (VXI-11.2)
NO_SECONDARY = "65535"  # VI_NO_SEC_ADDR
ONE_UNIT = re.compile(r"(?:inst|hislip)0(?:,\d+)?", re.IGNORECASE)

Resolve = Callable[[str], Iterable[str]]
"""Returns the numeric addresses of a host name; empty when the name is unknown."""


def canonical_address(address: str) -> str:
    """Return the canonical spelling of a VISA resource name; an alias is returned in capitals."""
    parts = [part for part in BETWEEN.split(address.strip()) if part] or [""]
    kind = parts.pop().upper() if parts[-1].upper() in CLASSES and len(parts) > 1 else "INSTR"
    if match := SERIAL.fullmatch(parts[0]):
        return f"ASRL{int(match[1] or match[2])}::{kind}"
    if parts[0][:4].upper() == "ASRL":  # a device file, whose name is case-sensitive
        return f"ASRL{parts[0][4:]}::{kind}"
    match = HEAD.fullmatch(parts[0])
    if match is None:
        return "::".join([*map(str.upper, parts), kind])
    head, board, rest = match[1].upper(), int(match[2] or 0), parts[1:]
    if head in ("TCPIP", "VICP"):
        return _on_the_network(head, rest, kind)
    if head == "USB":  # maker, model and serial number identify a unit, whatever the board
        numbers = [_number(part) for part in rest[:2]]
        interface = [part for part in rest[3:] if part.strip("0")]
        kind = "INSTR" if kind == "RAW" else kind  # the other protocol of the same unit
        return "::".join(["USB0", *numbers, *map(str.upper, [*rest[2:3], *interface]), kind])
    if head == "GPIB" and rest[1:] == [NO_SECONDARY]:
        rest = rest[:1]
    plain = (str(int(part)) if part.isdecimal() else part.upper() for part in rest)
    return "::".join([f"{head}{board}", *plain, kind])


def _on_the_network(head: str, rest: list[str], kind: str) -> str:
    host, *others = rest or [""]
    host = canonical_host(host)
    if kind == "SOCKET":
        port = str(int(others[0])) if others and others[0].isdecimal() else "".join(others[:1])
        if port != RAW_PORT:
            return f"{head}0::{host}::{port}::SOCKET"
        return f"{head}0::{host}::INSTR"
    device = [NUMBER.sub("", part.lower()) for part in others if not ONE_UNIT.fullmatch(part)]
    return "::".join([f"{head}0", host, *device, kind])


def _number(part: str) -> str:
    try:
        return f"0x{int(part, 0):04X}"
    except ValueError:
        return part.upper()


def canonical_host(host: str) -> str:
    """Return the canonical spelling of a host's name or number; `HERE` for every name of this machine's loopback."""
    plain = host.strip("[] ").rstrip(".").lower()
    try:
        number = ipaddress.ip_address(plain)
    except ValueError:
        own = {socket.gethostname().lower(), socket.gethostname().partition(".")[0].lower()}
        loopback = plain.partition(".")[0] in (HERE, "ip6-localhost") or plain.endswith(f".{HERE}")
        return HERE if loopback or plain in own else plain
    mapped = getattr(number, "ipv4_mapped", None) or number
    if mapped.is_loopback:
        return HERE
    return f"[{mapped}]" if mapped.version == 6 else str(mapped)


def every_spelling(address: str, resolve: Resolve | None = None) -> set[str]:
    """Return the canonical spelling of an address, and those with each number of its host, or with the device file.

    Parameters
    ----------
    address : str
        VISA address.
    resolve : callable, optional
        By default the system's own resolver, which may query the network.
    """
    plain = canonical_address(address)
    head, *rest = BETWEEN.split(plain)
    if head.startswith("ASRL/"):
        return {plain, "::".join([f"ASRL{os.path.realpath(head[4:])}", *rest])}
    if head not in ("TCPIP0", "VICP0") or rest[0] == HERE:
        return {plain}
    host, *tail = rest
    numbers = set((resolve or _resolved)(host.strip("[]")))
    names = {HERE if _is_here(number) else canonical_host(number) for number in numbers}
    return {"::".join([head, name, *tail]) for name in {host, *names}}


def _resolved(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()  # then it cannot be connected to either


def _is_here(number: str) -> bool:
    """Return whether a numeric address is one of this machine's own: only those can be bound. Nothing is sent."""
    family = socket.AF_INET6 if ":" in number else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((number, 0))
    except OSError:
        return False
    return True


def daq_devices(channels: str) -> set[str]:
    """Return the devices of a list of NI-DAQmx channels: ``dev1/ao0:3, /Dev1/ao7`` is ``DAQ DEV1``."""
    names = (part.strip().lstrip("/").partition("/")[0] for part in channels.split(","))
    return {f"DAQ {name.upper()}" for name in names if name}
