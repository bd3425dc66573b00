"""An enclosure holds the exact solution, whatever the system and the approximate one, or says that it proves nothing."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest
from examples import examples
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import hilbert

from benchmarks._exact_systems import draw_exact_system, exact_solution
from benchmarks.enclosure import holds, judge
from mho.errors import InputError
from mho.procedures.equations.certificates import enclosure, verified_inverse
from mho.procedures.equations.certificates.enclosure import Enclosure, best_enclosure, enclose, enclose_arb
from mho.procedures.equations.certificates.verified_inverse import defect, power_scaling

Floats = np.ndarray


def a_system(seed: int, n: int, condition: float = 100.0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
    return left * np.geomspace(1.0, 1.0 / condition, n) @ right, rng.standard_normal(n)


def exact_defect(inverse: Floats, matrix: Floats) -> list[list[Fraction]]:
    r, a = ([[Fraction(value) for value in row] for row in each.tolist()] for each in (inverse, matrix))
    return [
        [abs((i == j) - sum(r[i][k] * a[k][j] for k in range(len(a)))) for j in range(len(a))]
        for i in range(len(a))
    ]


@pytest.mark.thorough
def test_two_hundred_systems_of_all_kinds_are_enclosed_closely():
    judged = [judge(draw_exact_system(seed)) for seed in range(200)]
    assert all(each.holds for each in judged)
    assert all(each.certified and each.width <= 10.0 for each in judged if each.condition <= 1e12)


@pytest.mark.slow
def test_ten_thousand_systems_of_all_kinds_are_enclosed():
    judged = [judge(draw_exact_system(seed)) for seed in range(10_000, 20_000)]
    assert all(each.holds for each in judged)
    assert all(each.certified and each.width <= 10.0 for each in judged if each.condition <= 1e12)


small_integers = st.integers(1, 5).flatmap(
    lambda n: st.tuples(
        arrays(np.int64, (n, n), elements=st.integers(-20, 20)),
        arrays(np.int64, n, elements=st.integers(-1000, 1000)),
    )
)


@pytest.mark.thorough
@given(small_integers, st.integers(0, 60))
@settings(max_examples=examples(150), deadline=None)
def test_integer_systems_are_enclosed_and_singular_ones_never_certified(system, bits):
    matrix, rhs = system
    truth = exact_solution(matrix.astype(float), rhs.astype(float))
    if truth is None:
        assert not enclose(matrix, rhs, np.zeros(len(rhs))).certified
        return
    x = np.array([float(value) for value in truth]) * (1.0 + 2.0**-bits)
    found = enclose(matrix, rhs, x)
    assert found.certified
    assert holds(found, truth)


@given(
    arrays(np.float64, (3, 3), elements=st.floats(allow_nan=False, allow_infinity=False)),
    arrays(np.float64, 3, elements=st.floats(allow_nan=False, allow_infinity=False)),
    arrays(np.float64, 3, elements=st.floats(allow_nan=False, allow_infinity=False)),
)
@settings(max_examples=examples(150), deadline=None)
def test_any_doubles_are_enclosed_or_not_certified(matrix, rhs, solution):
    assume(matrix.any(axis=1).all() and matrix.any(axis=0).all())
    found = enclose(matrix, rhs, solution)
    if found.certified:
        truth = exact_solution(matrix, rhs)
        assert truth is not None
        assert holds(found, truth)


@given(st.integers(0, 10_000), st.integers(1, 9), st.floats(0.0, 17.0))
@settings(max_examples=examples(40), deadline=None)
def test_the_defect_of_an_inverse_is_bounded_and_closely_so(seed, n, digits):
    matrix, _ = a_system(seed, n, 10.0**digits)
    inverse = np.linalg.inv(matrix)
    bound, exact = defect(inverse, matrix), exact_defect(inverse, matrix)
    assert all(
        Fraction(bound[i, j]) >= exact[i][j]
        and bound[i, j] <= 1.01 * exact[i][j] + 2.0**-60 * np.abs(inverse).max()
        for i in range(n)
        for j in range(n)
    )


@pytest.mark.parametrize("rank", [0, 1, 5])
def test_singular_matrices_are_never_certified(rank):
    rng = np.random.default_rng(rank)
    matrix = (rng.integers(-3, 4, (6, rank)) @ rng.integers(-3, 4, (rank, 6))).astype(float)
    found = best_enclosure(matrix, np.ones(6), np.ones(6))
    assert not found.certified
    assert found.contraction >= 1.0
    assert found.reason
    assert (found.lower == -np.inf).all()
    assert (found.upper == np.inf).all()
    assert found.relative_error == np.inf


def test_a_matrix_that_is_too_near_to_a_singular_one_is_not_certified_and_the_bound_reached_is_said():
    found = enclose(hilbert(20), np.ones(20), np.ones(20))
    assert not found.certified
    assert 1.0 <= found.contraction < np.inf
    assert f"{found.contraction:.3g}" in found.reason


def test_a_matrix_without_an_inverse_in_float64_is_said_to_have_none():
    found = enclose(np.ones((2, 2)), np.ones(2), np.ones(2))
    assert found.contraction == np.inf
    assert "finds no approximate inverse" in found.reason


def test_zeros_in_the_wrong_places_are_said_to_make_a_matrix_singular():
    matrix = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0], [0.0, 0.0, 2.0]])
    assert "singular: zeros" in enclose(matrix, np.ones(3), np.ones(3)).reason


def test_an_exact_solution_is_enclosed_in_itself():
    matrix, solution = np.array([[2.0, 1.0], [1.0, 1.0]]), np.array([1.0, -3.0])
    found = enclose(matrix, matrix @ solution, solution)
    assert found.lower.tolist() == found.upper.tolist() == solution.tolist()
    assert found.relative_error == found.componentwise_error == 0.0


def test_a_right_hand_side_of_zero_is_solved_by_zero():
    found = enclose(np.eye(3), np.zeros(3), np.zeros(3))
    assert found.certified
    assert not found.lower.any()
    assert not found.upper.any()


def test_an_element_that_is_zero_has_no_relative_error_but_the_whole_has():
    found = enclose(np.eye(2), np.array([0.0, 1.0]), np.array([1e-9, 1.0]))
    assert found.componentwise_error == np.inf
    assert found.relative_error == pytest.approx(1e-9)


def test_the_relative_error_is_that_of_a_known_one():
    matrix, rhs = a_system(1, 5)
    truth = exact_solution(matrix, rhs)
    x = np.array([float(value) for value in truth]) * (1.0 + 2.0**-20)
    found = enclose(matrix, rhs, x)
    assert found.relative_error == pytest.approx(2.0**-20, rel=1e-6)
    assert found.componentwise_error == pytest.approx(2.0**-20, rel=1e-6)


def test_many_right_hand_sides_are_enclosed_as_one_by_one():
    matrix, _ = a_system(2, 6)
    rhs = np.eye(6)
    inverse = np.linalg.inv(matrix)
    found = enclose(matrix, rhs, inverse)
    assert found.lower.shape == (6, 6)
    for k in range(6):
        alone = enclose(matrix, rhs[:, k], inverse[:, k])
        assert found.lower[:, k].tolist() == alone.lower.tolist()
        assert found.radius[:, k].tolist() == alone.radius.tolist()
        assert holds(alone, exact_solution(matrix, rhs[:, k]))


@pytest.mark.parametrize("exponents", [(0, 300), (-300, 0), (400, 400), (-500, 100)])
def test_scaling_by_powers_of_two_changes_no_bit(exponents):
    matrix, rhs = a_system(3, 7, 1e6)
    x = np.linalg.solve(matrix, rhs)
    plain = enclose(matrix, rhs, x)
    a, b = (2.0**exponent for exponent in exponents)
    found = enclose(a * matrix, b * rhs, b / a * x)
    assert found.contraction == plain.contraction
    for name in ("correction", "radius", "lower", "upper"):
        assert (getattr(found, name) / b * a).tolist() == getattr(plain, name).tolist()


def test_rows_and_columns_in_any_order_and_scale_are_enclosed_as_closely():
    rng = np.random.default_rng(4)
    matrix, rhs = a_system(4, 8, 1e9)
    x = np.linalg.solve(matrix, rhs)
    plain = enclose(matrix, rhs, x)
    rows, columns = rng.permutation(8), rng.permutation(8)
    powers, others = 2.0 ** rng.integers(-200, 200, (2, 8))
    moved = (matrix * powers[:, None] * others)[rows][:, columns]
    found = enclose(moved, (powers * rhs)[rows], (x / others)[columns])
    assert found.contraction < 100.0 * plain.contraction
    assert found.error * others[columns] == pytest.approx(plain.error[columns], rel=1e-3)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
def test_rows_at_both_ends_of_the_range_are_enclosed(scale):
    matrix, rhs = a_system(5, 4)
    matrix[0] *= scale
    matrix[:, 1] *= 1e-5
    rhs[0] *= scale
    truth = exact_solution(matrix, rhs)
    found = enclose(matrix, rhs, np.linalg.solve(matrix, rhs))
    assert found.certified
    assert holds(found, truth)


def test_a_solution_among_subnormal_numbers_is_enclosed_and_one_out_of_range_is_said():
    matrix, rhs = a_system(6, 3)
    truth = exact_solution(matrix, 2.0**-1060 * rhs)
    assert holds(enclose(matrix, 2.0**-1060 * rhs, np.zeros(3)), truth)
    found = enclose(1e-200 * matrix, 1e200 * rhs, np.zeros(3))
    assert not found.certified
    assert "leaves the range" in found.reason


def test_entries_too_small_to_be_kept_are_allowed_for(monkeypatch):
    matrix, ones = np.array([[1.0, 2.0**-600], [0.0, 1.0]]), np.ones(2)
    truth = exact_solution(matrix, ones)
    assert truth[0] == 1 - Fraction(2) ** -600
    assert holds(enclose(matrix, ones, ones), truth)
    kept = enclosure.scaled
    monkeypatch.setattr(enclosure, "scaled", lambda *given: (kept(*given)[0], np.zeros_like(given[0])))
    assert not holds(enclose(matrix, ones, ones), truth)


def test_complex_systems_are_enclosed_in_their_real_form():
    rng = np.random.default_rng(7)
    matrix = rng.standard_normal((4, 4)) + 1j * rng.standard_normal((4, 4))
    rhs = rng.standard_normal(4) + 1j * rng.standard_normal(4)
    x = np.linalg.solve(matrix, rhs)
    real = np.block([[matrix.real, -matrix.imag], [matrix.imag, matrix.real]])
    parts = [np.concatenate([each.real, each.imag]) for each in (rhs, x)]
    assert holds(enclose(real, *parts), exact_solution(real, parts[0]))
    with pytest.raises(InputError, match="matrix is complex; enclose the real form"):
        enclose(matrix, rhs, x)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_values_that_are_not_finite_are_refused_by_name_and_place(value, which):
    given = [np.eye(3), np.ones(3), np.ones(3)]
    given[which][..., 2] = value
    name = ("matrix", "right-hand side", "solution")[which]
    with pytest.raises(InputError, match=f"the {name} is {value} at \\(.*2,?\\)"):
        enclose(*given)


@pytest.mark.parametrize(
    ("matrix", "rhs", "solution", "message"),
    [
        (np.ones((2, 3)), np.ones(2), np.ones(2), r"matrix has shape \(2, 3\)"),
        (np.ones((0, 0)), np.ones(0), np.ones(0), r"matrix has shape \(0, 0\)"),
        (np.eye(2), np.ones(3), np.ones(3), r"right-hand side has shape \(3,\)"),
        (np.eye(2), np.ones(2), np.ones((2, 1)), r"solution has shape \(2, 1\)"),
        (np.array([[2**60 + 1]]), np.ones(1), np.ones(1), "int64, which float64 does not hold"),
        (np.array([["a"]]), np.ones(1), np.ones(1), "the matrix has type"),
    ],
)
def test_what_is_no_system_is_refused(matrix, rhs, solution, message):
    with pytest.raises(InputError, match=message):
        enclose(matrix, rhs, solution)


def test_scaled_entries_are_below_one_and_one_in_each_row_and_column_is_not_below_half():
    rng = np.random.default_rng(8)
    for n in range(1, 12):
        matrix = rng.standard_normal((n, n)) * 10.0 ** rng.uniform(-100, 100, (n, n))
        rows, columns = power_scaling(matrix)
        scaled = np.abs(np.ldexp(matrix, -rows[:, None] - columns))
        assert scaled.max() < 1.0
        assert (scaled.max(axis=0) >= 0.5).all()
        assert (scaled.max(axis=1) >= 0.5).all()


def falsely_enclosed(condition: float) -> int:
    """Count systems whose x is as near as doubles come, and whose enclosure does not hold the exact solution."""
    wrong = 0
    for seed in range(30):
        matrix, rhs = a_system(seed, 6, condition)
        truth = exact_solution(matrix, rhs)
        found = enclose(matrix, rhs, np.array([float(value) for value in truth]))
        wrong += found.certified and not holds(found, truth)
    return wrong


def test_a_bound_without_the_rounding_of_the_residual_is_caught(monkeypatch):
    assert falsely_enclosed(1e3) == 0
    monkeypatch.setattr(enclosure, "ROUNDOFF", 0.0)
    monkeypatch.setattr(verified_inverse, "gamma", lambda n: 0.0)
    assert falsely_enclosed(1e3) > 0


def test_a_bound_without_the_defect_of_the_inverse_is_caught(monkeypatch):
    precise = verified_inverse._inverse

    def rough(matrix: Floats) -> Floats:
        """As if LAPACK had half the digits: how much R A differs from I hangs on no library's last bits then."""
        return precise(matrix).astype(np.float32).astype(np.float64)

    monkeypatch.setattr(verified_inverse, "_inverse", rough)
    assert falsely_enclosed(1e3) == 0
    monkeypatch.setattr(verified_inverse, "defect", lambda inverse, matrix: np.zeros_like(matrix))
    assert falsely_enclosed(1e3) > 0


