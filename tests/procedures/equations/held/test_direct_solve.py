"""Multiplications of direct solves, against elimination carried out entry by entry, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from mho.procedures.equations.worth import DirectWork, solve_directly

RNG = np.random.default_rng(3)
GENERAL = RNG.standard_normal((9, 9))
POSITIVE = GENERAL @ GENERAL.T + np.eye(9)
LINE = 2.0 * np.eye(12) - np.eye(12, k=1) - np.eye(12, k=-1)


def eliminated(matrix: np.ndarray) -> tuple[int, int]:
    """Return the multiplications of Gaussian elimination without exchanges, and of a right-hand side, entry by entry."""
    left, once, each = matrix.copy(), 0, 0
    for k in range(len(left)):
        each += 1 + np.count_nonzero(left[k, k + 1 :])
        for row in np.flatnonzero(left[k + 1 :, k]) + k + 1:
            once, each = once + 1, each + 1
            left[row, k] /= left[k, k]
            once += np.count_nonzero(left[k, k + 1 :])
            left[row, k + 1 :] -= left[row, k] * left[k, k + 1 :]
    return once, each


def test_of_a_general_matrix_it_is_elimination():
    found = solve_directly(GENERAL)
    assert found.method == "LU"
    assert (found.once, found.each) == eliminated(GENERAL)
    assert found.work(3) == found.once + 3 * found.each


def test_of_a_positive_one_it_is_cholesky_half_of_elimination():
    found, (once, each) = solve_directly(POSITIVE), eliminated(POSITIVE)
    assert found.method == "Cholesky"
    columns = 9 * 8 // 2  # entries below the diagonal: each is divided, in either way
    assert found.once - columns == (once - columns + columns) // 2
    assert found.each == each + 9  # the diagonal is in both triangles
    assert solve_directly(np.diag([1.0, -1.0]) + GENERAL[:2, :2] + GENERAL[:2, :2].T - 9.0).method == "LDL"


def test_zeros_are_left_out():
    found = solve_directly(LINE)
    assert found.method == "sparse Cholesky"
    assert (found.once, found.each) == (2 * 11, 2 * (12 + 11))
    skewed = LINE + 0.5 * np.eye(12, k=1)
    found = solve_directly(skewed)
    assert found.method == "sparse LU"
    assert (found.once, found.each) == eliminated(skewed) == (2 * 11, 12 + 2 * 11)


def test_an_arrow_has_no_fill_in_whichever_way_it_points():
    arrow = np.diag(np.full(10, 10.0))
    arrow[0] = arrow[:, 0] = 1.0
    arrow[0, 0] = 10.0
    assert eliminated(arrow)[0] > 200
    assert solve_directly(arrow).once == 2 * 9


def test_a_complex_multiplication_is_four():
    for matrix in (GENERAL, POSITIVE):
        real, other = solve_directly(matrix), solve_directly(matrix.astype(complex))
        assert (other.once, other.each) == (4 * real.once, 4 * real.each)
        assert other.method == real.method


def test_ways_are_added_up_and_held_against_a_chip_s_digital_work():
    cholesky, sparse = solve_directly(POSITIVE), solve_directly(LINE)
    both = DirectWork().plus(cholesky, 2).plus(sparse, 1).plus(sparse, 0).plus(cholesky, 1)
    assert both.methods == ("Cholesky", "sparse Cholesky")
    assert both.multiplications == cholesky.work(2) + sparse.work(1) + cholesky.work(1)
    assert not DirectWork().plus(cholesky, 0)
    found = both.plain(50, 3 * (both.multiplications + 50))
    assert found["digital"] == both.multiplications + 50
    assert found["digital_ratio"] == pytest.approx(3.0)
    assert found["in_words"] == "3 times the digital multiplications of Cholesky and sparse Cholesky"
    assert both.plain(0, 1234 * both.multiplications)["in_words"].startswith("1,234 times")
