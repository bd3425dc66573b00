"""Under which conditions chips are drawn for a forecast: bench, seed, and whether each draw plans anew."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mho.chip_maps.chip import parse_chip_map
from mho.instruments import ArrayBench, Bench
from mho.instruments.bench_file import BenchSource
from mho.instruments.simulated import cell_preset
from mho.procedures import DrawnSolve, PreparedSolve, Solve, draw_solves, unfit_cells


@dataclass(frozen=True)
class Conditions:
    """What the draws of one forecast share.

    Attributes
    ----------
    source : BenchSource
        Without instruments.
    seed : int
    replan : bool
        Whether each draw plans anew.
    """

    source: BenchSource
    seed: int
    replan: bool

    def rng(self) -> np.random.Generator:
        """Return the generator of a plan, as a run with this seed has it."""
        return np.random.default_rng([self.seed, 1])

    def planned(self, solve: Solve, given: Any) -> PreparedSolve:
        """Plan the solve; errors as `Solve.prepare`."""
        with ArrayBench(self.source, seed=self.seed) as bench:
            prepared: PreparedSolve = solve.prepare(given, bench, self.rng())
        return prepared

    def unfit(self) -> str:
        """Return which levels of the chip map the cells do not hold; "" where they hold all."""
        simulation = self.source.bench.simulation
        assert simulation is not None  # it is without instruments
        return unfit_cells(
            cell_preset(simulation.preset), parse_chip_map(self.source.chip_text).level_scale()
        )

    def drawn(self, solve: Solve, given: Any, first: PreparedSolve, draws: int) -> Iterator[DrawnSolve]:
        """Yield solves on drawn chips: by the plan itself, or each by one of its own where the run's seed is not known."""

        def plan(bench: Bench, rng: np.random.Generator) -> PreparedSolve:
            if self.replan:
                again: PreparedSolve = solve.prepare(given, bench, rng)
                return again
            return replace(copy.deepcopy(first), rng=rng)

        return draw_solves(plan, solve.execute, self.source, draws, np.random.default_rng([self.seed, 2]))
