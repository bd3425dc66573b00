"""Lines in another order around lost cells: a loop that no shift makes settle, does."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mho.extensions.reach")  # whose families the benchmarks draw from

from benchmarks._families import draw
from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.inverse_encoding import loop_eigenvalues, slowest_eigenvalue
from mho.errors import ConvergenceError
from mho.instruments import open_bench
from mho.procedures import Solve
from mho.procedures.cells.programming.record import Block
from mho.procedures.equations.planning.loop_choice import LoopSetup
from mho.procedures.equations.planning.solve_plan import SolvePlan, order_around_lost_cells, plan_solve
from mho.running.execution import evaluate

GIN = 35e-6


def planned(matrix: np.ndarray) -> SolvePlan:
    plan = plan_solve(
        LoopSetup(load_chip_map("reference"), (32, 32), GIN, "differential"),
        matrix,
        np.random.default_rng(0),
        slices=None,
    )
    for block in plan.cells.blocks():
        block.achieved[:] = plan.levels.conductance(block.digits)
    return plan


def slowest(plan: SolvePlan, blocks: list[Block]) -> float:
    cells = [block.achieved for block in blocks]
    diagonal = plan.encoding.diagonal_conductance(plan.levels.step)
    network = plan.encoding.network(*cells, diagonal)
    return slowest_eigenvalue(loop_eigenvalues(network, plan.encoding.row_load(*cells, diagonal, GIN))).real


@pytest.fixture
def plan() -> SolvePlan:
    """A loop whose first diagonal entry is cancelled by a cell of the second array, stuck in its low resistance."""
    matrix = 2.0 * np.eye(6) + 0.5 * np.random.default_rng(1).standard_normal((6, 6))
    plan = planned(matrix)
    plan.cells.negative.achieved[0, 0] = 120e-6
    return plan


def test_the_order_found_settles_where_the_one_at_hand_does_not(plan):
    blocks = plan.cells.blocks()
    assert slowest(plan, blocks) < 0.0
    rows, columns = order_around_lost_cells(plan.cells, GIN, np.random.default_rng(2))
    assert sorted(rows) == sorted(columns) == list(range(6))
    moved = [Block(block.placement, block.digits) for block in blocks]
    for block in moved:
        block.achieved[:] = plan.levels.conductance(block.digits)
    at = list(rows).index(0), list(columns).index(0)  # where the line of the lost cell has gone
    moved[1].achieved[at] = 120e-6
    assert slowest(plan, moved) > 0.0
    assert at[0] != at[1]


def test_the_plan_lays_the_loop_on_the_same_lines(plan):
    moved = plan.around_lost_cells(GIN, np.random.default_rng(2))
    for now, before in zip(moved.cells.blocks(), plan.cells.blocks(), strict=True):
        assert sorted(now.placement.rows) == sorted(before.placement.rows)
        assert sorted(now.placement.columns) == sorted(before.placement.columns)
        assert now.placement.array == before.placement.array
        np.testing.assert_array_equal(now.digits, before.digits)


def test_without_a_lost_cell_there_is_no_other_order():
    assert planned(np.eye(3) + 0.2).around_lost_cells(GIN, np.random.default_rng(0)) is None


def test_a_system_that_no_shift_solves_is_solved_around_the_lost_cells(monkeypatch):
    system = draw("random", 8, 1)  # the corner of its bias column falls on a cell that is stuck off
    job = Solve(matrix=system.matrix, rhs=system.rhs, bits=24, residual="float64")
    with open_bench("arrays", preset="pku", seed=1, stuck=0.02) as bench:
        assert evaluate(job, bench, seed=1).converged
    monkeypatch.setattr(SolvePlan, "around_lost_cells", lambda *_: None)
    with (
        open_bench("arrays", preset="pku", seed=1, stuck=0.02) as bench,
        pytest.raises(ConvergenceError, match="no INV loop settles"),
    ):
        evaluate(job, bench, seed=1)
