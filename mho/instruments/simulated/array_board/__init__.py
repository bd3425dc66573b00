"""The simulated array board."""

from mho.instruments.simulated.array_board.instrument import SimulatedArrayBoard

__all__ = ["SimulatedArrayBoard"]