def test_ends_rounded_to_nearest_are_caught(monkeypatch):
    monkeypatch.setattr(enclosure, "_sum_up", np.add)
    assert falsely_enclosed(1e3) > 0


def test_without_flint_nothing_more_is_tried_and_how_to_get_it_is_said(monkeypatch):
    monkeypatch.setattr(enclosure, "arbitrary_precision_installed", lambda: False)
    monkeypatch.setitem(sys.modules, "flint", None)
    assert "(pip install python-flint)" in best_enclosure(hilbert(20), np.ones(20), np.ones(20)).reason
    with pytest.raises(InputError, match=r"needs python-flint: .* -m pip install python-flint$"):
        enclose_arb(np.eye(2), np.ones(2), np.ones(2))


class TestArbitraryPrecision:
    @pytest.fixture(autouse=True)
    def _flint(self):
        pytest.importorskip("flint")

    def test_certifies_what_float64_cannot(self):
        matrix, rhs = hilbert(14), np.ones(14)
        truth = exact_solution(matrix, rhs)
        found = best_enclosure(matrix, rhs, np.array([float(value) for value in truth]))
        assert found.certified
        assert found.method == "arb"
        assert found.contraction >= 1.0
        assert holds(found, truth)
        assert found.relative_error < 2.0**-52

    def test_holds_the_truth_and_agrees_with_float64(self):
        for seed in range(60):
            system = draw_exact_system(seed)
            given = system.matrix, system.rhs, system.solution
            found, plain = enclose_arb(*given), enclose(*given)
            assert found.certified
            assert holds(found, system.truth)
            if plain.certified:
                assert overlap(found, plain)

    def test_many_right_hand_sides(self):
        matrix, _ = a_system(9, 4)
        found = enclose_arb(matrix, np.eye(4), np.linalg.inv(matrix))
        for k in range(4):
            truth = exact_solution(matrix, np.eye(4)[k])
            assert all(
                low <= exact <= high
                for low, exact, high in zip(found.lower[:, k], truth, found.upper[:, k], strict=True)
            )

    def test_an_exact_solution_is_enclosed_in_itself(self):
        found = enclose_arb(2.0 * np.eye(2), np.array([2.0, 4.0]), np.array([1.0, 2.0]), most_precision=512)
        assert found.certified
        assert not found.error.any()

    def test_too_few_bits_are_said(self):
        found = enclose_arb(hilbert(14), np.ones(14), np.zeros(14), most_precision=32)
        assert not found.certified
        assert "32 bits do not prove" in found.reason


def overlap(one: Enclosure, other: Enclosure) -> bool:
    return bool((one.lower <= other.upper).all() and (other.lower <= one.upper).all())
