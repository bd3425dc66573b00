"""The simulated Keithley 2636B and its sisters."""

from mho.instruments.simulated.keithley2636b.instrument import (
    SimulatedKeithley2602B,
    SimulatedKeithley2612B,
    SimulatedKeithley2614B,
    SimulatedKeithley2636B,
)

__all__ = [
    "SimulatedKeithley2602B",
    "SimulatedKeithley2612B",
    "SimulatedKeithley2614B",
    "SimulatedKeithley2636B",
]
