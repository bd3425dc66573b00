"""A bench that repeats recorded exchanges with some causes on, for code that plays vectors as it does on a chip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats
from mho.instruments.arrays import Causes, Exchange, Holding, Place, SwitchedCircuits
from mho.instruments.bench_file import BenchFile
from mho.procedures import largest_linear

Lines = Sequence[int] | NDArray[np.int64]


class Railed(Exception):
    """A loop sits in its clamps at every input scale: there is no answer."""


@dataclass(frozen=True)
class LoopInputs:
    """What code that plays vectors asks a bench for: its file, and the conductance of the loop's inputs, S."""

    file: BenchFile
    input_conductance: float


class RepeatedBench:
    """Every block in its place answers as it did, the first time as in its first exchange.

    Parameters
    ----------
    targets : mapping of Holding
        Of the cells in each place.
    causes : frozenset of str
        Those that are on.
    facts : LoopInputs, optional
        Of the bench that played them.
    """

    def __init__(
        self,
        circuits: SwitchedCircuits,
        targets: Mapping[Place, Holding],
        causes: Causes,
        facts: LoopInputs | None = None,
    ) -> None:
        self._circuits, self._targets, self._causes = circuits, targets, causes
        self._recorded: dict[Place, list[Exchange]] = {}
        self._played: dict[Place, int] = {}
        self._place: Place | None = None
        if facts is not None:
            self.file, self.input_conductance = facts.file, facts.input_conductance

    def follow(self, exchanges: Iterable[Exchange]) -> None:
        """Repeat these from now on, where a place is among them; elsewhere those before."""
        recorded: dict[Place, list[Exchange]] = {}
        for one in exchanges:
            recorded.setdefault(one.place, []).append(one)
        self._recorded |= recorded
        self._played |= dict.fromkeys(recorded, 0)

    def connect_multiply(self, array: str, rows: Lines, columns: Lines) -> None:
        """Connect a block for `multiply`."""
        self._place = "MULT", array, tuple(map(int, rows)), tuple(map(int, columns))

    def connect_invert(self, positive: str, rows: Lines, columns: Lines, **loop: Any) -> None:
        """Close the inverting loop around a block, with its diagonal and other arrays as they were."""
        self._place = "INV", positive, tuple(map(int, rows)), tuple(map(int, columns))

    def multiply(self, volts: Floats) -> Floats:
        """Return currents (samples, columns), A."""
        return self._answer(volts)

    def invert(self, volts: Floats) -> Floats:
        """Return settled outputs (samples, n), V, NaN in a row where one is in its clamp.

        Raises
        ------
        Railed
            Where that is so in all of them.
        """
        outputs = self._answer(volts)
        if largest_linear(outputs) is None:
            raise Railed
        return outputs

    def _answer(self, volts: Floats) -> Floats:
        place = self._place
        assert place is not None  # whoever plays has connected a block
        recorded, number = self._recorded[place], self._played[place]
        self._played[place] = number + 1
        exchange = recorded[min(number, len(recorded) - 1)]
        if number >= len(recorded):  # the run played fewer
            exchange = exchange.later(number - len(recorded) + 1)
        return self._circuits.repeat(exchange, self._targets[place], self._causes, volts)
