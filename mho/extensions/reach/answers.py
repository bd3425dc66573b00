"""mho's own answers to the systems of reach: the chip inverts, products are taken in float64."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from mho.errors import ChipMapError, ConvergenceError, InputError
from mho.extensions.reach.certified import digital_work
from mho.extensions.reach.reader import GOAL_BITS, MOST_CYCLES, Answer, System
from mho.instruments import open_bench
from mho.procedures import NullStream, Solve


class _Residuals(NullStream):
    """Counts the residuals that were recomputed, and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.recomputed = 0

    def emit(self, table: str, **values: Any) -> None:
        """Count a cycle's residual where it was recomputed."""
        if table == "cycles" and not math.isnan(values["true_residual"]):
            self.recomputed += 1


def solve_systems(
    systems: Iterable[System], bench: str = "arrays", preset: str | None = None
) -> Iterator[Answer]:
    """Solve systems as `mho solve --residual float64` does, each on a chip drawn by the system's seed."""
    for system in systems:
        yield _answer(system, bench, preset)


def _answer(system: System, bench: str, preset: str | None) -> Answer:
    procedure = Solve(
        matrix=system.matrix, rhs=system.rhs, bits=GOAL_BITS, residual="float64", max_cycles=MOST_CYCLES
    )
    stream = _Residuals()
    with open_bench(bench, preset=preset, seed=system.seed) as opened:
        try:
            plan = procedure.prepare(procedure.check(), opened, np.random.default_rng([system.seed, 1]))
            found = procedure.execute(plan, opened, stream)
        except (ChipMapError, ConvergenceError, InputError) as error:
            return Answer(system.id, "refused", reason=str(error))
    cycles = len(found.cycles)
    return Answer(
        system.id, "converged" if found.converged else "not converged", found.solution, cycles,
        digital_work(system.size, cycles, stream.recomputed, found.summary["method"]),
        found.summary["reason"],
    )  # fmt: skip
