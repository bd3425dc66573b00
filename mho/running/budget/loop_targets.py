"""What the cells of an INV loop hold to which only some causes happened, those of a second slice too.

A second slice holds, enlarged, what the first one as it was read leaves of the matrix. A twin in which less happened to the
first slice aims the second one at less, as the run would have: the errors that it makes up for are not counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from mho.array_types import Floats
from mho.instruments.arrays import CELLS, Causes, HeldCells, Targets, held_later
from mho.procedures import LoopOnCells


@dataclass(frozen=True)
class LoopTargets:
    """Targets of a loop's cells."""

    loop: LoopOnCells
    first: Mapping[str, Targets]  # of the first slice, array by array
    second: Mapping[str, Targets]  # what the run aimed the second slice at; empty without one

    @classmethod
    def of(cls, loop: LoopOnCells, matrix: Floats) -> Self:
        """Return those of a programmed loop that holds `matrix` (n, n)."""
        first = {name: Targets(*both) for name, both in loop.targets(matrix).items()}
        second = {}
        if loop.second_slice is not None:
            for block in loop.second_slice.blocks():
                aimed = loop.levels.conductance(block.digits)
                second[block.placement.array] = Targets(aimed, aimed)
        return cls(loop, first, second)

    def held(self, cells: Mapping[str, HeldCells], causes: Causes) -> dict[str, Floats]:
        """Return the conductances (k, k) of the cells of each array, S, without noise."""
        found = {name: one.held(cells[name], causes) for name, one in self.first.items()}
        if not self.second:
            return found
        wires, rounded = "wires" in causes, "quantisation" in causes
        if wires and causes >= CELLS:
            return found | {name: cells[name].now for name in self.second}
        aimed = self.loop.second_targets(
            {name: one.rounded if rounded else one.exact for name, one in self.first.items()},
            {name: one.read_as(cells[name], causes) for name, one in self.first.items()},
            wires=wires,
        )
        levels = self.loop.levels
        for name, one in self.second.items():
            target = aimed[name]
            if rounded:
                target = levels.conductance(np.rint(target / levels.step).astype(np.int64))
            found[name] = held_later(one.missed(cells[name], causes, target), cells[name], causes)
        return found
