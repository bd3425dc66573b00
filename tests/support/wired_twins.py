"""Loads for the terminals of a simulated instrument in tests, and its registration under an address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from mho.instruments.simulated.clock import VirtualClock
from mho.instruments.simulated.visa.backend import register_rack, unregister_rack


class Resistor:
    """A `SourcePort` with a conductance (S) behind it, which remembers what it saw and when.

    Attributes
    ----------
    volts : float or None
        What is driven, V; None before anything was.
    connected : bool or None
    history : list of (float or None)
        Every level in turn; None where the output relay was open.
    times : list of float
        When each of them came, s.
    apertures : list of float
        Of every measurement, s.
    """

    def __init__(self, conductance: float, clock: VirtualClock | None = None) -> None:
        self.conductance = conductance
        self.clock = clock or VirtualClock()
        self.volts: float | None = None
        self.connected: bool | None = None
        self.history: list[float | None] = []
        self.times: list[float] = []
        self.apertures: list[float] = []

    def drive(self, volts: float, *, connected: bool) -> None:
        self.volts, self.connected = volts, connected
        self.history.append(volts if connected else None)
        self.times.append(self.clock.now)

    def current(self, volts: float, aperture: float) -> float:
        self.apertures.append(aperture)
        return volts * self.conductance


@contextmanager
def registered(name: str, devices: Mapping[str, Any]) -> Iterator[SimpleNamespace]:
    """Make `devices` available to PyVISA by address as ``NAME@mho``; yields the rack, whose `faults` may be filled."""
    clock = next(iter(devices.values())).clock
    rack = SimpleNamespace(clock=clock, devices=dict(devices), faults=[])
    register_rack(name, rack)
    try:
        yield rack
    finally:
        unregister_rack(name)


def ask(device: Any, message: str) -> str:
    """Send a message to a simulated instrument itself, and return its reply as text."""
    device.write(message.encode("latin-1"))
    reply: bytes = device.read()
    return reply.decode("latin-1").rstrip("\r\n")


def ask_all(device: Any, message: str | bytes) -> list[str]:
    """Send a message to a simulated instrument itself, and return all its replies as text."""
    device.write(message if isinstance(message, bytes) else message.encode("latin-1"))
    replies = []
    while device._output:
        replies.append(device.read().decode("latin-1").removesuffix("\n"))
    return replies


def error_of(device: Any) -> int:
    """Return the number of the oldest error that a simulated SCPI instrument has queued, 0 for none."""
    device._output = b""
    return int(ask(device, "SYST:ERR?").split(",")[0])
