"""What one does with a chip: program, read and sweep cells, multiply, invert, solve equations.

- `base`, `parameters`, `stream`, `catalogue`: what every procedure is made of, and which there are;
- `cells`: procedures on cells, and the write-verify they share;
- `equations`: solve, invert, multiply, with what INV, MVM and refinement need.
"""

from mho.procedures.base import Procedure
from mho.procedures.cells.programming.program import Program, Programmed
from mho.procedures.cells.programming.programmer import Block, Programmer
from mho.procedures.cells.programming.settings_text import read_settings, settings_in_use, settings_text
from mho.procedures.cells.programming.strategies.known_strategies import find_strategy, known_strategies
from mho.procedures.cells.programming.strategy import Strategy
from mho.procedures.cells.reading.read import Read, Reads
from mho.procedures.cells.switching.sweep import Sweep, Sweeps
from mho.procedures.equations.forecast.drawn_solves import DrawnSolve, draw_solves
from mho.procedures.equations.forecast.energy import EnergyModel
from mho.procedures.equations.forecast.solve_forecast import SolveForecast
from mho.procedures.equations.forecast.wall_time import wall_time
from mho.procedures.equations.invert.invert import Inversions, Invert
from mho.procedures.equations.multiply.multiply import Multiply, Products
from mho.procedures.equations.planning.loop_choice import Tried
from mho.procedures.equations.planning.method_choice import MethodChoice
from mho.procedures.equations.solve.prepared_solve import PreparedSolve
from mho.procedures.equations.solve.solve import Solve
from mho.procedures.equations.solve.solve_result import Solution
from mho.procedures.parameters import (
    BooleanParameter,
    FloatParameter,
    IntegerParameter,
    ListParameter,
    Parameter,
)

__all__ = [
    "Block",
    "BooleanParameter",
    "DrawnSolve",
    "EnergyModel",
    "FloatParameter",
    "IntegerParameter",
    "Inversions",
    "Invert",
    "ListParameter",
    "MethodChoice",
    "Multiply",
    "Parameter",
    "PreparedSolve",
    "Procedure",
    "Products",
    "Program",
    "Programmed",
    "Programmer",
    "Read",
    "Reads",
    "Solution",
    "Solve",
    "SolveForecast",
    "Strategy",
    "Sweep",
    "Sweeps",
    "Tried",
    "draw_solves",
    "find_strategy",
    "known_strategies",
    "read_settings",
    "settings_in_use",
    "settings_text",
    "wall_time",
]
