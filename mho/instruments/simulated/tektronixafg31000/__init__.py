"""The simulated Tektronix AFG31000."""

from mho.instruments.simulated.tektronixafg31000.instrument import SimulatedTektronixAFG31000

__all__ = ["SimulatedTektronixAFG31000"]
