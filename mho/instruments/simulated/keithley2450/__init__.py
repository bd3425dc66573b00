"""The simulated Keithley 2450."""

from mho.instruments.simulated.keithley2450.instrument import SimulatedKeithley2450

__all__ = ["SimulatedKeithley2450"]
