"""Matrices that no loop holds, inverted by blocks on the bench: right solutions, the counts of the plan, room."""

from __future__ import annotations

import numpy as np
import pytest
from daily import daily

from mho import run
from mho.chip_maps.chip import ArrayMap, ChipMap, load_chip_map
from mho.errors import ChipMapError, ConvergenceError, InputError
from mho.instruments import open_bench
from mho.procedures import Solution, Solve
from mho.procedures.equations.circuits.loop_on_cells import AchievedLoop
from mho.procedures.equations.planning import block_leaves
from mho.procedures.equations.planning.block_leaves import EFFORTS
from mho.procedures.equations.planning.block_solve_plan import BlockSolvePlan, plan_block_solve
from mho.procedures.equations.planning.loop_choice import LoopSetup
from mho.running.execution import evaluate
from mho.runs import RunFile


def dominant(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    matrix = rng.uniform(-1.0, 1.0, (n, n))
    np.fill_diagonal(matrix, 0.0)
    return matrix + np.diag(np.abs(matrix).sum(axis=1) + 1.0)


def solved(matrix: np.ndarray, bench: str = "arrays", preset: str = "pku", **how: object) -> Solution:
    with open_bench(bench, preset=preset, seed=1) as opened:
        return evaluate(Solve(matrix=matrix, **how), opened, seed=1)


def planned(
    matrix: np.ndarray,
    leaf: int,
    chip: str | ChipMap = "segmented",
    *,
    encoding: str = "auto",
    lines: tuple[int, int] = (32, 32),
    **how: object,
) -> BlockSolvePlan:
    chip = load_chip_map(chip) if isinstance(chip, str) else chip
    setup = LoopSetup(chip, lines, 35e-6, encoding)
    return plan_block_solve(setup, matrix, np.random.default_rng(0), leaf, **how)


@pytest.mark.parametrize(("n", "leaf"), daily([(9, 4), (16, 4), (40, 32), (23, 6)], [(9, 4)]))
def test_a_matrix_larger_than_a_loop_is_solved_to_the_bits_asked_for(n, leaf):
    matrix = dominant(n)
    result = solved(matrix, leaf=leaf, bits=24)
    exact = np.linalg.solve(matrix, np.random.default_rng(0).standard_normal(n))
    assert result.converged
    assert np.linalg.norm(result.solution - exact) < 2.0**-24 * np.linalg.norm(exact)
    assert len(result.cycles) <= 12
    tree = planned(matrix, leaf).tree
    assert result.summary["inversions"] == tree.inversions * len(result.cycles)
    assert result.summary["products"] == tree.products * len(result.cycles)


@pytest.mark.parametrize(
    ("blocks", "inversions", "products"),
    daily([("recursive", 4, 12), ("lu", 4, 12), ("blockamc", 9, 14)], [("blockamc", 9, 14)]),
)
def test_each_recursion_plays_the_operations_of_its_formula(blocks, inversions, products):
    result = solved(dominant(16), leaf=4, bits=20, blocks=blocks)
    assert result.converged
    assert result.summary["inversions"] == inversions * len(result.cycles)
    assert result.summary["products"] == products * len(result.cycles)


@pytest.mark.thorough
def test_a_general_matrix_takes_fewer_inversions_when_its_leaves_are_inverted_once():
    once, twice = (
        solved(general(64), leaf=16, effort="refined leaves", blocks=blocks) for blocks in ("lu", "blockamc")
    )
    assert once.converged
    assert twice.converged
    assert len(once.cycles) <= len(twice.cycles) + 1
    assert once.summary["inversions"] < 0.9 * twice.summary["inversions"]


@pytest.mark.thorough
def test_the_default_loop_is_as_large_as_array_and_converters_allow():
    assert solved(dominant(33), bits=12).summary["encoding"].startswith("2 leaves, 2 blocks")
    assert not solved(dominant(32), bits=12).summary["encoding"].startswith("2 leaves")


@pytest.mark.thorough
def test_the_same_at_the_wire(tmp_path):
    matrix = dominant(10)
    result = run(Solve(matrix=matrix, leaf=5, bits=16), seed=1, output=tmp_path / "run.h5")
    assert result.converged
    with RunFile(result.path) as file:
        np.testing.assert_array_equal(file.array("matrix"), matrix)
        np.testing.assert_array_equal(file.array("solution"), result.solution)
        assert file.length("cycles") == len(result.cycles)
        assert np.isnan(file.column("cycles", "input")).all()
        assert "pulses" not in file.tables
    assert result.summary["pulses"] > result.summary["cells"] / 4


@pytest.mark.parametrize("schur", daily(["exact", "complex", "M4"], ["complex"]))
def test_a_complex_matrix_by_blocks(schur):
    rng = np.random.default_rng(3)
    channel = (rng.standard_normal((64, 8)) + 1j * rng.standard_normal((64, 8))) / np.sqrt(128.0)
    matrix = channel.conj().T @ channel
    result = solved(matrix, leaf=4, schur=schur, bits=20)
    assert result.converged
    assert result.solution.dtype == np.complex128
    if schur == "complex":  # one array serves the three inversions of the outer stage
        assert result.summary["encoding"].startswith("2 leaves")


def test_badly_scaled_and_shuffled_rows_are_undone_exactly():
    rng = np.random.default_rng(4)
    matrix = dominant(12)
    rows, order = 10.0 ** rng.integers(-4, 5, 12), rng.permutation(12)
    given = (rows[:, None] * matrix)[order]
    rhs = given @ np.arange(1.0, 13.0)
    result = solved(given, leaf=4, rhs=rhs, tolerance=1e-10)
    assert result.converged
    np.testing.assert_allclose(result.solution, np.arange(1.0, 13.0), rtol=1e-6)


@pytest.mark.thorough
def test_many_right_hand_sides_are_solved_on_one_programming():
    matrix = dominant(12)
    result = solved(matrix, leaf=4, rhs="identity", bits=16)
    assert result.converged
    np.testing.assert_allclose(result.solution, np.linalg.inv(matrix), atol=2.0**-15)


@pytest.mark.parametrize(("n", "leaf"), daily([(40, 16), (70, 32)], [(40, 16)]))
def test_leaves_and_tiles_share_no_cell_and_stay_within_segments(n, leaf):
    plan = planned(dominant(n), leaf)
    seen: dict[str, set[tuple[int, int]]] = {}
    segments = {array.name: array.segment or array.rows for array in plan.chip.arrays}
    for block in plan.blocks():
        place, segment = block.placement, segments[block.placement.array]
        assert len(set(place.rows // segment)) == len(set(place.columns // segment)) == 1
        cells = {(r, c) for r in place.rows.tolist() for c in place.columns.tolist()}
        assert not cells & seen.setdefault(place.array, set())
        seen[place.array] |= cells


@pytest.mark.parametrize(("chip", "n", "leaf"), [("integrated64", 64, 32), ("reference", 32, 16)])
def test_where_no_bias_column_has_room_leaves_fill_the_arrays(chip, n, leaf):
    lines = (64, 64) if chip == "integrated64" else (32, 32)
    plan = planned(dominant(n), leaf, chip, lines=lines)
    assert [one.cells.positive.placement.shape for one in plan.leaves] == [(leaf, leaf)] * 2
    assert all(one.cells.negative is not None for one in plan.leaves)
    cells = {
        (r, c)
        for one in plan.leaves
        for r in one.cells.positive.placement.rows
        for c in one.cells.positive.placement.columns
    }
    assert len(cells) == 2 * leaf**2


def test_leaves_with_signs_need_a_second_array_or_room_for_a_bias_column():
    published = load_chip_map("zuo2025")  # one array of 8 x 8, its bias column in resistors
    assert len(planned(dominant(8), 4, published).leaves) == 2
    of_cells = tuple(one.model_copy(update={"bias": "cells"}) for one in published.arrays)
    small = published.model_copy(update={"arrays": of_cells})
    with pytest.raises(
        ChipMapError, match=r"takes 2 loops of up to 4 x 4; .* up to 1 of that size, and a line for the bias"
    ):
        planned(dominant(8), 4, small)
    assert len(planned(np.abs(dominant(8)), 4, small, schur="M4").leaves) == 2
    assert len(planned(dominant(6), 3, small).leaves) == 2
    with pytest.raises(ChipMapError, match="up to 0 of that size, and a line for the bias column"):
        planned(dominant(64), 32, encoding="bias")


def test_what_the_products_hold_is_the_matrix_in_two_slices():
    plan = planned(dominant(20), 8)
    for block, on_chip in zip(plan.tree.blocks, plan.products, strict=True):
        assert np.abs(on_chip.encoding.matrix - block).max() <= np.abs(block).max() / 2**6
        digits = np.concatenate([tile.digits for tile in on_chip.tiles], axis=1)
        np.testing.assert_array_equal(digits, on_chip.encoding.digits)


def test_bad_cells_are_spared():
    chip = load_chip_map("segmented")
    arrays = [array.model_copy(update={"bad_cells": ((0, 0), (40, 40))}) for array in chip.arrays]
    plan = plan_block_solve(
        LoopSetup(chip.model_copy(update={"arrays": tuple(arrays)}), (32, 32), 35e-6),
        dominant(40),
        np.random.default_rng(0),
        32,
    )
    for block in plan.blocks():
        for row, column in ((0, 0), (40, 40)):
            assert not (row in block.placement.rows and column in block.placement.columns)


def with_spares(bad: tuple[tuple[int, int], ...]):
    """The segmented chip with one spare row and column in each segment, and the same bad cells on all arrays."""
    chip = load_chip_map("segmented")
    spare = {"spare_rows": 1, "spare_columns": 1, "bad_cells": bad}
    return chip.model_copy(update={"arrays": tuple(a.model_copy(update=spare) for a in chip.arrays)})


def test_leaves_and_products_go_around_bad_cells_by_spare_lines():
    bad = ((2, 3), (5, 40), (130, 7))
    plan = planned(dominant(40), 20, with_spares(bad))
    for block in plan.blocks():
        rows, columns = block.placement.rows, block.placement.columns
        assert not any(row in rows and column in columns for row, column in bad)
    split = [leaf.cells.blocks()[0].placement for leaf in plan.leaves]
    assert any((np.diff(at.rows) > 1).any() or (np.diff(at.columns) > 1).any() for at in split)


def test_what_has_no_room_beside_defects_says_so():
    small = load_chip_map("zuo2025")
    bad = ((0, 4), (4, 0), (1, 1))
    lost = small.model_copy(
        update={"arrays": tuple(a.model_copy(update={"bad_cells": bad}) for a in small.arrays)}
    )
    with pytest.raises(ChipMapError, match="up to 1 of that size, beside 3 known defects: use smaller loops"):
        planned(np.abs(dominant(8)), 4, lost, schur="M4")


def test_what_cannot_be_had_is_said_before_anything_is_programmed():
    matrix = dominant(12)
    with pytest.raises(
        InputError, match=r"12 rows is larger than a loop of 4.*give residual = float64 or auto"
    ):
        solved(matrix, leaf=4, residual="analogue")
    with pytest.raises(ChipMapError, match=r"loops of 33 lines do not fit .* which take up to 32"):
        solved(matrix, leaf=33)
    with pytest.raises(InputError, match="the matrix is real: schur = complex"):
        solved(matrix, leaf=4, schur="complex")
    with pytest.raises(
        ChipMapError, match=r"300 x 300 .* takes 10 loops of up to 30 x 30; .* take up to 1 of that size: use"
    ):
        planned(dominant(300), 32, "reference")
    one = np.eye(8)
    one[:4, :4] = np.ones((4, 4))
    one[:4, 4:] = np.eye(4)
    one[4:, :4] = np.eye(4)
    with pytest.raises(ConvergenceError, match=r"block M1 .* is singular"):
        planned(one, 4, schur="M4")


def test_a_multiplying_array_without_room_says_for_how_many_blocks_there_is():
    chip = load_chip_map("segmented")
    small = ArrayMap(name="multiply", purpose="multiply", rows=32, columns=32, wire_resistance=1.0)
    with pytest.raises(ChipMapError, match="has room for 0 of the 2 blocks"):
        plan_block_solve(
            LoopSetup(chip.model_copy(update={"arrays": (*chip.arrays[:3], small)}), (32, 32), 35e-6),
            dominant(40),
            np.random.default_rng(0),
            32,
        )


def test_a_leaf_that_does_not_settle_is_programmed_again_with_a_shift(monkeypatch):
    once = iter(["the programmed loop would be unstable"])
    monkeypatch.setattr(AchievedLoop, "unstable", property(lambda achieved: next(once, "")))
    result = solved(dominant(12), leaf=4, bits=16)
    assert result.summary["shift"] > 0.0
    assert result.converged


def conditioned(n: int, condition: float, seed: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return (basis * np.geomspace(1.0, 1.0 / condition, n)) @ basis.T


def general(n: int, seed: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, n))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("matrix", "efforts"),
    [(conditioned(48, 1e3), EFFORTS[1:]), (general(48), EFFORTS)],
    ids=["condition number 1e3", "general"],
)
def test_matrices_that_are_hard_on_blocks_converge(matrix, efforts):
    result = solved(matrix, leaf=16, max_cycles=25)
    exact = np.linalg.solve(matrix, np.random.default_rng(0).standard_normal(48))
    assert result.converged, result.summary["reason"]
    assert np.linalg.norm(result.solution - exact) < 2.0**-22 * np.linalg.norm(exact)
    assert result.summary["effort"] in [one.name for one in efforts]
    assert len(result.cycles) <= result.summary["expected_cycles"] + 6
    assert (result.summary["mvm_outputs"] > 0) == (result.summary["effort"] != "one-step")


@pytest.mark.thorough
def test_the_least_effort_that_is_expected_to_do_is_taken():
    easy = planned(dominant(32), 8)
    assert [one.effort.name for one in easy.judged] == ["one-step"]
    hard = planned(conditioned(48, 1e4), 16)
    names = [one.effort.name for one in hard.judged]
    assert names == [one.name for one in EFFORTS][: len(names)]
    assert len(names) > 1
    assert all(1.25 * one.cycles > 25 for one in hard.judged[:-1])
    given = planned(dominant(32), 8, effort="integers")
    assert [one.effort.name for one in given.judged] == ["integers"]


@pytest.mark.thorough
def test_the_noise_of_an_inverse_that_gcr_cannot_learn_is_expected_to_cost_cycles(monkeypatch):
    turned = conditioned(48, 300.0) @ np.linalg.qr(general(48))[0]
    expected = []
    for noise in (0.0, block_leaves.NOISE):
        monkeypatch.setattr(block_leaves, "NOISE", noise)
        expected.append({one.effort.name: one.cycles for one in planned(turned, 16).judged})
    silent, noisy = (one["integers"] for one in expected)
    assert silent < 25 < noisy  # which stands for more than 25
    taken = len(solved(turned, leaf=16, effort="integers", max_cycles=60).cycles)
    assert taken > 25


@pytest.mark.thorough
def test_an_effort_is_judged_by_the_right_hand_side_that_is_to_be_solved():
    matrix = conditioned(48, 300.0)
    hardest = np.linalg.svd(matrix)[0][:, -1]  # its solution is where an inverse errs most
    random, this = (planned(matrix, 16, rhs=rhs).judged for rhs in (None, hardest))
    assert [one.effort.name for one in random] == ["one-step", "integers"]
    assert [one.effort.name for one in this] == ["one-step", "integers", "refined leaves"]
    result = solved(matrix, leaf=16, rhs=hardest, max_cycles=25)
    assert result.converged
    assert result.summary["effort"] == "refined leaves"


def test_a_leaf_without_a_loop_of_its_own_holds_its_polar_factor_and_is_rotated():
    plan = planned(general(24), 8, effort="refined leaves")
    rotated = [number for number, leaf in enumerate(plan.leaves) if leaf.rotation is not None]
    assert rotated
    step = 2.0 ** -(plan.effort.slices * plan.levels.bits)
    for number in rotated:
        leaf, matrix = plan.leaves[number], plan.tree.leaves[number]
        transposed = plan.products[leaf.rotation].encoding.matrix
        definite = leaf.loop.preconditioning.given_matrix(leaf.loop.matrix)
        np.testing.assert_allclose(transposed.T @ definite, matrix, atol=20.0 * step * np.abs(matrix).max())
        assert np.linalg.eigvalsh(definite).min() > 0.0
    for leaf, matrix in zip(plan.leaves, plan.tree.leaves, strict=True):
        multiplied = plan.products[
            leaf.matrix
        ].encoding.matrix  # a rotated leaf is refined after its rotation
        inverted = (
            matrix if leaf.rotation is None else leaf.loop.preconditioning.given_matrix(leaf.loop.matrix)
        )
        assert np.abs(multiplied - inverted).max() <= 1.01 * step * np.abs(inverted).max()


@pytest.mark.thorough
def test_refined_leaves_count_what_they_take():
    plain = solved(dominant(12), leaf=4, bits=16)
    refined = solved(dominant(12), leaf=4, bits=16, effort="refined leaves")
    assert refined.converged
    assert len(refined.cycles) <= len(plain.cycles)
    each = refined.summary["inversions"] / len(refined.cycles)
    assert each > plain.summary["inversions"] / len(plain.cycles)
    tree = planned(dominant(12), 4).tree
    within_leaves = refined.summary["inversions"]  # each inversion within a leaf takes a product with it
    assert refined.summary["products"] == tree.products * len(refined.cycles) + within_leaves
