"""The simulated Keithley 2636B."""

from mho.instruments.simulated.keithley2636b.instrument import SimulatedKeithley2636B

__all__ = ["SimulatedKeithley2636B"]
