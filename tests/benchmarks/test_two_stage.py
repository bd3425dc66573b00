"""The published inverse in two stages: its error, what limits it, its counts, and what is counted of it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import two_stage
from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.matrix_files import to_real
from mho.chip_maps.multiply_encoding import encode_multiply
from mho.extensions.published.as_published import LEAF, place_beside
from mho.procedures.equations.planning.block_solve_plan import plan_block_solve
from mho.procedures.equations.planning.loop_choice import LoopSetup


@pytest.fixture(scope="module")
def inverted():
    return two_stage.as_published("arrays", 1)


@pytest.fixture(scope="module")
def begun():
    """The first five of the ten cycles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(two_stage, "CYCLES", 5)
        return two_stage.as_published("arrays", 1)


@pytest.mark.thorough
def test_the_error_after_ten_cycles_is_the_published_one(inverted):
    assert len(inverted.errors) == 10
    assert inverted.errors[-1] < 2.0 * two_stage.PAPER
    assert inverted.found.wrong == 0


@pytest.mark.thorough
def test_what_limits_it_is_that_the_matrix_is_held_in_24_bits(inverted):
    assert inverted.errors[-1] == pytest.approx(inverted.held, rel=0.1)
    matrix = to_real(two_stage.channel_gram(1))
    assert np.abs(inverted.found.held - matrix).max() <= 2.0**-24 * np.abs(matrix).max() * 2.0


@pytest.mark.thorough
def test_it_converges_by_about_the_three_bits_a_cycle_of_a_loop(begun):
    falls = np.array(begun.errors[1:]) / np.array(begun.errors[:-1])
    assert len(falls) == 4
    assert (falls < 2.0**-3).all()


@pytest.mark.thorough
def test_the_operations_are_those_of_the_formulae(begun):
    tree = begun.found.plan.tree
    assert (tree.inversions, tree.products + 16) == two_stage.formulae(4) == (9, 30)
    # A unit vector has three zero quarters: in the first cycle some parts are not played.
    assert 16 * (9 * 5 - 9) < begun.found.inversions <= 16 * 9 * 5
    assert 16 * (14 * 5 - 14) < begun.found.products <= 16 * 14 * 5


def test_blocks_and_exact_products_share_no_cell_of_one_multiplying_array():
    matrix, chip = to_real(two_stage.channel_gram(1)), load_chip_map("reference")
    plan = plan_block_solve(
        LoopSetup(chip, (32, 32), 35e-6),
        matrix,
        np.random.default_rng(0),
        LEAF,
        schur="complex",
    )
    tiles = place_beside(chip, encode_multiply(matrix, 24), plan.blocks(), (32, 32))
    cells = [
        (block.placement.array, row, column)
        for block in (*plan.blocks(), *tiles)
        for row in block.placement.rows.tolist()
        for column in block.placement.columns.tolist()
    ]
    assert len(set(cells)) == len(cells)


@pytest.mark.thorough
def test_a_solve_with_its_residual_in_float64_is_not_limited_by_that():
    assert two_stage.by_solve("gcr", 1) < 1e-12


@pytest.mark.thorough
def test_all_figures_are_measured(inverted, monkeypatch):
    monkeypatch.setattr(two_stage, "seeds", lambda repeat: range(1, 2))
    monkeypatch.setattr(two_stage, "as_published", lambda bench, seed: inverted)
    monkeypatch.setattr(two_stage, "by_solve", lambda method, seed: 1e-12)
    figures = two_stage.run(1)
    assert [figure.met for figure in figures] == [True] * 6
    assert figures[0].detail["after cycle 10"] == figures[0].value
