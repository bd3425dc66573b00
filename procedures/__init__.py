"""What one does with a chip: programming, solving, and the runner that carries procedures out."""

from procedures.base import Procedure
from procedures.runner import run
from procedures.solve import Solution, Solve

__all__ = ["Procedure", "Solution", "Solve", "run"]
