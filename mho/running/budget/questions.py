"""The answers of a run whose error a budget explains: as the run measured it, and as its twin gives it with causes off.

The error is relative and squared, ||answer - exact||^2 / ||exact||^2: independent causes add to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mho.instruments.arrays import CAUSES, Cause, Causes, Exchange, SwitchedCircuits, Targets
from mho.procedures import LoopOnCells, largest_linear

Floats = NDArray[np.float64]

RAILED = 1.0
"""Squared error of a loop that rails at every input scale: that of an answer of 0."""


class Question(Protocol):
    """One answer of a run."""

    @property
    def measured(self) -> float:
        """Squared error, as the run file has it."""
        ...

    @property
    def causes(self) -> tuple[Cause, ...]:
        """What it can be wrong by."""
        ...

    def error(self, circuits: SwitchedCircuits, causes: Causes) -> float:
        """Return the squared error of a twin with only `causes`."""
        ...

    def redrawn(self, moment: int, number: int) -> Self:
        """Return the same question at another moment, as `Exchange.redrawn`."""
        ...


@dataclass(frozen=True)
class LoopQuestion:
    """The answer of an INV loop to one right-hand side, at the largest input scale that no output clamps.

    Attributes
    ----------
    measured : float
        Squared error, as the run file has it; NaN where it has none.
    exchange : Exchange
        Inputs (scales, k), largest first.
    targets : mapping
        Of the loop's cells.
    per_unit : (scales,) array
        Output that stands for 1 in the loop's solution, V.
    solution : (n,) array
        Exact, of the system as given.
    given : callable
        Solution of the loop -> that of the system as given.
    order : int
        Number of the loop's unknowns.
    """

    measured: float
    exchange: Exchange
    targets: Mapping[str, Targets]
    per_unit: Floats
    solution: Floats
    given: Callable[[Floats], Floats]
    order: int
    causes: tuple[Cause, ...] = tuple(CAUSES)

    def error(self, circuits: SwitchedCircuits, causes: Causes) -> float:
        """Return the squared error of a twin with only `causes`."""
        return self.error_of(circuits.repeat(self.exchange, self.targets, causes))

    def error_of(self, outputs: Floats) -> float:
        """Return the squared error of outputs (scales, k), V."""
        best = largest_linear(outputs)
        if best is None:
            return RAILED
        answer = self.given(outputs[best, : self.order] / self.per_unit[best])
        return squared_error(answer, self.solution)

    def redrawn(self, moment: int, number: int) -> Self:
        """Return the same question at another moment, as `Exchange.redrawn`."""
        return replace(self, exchange=self.exchange.redrawn(moment, number))


def squared_error(answer: Floats, exact: Floats) -> float:
    """Return ||answer - exact||^2 / ||exact||^2."""
    return float(np.sum((answer - exact) ** 2) / np.sum(exact**2))


def loop_targets(cells: LoopOnCells, matrix: Floats) -> dict[str, Targets]:
    """Return the targets of a loop that holds `matrix` (n, n), array by array."""
    return {name: Targets(*both) for name, both in cells.targets(matrix).items()}


def volts_per_unit(volts: Floats, rhs: Floats, cells: LoopOnCells, input_conductance: float) -> Floats:
    """Return the outputs (scales,), V, that stand for 1 in the solution for inputs (scales, k), V, of `rhs` (n,)."""
    shares = volts[:, : len(rhs)] @ rhs / (rhs @ rhs)
    return np.asarray(-input_conductance * shares * cells.encoding.unit / cells.step)
