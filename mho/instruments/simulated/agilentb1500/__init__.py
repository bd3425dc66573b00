"""The simulated Agilent B1500."""

from mho.instruments.simulated.agilentb1500.instrument import SimulatedAgilentB1500

__all__ = ["SimulatedAgilentB1500"]
