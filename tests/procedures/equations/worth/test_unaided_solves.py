"""The same solve without the chip: its cycles beside GMRES', and what it says where the method is no Krylov method."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import qr, solve_triangular

from mho.chip_maps.preconditioning import Preconditioning
from mho.procedures.equations.planning.linear_system import Goal, LinearSystem
from mho.procedures.equations.worth import (
    EXACT,
    MOST_COLUMNS,
    UnaidedBaseline,
    UnaidedSolve,
    Work,
    sampled_columns,
    solve_unaided,
)


def general(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, n)) + 1.5 * n**0.5 * np.eye(n)


def skew(n: int, seed: int) -> np.ndarray:
    """Skew-symmetric: r.A r = 0, so that GCR along the residual itself would not move."""
    half = np.random.default_rng(seed).standard_normal((n, n))
    return half - half.T


def minimal_residuals(matrix: np.ndarray, rhs: np.ndarray) -> list[float]:
    """Least residuals over the Krylov spaces of growing dimension, by an orthonormal basis."""
    basis, found = rhs[:, None] / np.linalg.norm(rhs), []
    for _ in range(len(rhs)):
        q, r = qr(matrix @ basis, mode="economic")
        step = basis @ solve_triangular(r, q.T @ rhs)
        found.append(float(np.linalg.norm(rhs - matrix @ step)))
        more = matrix @ basis[:, -1]
        for _ in range(2):
            more = more - basis @ (basis.T @ more)
        basis = np.column_stack([basis, more / np.linalg.norm(more)])
    return found


def unaided(
    matrix: np.ndarray, method: str = "gcr", goal: Goal | None = None, most: int = 60
) -> UnaidedSolve:
    system = LinearSystem.load(matrix, np.ones(len(matrix)), 0, goal or Goal(24, None))
    form = Preconditioning.equilibrating(matrix)
    return solve_unaided(system, form, form.matrix(matrix), 0, method, most)


@pytest.mark.parametrize(("kind", "n"), [(general, 6), (general, 20), (skew, 6), (skew, 12)])
@pytest.mark.parametrize("seed", range(3))
def test_it_takes_as_many_cycles_as_gmres(kind, n: int, seed: int) -> None:
    matrix = kind(n, seed)
    form = Preconditioning.equilibrating(matrix)
    held = form.matrix(matrix)
    expected = minimal_residuals(held, form.equations(np.ones(n)))
    found = unaided(matrix)
    assert found.cycles is not None
    # A residual between two cycles' decides: it is as small as the bound for 24 bits asks for.
    smallest = np.linalg.svd(matrix, compute_uv=False)[-1]
    wanted = 2.0**-24 * smallest * np.linalg.norm(np.linalg.solve(matrix, np.ones(n)))
    enough = [size <= wanted for size in expected]
    gmres = enough.index(True) + 1 if any(enough) else n
    assert gmres - 1 <= found.cycles <= gmres + 2  # of a skew one GCR takes a cycle to turn


def test_no_direction_is_forgotten_however_many_cycles_it_takes() -> None:
    matrix = np.linalg.qr(np.random.default_rng(0).standard_normal((130, 130)))[0]
    found = unaided(matrix, most=200)
    assert found.cycles is not None
    assert 100 < found.cycles <= 131  # GMRES ends within as many as there are unknowns


def test_a_residual_of_normal_equations_takes_the_matrix_twice() -> None:
    matrix = np.random.default_rng(1).standard_normal((40, 3))
    system = LinearSystem.load(matrix, np.ones(40), 0, Goal(20, None), least_squares="normal")
    assert system.certifier.residual_size == 2 * matrix.size
    form = Preconditioning.none(3)
    found = solve_unaided(system, form, system.matrix, 0, "gcr", 20)
    assert found.work.digital["residual"] >= EXACT * 2 * matrix.size


def test_its_curve_ends_at_the_goal_and_its_work_is_told() -> None:
    matrix = general(10, 1)
    found = unaided(matrix)
    assert [point["cycle"] for point in found.curve] == list(range(1, found.cycles + 1))
    assert found.curve[-1]["relative_error"] < 2.0**-24 < found.curve[0]["relative_error"]
    assert found.work.digital["products"] == 100 * found.cycles
    assert found.work.chip.total() == 0
    assert found.work.digital["orthogonalisation"] >= 6 * 10 * found.cycles


def test_a_goal_that_is_not_met_has_no_cycles() -> None:
    assert unaided(general(20, 0), most=3).cycles is None


def test_the_better_of_the_own_method_and_gcr_stands_for_no_chip() -> None:
    matrix = general(8, 2)
    system = LinearSystem.load(matrix, np.ones(8), 0, Goal(24, None))
    form = Preconditioning.none(8)

    def solve(column: int, method: str) -> UnaidedSolve:
        return solve_unaided(system, form, matrix, column, method, 50)

    found = UnaidedBaseline.of("plain", solve, [0])
    assert found.method == "gcr"
    assert found.solves[0].cycles is not None
    assert found.same_method == (None,)  # Richardson's iteration diverges
    assert UnaidedBaseline.of("gcr", solve, [0]).same_method == (found.solves[0].cycles,)


def test_the_first_right_hand_side_decides_which_method_solves_the_others() -> None:
    took = {"plain": [9, 3, 3], "gcr": [8, 7, 7], "cg": [8, 3, 3]}
    asked = []

    def solve(column: int, method: str) -> UnaidedSolve:
        asked.append((column, method))
        return UnaidedSolve(column, took[method][column], [], Work())

    found = UnaidedBaseline.of("plain", solve, [0, 1, 2])
    assert [one.cycles for one in found.solves] == [8, 7, 7]
    assert found.same_method == (9,)
    assert asked == [(0, "plain"), (0, "gcr"), (1, "gcr"), (2, "gcr")]
    assert UnaidedBaseline.of("cg", solve, [0, 1, 2]).same_method == (8, 3, 3)  # as few as GCR


@pytest.mark.parametrize("method", ["gcr", "cg", "line search"])
@pytest.mark.parametrize(("size", "rhs"), [(2.0**530, 2.0**660), (2.0**-530, 2.0**-660), (2.0**-660, 1.0)])
def test_entries_of_any_size_are_solved_in_the_same_cycles(method: str, size: float, rhs: float) -> None:
    matrix = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 4.0]])

    def cycles(matrix: np.ndarray, rhs: np.ndarray) -> int | None:
        system = LinearSystem.load(matrix, rhs, 0, Goal(24, None))
        form = Preconditioning.none(3)
        return solve_unaided(system, form, matrix, 0, method, 50).cycles  # type: ignore[arg-type]

    found = cycles(size * matrix, rhs * np.ones(3))
    assert found is not None
    assert found == cycles(matrix, np.ones(3))


def test_of_many_right_hand_sides_evenly_spaced_ones_stand_for_all() -> None:
    assert sampled_columns([3, 5, 9]) == [3, 5, 9]
    some = sampled_columns(list(range(100)))
    assert len(some) == MOST_COLUMNS
    assert (some[0], some[-1]) == (0, 99)
    assert sampled_columns([]) == []


def test_work_adds_up_by_kind() -> None:
    one, other = Work(), Work()
    one.chip["inversions"], one.digital["residual"] = 30, 6
    other.digital["residual"], other.digital["products"] = 4, 20
    both = one + other
    assert both.plain() == {
        "chip": {"inversions": 30},
        "digital": {"products": 20, "residual": 10},
        "share_on_chip": 0.5,
    }
    assert Work().share_on_chip is None
