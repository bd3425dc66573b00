"""Simulated instruments that stand alone: what their terminals are wired to, and how PyVISA finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from mho.instruments.simulated.visa.backend import register_rack, unregister_rack


@dataclass(frozen=True)
class Resistor:
    """A conductance (S) at a source's terminals."""

    conductance: float

    def drive(self, volts: float, *, connected: bool) -> None:
        pass

    def current(self, volts: float, aperture: float) -> float:
        return volts * self.conductance


@contextmanager
def on_rack(devices: Mapping[str, Any]) -> Iterator[str]:
    """Let PyVISA find `devices` by address; yields the name of the library that does."""
    clock = next(iter(devices.values())).clock
    register_rack("benchmark", SimpleNamespace(devices=dict(devices), clock=clock))
    try:
        yield "benchmark@mho"
    finally:
        unregister_rack("benchmark")
