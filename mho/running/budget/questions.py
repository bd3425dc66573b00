"""The answers of a run whose error a budget explains: as the run measured it, and as its twin gives it with causes off.

The error is relative and squared, ||answer - exact||^2 / ||exact||^2: independent causes add to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from mho.array_types import Floats
from mho.instruments.arrays import CAUSES, Cause, Causes, Exchange, Holding, Place, SwitchedCircuits
from mho.procedures import (
    LoopOnCells,
    Multiply,
    MultiplyPlan,
    evenly,
    largest_linear,
    random_by_active,
)
from mho.running.budget.repeated_bench import RepeatedBench

RAILED = 1.0  # squared error of a loop that rails at every input scale: that of an answer of 0


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

    @property
    def effort(self) -> int:
        """How many answers of a loop an `error` takes the time of."""
        ...

    def error(self, circuits: SwitchedCircuits, causes: Causes) -> float:
        """Return the squared error of a twin with only `causes`."""
        ...

    def redrawn(self, moment: int, number: int) -> Self:
        """Return the same question at another moment, as `Exchange.redrawn`."""
        ...


@dataclass(frozen=True)
class LoopQuestion:
    """The answer of an INV loop to one right-hand side, at the largest input scale that no output clamps."""

    measured: float  # squared error, as the run file has it; NaN where it has none
    exchange: Exchange  # inputs (scales, k), largest first
    targets: Holding  # of the loop's cells
    per_unit: Floats  # (scales,) array; output that stands for 1 in the loop's solution, V
    solution: Floats  # (n,) array; exact, of the system as given
    given: Callable[[Floats], Floats]  # solution of the loop -> that of the system as given
    order: int  # number of the loop's unknowns
    causes: tuple[Cause, ...] = tuple(CAUSES)
    effort: int = 1

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


@dataclass(frozen=True)
class ProductQuestion:
    """The sums of digits that programmed tiles answer to random patterns, before they are rounded."""

    # mean squared error over the mean square of the digits' exact sums, as the run file has it
    measured: float
    # in the order in which the run played them: the calibration of each tile, then the patterns
    exchanges: tuple[Exchange, ...]
    targets: Mapping[Place, Holding]  # of the cells in each place
    procedure: Multiply
    plan: MultiplyPlan
    causes: tuple[Cause, ...] = tuple(CAUSES)
    effort: int = 1

    def error(self, circuits: SwitchedCircuits, causes: Causes) -> float:
        """Return the squared error of a twin with only `causes`, calibrated as the run calibrates."""
        bench = RepeatedBench(circuits, self.targets, causes)
        bench.follow(self.exchanges)
        sums = self.procedure.sums_on(self.plan, bench)
        sums.calibrate()
        off = whole = 0.0
        for _, patterns in random_by_active(
            len(sums.digits), self.procedure.shots, self.procedure.pattern_rng()
        ):
            exact, seen = sums.expected(patterns).ravel(), sums.measured(patterns).ravel()
            kept = evenly(exact.size, self.procedure.outputs_kept)
            off += float(np.sum((seen[kept] - exact[kept]) ** 2))
            whole += float(np.sum(exact[kept].astype(np.float64) ** 2))
        return off / whole

    def redrawn(self, moment: int, number: int) -> Self:
        """Return the same question at another moment, as `Exchange.redrawn`."""
        moved = tuple(one.redrawn(moment, which) for which, one in enumerate(self.exchanges))
        return replace(self, exchanges=moved)


def squared_error(answer: Floats, exact: Floats) -> float:
    """Return ||answer - exact||^2 / ||exact||^2."""
    return float(np.sum((answer - exact) ** 2) / np.sum(exact**2))


def volts_per_unit(volts: Floats, rhs: Floats, cells: LoopOnCells, input_conductance: float) -> Floats:
    """Return the outputs (scales,), V, that stand for 1 in the solution for inputs (scales, k), V, of `rhs` (n,)."""
    shares = volts[:, : len(rhs)] @ rhs / (rhs @ rhs)
    return np.asarray(-input_conductance * shares * cells.encoding.unit / cells.step)
