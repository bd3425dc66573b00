"""The published loop on a bench without instruments, beside the same iteration in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from mho.chip_maps.matrix_files import load_matrix, load_right_hand_sides
from mho.errors import InputError
from mho.extensions.published.as_published import biased_loop, refine_as_published, rounded_loop, truncated
from mho.instruments import open_bench

MATRIX = load_matrix("zuo2025-4x4").astype(np.float64)
RHS = load_right_hand_sides("zuo2025-4x4-rhs", 4, np.random.default_rng(0)).astype(np.float64)[:, None]
BITS, CYCLES = 12, 4


def in_numpy(leading: np.ndarray, cycles: int) -> np.ndarray:
    """Return the relative errors of x += A0^-1 r; r = b - A x."""
    exact, solution, errors = np.linalg.solve(MATRIX, RHS), np.zeros_like(RHS), []
    for _ in range(cycles):
        solution = solution + np.linalg.solve(leading, RHS - MATRIX @ solution)
        errors.append(np.linalg.norm(solution - exact) / np.linalg.norm(exact))
    return np.array(errors)


def test_the_loop_holds_the_published_digits():
    digits = [
        [4, 2, 0, 0],
        [0, 3, 5, 0],
        [1, 2, 7, 1],
        [0, 1, 0, 2],
    ]  # as mapped in the experiment of 24 bits
    loop = rounded_loop(MATRIX)
    np.testing.assert_array_equal(loop.positive, digits)
    assert (loop.unit, loop.diagonal, loop.negative) == (0.125, 0.0, None)


@pytest.mark.parametrize("entry", [-0.1, 0.95])
def test_a_matrix_that_no_single_array_holds_is_refused(entry):
    with pytest.raises(InputError, match=r"a loop of one array holds 0 to 7: scale the matrix to below 1"):
        rounded_loop(np.array([[0.5, entry], [0.0, 0.5]]))


def test_slices_cut_off_what_they_do_not_hold():
    np.testing.assert_array_equal(truncated(np.array([0.999, 0.125, 0.1249]), 3), [0.875, 0.125, 0.0])
    np.testing.assert_array_equal(truncated(MATRIX, 12), MATRIX)
    np.testing.assert_array_equal(truncated(np.array([-0.999, -0.1249]), 3), [-0.875, 0.0])


@pytest.mark.thorough
def test_a_signed_matrix_takes_a_bias_column_and_ends_on_what_its_slices_cut_off():
    rng = np.random.default_rng(2)
    matrix = 0.6 * np.eye(4) + rng.uniform(-0.15, 0.15, (4, 4))
    rhs = rng.uniform(-1.0, 1.0, (4, 3))
    with open_bench("zuo2025", preset="ideal", seed=3) as bench:
        loop = biased_loop(bench, matrix, np.random.default_rng(1))
        found = refine_as_published(bench, matrix, rhs, 8, 9, loop=loop)
    assert loop.kind == "bias resistors"
    assert loop.diagonal > 0.0
    held = np.linalg.solve(truncated(matrix, 9), rhs)
    np.testing.assert_allclose(found.solutions[-1], held, atol=2e-4 * np.abs(held).max())
    assert np.abs(held - np.linalg.solve(matrix, rhs)).max() > 2e-3 * np.abs(held).max()
    assert found.wrong == 0


def test_on_ideal_cells_it_is_the_iteration_with_the_rounded_matrix():
    with open_bench("arrays", preset="ideal", seed=3) as bench:
        found = refine_as_published(bench, MATRIX, RHS, CYCLES, BITS)
    exact = np.linalg.solve(MATRIX, RHS)
    errors = np.linalg.norm(found.solutions - exact, axis=1)[:, 0] / np.linalg.norm(exact)
    ideal = in_numpy(np.rint(8.0 * MATRIX) / 8.0, CYCLES)
    assert np.all(errors < 2.0 * ideal), "level 0 conducts, and cells lie within their windows"
    assert np.all(errors > 0.2 * ideal)
    assert found.wrong == 0
    assert found.failed == 0
    assert found.slices == 4
    assert found.cells == 16 + 16 * 4


def test_columns_are_refined_together_as_they_are_alone():
    both = np.hstack([RHS, -2.0 * RHS])
    with open_bench("arrays", preset="ideal", seed=3) as bench:
        found = refine_as_published(bench, MATRIX, both, CYCLES, BITS)
    exact = np.linalg.solve(MATRIX, both)
    errors = np.linalg.norm(found.solutions - exact, axis=1) / np.linalg.norm(exact, axis=0)
    np.testing.assert_allclose(errors[:, 1], errors[:, 0], rtol=0.3)
