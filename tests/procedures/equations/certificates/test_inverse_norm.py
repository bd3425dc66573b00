"""Bounds of singular values and of ||A^-1|| hold, whatever the units of rows and columns, and cost what they say."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.procedures.equations.certificates.certificate import (
    BY_INVERSE,
    BY_SINGULAR_VALUE,
    Certifier,
    inverse_norm,
    largest_singular_value,
    norm_estimate,
    smallest_singular_value,
)
from mho.procedures.equations.certificates.verified_inverse import (
    VerifiedInverse,
    defect,
    rough_defect,
    scaled,
)

Floats = np.ndarray


def drawn(seed: int, n: int, condition: float, rows: float = 0.0, columns: float = 0.0) -> Floats:
    """Return a matrix with this condition number, then units of rows and columns over so many decades either way."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    matrix = left @ np.diag(np.geomspace(1.0, 1.0 / condition, n)) @ right
    return 10.0 ** rng.uniform(-rows, rows, n)[:, None] * matrix * 10.0 ** rng.uniform(-columns, columns, n)


def exact_inverse(matrix: Floats) -> Floats:
    """Return the inverse, each element rounded once, by Gauss-Jordan over the rationals."""
    n = len(matrix)
    rows = [
        [Fraction(float(v)) for v in row] + [Fraction(int(i == k)) for k in range(n)]
        for i, row in enumerate(matrix)
    ]
    for k in range(n):
        pivot = max(range(k, n), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i in range(n):
            if i != k and rows[i][k]:
                rows[i] = [v - rows[i][k] * w for v, w in zip(rows[i], rows[k], strict=True)]
    return np.array([[float(v) for v in row[n:]] for row in rows])


@given(
    st.integers(0, 10_000),
    st.integers(1, 7),
    st.floats(0.0, 12.0),
    st.sampled_from([0.0, 1.0, 8.0]),
    st.sampled_from([0.0, 1.0, 8.0]),
    st.sampled_from([1.0, 1e-200, 1e200]),
)
@settings(max_examples=examples(120), deadline=None)
def test_the_norm_of_the_inverse_is_below_its_bound_and_near_it(seed, n, decades, rows, columns, scale):
    matrix = drawn(seed, n, 10.0**decades, rows, columns) * scale
    norm = float(np.linalg.svd(exact_inverse(matrix), compute_uv=False)[0])
    found = inverse_norm(matrix)
    assert norm * (1.0 - 1e-12) <= found.value <= norm * (1.0 + 2.0**-8 if decades < 10.0 else 2.0)
    if decades < 10.0:
        assert found.estimate == pytest.approx(norm, rel=1e-3)


@pytest.mark.parametrize(("condition", "by"), [(1e4, BY_SINGULAR_VALUE), (1e8, BY_INVERSE)])
def test_a_condition_number_decides_how_the_bound_is_proved(condition, by):
    found = inverse_norm(drawn(1, 8, condition))
    assert found.by == by
    assert found.value == pytest.approx(condition, rel=1e-5)


def test_units_of_columns_leave_the_bound_as_tight_as_it_was():
    matrix = drawn(2, 8, 100.0)
    units = 10.0 ** np.array([9.0, -7.0, 0.0, 4.0, -12.0, 3.0, 8.0, -9.0])
    assert np.linalg.cond(matrix * units) > 1e18
    norm = float(np.linalg.svd(exact_inverse(matrix * units), compute_uv=False)[0])
    assert inverse_norm(matrix * units).value == pytest.approx(norm, rel=1e-5)


@given(st.integers(0, 10_000), st.integers(2, 8), st.integers(0, 12))
@settings(max_examples=examples(80), deadline=None)
def test_nothing_is_proved_of_a_singular_matrix(seed, n, decades):
    rng = np.random.default_rng(seed)
    left, right = rng.integers(-9, 10, (n, n - 1)), rng.integers(-9, 10, (n - 1, n))
    matrix = (left @ right).astype(float)  # in integers, so that its rank is below n exactly
    matrix *= 2.0 ** rng.integers(-decades, decades + 1, n)
    assert smallest_singular_value(matrix).value == 0.0
    assert inverse_norm(matrix).value == math.inf


@pytest.mark.parametrize("condition", [1e7, 1e9, 1e15])
def test_a_gram_matrix_of_rounding_noise_proves_nothing(condition):
    found = smallest_singular_value(drawn(3, 6, condition))
    assert found.value == 0.0
    assert found.multiplications == 6**3 // 2 + 6**3 // 6  # no step is taken in vain


@given(st.integers(0, 10_000), st.integers(1, 8), st.sampled_from([1.0, 1e-170, 1e170]))
@settings(max_examples=examples(60), deadline=None)
def test_singular_values_lie_between_their_bounds(seed, n, scale):
    matrix = drawn(seed, n, 50.0, rows=1.0) * scale
    values = np.linalg.svd(matrix, compute_uv=False)
    lower, upper = smallest_singular_value(matrix), largest_singular_value(matrix)
    assert values[-1] * (1.0 - 2.0**-10) < lower.value < values[-1] * (1.0 + 1e-13)
    assert values[0] * (1.0 - 1e-13) < upper.value < values[0] * (1.0 + 2.0**-10)
    assert norm_estimate(matrix)[0] == pytest.approx(values[0], rel=1e-9)


def test_of_a_tall_matrix_the_smallest_singular_value_is_bounded_too():
    matrix = np.random.default_rng(0).standard_normal((12, 5))
    smallest = np.linalg.svd(matrix, compute_uv=False)[-1]
    assert smallest_singular_value(matrix).value == pytest.approx(smallest, rel=1e-6)
    assert smallest_singular_value(matrix).value < smallest


def test_equal_singular_values_are_no_hindrance():
    found = inverse_norm(np.eye(64)[::-1] * 0.25)
    assert 4.0 <= found.value < 4.0 * (1.0 + 2.0**-19)


@pytest.mark.parametrize("bounded", [defect, rough_defect])
@given(st.integers(0, 10_000), st.integers(1, 5), st.floats(0.0, 10.0))
@settings(max_examples=examples(40), deadline=None)
def test_the_defect_of_an_inverse_is_below_its_bound(bounded, seed, n, decades):
    matrix = drawn(seed, n, 10.0**decades)
    inverse = VerifiedInverse(matrix, np.zeros_like(matrix), bounded)
    exact = [[Fraction(float(v)) for v in row] for row in matrix]
    for i in range(n):
        for k in range(n):
            product = sum(
                Fraction(float(r)) * row[k] for r, row in zip(inverse.inverse[i], exact, strict=True)
            )
            assert abs((i == k) - product) <= Fraction(float(inverse.bound[i, k]))


def test_what_is_unknown_is_bounded_though_it_is_too_small_to_be_added():
    one = VerifiedInverse(np.array([[0.75]]), np.array([[2.0**-80]]), lambda r, a: np.array([[0.5]]))
    assert 0.5 < one.bound[0, 0] < 0.5 * (1.0 + 1e-13)
    assert one.bound[0, 0] < one.contraction < 0.5 * (1.0 + 1e-13)


def test_the_multiplications_are_those_of_the_steps_taken():
    n = 64
    matrix = drawn(4, n, 30.0)
    by_value = smallest_singular_value(matrix)
    steps = (by_value.multiplications - (n**3 // 2 + 2 * (n**3 // 6))) / n**2
    assert steps == int(steps)
    assert 1 <= steps <= 48
    assert Certifier(matrix).once == by_value.multiplications + norm_estimate(matrix)[1]
    verified = inverse_norm(drawn(4, n, 1e9))
    steps = (verified.multiplications - (n**3 // 2 + n**3 // 6) - 3 * n**3 - (n**3 // 2 + n**3 // 6)) / n**2
    assert steps == int(steps)
    assert 1 <= steps <= 48


def test_a_certificate_of_many_lines_takes_fewer_multiplications_than_singular_values():
    n = 256
    matrix = np.random.default_rng(0).standard_normal((n, n))
    assert Certifier(matrix).once < 4 * n**3 / 3  # Golub & Van Loan, half the operations of the values alone


def test_what_is_below_the_floor_of_scaled_values_is_set_to_zero_and_bounded_by_it():
    values, lost = scaled(np.array([0.0, 1.0, -2.0, 3.0]), np.array([0, -1, -1, 0]), 1.0)
    assert values.tolist() == [0.0, 0.0, -1.0, 3.0]
    assert lost.tolist() == [0.0, 1.0, 0.0, 0.0]
