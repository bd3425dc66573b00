"""The simulated Keysight B2912A."""

from mho.instruments.simulated.keysightb2912a.instrument import SimulatedKeysightB2912A

__all__ = ["SimulatedKeysightB2912A"]
