"""A system of 64 unknowns on the bench with two inverting arrays of 64 x 64: in one loop, and by blocks."""

from __future__ import annotations

import numpy as np
import pytest

from mho.chip_maps.inverse_encoding import contraction
from mho.errors import ChipMapError
from mho.instruments import open_bench
from mho.procedures import Solution, Solve
from mho.procedures.equations.planning.solve_plan import SolvePlan
from mho.running.execution import evaluate

SIDE = 8
LINE = 2.0 * np.eye(SIDE) - np.eye(SIDE, k=1) - np.eye(SIDE, k=-1)
POISSON = np.kron(LINE, np.eye(SIDE)) + np.kron(np.eye(SIDE), LINE)


def solve(bench: str, matrix: np.ndarray = POISSON, **parameters: object) -> Solution:
    with open_bench(bench, seed=1) as opened:
        return evaluate(Solve(matrix=matrix, bits=24, seed=1, **parameters), opened, seed=1)


def gram() -> np.ndarray:
    channel = np.random.default_rng(3).standard_normal((512, 64))
    return channel.T @ channel / 512.0


@pytest.mark.thorough
@pytest.mark.parametrize("residual", ["float64", "analogue"])
def test_poisson_s_equation_is_solved_in_one_loop(residual: str) -> None:
    known = np.random.default_rng(2).standard_normal(64)
    result = solve("integrated64-arrays", rhs=POISSON @ known, residual=residual)
    assert result.converged
    assert len(result.cycles) <= 10
    assert np.linalg.norm(result.solution - known) <= 2.0**-24 * np.linalg.norm(known)


@pytest.mark.slow
@pytest.mark.parametrize("matrix", [POISSON, gram()], ids=["Poisson", "Gram"])
def test_at_the_wire_too(matrix: np.ndarray) -> None:
    result = solve("integrated64", matrix, residual="float64")
    assert result.converged
    assert len(result.cycles) <= 10


@pytest.mark.thorough
@pytest.mark.parametrize(("leaf", "loops"), [(32, 2), (20, 4)])
def test_by_blocks_its_loops_lie_beside_each_other(leaf: int, loops: int) -> None:
    result = solve("integrated64-arrays", leaf=leaf)
    assert result.converged
    assert result.summary["encoding"].startswith(f"{loops} leaves")
    assert len(result.cycles) <= 12


@pytest.mark.slow
def test_by_blocks_at_the_wire_as_without_instruments() -> None:
    wire, plain = (solve(bench, leaf=32) for bench in ("integrated64", "integrated64-arrays"))
    assert wire.converged
    assert plain.converged
    assert abs(len(wire.cycles) - len(plain.cycles)) <= 1
    assert wire.summary["inversions"] == 3 * len(wire.cycles)


def test_one_more_unknown_does_not_fit() -> None:
    with pytest.raises(
        ChipMapError, match=r"65 x 65 .* takes 2 loops of up to 33 x 33; .* take up to 1 of that size: use"
    ):
        solve("integrated64-arrays", np.eye(65))


@pytest.mark.thorough
def test_the_forecast_knows_the_wires(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells read one by one do not show what 64 lines in use drop; the loop's forecast counts it in."""
    plans: list[SolvePlan] = []
    forecast = SolvePlan.forecast

    def noted(plan: SolvePlan, input_conductance: float) -> tuple[np.ndarray, float]:
        plans.append(plan)
        return forecast(plan, input_conductance)

    monkeypatch.setattr(SolvePlan, "forecast", noted)
    with open_bench("integrated64-arrays", seed=1) as bench:
        result = evaluate(
            Solve(matrix=gram(), bits=24, residual="float64", max_cycles=1, seed=1), bench, seed=1
        )
        plan = plans[-1]
        wired = [
            bench.arrays.chip.block(block.placement.array, block.placement.rows, block.placement.columns)
            for block in (plan.cells.positive, plan.cells.negative)
        ]
    encoding, step = plan.encoding, plan.levels.step
    resistors = encoding.diagonal_conductance(step)

    def rho(positive: np.ndarray, negative: np.ndarray) -> float:
        network = encoding.network(positive, negative, resistors)
        return float(contraction(plan.held, encoding.represented(network, step)))

    exact = rho(*(block.admittance.transfer for block in wired))
    without = rho(plan.cells.positive.achieved, plan.cells.negative.achieved)
    assert result.summary["forecast_rho"] == pytest.approx(exact, rel=0.02)
    assert abs(without - exact) > 0.05 * exact
