"""Solutions around the inverse of a matrix nearby."""

from __future__ import annotations

import numpy as np
import pytest

from mho.errors import ConvergenceError
from mho.extensions.applications.application import relative_error
from mho.extensions.applications.near_matrix import solve_near, worth_near


def near(change: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    held = 8.0 * np.eye(10) + rng.standard_normal((10, 10))
    return held, held + change * np.diag(rng.uniform(0.5, 1.0, 10)), rng.standard_normal((10, 3))


@pytest.mark.parametrize("change", [0.0, 1.0, 20.0])
def test_answer_is_that_of_the_matrix_itself(change: float) -> None:
    held, matrix, rhs = near(change)
    inverse = np.linalg.inv(held)
    found = solve_near(matrix, rhs, lambda r: inverse @ r, 1e-10)
    assert found.converged.all()
    assert found.residuals.max() <= 1e-10
    np.testing.assert_allclose(found.solutions, np.linalg.solve(matrix, rhs), rtol=1e-8)


def test_the_nearer_the_matrix_the_fewer_cycles() -> None:
    cycles = []
    for change in (0.1, 5.0):
        held, matrix, rhs = near(change)
        inverse = np.linalg.inv(held)
        cycles.append(solve_near(matrix, rhs[:, 0], lambda r, inverse=inverse: inverse @ r, 1e-8).cycles[0])
    assert cycles[0] < cycles[1] <= 10


def test_too_few_cycles_are_told() -> None:
    held, matrix, rhs = near(20.0)
    inverse = np.linalg.inv(held)
    found = solve_near(matrix, rhs, lambda r: inverse @ r, 1e-12, most=2)
    assert not found.converged.any()
    assert (found.residuals > 1e-12).all()


def test_zero_takes_no_cycle() -> None:
    found = solve_near(np.eye(3), np.zeros(3), lambda r: r, 1e-8)
    assert found.cycles.tolist() == [0]
    assert found.converged.all()
    assert found.solutions.shape == (3,)


def test_error_is_relative_to_the_reference() -> None:
    assert relative_error(np.array([3.0, 4.1]), np.array([3.0, 4.0])) == pytest.approx(0.02)
    assert relative_error(np.array([0.1]), np.zeros(1)) == pytest.approx(0.1)


def test_loop_that_rails_ends_with_what_was_found() -> None:
    held, matrix, rhs = near(5.0)
    inverse = np.linalg.inv(held)
    asked = 0

    def invert(residuals: np.ndarray) -> np.ndarray:
        nonlocal asked
        asked += 1
        if asked > fine:
            raise ConvergenceError("an output reads 0.40 V")
        return inverse @ residuals

    fine = 2
    found = solve_near(matrix, rhs, invert, 1e-12)
    assert not found.converged.any()
    assert (found.residuals < 0.5).all()
    asked, fine = 0, 0
    with pytest.raises(ConvergenceError):
        solve_near(matrix, rhs, invert, 1e-12)


def test_without_inv_it_takes_as_many_cycles_as_there_are_eigenvalues() -> None:
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((9, 9)))[0]
    matrix = turn @ np.diag([1.0, 1.0, 1.0, 4.0, 4.0, 4.0, 9.0, 9.0, 9.0]) @ turn.T
    inverse = np.linalg.inv(matrix)
    rhs = np.random.default_rng(2).standard_normal((9, 3))
    rhs[:, 1] = 0.0
    answers = solve_near(matrix, rhs, lambda r: inverse @ r, 1e-10)
    worth = worth_near(matrix, rhs, answers, 1e-10)
    assert worth.cycles == (1, 1)
    assert [one.cycles for one in worth.solves] == [3, 3]
    assert worth.digital_without == sum(one.work.digital.total() for one in worth.solves)
    # Of each product and each residual n^2; of orthogonalisation 3 n a direction before, and 5 n.
    assert worth.work.digital == {"products": 162, "residual": 162, "orthogonalisation": 90}
    assert worth.solves[0].work.digital["orthogonalisation"] == 9 * (3 * 3 + 5 * 3)
    assert worth.worth().verdict == "saved"


def test_what_inv_without_effect_is_worth() -> None:
    _, matrix, rhs = near(5.0)
    answers = solve_near(matrix, rhs, lambda r: 3.0 * r, 1e-10)
    worth = worth_near(matrix, rhs, answers, 1e-10)
    assert list(worth.cycles) == [one.cycles for one in worth.solves]
    few = solve_near(matrix, rhs, lambda r: r, 1e-10, most=2)
    assert worth_near(matrix, rhs, few, 1e-10, most=2).cycles == (None, None, None)
