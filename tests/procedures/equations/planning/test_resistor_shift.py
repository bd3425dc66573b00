"""A programmed loop that does not settle is shifted by its resistors: it settles, and its cells stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import hadamard

from mho.chip_maps.chip import load_chip_map
from mho.errors import ConvergenceError
from mho.instruments import open_bench
from mho.procedures import Solve
from mho.procedures.equations.planning.loop_choice import FIRST, RATIO, LoopSetup, shifted_in_resistors
from mho.procedures.equations.planning.solve_plan import SolvePlan, plan_solve
from mho.running.execution import evaluate

GIN = 35e-6
MATRIX = 2.0 * np.eye(6) + 0.5 * np.random.default_rng(1).standard_normal((6, 6))


def programmed(encoding: str, matrix: np.ndarray = MATRIX) -> SolvePlan:
    """A plan whose cells hold their targets."""
    plan = plan_solve(
        LoopSetup(load_chip_map("reference"), (32, 32), GIN, encoding),
        matrix,
        np.random.default_rng(0),
        slices=None,
    )
    for block in plan.cells.blocks():
        block.achieved[:] = plan.levels.conductance(block.digits)
    return plan


@pytest.fixture
def lost() -> SolvePlan:
    """A loop that does not settle: a cell stuck in its low resistance cancels a diagonal entry."""
    plan = programmed("differential")
    plan.cells.negative.achieved[0, 0] = 120e-6
    return plan


def test_a_loop_that_does_not_settle_does_with_larger_resistors_around_the_same_cells(lost):
    before = lost.cells.achieved(GIN)
    assert before.unstable
    loop, cells = shifted_in_resistors(lost.loop, lost.cells, GIN, np.random.default_rng(0))
    after = cells.achieved(GIN)
    assert not after.unstable
    assert after.damping > 0.0
    further = loop.candidate.shift - lost.candidate.shift
    assert further > 0.0
    np.testing.assert_allclose(after.matrix - before.matrix, further * np.eye(6), atol=1e-12)
    for one, other in zip(cells.blocks(), lost.cells.blocks(), strict=True):
        assert one is other
    assert loop.candidate.encoding is cells.encoding


def test_it_is_shifted_no_further_than_serves_the_refinement(lost):
    loop, _ = shifted_in_resistors(lost.loop, lost.cells, GIN, np.random.default_rng(0))
    assert loop.cycles <= 6  # of six unknowns: no more than without any inverse
    assert loop.candidate.shift < 120e-6 / lost.levels.step * lost.encoding.unit  # what the cell takes away


def test_every_further_shift_goes_beyond_the_last_one():
    plan, rng = programmed("differential"), np.random.default_rng(0)
    radius = np.abs(np.linalg.eigvals(MATRIX)).max()
    shifts = [plan.shift]
    for _ in range(6):
        plan = plan.shift_further(GIN, rng)
        shifts.append(plan.shift)
        assert plan.encoding is plan.candidate.encoding
    assert (np.diff(shifts) >= 0.999 * FIRST * radius).all()
    assert (np.diff(shifts)[1:] >= 0.999 * (RATIO - 1.0) * np.array(shifts[1:-1])).all()


def test_no_resistor_makes_up_for_the_corner_of_a_bias_column():
    plan = programmed("bias")
    plan.cells.positive.achieved[-1, -1] = -1e-8  # as a meter may read a virgin cell
    with pytest.raises(ConvergenceError, match="a row has lost its cells"):
        shifted_in_resistors(plan.loop, plan.cells, GIN, np.random.default_rng(0))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "matrix",
    [
        np.linalg.qr(np.random.default_rng(4).standard_normal((2, 2)))[0],
        np.linalg.qr(np.random.default_rng(5).standard_normal((16, 16)))[0],
        hadamard(8)[np.random.default_rng(3).permutation(8)].astype(float),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_cells_that_miss_all_their_levels_refuse_no_system(matrix, seed):
    with open_bench("arrays", preset="stanford", seed=seed) as bench:
        assert evaluate(Solve(matrix=matrix, bits=24), bench, seed=seed).converged
