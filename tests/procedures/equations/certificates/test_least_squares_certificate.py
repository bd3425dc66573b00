"""Certificates of least squares hold for the solution of A as given, against exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_certificate import certify, in_fractions, solved_in_fractions

from mho.errors import InputError
from mho.procedures.equations.certificates.least_squares_certificate import (
    AugmentedCertifier,
    NormalCertifier,
    exact_gradient,
    full_rank,
)

Floats = np.ndarray


def gradient_in_fractions(matrix: Floats, solution: Floats, rhs: Floats) -> list[Fraction]:
    residual = in_fractions(matrix, solution, rhs)
    return [sum(Fraction(float(a)) * r for a, r in zip(column, residual, strict=True)) for column in matrix.T]


def least_squares_in_fractions(matrix: Floats, rhs: Floats) -> list[Fraction]:
    exact = [[Fraction(float(a)) for a in column] for column in matrix.T]
    gram = np.array([[sum(a * b for a, b in zip(p, q, strict=True)) for q in exact] for p in exact])
    right = [sum(a * Fraction(float(b)) for a, b in zip(p, rhs, strict=True)) for p in exact]
    return solved_exactly(gram, right)


def solved_exactly(gram: Floats, right: list[Fraction]) -> list[Fraction]:
    """Gauss-Jordan on a positive definite matrix of fractions, which needs no pivots."""
    rows = [[*row, b] for row, b in zip(gram.tolist(), right, strict=True)]
    for k in range(len(rows)):
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i, row in enumerate(rows):
            if i != k:
                rows[i] = [v - row[k] * w for v, w in zip(row, rows[k], strict=True)]
    return [row[-1] for row in rows]


def a_tall_system(seed: int, m: int, n: int, condition: float) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.standard_normal((m, n)))[0]
    right = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return left @ np.diag(np.geomspace(1.0, 1.0 / condition, n)) @ right, rng.standard_normal(m)


@given(
    st.integers(0, 10_000),
    st.integers(1, 4),
    st.sampled_from([1.0, 1e-60, 1e60]),
    st.sampled_from([1, 1e-30]),
)
@settings(max_examples=examples(60), deadline=None)
def test_the_gradient_is_exact_to_the_last_bit(seed, n, scale_a, scale_b):
    matrix, rhs = a_tall_system(seed, n + 3, n, 10.0)
    matrix, rhs = scale_a * matrix, scale_b * rhs
    solution = np.linalg.lstsq(matrix, rhs, rcond=None)[0]  # so that nearly everything cancels
    exact = gradient_in_fractions(matrix, solution, rhs)
    assert exact_gradient(matrix, solution, rhs).tolist() == [float(value) for value in exact]


@given(
    st.integers(0, 10_000),
    st.integers(1, 3),
    st.sampled_from([1.0, 10.0, 1e3]),
    st.integers(4, 54),
    st.sampled_from([NormalCertifier, AugmentedCertifier]),
)
@settings(max_examples=examples(60), deadline=None)
def test_the_bound_is_never_below_the_error_of_least_squares_of_the_matrix_as_given(
    seed, n, condition, bits, kind
):
    matrix, rhs = a_tall_system(seed, n + 2, n, condition)
    truth = least_squares_in_fractions(matrix, rhs)
    exact = np.array([float(value) for value in truth])
    rng = np.random.default_rng(seed + 1)
    x = exact + 2.0**-bits * np.linalg.norm(exact) * rng.standard_normal(n)
    certifier = kind(matrix)
    solution, right = x, rhs
    if kind is AugmentedCertifier:
        y = (rhs - matrix @ exact) / certifier.scale
        y = y * (1.0 + 2.0**-bits * rng.standard_normal(len(y)))
        solution, right = np.concatenate([y, x]), np.concatenate([rhs, np.zeros(n)])
    certificate = certify(certifier, solution, right)
    off = [Fraction(float(v)) - t for v, t in zip(x, truth, strict=True)]
    error = float(sum(v * v for v in off)) ** 0.5 / float(sum(t * t for t in truth)) ** 0.5
    assert error <= certificate.error_bound * (1.0 + 1e-12)
    assert np.array_equal(certifier.answer(solution), x)


def test_rounding_of_the_normal_equations_is_no_part_of_the_claim():
    matrix = np.array([[1.0, 1.0], [2.0**-27, 0.0], [0.0, 2.0**-27]])  # A^T A is singular once it is rounded
    assert np.linalg.matrix_rank(matrix.T @ matrix) == 1
    rhs = np.array([2.0, 2.0**-27, 2.0**-27])
    certificate = certify(NormalCertifier(matrix), np.ones(2), rhs)
    assert certificate.residual == 0.0
    assert certificate.bits == 53.0
    wrong = certify(NormalCertifier(matrix), np.array([1.5, 0.5]), rhs)
    assert 0.0 < wrong.bits < 1.0  # half of x is wrong


def test_the_scale_of_the_augmented_system_keeps_its_condition_number_near_that_of_the_matrix():
    matrix, _ = a_tall_system(1, 9, 4, 300.0)
    assert np.linalg.cond(AugmentedCertifier(matrix).augmented) < 2.0 * 300.0


def test_columns_that_depend_on_others_are_named():
    matrix, _ = a_tall_system(2, 6, 3, 2.0)
    matrix = np.column_stack([matrix, matrix[:, 0] - matrix[:, 2]])
    for kind in (NormalCertifier, AugmentedCertifier):
        with pytest.raises(
            InputError, match=r"columns that depend on others \(counted from 0\): \d; take them"
        ):
            kind(matrix)


def test_a_scale_whose_square_float64_does_not_hold_is_refused():
    with pytest.raises(InputError, match="whose square leaves the range"):
        NormalCertifier(1e-150 * np.eye(4)[:, :2])


def test_the_fractions_of_this_test_are_right():
    matrix, rhs = a_tall_system(3, 3, 3, 5.0)
    assert [float(v) for v in least_squares_in_fractions(matrix, rhs)] == pytest.approx(
        [float(v) for v in solved_in_fractions(matrix, rhs)], rel=1e-12
    )


@given(st.integers(0, 1000))
def test_the_augmented_system_s_inverse_norm_is_that_of_its_singular_values(seed: int) -> None:
    """At most the norm of the rows of the inverse that give x: (A^T A)^-1 A^T and a (A^T A)^-1, of each singular value."""
    matrix = np.random.default_rng(seed).standard_normal((6, 3))
    certifier = AugmentedCertifier(matrix)
    smallest = np.linalg.svd(matrix, compute_uv=False)[-1]
    expected = np.hypot(1.0 / smallest, certifier.scale / smallest**2)
    assert certifier.inverse_norm == pytest.approx(expected, rel=1e-12)
    rows = np.linalg.inv(certifier.augmented)[len(matrix) :]
    assert np.linalg.norm(rows, 2) == pytest.approx(certifier.inverse_norm, rel=1e-9)


@pytest.mark.parametrize(("least", "said"), [(1.0, "too far apart"), (1.2e-15, "less than full column rank")])
def test_columns_depend_on_others_by_their_directions_whatever_their_sizes(least: float, said: str) -> None:
    """Of three columns of sizes 1 to 1e15 one is 1e-4 off the first, another `least`, beside which rounding is 1e-15."""
    matrix = np.array([[1.0, 1.0, 1.0], [0.0, 1e-4, 0.0], [0.0, 0.0, least], [1.0, 1.0, 1.0]])
    with pytest.raises(InputError, match=said):
        full_rank(matrix * [1.0, 1e15, 1.0])
