"""The simulated Lake Shore Models 335 and 336."""

from mho.instruments.simulated.lakeshore335.instrument import SimulatedLakeShore335, SimulatedLakeShore336

__all__ = ["SimulatedLakeShore335", "SimulatedLakeShore336"]
