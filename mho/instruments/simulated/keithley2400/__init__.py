"""The simulated Keithley 2400."""

from mho.instruments.simulated.keithley2400.instrument import SimulatedKeithley2400

__all__ = ["SimulatedKeithley2400"]
