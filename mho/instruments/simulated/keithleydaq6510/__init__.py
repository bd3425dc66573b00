"""The simulated Keithley DAQ6510."""

from mho.instruments.simulated.keithleydaq6510.instrument import SimulatedKeithleyDAQ6510

__all__ = ["SimulatedKeithleyDAQ6510"]
