"""What bounds allow for rounding, and what they cost: to the last unit, where nothing else rounds.

A slack that is too small proves nothing, and no example tells; one that is too large wastes bits.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from mho.errors import InputError
from mho.procedures.equations.certificates import certificate, enclosure, least_squares_certificate
from mho.procedures.equations.certificates.certificate import (
    dominance_norms,
    inverse_norm,
    largest_singular_value,
    norm_estimate,
    smallest_singular_value,
)
from mho.procedures.equations.certificates.enclosure import Enclosure
from mho.procedures.equations.certificates.verified_inverse import (
    ROUNDOFF,
    UNDERFLOW,
    UP,
    VerifiedInverse,
    bounded_product,
    defect,
    gamma,
    rough_defect,
)

ONE, ONES = np.eye(4), np.ones(4)
HILBERT = 1.0 / (np.arange(10)[:, None] + np.arange(10) + 1.0)


def units(found: object, exact: object) -> list[float]:
    """What is found above what is exact, in units of 2^-53."""
    return (np.subtract(found, exact) / ROUNDOFF).ravel().tolist()


def test_the_allowance_for_a_sum_of_products_exceeds_the_error_of_any_order():
    assert ROUNDOFF == 2.0**-53
    assert units(UP, 1.0) == [32.0]
    assert units([gamma(n) for n in (1, 2, 100)], 0.0) == [6.0, 8.0, 204.0]
    for n in (1, 10, 10_000):
        assert gamma(n) > 1.5 * n * ROUNDOFF / (1.0 - n * ROUNDOFF)


@pytest.mark.parametrize(
    ("found", "exact", "slack"),
    [
        (bounded_product(ONE, ONES), ONES, [44.0] * 4),
        (bounded_product(np.ones((1, 4)), ONES), 4.0, [176.0]),
        (np.diag(rough_defect(ONE, ONE)), 0.0, [16.0] * 4),
        (np.diag(rough_defect(ONE / 2, ONE)), 0.5, [40.0] * 4),
        (np.diag(defect(ONE / 2, ONE)), 0.5, [18.0] * 4),
        (dominance_norms(ONE, ONES), (2.0, 1.0), [96.0, 36.0]),
        (certificate._vector_norm(np.array([3.0, 4.0]), np.array([5, 5]))[0], 5 / 8, [25.0]),
        (certificate._least((9.0, 4.0), (8.0, 1.0)), 2.0, [64.0]),
        (certificate._least((2.0, 4.0), (3.0, 9.0)), 2.0, [0.0]),
        (certificate._least((3.0, 4.0), (2.0, 9.0)), 2.0, [0.0]),
        (certificate._reciprocal(0.5), 2.0, [64.0]),
        (certificate._power_of_two(0.75, 3), 6.0, [0.0]),
        (enclosure._largest_ratio(np.array([1.0, 0.0]), np.array([4.0, 0.0])), 0.25, [8.0]),
        (enclosure._sum_up(np.array([1.0, 1.0]), np.array([ROUNDOFF / 2.0, 0.0])), 1.0, [2.0, 0.0]),
        (enclosure._sum_up(ONES[:2], np.array([-ROUNDOFF / 4.0, 1.0])), [1.0, 2.0], [0.0, 0.0]),
    ],
)
def test_slacks_in_units_of_rounding(found: object, exact: object, slack: list[float]):
    assert units(found, exact) == pytest.approx(slack, rel=1e-12)


def test_what_may_underflow_is_allowed_for_where_all_else_is_exact():
    for bound in (defect, rough_defect):
        assert bound(ONE, ONE)[0, 1] == UNDERFLOW == 2.0**-990
    assert np.diag(defect(ONE, ONE)).tolist() == [UNDERFLOW] * 4
    assert certificate._power_of_two(0.5, -1000) == math.nextafter(2.0**-1001, 1.0)
    assert certificate._power_of_two(1.0, 1024) == certificate._reciprocal(2.0**-1020) == math.inf
    assert certificate._reciprocal(2.0**-1019) == UP * 2.0**1019
    for exponents in ([0, 0], [-5000, 0]):
        size, exponent = certificate._vector_norm(np.array([0.0, 0.5]), np.array(exponents))
        assert (exponent, size) == (0, pytest.approx(0.5))


def test_an_error_is_the_correction_and_the_radius_rounded_up():
    correction, radius = np.array([1.0, -1.0, 0.0]), np.array([0.0, 1.0, 0.0])
    found = Enclosure(np.zeros(3), correction, radius, correction, correction, True, 0.0)
    assert units(found.error[:2], [1.0, 2.0]) == [34.0, 68.0]
    assert found.error[2] == 0.0
    assert found.relative_error == found.error[1] * UP
    assert found.componentwise_error == found.error[1] * UP
    smallest = enclosure._smallest(np.array([-1.0, 1.0, -3.0]), np.array([2.0, 2.0, -2.0]))
    assert smallest.tolist() == [0.0, 1.0, 2.0]


def test_a_bound_of_a_verified_inverse_grows_by_what_is_not_known_of_the_matrix():
    exact = VerifiedInverse(ONE, np.zeros((4, 4)))
    assert exact.contraction < 2.0**-980
    residual = np.array([1.0, 0.0, 0.0, 0.5])
    assert units(exact.largest(residual, 0.0 * ONES), residual) == pytest.approx([76.0, 0.0, 0.0, 38.0])
    rounded = exact.largest(residual, 2.0**-20 * ONES)
    assert rounded == pytest.approx(residual + 2.0**-20, rel=1e-13)
    assert not exact.largest(0.0 * ONES, 0.0 * ONES).any()
    unknown = VerifiedInverse(ONE, np.full((4, 4), 2.0**-10))
    assert units(unknown.bound, 2.0**-10) == pytest.approx([44.0 / 1024] * 16)
    assert units(unknown.contraction, 2.0**-8) == pytest.approx([120.0 / 256])
    near = np.array([1.0, 0.0, 0.0, 0.5]) + 1.5 / 1024 / (1.0 - 4.0 / 1024)  # of a geometric series
    assert unknown.largest(residual, 0.0 * ONES) == pytest.approx(near, rel=1e-4)


def test_a_bound_of_a_verified_inverse_is_as_near_for_a_residual_of_any_size():
    inverse = VerifiedInverse(ONE, np.full((4, 4), 2.0**-10))
    residual = np.array([1.0, 0.0, 0.0, 0.5])
    bound = inverse.largest(residual, 0.0 * ONES)
    for size in (2.0**-40, 2.0**40):
        assert inverse.largest(size * residual, 0.0 * ONES).tolist() == (size * bound).tolist()


def test_what_subnormal_numbers_lose_of_a_correction_is_in_its_radius():
    smallest = 2.0**-1074
    found = enclosure.enclose(np.array([[2.0]]), np.array([3 * smallest]), np.zeros(1))
    assert found.certified
    assert found.correction / smallest in (1.0, 2.0)  # of 1.5, as the C library of Windows cuts it off
    assert found.radius / smallest == 3.0


@pytest.mark.parametrize(
    ("bound", "value", "multiplications"),
    [
        (smallest_singular_value(ONE), 1.0 - 2.0**-21, 32 + 10 + 16 + 10),
        (largest_singular_value(ONE), 1.0 + 2.0**-21, 32 + 16 + 10),
        (inverse_norm(ONE), 1.0 + 2.0**-21, 68),
        (certificate._by_inverse(ONE), 1.0 + 2.0**-21, 3 * 64 + 58),
        (inverse_norm(HILBERT[:4, :4]), 10341.0243, 32 + 10 + 4 * 16 + 10),
        (inverse_norm(HILBERT[:5, :5]), 304424.087, 62 + 20 + 4 * 25 + 2 * 20),
        (inverse_norm(HILBERT[:6, :6]), 9235324.88, 108 + 36 + 3 * 216 + 108 + 4 * 36 + 36),
        (certificate._by_inverse(HILBERT), None, 13 * 1000 + 500 + 4 * 100 + 166),
    ],
)
def test_bounds_are_as_near_as_their_margins_and_take_what_their_steps_do(
    bound: certificate.Bound, value: float | None, multiplications: int
):
    """A matrix (m, n): m n^2 / 2 for A^T A, n^3 / 6 a factorisation, n^2 a step; 3 or 13 n^3 for a verified inverse."""
    assert bound.multiplications == multiplications
    if value is not None:
        assert bound.value == pytest.approx(value, rel=1e-8 if value < 2.0 else 1e-6)


def test_bounds_of_singular_values_allow_for_the_rounding_of_squares_and_factors(
    monkeypatch: pytest.MonkeyPatch,
):
    """Of the unit matrix (4, 4), whose square and factor are exact: what is allowed for is all that there is.

    Below: gamma_5 + gamma_4 + 4 u of the trace, 4, and ten for the root. Above: gamma_5 of four times the level and
    gamma_4 + 4 u of the squares' sum, 4. Halved by the root.
    """
    margin = 2.0**-20

    def bounds(eigenvalue: float) -> tuple[float, float]:
        """Smallest and largest singular value, with this estimate; the matrix is halved before it is squared."""
        monkeypatch.setattr(certificate, "_largest_eigenvalue", lambda apply, n: (4.0 * eigenvalue, 1))
        low = smallest_singular_value(ONE).value
        monkeypatch.setattr(certificate, "_largest_eigenvalue", lambda apply, n: (eigenvalue / 4.0, 1))
        return low, largest_singular_value(ONE).value

    low, high = bounds(1.0)
    assert units(low, math.sqrt(1.0 - margin)) == pytest.approx([-(4 * (14 + 12 + 4) + 32) / 2 - 32], abs=1.0)
    assert units(high, math.sqrt(1.0 + margin)) == pytest.approx([(4 * 14 + 4 * 16 + 32) / 2 + 32], abs=1.0)
    assert bounds(9.0) == (pytest.approx(1.0 / 3.0, rel=1e-6), pytest.approx(2.0))  # 2: of all together
    assert units(bounds(9.0)[1], 2.0) == pytest.approx([2 * ((20 + 32) / 2 + 32)], abs=1.0)
    assert bounds(0.98) == (
        pytest.approx(math.sqrt((1.0 - 2.0**-5) / 0.98)), pytest.approx(math.sqrt((1.0 + 2.0**-5) * 0.98))
    )  # fmt: skip
    assert bounds(0.9) == (pytest.approx(math.sqrt(0.75 / 0.9)), pytest.approx(math.sqrt(1.25 * 0.9)))
    assert largest_singular_value(ONE).multiplications == 32 + 16 + 4 * 10
    assert bounds(0.5) == (0.0, pytest.approx(2.0))


def test_a_norm_is_estimated_by_products_of_both_sides():
    assert norm_estimate(np.diag([4.0, 2.0, 1.0, 0.5])) == (pytest.approx(4.0), 2 * 4 * 16)
    assert norm_estimate(np.array([[3.0], [4.0]])) == (pytest.approx(5.0), 2 * 1 * 2)


@pytest.mark.parametrize(
    ("spectrum", "steps"),
    [
        (np.ones(5), 1),
        (np.arange(5.0), 5),
        (np.append(np.linspace(0.0, 0.5, 99), 1.0), 12),
        (np.append(np.linspace(0.0, 0.8, 99), 1.0), 20),
        (np.append(np.linspace(0.0, 0.9, 99), 1.0), 24),
        (np.linspace(0.0, 1.0, 100), 48),
    ],
)
def test_an_eigenvalue_is_judged_every_four_steps_of_48_at_most(spectrum: np.ndarray, steps: int):
    found, taken = certificate._largest_eigenvalue(lambda vector: spectrum * vector, len(spectrum))
    assert (found, taken) == (pytest.approx(spectrum[-1], rel=2.0**-20), steps)


@pytest.mark.parametrize(
    ("share", "residuals"),
    [(2.0**-12, 2), (2.0**-11, 2), (2.0**-9, 3), (0.0625, 4), (0.3, 7), (0.45, 7), (0.5, 3), (0.55, 3)],
)
def test_a_correction_is_corrected_until_it_is_narrow_or_gains_less_than_half(
    share: float, residuals: int, monkeypatch: pytest.MonkeyPatch
):
    """Of an inverse that leaves this share of an error each time; six corrections at most, and a residual before."""
    inverse = VerifiedInverse(np.eye(3), np.zeros((3, 3)))
    inverse.inverse = inverse.magnitude = (1.0 - share) * np.eye(3)
    inverse.bound, inverse.contraction, inverse.weights = share * np.eye(3), math.inf, np.ones(3)
    inverse._weigh()
    assert inverse.contraction == pytest.approx(share)
    made = []

    def residual(*given: np.ndarray) -> np.ndarray:
        made.append(given)
        return certificate.exact_residual(*given)

    monkeypatch.setattr(enclosure, "exact_residual", residual)
    correction, radius = enclosure._corrected(inverse, np.ones(3), np.zeros(3), np.zeros(3))
    assert len(made) == residuals
    assert np.all(np.abs(1.0 - correction) <= radius)
    kept = residuals - 1 if share < 0.5 else 1
    assert 1.0 - correction == pytest.approx(np.full(3, share**kept), rel=1e-6)


@pytest.mark.parametrize(
    ("matrix", "rows", "spent"),
    [
        (np.eye(3), 1.0, 4),
        (np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]]), 3.0, 6),
        (np.eye(12) - 0.45 * np.eye(12, k=1) - 0.5 * np.eye(12, k=-1), 16.36723, 32),
        (2.2 * np.eye(30) - np.eye(30, k=1) - np.eye(30, k=-1), 5.0, 6),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), math.inf, 32),
        (np.array([[0.0, 2.0], [2.0, 1.0]]), math.inf, 0),
    ],
)
def test_sweeps_for_weights_go_on_while_they_gain_a_hundredth_16_at_most(
    matrix: np.ndarray, rows: float, spent: int
):
    (_, found), taken = certificate._by_sweeps(matrix)
    assert (found, taken) == (pytest.approx(rows), spent)


def test_a_residual_alone_allows_for_its_own_rounding():
    for found in (
        certificate.Certifier(ONE).unproved(ONES, 1.0, 2.0), certificate.Certifier(ONE).certify(ONES, 1.0, 2.0)
    ):  # fmt: skip
        assert units(found.residual, 1.0) == [8.0]
        assert found.rhs_norm == 2.0
    unproved = certificate.Certifier(ONE).unproved(ONES, 1.0, 2.0)
    assert (unproved.inverse_norm, unproved.error_bound, unproved.bits) == (math.inf, math.inf, 0.0)
    assert unproved.multiplications == 0


@pytest.mark.parametrize(("exponent", "proves"), [(-899, True), (-900, False), (-1000, False)])
def test_dominance_by_what_may_have_underflown_proves_nothing(exponent: int, proves: bool):
    assert all(np.isfinite(dominance_norms(2.0**exponent * ONE, ONES))) == proves


def test_a_decomposition_takes_half_of_its_operations():
    assert least_squares_certificate.singular_value_multiplications(7, 3) == 2 * 7 * 9 - 18
    assert least_squares_certificate.singular_value_multiplications(4, 4) == 128 - 42


@pytest.mark.parametrize(
    ("size", "fits"), [(1e-100, True), (1e100, True), (0.9e-100, False), (1.1e100, False)]
)
def test_singular_values_whose_squares_float64_holds_are_taken(size: float, fits: bool):
    matrix = np.array([[size, 0.0], [0.0, size], [0.0, 0.0]])
    if fits:
        largest, smallest = least_squares_certificate.full_rank(matrix)
        assert largest == size
        assert units(smallest / size, 1.0) == pytest.approx([-3 * 2.0], abs=1.0)
    else:
        with pytest.raises(InputError, match="leaves the range"):
            least_squares_certificate.full_rank(matrix)


def test_what_can_be_proved_and_what_a_residual_takes_follow_from_the_matrix():
    """Bits of a solution: 53 less those of the condition number, where the solution is along the largest entry."""
    plain = certificate.Certifier(np.diag([8.0, 1.0]))
    tall = least_squares_certificate.NormalCertifier(np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]))
    assert (plain.residual_size, tall.residual_size) == (4, 2 * 6)
    for size in (1.0, 2.0**40):
        assert plain.provable_bits_of(np.array([size, 0.0])) == pytest.approx(53 - 3, abs=1e-4)
    assert plain.provable_bits_of(np.zeros(2)) == 0.0
    assert certificate.ResidualCertifier(np.eye(3)).each == 2 * 9 + 3
    assert certificate.norm(np.array([3.0, -4.0])) == 5.0
    assert certificate.norm(np.array([3e300, 4e300])) == pytest.approx(5e300)


def test_values_are_scaled_by_the_power_of_two_above_the_largest():
    for values, power in (([3.0, -4.0], 8.0), ([0.75], 1.0), ([0.0], 1.0), ([], 1.0), ([-1e-3], 2.0**-9)):
        assert certificate._power(np.array(values)) == power
