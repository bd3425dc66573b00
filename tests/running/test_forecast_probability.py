"""The probability of converging that is forecast is the share of runs that converge, where about half of them do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import fisher_exact

from mho.instruments import open_bench
from mho.procedures import Solve
from mho.running.execution import evaluate
from mho.running.forecasting import Forecast, forecast

SEED = 1  # of the plan, which forecast and runs share
RUNS = 30
CHANCE = 0.01  # with which forecast and runs may differ as they do though both are drawn alike


def system(seed: int, max_cycles: int) -> dict[str, Any]:
    """Two unknowns, and so few cycles that the cells decide whether they are enough."""
    rng = np.random.default_rng(seed)
    return {
        "matrix": np.eye(2) + 0.5 * rng.standard_normal((2, 2)) / np.sqrt(2.0),
        "rhs": np.ones(2),
        "residual": "float64",
        "method": "line search",
        "max_cycles": max_cycles,
    }


def told(preset: str, how: dict[str, Any]) -> Forecast:
    return forecast(**how, bench="arrays", preset=preset, seed=SEED, draws=39, alternatives=False)


def converging(preset: str, how: dict[str, Any]) -> int:
    found = 0
    for chip in range(RUNS):
        with open_bench("arrays", preset=preset, seed=chip) as bench:
            found += evaluate(Solve(**how), bench, seed=SEED).converged
    return found


def chance(solves: Forecast, runs: int) -> float:
    """Return the probability of a difference at least as large between two shares of one probability."""
    draws, yes = solves.solves.draws, solves.solves.converging
    return float(fisher_exact([[yes, draws - yes], [runs, RUNS - runs]]).pvalue)


@pytest.mark.thorough
@pytest.mark.parametrize(("seed", "preset", "max_cycles"), [(7, "quiet", 3), (5, "relaxing", 4)])
def test_about_half_of_the_runs_converge_as_was_forecast(seed, preset, max_cycles):
    how = system(seed, max_cycles)
    drawn, runs = told(preset, how), converging(preset, how)
    probability, low, high = drawn.solves.probability
    assert 0.25 < probability < 0.75
    assert 0.2 * RUNS < runs < 0.8 * RUNS
    assert low < probability < high
    assert chance(drawn, runs) > CHANCE
    exact = told("ideal", how)
    assert chance(exact, runs) < CHANCE  # so that a forecast from other cells is found out
