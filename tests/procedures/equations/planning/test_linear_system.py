"""The goal of a solution: bits that are proved, or a tolerance of the residual, and nothing beside."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import InputError
from mho.procedures.equations.certificates.certificate import BY_DOMINANCE, Certificate
from mho.procedures.equations.planning.linear_system import Goal, LinearSystem, Proof


def certificate(residual: float = 0.0, bits: float = 24.0) -> Certificate:
    return Certificate(residual, 4.0, 1.0, 2.0**-bits, bits)


def test_a_tolerance_is_met_by_what_is_not_above_it() -> None:
    goal = Goal(24, 1e-6)
    assert goal.met(certificate(4e-6))  # relative to ||b|| = 4
    assert not goal.met(certificate(4e-6 * (1.0 + 1e-9)))
    assert goal.met(certificate(4e-6, bits=0.0)), "the bits are not asked for"
    assert not goal.met(certificate(8e-6))


def test_bits_are_met_by_as_many_and_a_tolerance_of_0_is_one() -> None:
    goal = Goal(24, None)
    assert goal.met(certificate(1.0, bits=24.0))
    assert not goal.met(certificate(0.0, bits=np.nextafter(24.0, 0.0)))
    assert Goal(24, 0.0).met(certificate(0.0, bits=0.0))
    assert not Goal(24, 0.0).met(certificate(1e-30, bits=53.0))


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (Goal(24, None), "20.0 of 24 bits are proved"),
        (Goal(24, 1e-6), "the residual is 1.00e-03, the tolerance 1e-06"),
    ],
)
def test_what_was_reached_is_said_in_the_goal_s_own_terms(goal: Goal, words: str) -> None:
    assert goal.reached(certificate(4e-3, bits=20.0)) == words


def test_a_goal_of_the_residual_has_the_tolerance_of_its_bits_unless_one_is_given() -> None:
    assert Goal(20, None).of_residual() == Goal(20, 2.0**-20)
    assert Goal(20, 1e-3).of_residual() == Goal(20, 1e-3)


@pytest.mark.parametrize("n", [2, 3, 8, 16])
def test_columns_in_units_of_their_own_are_not_refused(n: int) -> None:
    rng = np.random.default_rng(n)
    matrix = rng.standard_normal((n, n)) + 3.0 * np.eye(n)
    units = 10.0 ** rng.uniform(-8.0, 8.0, n)
    system = LinearSystem.load(matrix * units, rng.standard_normal(n), 0, Goal(40, None))
    assert system.provable_bits > 44.0
    np.testing.assert_allclose(
        system.reference[:, 0] * units, np.linalg.solve(matrix, system.rhs[:, 0]), rtol=1e-12
    )


def test_of_ninety_systems_with_columns_of_any_size_none_is_refused() -> None:
    rng = np.random.default_rng(7)
    by_condition = 0
    for _ in range(90):
        n = int(rng.choice([2, 3, 4, 6, 8, 12, 16]))
        condition = 10.0 ** rng.uniform(0.0, 2.9)
        left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2))
        matrix = left @ np.diag(np.geomspace(1.0, 1.0 / condition, n)) @ right
        matrix = matrix * 10.0 ** rng.uniform(-8.0, 8.0, n)
        rhs = rng.standard_normal(n)
        by_condition += 53.0 - np.log2(np.linalg.cond(matrix)) < 24.0
        assert LinearSystem.load(matrix, rhs, 0, Goal(24, None)).provable_bits > 40.0
    assert by_condition == 67, "which the condition number would refuse"


def test_columns_that_depend_on_one_another_are_refused_whatever_their_units() -> None:
    matrix = np.array([[1.0, 2.0, 4.0], [2.0, 1.0, 2.0], [3.0, 5.0, 10.0]]) * np.array([1e8, 1.0, 1e-8])
    with pytest.raises(InputError, match="singular in float64, or nearly: no residual proves a bit"):
        LinearSystem.load(matrix, np.ones(3), 0, Goal(3, None))


def test_where_only_residuals_are_asked_for_nothing_of_cubic_cost_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("of order n^3")

    for name in ("solve", "inv", "svd", "qr", "cholesky", "eigh", "eigvals", "eigvalsh", "lstsq"):
        monkeypatch.setattr(np.linalg, name, never)
    matrix = np.array([[4.0, 1.0], [1.0, 3.0]])
    system = LinearSystem.load(matrix, np.eye(2), 0, Goal(20, None), proof="residual")
    assert system.residual_only
    assert np.isnan(system.reference).all()
    assert system.goal == Goal(20, 2.0**-20)
    solution = np.array([3.0, -1.0]) / 11.0
    residual = system.residual(solution, 0)
    assert system.good_enough(solution, system.measure(residual), 0)
    assert not system.good_enough(np.zeros(2), 1.0, 0)
    found = system.certify(solution, residual, 0)
    assert found.by == BY_DOMINANCE
    assert found.bits > 50.0


@pytest.mark.parametrize("proof", ["proved", "residual"])
@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_a_matrix_beyond_fixed_point_is_said_to_be_the_matrix(size: float, proof: Proof) -> None:
    with pytest.raises(
        InputError, match=r"the largest magnitude of the matrix is 1e[+-]300; scale the system"
    ):
        LinearSystem.load(size * np.eye(2), size * np.ones(2), 0, Goal(20, None), proof=proof)


def test_a_solution_beyond_float64_is_refused_before_anything_is_solved() -> None:
    matrix = np.array([[2e-160, 1e-160], [1e-160, 3e-160]])
    for proof in ("proved", "residual"):
        with pytest.raises(InputError, match=r"the largest magnitude of the solution is .*scale the system"):
            LinearSystem.load(matrix, np.array([1e200, 1.0]), 0, Goal(20, None), proof=proof)


@pytest.mark.parametrize(
    ("size", "rhs"), [(1e-240, 1e120), (1e-100, 1e240), (1e100, 1e-240), (1e240, 1e-120)]
)
@pytest.mark.parametrize("proof", ["proved", "residual"])
def test_a_solution_that_overflows_or_vanishes_is_refused(size: float, rhs: float, proof: Proof) -> None:
    matrix = size * np.array([[4.0, 1.0, 2.0], [1.0, 3.0, 1.0], [0.5, 1.0, 5.0]])  # NaN in float64
    with pytest.raises(InputError, match=r"largest magnitude of the solution is (inf|0); scale"):
        LinearSystem.load(matrix, np.array([rhs, -rhs, 0.3 * rhs]), 0, Goal(20, None), proof=proof)


@pytest.mark.parametrize(
    ("size", "rhs", "what"),
    [
        (1e-99, 1e240, "solution"),
        (1e99, 1e-240, "solution"),
        (1e99, 1e240, "right-hand side times the matrix"),
        (1e-99, 1e-240, "right-hand side times the matrix"),
    ],
)
def test_least_squares_beyond_float64_are_refused_by_what_leaves_it(
    size: float, rhs: float, what: str
) -> None:
    matrix = size * np.array([[4.0, 1.0], [1.0, 3.0], [0.5, 1.0]])
    with pytest.raises(InputError, match=f"largest magnitude of the {what} is"):
        LinearSystem.load(matrix, np.array([rhs, -rhs, 0.3 * rhs]), 0, Goal(20, None))


def test_rows_whose_scaled_right_hand_side_leaves_float64_are_refused() -> None:
    matrix, rhs = np.diag([1e-150, 1e150]), np.array([1e90, 1e100])
    with pytest.raises(
        InputError, match=r"rows of the matrix are of sizes between 1e-150 and 1e\+150.*scale rows"
    ):
        LinearSystem.load(matrix, rhs, 0, Goal(20, None))
    # A residual on the way may leave it, and is no error then.
    system = LinearSystem.load(matrix, np.array([1e-10, 1e100]), 0, Goal(20, None))
    assert system.measure(rhs) == np.inf


def test_least_squares_are_not_judged_by_residuals_only() -> None:
    with pytest.raises(InputError, match=r"3 rows and 2 columns.*give certificate = proved"):
        LinearSystem.load(np.eye(3)[:, :2], np.ones(3), 0, Goal(20, None), proof="residual")
