"""The simulated Keysight 33522B and 33622A."""

from mho.instruments.simulated.keysight33522b.instrument import (
    SimulatedKeysight33522B,
    SimulatedKeysight33622A,
)

__all__ = ["SimulatedKeysight33522B", "SimulatedKeysight33622A"]
