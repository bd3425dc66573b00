"""The bench without instruments: the same chip, evaluated a whole array at a time.

The names here are loaded when they are asked for (PEP 562): a check for this type of bench need not wait for the twins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mho.instruments.arrays.bench import ArrayBench, CellVisit
from mho.instruments.roles import CellPositions

if TYPE_CHECKING:
    from mho.instruments.arrays.bound_blocks import BoundBlocks
    from mho.instruments.arrays.causes import ALL, CAUSES, Cause, Causes
    from mho.instruments.arrays.exchanges import (
        Exchange,
        ExchangeRecorder,
        HeldCells,
        Place,
        held_history,
        stuck_cells,
    )
    from mho.instruments.arrays.switched_circuits import (
        CELLS,
        Holding,
        SwitchedCircuits,
        Targets,
        TargetsByArray,
        held_later,
    )
    from mho.instruments.laboratory.twins_for_real import as_arrays
    from mho.instruments.simulated.physics.cells.cells import CellStates
else:
    from mho.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(__spec__)

__all__ = [
    "ALL", "CAUSES", "CELLS", "ArrayBench", "BoundBlocks", "Cause", "Causes", "CellPositions",
    "CellStates", "CellVisit", "Exchange", "ExchangeRecorder", "HeldCells", "Holding", "Place",
    "SwitchedCircuits", "Targets", "TargetsByArray", "as_arrays", "held_history", "held_later",
    "stuck_cells",
]  # fmt: skip
