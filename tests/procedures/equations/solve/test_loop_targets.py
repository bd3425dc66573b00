"""INV cells programmed to the entries themselves: A0 is nearer to A, and the solve takes fewer cycles."""

from __future__ import annotations

import numpy as np
import pytest
from daily import daily

from mho.instruments import open_bench
from mho.procedures import Solution, Solve
from mho.running.execution import evaluate

CHANNEL = np.random.default_rng(4).standard_normal((96, 12))
MATRIX = CHANNEL.T @ CHANNEL / 96.0


def solve(targets: str, **parameters: object) -> Solution:
    with open_bench("arrays", seed=1) as bench:
        procedure = Solve(matrix=MATRIX, bits=24, seed=1, loop_targets=targets, **parameters)
        return evaluate(procedure, bench, seed=1)


@pytest.mark.parametrize("encoding", daily(["auto", "bias"], ["bias"]))
def test_what_is_not_rounded_need_not_be_corrected(encoding: str) -> None:
    digits, analogue = (
        solve(one, residual="float64", encoding=encoding).summary for one in ("digits", "analogue")
    )
    assert digits["converged"]
    assert analogue["converged"]
    assert analogue["forecast_rho"] < 0.6 * digits["forecast_rho"]
    assert len(analogue["cycles"]) < len(digits["cycles"])
    assert analogue["cells"] == digits["cells"]
    assert analogue["cells_failed"] == 0


def test_products_keep_their_digits() -> None:
    """Only the loop's cells have finer targets: the integers of the products are those of 3-bit cells."""
    result = solve("analogue", residual="analogue")
    assert result.converged
    assert result.summary["mvm_outputs"] > 0
    assert result.summary["mvm_wrong"] == 0


@pytest.mark.parametrize(("how", "digits"), [({}, True), ({"loop_slices": 2}, False)])
def test_a_figure_of_levels_is_drawn_where_cells_hold_digits(how: dict[str, int], digits: bool) -> None:
    with open_bench("arrays", seed=1) as bench:
        procedure = Solve(matrix=MATRIX, bits=24, seed=1, **how)
        plan = procedure.prepare(procedure.check(), bench, np.random.default_rng(1))
        figures = procedure.layout(plan).figures
    assert any(one.name == "levels" for one in figures) == digits
