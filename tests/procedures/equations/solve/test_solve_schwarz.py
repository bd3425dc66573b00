"""Sparse matrices by subdomains on the bench, one loop each: right solutions, the operator, its counts, what is refused."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from mho import run
from mho.chip_maps.chip import load_chip_map, parse_chip_map
from mho.errors import ChipMapError, ConvergenceError, InputError
from mho.instruments import open_bench
from mho.procedures import Solution, Solve
from mho.procedures.equations.blocks.schwarz import plan_schwarz
from mho.procedures.equations.circuits.loop_on_cells import AchievedLoop
from mho.procedures.equations.planning.block_solve_plan import BlockSolvePlan, plan_schwarz_solve
from mho.procedures.equations.planning.loop_choice import LoopSetup
from mho.procedures.equations.solve.programmed_block_matrix import ProgrammedBlockMatrix
from mho.procedures.stream import NullStream
from mho.running.execution import evaluate
from mho.runs import RunFile

LEAF = 16


def grid(rows: int, columns: int, convection: float = 0.0) -> np.ndarray:
    """Five-point stencil of -lap u + v . grad u, upwind."""

    def line(points: int) -> np.ndarray:
        return (
            (2.0 + convection) * np.eye(points)
            - (1.0 + convection) * np.eye(points, k=-1)
            - np.eye(points, k=1)
        )

    return np.kron(line(rows), np.eye(columns)) + np.kron(np.eye(rows), line(columns))


def solved(matrix: np.ndarray, bench: str = "arrays", **how: object) -> Solution:
    with open_bench(bench, preset="pku", seed=1) as opened:
        return evaluate(Solve(matrix=matrix, **{"leaf": LEAF, "blocks": "jacobi", **how}), opened, seed=1)


def planned(
    matrix: np.ndarray,
    leaf: int = LEAF,
    chip: str = "segmented",
    *,
    lines: tuple[int, int] = (32, 32),
    input_conductance: float = 35e-6,
    **how: object,
) -> BlockSolvePlan:
    setup = LoopSetup(load_chip_map(chip), lines, input_conductance)
    return plan_schwarz_solve(setup, matrix, np.random.default_rng(0), leaf, **{"overlap": 0, **how})


@functools.cache
def grid_solved(convection: float, blocks: str, coarse: bool) -> Solution:
    return solved(grid(6, 8, convection), blocks=blocks, coarse=coarse)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("convection", "blocks", "coarse"),
    [(0.0, "jacobi", False), (1.0, "jacobi", True), (0.0, "schwarz", False), (0.0, "schwarz", True)],
)
def test_a_sparse_matrix_is_solved_to_the_bits_asked_for_by_inversions_alone(convection, blocks, coarse):
    matrix = grid(6, 8, convection)
    result = grid_solved(convection, blocks, coarse)
    exact = np.linalg.solve(matrix, np.random.default_rng(0).standard_normal(48))
    assert result.converged
    assert np.linalg.norm(result.solution - exact) < 2.0**-24 * np.linalg.norm(exact)
    assert len(result.cycles) <= 24
    tree = plan_schwarz(matrix, LEAF, overlap=int(blocks == "schwarz"), coarse=coarse)
    assert result.summary["inversions"] == tree.inversions * len(result.cycles)
    assert result.summary["products"] == 0
    assert result.summary["residual_from"] == "float64"


@pytest.mark.thorough
def test_overlap_and_a_coarse_level_save_cycles_on_the_chip_too():
    jacobi, overlapping, both = (
        len(solved(grid(6, 8), blocks=blocks, coarse=coarse, bits=12).cycles)
        for blocks, coarse in (("jacobi", False), ("schwarz", False), ("schwarz", True))
    )
    assert both < overlapping < jacobi


def test_the_operator_of_an_ideal_chip_is_block_jacobi():
    matrix = grid(6, 8)
    with open_bench("arrays", preset="ideal", seed=1) as bench:
        chip = parse_chip_map(bench.chip_text, "chip")
        plan = planned(matrix, lines=bench.vector_size, input_conductance=bench.input_conductance)
        on_chip = ProgrammedBlockMatrix(
            bench, NullStream(), plan, chip.write_verify, np.random.default_rng(0)
        )
        on_chip.program()
        on_chip.settle(np.ones(48))
        on_chip.calibrate()
        found = np.stack([on_chip.invert(unit) for unit in np.eye(48)], axis=1)
        bench.safe()
    held = plan.held
    expected = np.zeros_like(held)
    for one in plan.tree.subdomains:
        within = np.ix_(one.unknowns, one.unknowns)
        expected[within] = np.linalg.inv(held[within])
    assert not found[expected == 0.0].any()  # nothing passes between subdomains
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)
    assert on_chip.operations == {"inversions": 48, "products": 0}


@pytest.mark.thorough
def test_the_same_at_the_wire_and_what_the_file_says_of_it(tmp_path):
    matrix = grid(2, 4)
    result = run(Solve(matrix=matrix, leaf=6, blocks="schwarz", bits=12), seed=1, output=tmp_path / "run.h5")
    assert result.converged
    with RunFile(result.path) as file:
        np.testing.assert_array_equal(file.array("matrix"), matrix)
        assert file.length("cycles") == len(result.cycles)
        said = [text for text in map(str, file.log()) if "restricted additive Schwarz" in text]
    assert len(said) == 1


@pytest.mark.thorough
def test_a_complex_sparse_matrix_and_many_right_hand_sides():
    matrix = grid(3, 4) + 1j * np.diag(np.linspace(-1.0, 1.0, 12))
    result = solved(matrix, leaf=8, rhs="identity", bits=16)
    assert result.converged
    np.testing.assert_allclose(result.solution, np.linalg.inv(matrix), atol=2.0**-15)


def test_a_subdomain_whose_loop_does_not_settle_is_programmed_again_with_a_shift(monkeypatch):
    once = iter(["the programmed loop would be unstable"])
    monkeypatch.setattr(AchievedLoop, "unstable", property(lambda achieved: next(once, "")))
    result = solved(grid(4, 6), bits=16)
    assert result.summary["shift"] > 0.0
    assert result.converged


def test_a_chip_without_multiplying_arrays_will_do():
    chip = load_chip_map("segmented")
    alone = chip.model_copy(update={"arrays": chip.arrays[:2]})
    plan = plan_schwarz_solve(
        LoopSetup(alone, (32, 32), 35e-6),
        grid(6, 8),
        np.random.default_rng(0),
        LEAF,
        overlap=0,
    )
    assert {block.placement.array for block in plan.blocks()} <= {"invert_positive", "invert_negative"}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"overlap": 1}, r"overlap is 1, .* and blocks is jacobi: give blocks = schwarz"),
        ({"blocks": "recursive", "overlap": 2}, r"overlap is 2, .* blocks is recursive"),
        ({"blocks": "recursive", "coarse": True}, r"coarse level .* give blocks = jacobi or schwarz"),
        ({"schur": "M4"}, r"schur is M4, .* give blocks = recursive"),
        ({"effort": "integers"}, r"effort is integers, .* give blocks = recursive"),
        ({"blocks": "lu", "schur": "M4"}, r"schur is M4, and blocks is lu, .* give blocks = recursive"),
        ({"blocks": "lu", "coarse": True}, r"coarse level .* and blocks is lu: give blocks = jacobi"),
        ({"residual": "analogue"}, r"its residual is taken in float64"),
    ],
)
def test_options_of_another_decomposition_are_refused(how, said):
    with pytest.raises(InputError, match=said):
        solved(grid(6, 8), **how)


def test_a_dense_matrix_is_told_what_does_not_fit_or_is_singular():
    dense = np.ones((48, 48)) + 48.0 * np.eye(48)
    with pytest.raises(InputError, match=r"47 others in its subdomain, more than fit on a loop of 16: give"):
        solved(dense, blocks="schwarz")
    assert solved(dense, bits=16).converged
    alike = np.block([[np.ones((4, 4)), 0.1 * np.eye(4)], [-0.1 * np.eye(4), np.ones((4, 4))]])
    with pytest.raises(
        ConvergenceError, match=r"subdomain 0 \(4 x 4\) is singular .*: invert the matrix by recursive blocks"
    ):
        solved(alike, leaf=4)


def test_loops_that_do_not_fit_are_counted():
    with pytest.raises(ChipMapError, match=r"takes 10 loops of up to 30 x 30; .* take up to 1 of that size"):
        planned(grid(15, 20), 30, "reference")
