"""The simulated Keithley 707B."""

from mho.instruments.simulated.keithley707b.instrument import SimulatedKeithley707B

__all__ = ["SimulatedKeithley707B"]
