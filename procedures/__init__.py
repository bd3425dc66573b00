"""What one does with a chip: programming, solving, and the runner that carries procedures out."""

from procedures.base import Procedure
from procedures.program import Program, Programmed
from procedures.read import Read, Reads
from procedures.runner import run
from procedures.solve import Solution, Solve
from procedures.sweep import Sweep, Sweeps

__all__ = [
    "Procedure",
    "Program",
    "Programmed",
    "Read",
    "Reads",
    "Solution",
    "Solve",
    "Sweep",
    "Sweeps",
    "run",
]
