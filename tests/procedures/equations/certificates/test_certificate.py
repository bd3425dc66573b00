"""A certificate proves what it says: against exact fractions, and never more than is so."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.errors import InputError
from mho.procedures.equations.certificates.certificate import (
    Certificate,
    Certifier,
    dependent_rows,
    dependent_rows_in_words,
    exact_residual,
    norm,
)

Floats = np.ndarray


def in_fractions(matrix: Floats, solution: Floats, rhs: Floats) -> list[Fraction]:
    return [
        Fraction(float(b))
        - sum(Fraction(float(a)) * Fraction(float(x)) for a, x in zip(row, solution, strict=True))
        for row, b in zip(matrix, rhs, strict=True)
    ]


def solved_in_fractions(matrix: Floats, rhs: Floats) -> list[Fraction]:
    """Gauss-Jordan over the rationals."""
    rows = [[Fraction(float(v)) for v in (*row, b)] for row, b in zip(matrix, rhs, strict=True)]
    for k in range(len(rows)):
        pivot = max(range(k, len(rows)), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i, row in enumerate(rows):
            if i != k:
                rows[i] = [v - row[k] * w for v, w in zip(row, rows[k], strict=True)]
    return [row[-1] for row in rows]


def certify(certifier: Certifier, solution: Floats, rhs: Floats) -> Certificate:
    residual = float(np.linalg.norm(certifier.residual(solution, rhs)))
    return certifier.certify(solution, residual, float(np.linalg.norm(rhs)))


def a_system(seed: int, n: int, condition: float) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    return left @ np.diag(np.geomspace(1.0, 1.0 / condition, n)) @ right, rng.standard_normal(n)


@given(
    st.integers(0, 10_000),
    st.integers(1, 6),
    st.sampled_from([1.0, 1e-100, 1e100]),
    st.sampled_from([1.0, 1e-30, 1e30]),
)
@settings(max_examples=examples(100))
def test_the_residual_is_exact_to_the_last_bit(seed, n, scale_a, scale_b):
    rng = np.random.default_rng(seed)
    matrix, solution = scale_a * rng.standard_normal((n, n)), scale_b * rng.standard_normal(n)
    rhs = matrix @ solution  # so that nearly everything cancels
    exact = in_fractions(matrix, solution, rhs)
    assert exact_residual(matrix, solution, rhs).tolist() == [float(value) for value in exact]


@given(
    st.integers(0, 10_000),
    st.integers(1, 5),
    st.sampled_from([1.0, 10.0, 1e3, 1e6]),
    st.integers(2, 56),
)
@settings(max_examples=examples(100), deadline=None)
def test_the_bound_is_never_below_the_error(seed, n, condition, bits):
    matrix, rhs = a_system(seed, n, condition)
    truth = solved_in_fractions(matrix, rhs)
    exact = np.array([float(value) for value in truth])
    rng = np.random.default_rng(seed + 1)
    solution = exact + 2.0**-bits * np.linalg.norm(exact) * rng.standard_normal(n)
    certifier = Certifier(matrix)
    certificate = certify(certifier, solution, rhs)
    off = [Fraction(float(x)) - t for x, t in zip(solution, truth, strict=True)]
    error = float(sum(v * v for v in off)) ** 0.5 / float(sum(t * t for t in truth)) ** 0.5
    assert error <= certificate.error_bound * (1.0 + 1e-12)
    assert certificate.bits <= max(-np.log2(max(error, 2.0**-53)), 0.0) + 1e-9
    if 0.0 < error < 0.1 / condition:
        assert certificate.error_bound <= 2.0 * condition * error + 2.0**-50


@given(
    st.integers(0, 10_000), st.integers(2, 5), st.sampled_from([10.0, 1e8, 1e30, 1e150]), st.integers(4, 56)
)
@settings(max_examples=examples(100), deadline=None)
def test_the_bound_of_equations_in_units_of_their_own_is_never_below_the_error(seed, n, spread, bits):
    matrix, rhs = a_system(seed, n, 10.0)
    rng = np.random.default_rng(seed + 1)
    units = spread ** rng.uniform(-1.0, 1.0, n)
    matrix, rhs = units[:, None] * matrix, units * rhs
    truth = solved_in_fractions(matrix, rhs)
    exact = np.array([float(value) for value in truth])
    solution = exact + 2.0**-bits * np.linalg.norm(exact) * rng.standard_normal(n)
    certifier = Certifier(matrix)
    residual = certifier.residual(solution, rhs)
    sizes = float(np.linalg.norm(residual)), float(np.linalg.norm(rhs)), certifier.measure(residual)
    certificate = certifier.certify(solution, *sizes)
    error = float(sum((Fraction(float(x)) - t) ** 2 for x, t in zip(solution, truth, strict=True))) ** 0.5
    error /= float(sum(t * t for t in truth)) ** 0.5
    assert error <= certificate.error_bound * (1.0 + 1e-12)
    assert certificate.residual == pytest.approx(sizes[0])
    if 0.0 < error < 1e-3:
        assert certificate.error_bound <= 1e4 * error + 2.0**-48


@given(
    st.integers(0, 10_000),
    st.integers(1, 5),
    st.sampled_from([1.0, 8.0]),
    st.floats(0.0, 12.0),
    st.integers(4, 56),
)
@settings(max_examples=examples(100), deadline=None)
def test_the_bound_with_rows_and_columns_in_units_of_their_own_is_never_below_the_error(
    seed, n, decades, condition, bits
):
    matrix, rhs = a_system(seed, n, 10.0**condition)
    rng = np.random.default_rng(seed + 1)
    rows, columns = 10.0 ** rng.uniform(-decades, decades, (2, n))
    matrix, rhs = rows[:, None] * matrix * columns, rows * rhs
    truth = solved_in_fractions(matrix, rhs)
    exact = np.array([float(value) for value in truth])
    solution = exact * (1.0 + 2.0**-bits * rng.standard_normal(n))
    certifier = Certifier(matrix)
    residual = certifier.residual(solution, rhs)
    certificate = certifier.certify(solution, norm(residual), norm(rhs), certifier.measure(residual))
    off = sum((Fraction(float(x)) - t) ** 2 for x, t in zip(solution, truth, strict=True))
    if certificate.error_bound < np.inf:
        assert off <= Fraction(certificate.error_bound) ** 2 * sum(t * t for t in truth)


@pytest.mark.parametrize("n", [2, 3, 6, 16])
def test_units_of_the_unknowns_take_no_bit(n):
    matrix, rhs = a_system(n, n, 100.0)
    columns = 10.0 ** np.random.default_rng(n).uniform(-8.0, 8.0, n)
    certifier, solution = Certifier(matrix * columns), np.linalg.solve(matrix, rhs) / columns
    assert certifier.provable_bits < certifier.provable_bits_of_all(solution[:, None])
    certifier.require(40, solution[:, None])
    for _ in range(3):
        solution = solution + np.linalg.solve(matrix, certifier.residual(solution, rhs)) / columns
    assert certify(certifier, solution, rhs).bits > 40.0
    with pytest.raises(InputError, match="bits cannot be had"):
        certifier.require(50, solution[:, None])


def test_the_fewest_bits_of_several_solutions_count_and_zeros_do_not():
    certifier = Certifier(np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-10]]))
    along, across = np.array([1.0, 1.0]), np.array([1.0, -1.0])
    each = [certifier.provable_bits_of_all(one[:, None]) for one in (along, across)]
    both = np.stack([np.zeros(2), along, across], axis=1)
    assert certifier.provable_bits_of_all(both) == min(each)
    assert certifier.provable_bits_of_all(np.zeros((2, 1))) == 53.0


def test_no_bits_are_asked_of_a_matrix_that_is_only_regular():
    certifier = Certifier(a_system(0, 4, 1e15)[0])
    certifier.require(0.0)
    with pytest.raises(InputError, match="can be proved to"):
        certifier.require(10.0)


def test_a_certificate_says_how_it_was_proved_and_what_that_took():
    matrix, rhs = a_system(0, 4, 10.0)
    plain = certify(certifier := Certifier(matrix), np.linalg.solve(matrix, rhs), rhs)
    assert (plain.by, plain.multiplications) == ("smallest singular value", certifier.once + 4)
    scaled = Certifier(np.geomspace(1.0, 1e12, 4)[:, None] * matrix)
    assert scaled.each == 12  # of two norms, and of R r
    assert scaled.once > certifier.once
    assert plain.plain()["by"] == "smallest singular value"


def test_units_of_the_equations_take_no_bit():
    matrix, _ = a_system(2, 5, 10.0)
    units = 10.0 ** np.array([9.0, -7.0, 0.0, 4.0, -12.0])
    certifier = Certifier(units[:, None] * matrix)
    assert np.linalg.cond(units[:, None] * matrix) > 1e16
    assert certifier.condition < 100.0
    certifier.require(40)
    assert np.array_equal(np.frexp(certifier.row_factors)[0], np.full(5, 0.5))  # powers of two round nothing
    assert certifier.row_factors.min() == 1.0  # none makes a residual vanish
    assert (Certifier(matrix).row_factors == 1.0).all()


def test_a_residual_too_small_for_its_scaled_norm_proves_no_exactness():
    certifier = Certifier(np.diag([1e300, 1.0]))
    assert certifier.condition < 4.0
    assert certifier.measure(np.array([1e-30, 0.0])) > 0.0


def test_nothing_is_proved_of_a_solution_whose_residual_leaves_all_open():
    matrix, rhs = a_system(0, 4, 10.0)
    certifier = Certifier(matrix)
    certificate = certify(certifier, np.zeros(4), rhs)
    assert certificate.error_bound == np.inf
    assert certificate.bits == 0.0
    assert certificate.plain()["error_bound"] is None
    assert certificate.relative_residual == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [1e-240, 1e-160, 1e160, 1e240])
def test_no_scale_makes_a_wrong_solution_look_right(scale):
    matrix, rhs = a_system(0, 4, 10.0)
    certifier = Certifier(matrix / scale)
    wrong = np.linalg.solve(matrix, rhs) * scale * 1.1
    certificate = certify(certifier, wrong, rhs)
    assert certificate.error_bound > 0.05
    assert certificate.bits < 4.5


@pytest.mark.parametrize("condition", [10.0, 1e4, 1e8])
def test_a_solve_in_float64_reaches_about_the_bits_that_are_said_to_be_provable(condition):
    matrix, rhs = a_system(3, 8, condition)
    certifier = Certifier(matrix)
    assert certifier.condition == pytest.approx(condition, rel=1e-6)
    solution = np.linalg.solve(matrix, rhs)
    for _ in range(3):  # refined with the exact residual: as near as a double comes
        solution = solution + np.linalg.solve(matrix, certifier.residual(solution, rhs))
    reached = certify(certifier, solution, rhs).bits
    assert certifier.provable_bits - 1.0 < reached


def test_what_cannot_be_proved_is_refused_beforehand():
    matrix, _ = a_system(0, 4, 1e6)
    Certifier(matrix).require(33)
    with pytest.raises(
        InputError, match="condition number of 1e\\+06: a solution in float64 can be proved to 33"
    ):
        Certifier(matrix).require(34)
    singular = np.outer([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    with pytest.raises(
        InputError,
        match=r"singular in float64.*depend on others .counted from 0.: 1, 2; columns: 1, 2; without",
    ):
        Certifier(singular).require(3)


@pytest.mark.parametrize("rank", [1, 3, 5])
def test_the_rows_that_depend_on_others_are_as_many_as_the_rank_lacks_and_leave_the_rest_independent(rank):
    rng = np.random.default_rng(rank)
    matrix = (
        rng.standard_normal((6, rank)) @ rng.standard_normal((rank, 6)) * 10.0 ** rng.integers(-3, 4, (6, 1))
    )
    rows = dependent_rows(matrix)
    assert len(rows) == 6 - rank
    assert np.linalg.matrix_rank(np.delete(matrix, rows, axis=0)) == rank


def test_ten_dependent_rows_are_all_named():
    assert dependent_rows_in_words(np.ones((11, 11))).count(",") == 9
    assert dependent_rows_in_words(np.ones((12, 12))).endswith(" and 1 more")
    assert "more" not in dependent_rows_in_words(np.ones((11, 11)))


def test_many_dependent_rows_are_counted_in_one_sentence():
    matrix = np.ones((40, 40))
    with pytest.raises(
        InputError, match=r"others \(counted from 0\): (\d+, ){9}\d+ and 29 more; columns: .* 29 more; "
    ):
        Certifier(matrix).require(24.0)


def test_all_rows_of_nothing_depend_on_others() -> None:
    assert dependent_rows(np.zeros((2, 3))) == [0, 1]


def test_zero_is_proved_to_be_the_solution_of_zero():
    matrix, _ = a_system(0, 4, 10.0)
    certificate = Certifier(matrix).certify(np.zeros(4), 0.0, 0.0)
    assert certificate.error_bound == 0.0
    assert certificate.bits == 53.0
    assert certificate.relative_residual == 0.0


def test_a_certificate_by_hand():
    certifier = Certifier(2.0 * np.eye(4))
    solution, rounding = np.array([3.0, 0.0, 4.0, 0.0]), 1.0 + 4 * 2.0**-52
    assert 0.5 < certifier.inverse_norm < 0.5 * (1.0 + 2.0**-20)
    found = certifier.certify(solution, 0.25, 10.0)
    error = certifier.inverse_norm * 0.25 * rounding
    assert found.residual == 0.25 * rounding
    assert found.relative_residual == 0.25 * rounding / 10.0
    assert found.error_bound == error / (5.0 - error)
    assert found.bits == -np.log2(found.error_bound)
    assert certifier.certify(solution, 1e-40, 10.0).bits == 53.0
    assert certifier.certify(solution, 10.0, 10.0).error_bound == np.inf
    assert certifier.certify(solution, 11.0, 10.0).bits == 0.0
    assert certifier.certify(solution, 0.0, 0.0).error_bound == 0.0
    assert certifier.smallest_residual(solution) == pytest.approx(2.0 * 5.0 * 2.0**-53, rel=1e-12)
    assert certifier.provable_bits == 53 - np.log2(certifier.condition)


def test_rows_are_scaled_where_that_is_worth_it_and_each_bound_is_used_with_its_own_residual():
    plain = Certifier(np.diag([1.0, 2.0**-3]))
    assert plain.row_factors.tolist() == [1.0, 1.0]
    scaled = Certifier(np.diag([1.0, 2.0**-20]))
    assert scaled.row_factors.tolist() == [1.0, 2.0**20]
    assert scaled.condition == pytest.approx(1.0)
    assert scaled.condition_as_given == pytest.approx(2.0**20)
    assert scaled.measure(np.array([3.0, 4.0 * 2.0**-20])) == 5.0
    solution = np.array([1.0, 1.0])
    without = scaled.certify(solution, 1e-9, 1.0)
    assert without.error_bound == pytest.approx(2.0**20 * 1e-9 / np.sqrt(2.0), rel=1e-3)
    assert scaled.certify(solution, 1e-9, 1.0, 1e-9).error_bound == pytest.approx(
        1e-9 / np.sqrt(2.0), rel=1e-3
    )
    assert scaled.certify(solution, np.inf, 1.0, 1e-9).bits == pytest.approx(
        -np.log2(1e-9 / np.sqrt(2.0)), abs=0.01
    )


def test_a_row_of_zeros_is_not_scaled_and_is_named():
    certifier = Certifier(np.array([[1.0, 2.0], [0.0, 0.0]]))
    assert certifier.condition == np.inf
    assert certifier.provable_bits == 0.0
    with pytest.raises(InputError, match="the matrix is singular"):
        certifier.require(1)


def test_bits_are_asked_for_up_to_what_can_be_proved():
    certifier = Certifier(np.eye(2))
    certifier.require(certifier.provable_bits)
    with pytest.raises(InputError, match="cannot be had"):
        certifier.require(certifier.provable_bits + 0.01)
