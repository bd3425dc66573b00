"""What one does with a chip: form, program, read and sweep cells, multiply, invert, solve equations.

- `base`, `parameters`, `documentation`, `stream`: what every procedure is made of;
- `manifest`, `catalogue`: which procedures there are, and making one of a name and values;
- `cells`: procedures on cells, and the write-verify they share;
- `equations`: solve, invert, multiply, with what INV, MVM and refinement need;

The names are loaded when they are asked for (PEP 562), so a run imports its own procedure only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mho.errors import nearest
    from mho.procedures.base import Estimate, Procedure, ProcedureResult
    from mho.procedures.catalogue import find_procedure, make_procedure
    from mho.procedures.cell_range import CellRange, check_inside, lines_text
    from mho.procedures.cells.programming.group_programming import unfit_cells
    from mho.procedures.cells.programming.program import Program, Programmed
    from mho.procedures.cells.programming.programmer import Programmer
    from mho.procedures.cells.programming.record import Block
    from mho.procedures.cells.programming.refresh import Refresh, Refreshed
    from mho.procedures.cells.programming.settings_text import (
        read_settings,
        settings_in_use,
        settings_text,
        verified_needs,
    )
    from mho.procedures.cells.programming.strategies.known_strategies import find_strategy, known_strategies
    from mho.procedures.cells.programming.strategy import Strategy
    from mho.procedures.cells.reading.array_map import MapArray, Mapped
    from mho.procedures.cells.reading.contact import Contact, Contacts
    from mho.procedures.cells.reading.noise import Noise, Noises
    from mho.procedures.cells.reading.read import Read, Reads
    from mho.procedures.cells.reading.retention import Retained, Retention
    from mho.procedures.cells.switching.cycling import Switched, Switching
    from mho.procedures.cells.switching.disturb import Disturb, Disturbed
    from mho.procedures.cells.switching.endurance import Endurance, Endured
    from mho.procedures.cells.switching.form import Form, Forming
    from mho.procedures.cells.switching.iv import IV, Sweep, Sweeps
    from mho.procedures.cells.switching.pulse_train import PulsedCells, PulseTrain
    from mho.procedures.cells.switching.response import Response, Responses
    from mho.procedures.chip_in_use import chip_of
    from mho.procedures.conditions import check_seed, load_conditions
    from mho.procedures.equations.algorithms.refinement import Refinement, method_name, refine
    from mho.procedures.equations.analogue_matrix import AnalogueMatrix
    from mho.procedures.equations.certificates.certificate import Certificate
    from mho.procedures.equations.certificates.enclosure import Enclosure, best_enclosure
    from mho.procedures.equations.circuits.loop_on_cells import LoopOnCells, largest_linear
    from mho.procedures.equations.circuits.tiles import FreeTiles
    from mho.procedures.equations.forecast import (
        DrawnSolve,
        EnergyModel,
        SolveForecast,
        draw_solves,
        wall_time,
    )
    from mho.procedures.equations.held_matrix import HeldAnswers, HeldMatrix
    from mho.procedures.equations.invert import Inversions, Invert
    from mho.procedures.equations.multiply import Multiply, MultiplyPlan, Products
    from mho.procedures.equations.multiply_measurement import evenly, random_by_active
    from mho.procedures.equations.planning.block_solve_plan import BlockSolvePlan
    from mho.procedures.equations.planning.linear_system import Goal, LinearSystem
    from mho.procedures.equations.planning.loop_choice import LoopOption
    from mho.procedures.equations.planning.method_choice import MethodChoice
    from mho.procedures.equations.solve.answers import Solution
    from mho.procedures.equations.solve.prepared_solve import PreparedSolve
    from mho.procedures.equations.solve.programmed_block_matrix import ProgrammedBlockMatrix
    from mho.procedures.equations.solve.solve import Solve
    from mho.procedures.equations.worth import solve_unaided
    from mho.procedures.manifest import asked_for, described_entries
    from mho.procedures.needs import check_needs
    from mho.procedures.parameters import (
        BooleanParameter,
        FloatParameter,
        IntegerParameter,
        ListParameter,
        Parameter,
    )
    from mho.procedures.stream import Control, NullStream, Observer, Stream
    from mho.procedures.wording import counted, joined, lost_cells, percent, quantity, verified_cells
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__, former={"Map": "MapArray"})

__all__ = [
    "IV", "AnalogueMatrix", "Block", "BlockSolvePlan", "BooleanParameter", "CellRange", "Certificate",
    "Contact", "Contacts", "Control", "Disturb", "Disturbed", "DrawnSolve", "Enclosure", "Endurance",
    "Endured", "EnergyModel", "Estimate", "FloatParameter", "Form", "Forming", "FreeTiles", "Goal",
    "HeldAnswers", "HeldMatrix", "IntegerParameter", "Inversions", "Invert", "LinearSystem",
    "ListParameter", "LoopOnCells", "LoopOption", "MapArray", "Mapped", "MethodChoice", "Multiply",
    "MultiplyPlan", "Noise", "Noises", "NullStream", "Observer", "Parameter", "PreparedSolve",
    "Procedure", "ProcedureResult", "Products", "Program", "Programmed", "ProgrammedBlockMatrix",
    "Programmer", "PulseTrain", "PulsedCells", "Read", "Reads", "Refinement", "Refresh", "Refreshed",
    "Response", "Responses", "Retained", "Retention", "Solution", "Solve", "SolveForecast", "Strategy", "Stream", "Sweep",
    "Sweeps", "Switched", "Switching", "asked_for", "best_enclosure", "check_inside", "check_needs", "check_seed",
    "chip_of",
    "counted", "described_entries", "draw_solves", "evenly", "find_procedure", "find_strategy",
    "joined", "known_strategies", "largest_linear", "lines_text", "load_conditions", "lost_cells",
    "make_procedure", "method_name", "nearest", "percent", "quantity", "random_by_active",
    "read_settings", "refine", "settings_in_use", "settings_text", "solve_unaided", "unfit_cells",
    "verified_cells", "verified_needs", "wall_time",
]  # fmt: skip
