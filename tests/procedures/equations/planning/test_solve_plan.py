"""Where a matrix goes on a chip: what fits, which encodings there is room for, and which cells are spared."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from mho.chip_maps.chip import ArrayMap, ChipMap, load_chip_map
from mho.errors import ChipMapError, ConvergenceError
from mho.instruments import open_bench
from mho.procedures import Solve
from mho.procedures.equations.planning.loop_choice import LoopSetup
from mho.procedures.equations.planning.solve_plan import TILE_WIDTH, SolvePlan, plan_solve
from mho.running.execution import evaluate

REFERENCE, ZUO = load_chip_map("reference"), load_chip_map("zuo2025")
INPUT = 35e-6
SIGNED = np.eye(6) + 0.2 * np.random.default_rng(0).standard_normal((6, 6))


def plan(
    matrix: np.ndarray,
    chip: ChipMap = REFERENCE,
    encoding: str = "auto",
    lines: tuple[int, int] = (32, 32),
    bits: int | None = 12,
) -> SolvePlan:
    return plan_solve(
        LoopSetup(chip, lines, INPUT, encoding),
        matrix,
        np.random.default_rng(1),
        slices=None if bits is None else lambda held: (bits // 3, bits // 3),
    )


def with_arrays(*arrays: ArrayMap) -> ChipMap:
    return REFERENCE.model_copy(update={"arrays": arrays})


def array(name: str, purpose: str, size: int, bad: tuple[tuple[int, int], ...] = ()) -> ArrayMap:
    return ArrayMap(name=name, purpose=purpose, rows=size, columns=size, wire_resistance=1.0, bad_cells=bad)


def test_the_tiles_hold_the_products_digits_in_order():
    p = plan(SIGNED)
    np.testing.assert_array_equal(
        np.concatenate(
            [one.digits[:, : made.code.columns] for one, made in zip(p.tiles, p.checked, strict=True)], axis=1
        ),
        p.multiply.digits,
    )
    assert all(tile.digits.shape == tile.placement.shape for tile in p.blocks())
    assert max(tile.digits.shape[1] for tile in p.tiles) <= TILE_WIDTH


def test_both_arrays_of_a_differential_loop_use_the_same_lines_and_spare_the_bad_cells_of_either():
    chip = with_arrays(
        array("plus", "invert", 8, ((0, 0),)),
        array("minus", "invert", 8, ((3, 3),)),
        array("m", "multiply", 256),
    )
    p = plan(SIGNED, chip, "differential")
    assert p.cells.negative is not None
    assert (p.cells.positive.placement.array, p.cells.negative.placement.array) == ("plus", "minus")
    for lines in ("rows", "columns"):
        np.testing.assert_array_equal(
            getattr(p.cells.positive.placement, lines), getattr(p.cells.negative.placement, lines)
        )
    rows, columns = p.cells.positive.placement.rows, p.cells.positive.placement.columns
    for row, column in ((0, 0), (3, 3)):
        assert not (row in rows and column in columns)


ONE_ARRAY = with_arrays(array("invert", "invert", 8), array("multiply", "multiply", 128))


def test_a_chip_with_one_inverting_array_makes_signs_with_a_bias_column():
    assert plan(SIGNED, ONE_ARRAY).encoding.kind == "bias"
    with pytest.raises(ChipMapError, match="takes a second inverting array"):
        plan(SIGNED, ONE_ARRAY, "differential")


@pytest.mark.parametrize("encoding", ["auto", "bias"])
def test_a_bias_column_in_resistors_takes_no_line(encoding):
    matrix = np.eye(8) + 0.05 * np.random.default_rng(2).standard_normal((8, 8))
    p = plan(matrix, ZUO, encoding)
    assert p.encoding.kind == "bias resistors"
    assert p.encoding.order == 8
    assert p.encoding.bias == -(matrix - p.encoding.diagonal * np.eye(8)).min()
    with pytest.raises(ChipMapError, match="takes a second inverting array"):
        plan(matrix, ZUO, "differential")


def test_an_unsigned_matrix_fills_the_one_array_of_the_published_chip():
    matrix = np.eye(8) + 0.05 * np.random.default_rng(2).random((8, 8))
    p = plan(matrix, ZUO)
    assert p.encoding.order == 8
    assert p.cells.negative is None


def test_a_bias_column_takes_one_line_more():
    matrix = np.eye(8) + 0.05 * np.random.default_rng(2).standard_normal((8, 8))
    with pytest.raises(
        ChipMapError, match=r"no room for a signed 8 x 8 .* one row and column more than the 8 there are"
    ):
        plan(matrix, ONE_ARRAY)


@pytest.mark.parametrize("lines", [(5, 32), (32, 5)])
def test_the_converters_bound_the_size_too(lines):
    with pytest.raises(ChipMapError, match=r"the matrix is 6 x 6 .* take up to 5 x 5 with the differential"):
        plan(SIGNED, lines=lines)


def test_what_does_not_fit_says_what_would():
    with pytest.raises(
        ChipMapError, match=r"33 x 33 .* up to 32 x 32 with the differential encoding and 31 x 31"
    ):
        plan(np.eye(33))
    small = with_arrays(array("i", "invert", 8), array("m", "multiply", 16))
    with pytest.raises(ChipMapError, match=r"do not fit array 'm' of 16 x 16: .* do; use fewer bits"):
        plan(np.abs(SIGNED), small, bits=48)


def test_a_chip_without_a_needed_array_is_refused():
    with pytest.raises(ChipMapError, match="lacks an inverting or a multiplying array"):
        plan(SIGNED, with_arrays(array("i", "invert", 8)))


def test_the_forecast_is_that_of_the_cells_as_achieved():
    p = plan(SIGNED, encoding="differential")
    for block in (p.cells.positive, p.cells.negative):
        block.achieved = p.levels.conductance(block.digits)
    achieved, rho = p.forecast(INPUT)
    assert np.abs(achieved - p.held).max() < p.encoding.unit
    iteration = np.eye(6) - p.held @ np.linalg.inv(achieved)
    assert rho == pytest.approx(np.abs(np.linalg.eigvals(iteration)).max())


def test_rows_are_exchanged_only_where_the_loop_needs_it_and_loop_and_products_hold_the_same():
    order, signs = np.array([2, 0, 3, 1, 5, 4]), np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
    shuffled = (signs * SIGNED[order].T).T
    p = plan(shuffled, encoding="differential")
    assert p.preconditioning.exchanges
    assert not plan(SIGNED, encoding="differential").preconditioning.exchanges
    np.testing.assert_allclose(p.loop.matrix, SIGNED)
    np.testing.assert_allclose(p.held, SIGNED, atol=2.0**-11)
    for block in (p.cells.positive, p.cells.negative):
        block.achieved = p.levels.conductance(block.digits)
    achieved, rho = p.forecast(INPUT)
    assert np.abs(achieved - shuffled).max() < p.encoding.unit  # in the form as given
    iteration = np.eye(6) - p.preconditioning.given_matrix(p.held) @ np.linalg.inv(achieved)
    assert rho == pytest.approx(np.abs(np.linalg.eigvals(iteration)).max())


def test_entries_of_very_different_size_are_scaled_and_the_solution_scaled_back():
    rows, columns = 10.0 ** np.arange(6), 10.0 ** -np.arange(6)[::-1]
    bad = rows[:, None] * SIGNED * columns
    p = plan(bad)
    assert p.preconditioning.scales
    assert 0.25 < np.abs(p.loop.matrix).max() < 4.0
    y = np.linalg.solve(p.loop.matrix, p.preconditioning.equations(np.ones(6)))
    np.testing.assert_allclose(bad @ p.preconditioning.solution(y), 1.0, rtol=1e-9)


@pytest.mark.parametrize("decades", [8, -8])
def test_rows_in_units_of_their_own_are_scaled_before_anything_is_judged(decades):
    rng = np.random.default_rng(abs(decades))
    bad = 10.0 ** (decades * np.arange(3.0))[:, None] * (2.0 * np.eye(3) + rng.uniform(-1.0, 1.0, (3, 3)))
    p = plan(bad)
    assert p.preconditioning.scales
    assert all(one.preconditioning is p.preconditioning for one in p.tried)


def test_a_matrix_without_a_stable_loop_is_shifted_no_further_than_it_must():
    matrix = np.random.default_rng(9).uniform(0.0, 1.0, (16, 16))
    p = plan(matrix)
    assert p.candidate.shift > 0.0
    assert p.candidate.damped
    assert p.loop.cycles < 40


def test_products_in_float64_take_no_cells():
    p = plan(SIGNED, bits=None)
    assert p.tiles == []
    assert p.multiply is None
    assert p.held is p.loop.matrix
    with_products = plan(SIGNED)
    assert len(with_products.blocks()) > len(p.blocks())


def test_a_loop_that_came_out_unstable_is_not_connected():
    p = plan(SIGNED, encoding="differential")
    p.cells.positive.achieved = np.zeros((6, 6))
    p.cells.negative.achieved = 30e-6 * np.ones((6, 6))
    with pytest.raises(ConvergenceError, match=r"eigenvalue .* no positive real part; it was not connected"):
        p.forecast(INPUT)


def test_every_packaged_bench_names_a_packaged_chip():
    for bench in (resources.files("mho.instruments") / "benches").iterdir():
        if bench.name.endswith(".toml"):
            chip = bench.read_text("utf-8").split('chip = "')[1].split('"')[0]
            assert load_chip_map(chip).arrays


@pytest.mark.parametrize(("n", "seed", "along"), [(2, 3, False), (3, 10, True)])
def test_rows_in_units_of_their_own_are_solved(n, seed, along):
    # Judged in the rows as given, the loop of the matrix as given seemed the best, and stalled at 0 bits.
    rng = np.random.default_rng([seed, n])
    entries = rng.standard_normal((n, n))
    rows = 10.0 ** rng.choice([-8, 0, 8], n)
    matrix, (rhs, _, unknowns) = rows[:, None] * entries, rng.standard_normal((3, n))
    rhs = matrix @ unknowns if along else rhs
    with open_bench("arrays", preset="pku", seed=seed) as bench:
        solve = Solve(matrix=matrix, rhs=rhs, bits=24, residual="auto" if along else "float64")
        assert evaluate(solve, bench, seed=seed).converged
