"""More equations than unknowns: the chip finds the least-squares solution of the matrix as given, and says how."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from daily import daily
from rich.console import Console

from mho import run
from mho.cli.terminal.run_display import print_solution
from mho.errors import InputError
from mho.procedures import Solution, Solve
from mho.procedures.stream import Message
from mho.runs import RunFile


def tall(seed: int, m: int, n: int, condition: float = 5.0, *, complex_values: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)

    def turn(rows: int) -> np.ndarray:
        values = rng.standard_normal((rows, n)) + (
            1j * rng.standard_normal((rows, n)) if complex_values else 0.0
        )
        return np.linalg.qr(values)[0]

    return turn(m) @ np.diag(np.geomspace(1.0, 1.0 / condition, n)) @ turn(n)


def solve(folder: Path, **parameters: object) -> tuple[Solution, list[str]]:
    events: list[object] = []
    parameters = {"bits": 20, "count": None} | parameters
    result: Solution = run(
        Solve(**parameters), "arrays", seed=1, output=folder / "run.h5", observers=[events.append]
    )
    return result, [event.text for event in events if isinstance(event, Message)]


@pytest.mark.parametrize("form", daily(["normal", "augmented"], ["augmented"]))
@pytest.mark.parametrize("complex_values", daily([False, True], [False]))
def test_both_forms_find_the_least_squares_solution(tmp_path, form, complex_values):
    matrix = tall(1, 6, 3, complex_values=complex_values)
    result, said = solve(tmp_path, matrix=matrix, count=2, least_squares=form, certify=True)
    with RunFile(result.path) as file:
        rhs, held = file.array("rhs"), file.array("matrix_held")
        upper, lower = file.array("solution_upper"), file.array("solution_lower")
        kept = file.array("solution")
        assert np.array_equal(file.array("matrix"), matrix)
    exact = np.linalg.lstsq(matrix, rhs, rcond=None)[0]
    assert result.converged
    assert result.solution.shape == (3, 2)
    assert np.iscomplexobj(result.solution) == complex_values
    assert np.linalg.norm(result.solution - exact) <= 2.0**-19 * np.linalg.norm(exact)
    assert len(held) == (3 if form == "normal" else 9) * (2 if complex_values else 1)
    assert result.summary["least_squares"]["form"] == form
    assert result.summary["least_squares"]["condition"] == pytest.approx(5.0)
    assert result.summary["enclosure"]["certified"]
    assert result.summary["enclosure"]["bits"] >= result.summary["bits"] - 1.0
    real = np.concatenate([exact.real, exact.imag]) if complex_values else exact
    assert ((lower <= real + 1e-12) & (real - 1e-12 <= upper)).all()
    assert kept.shape == real.shape
    assert any(
        f"by the {'normal equations' if form == 'normal' else 'augmented system'}" in one for one in said
    )


@pytest.mark.thorough
def test_of_its_own_accord_it_takes_the_smaller_system_that_lets_the_bits_be_proved(tmp_path):
    easy, said = solve(tmp_path / "easy", matrix=tall(2, 6, 2, 3.0), bits=24)
    hard, told = solve(tmp_path / "hard", matrix=tall(2, 6, 2, 100.0), bits=40)
    assert easy.converged
    assert hard.converged
    assert easy.summary["least_squares"]["form"] == "normal"
    assert hard.summary["least_squares"]["form"] == "augmented"
    console = Console(file=StringIO(), width=200)
    print_solution(easy, console)
    assert "least squares by the normal equations: 9, the condition" in console.file.getvalue()
    assert any("(2 lines): 9, the condition number of A^T A, lets the bits be proved" in one for one in said)
    assert any("(8 lines): 1e+04, the condition number of A^T A, would let fewer" in one for one in told)


@pytest.mark.parametrize("form", daily(["normal", "augmented"], ["normal"]))
def test_a_right_hand_side_orthogonal_to_all_columns_is_answered_with_zeros(tmp_path, form):
    matrix = np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    rhs = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 3.0]])
    result, _ = solve(tmp_path, matrix=matrix, rhs=rhs, least_squares=form)
    assert result.converged
    assert not result.solution[:, 1].any()
    np.testing.assert_allclose(result.solution[:, 0], [0.5, 1.0], atol=1e-5)
    with RunFile(result.path) as file:
        assert file.table("answers")["bits"][1] == 53.0


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"matrix": np.ones((2, 3))}, "2 rows and 3 columns, fewer equations than unknowns"),
        (
            {"matrix": np.ones((3, 2))},
            "less than full column rank .* columns that depend .*: [01]; take them out",
        ),
        (
            {"matrix": tall(2, 6, 2, 3.0) * np.array([1e8, 1e-9])},
            "columns of the matrix are of sizes between .*e-1?[09] and .*e.0[78], .* scale the columns",
        ),
        ({"matrix": tall(2, 6, 2, 100.0), "bits": 40, "least_squares": "normal"}, "proved to 39; .* = auto"),
        ({"matrix": tall(2, 6, 2, 1e6), "bits": 40}, "40 bits cannot be had of least squares"),
    ],
)
def test_what_has_no_such_solution_is_refused_before_anything_is_done(tmp_path, parameters, said):
    with pytest.raises(InputError, match=said):
        solve(tmp_path, **parameters)
    assert not list(tmp_path.iterdir())


def test_a_square_singular_matrix_can_be_solved_without_the_columns_that_are_named(tmp_path):
    matrix = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0], [7.0, -8.0, -1.0]])
    with pytest.raises(InputError, match=r"columns: (\d); without these columns .* least squares") as refused:
        solve(tmp_path, matrix=matrix)
    column = int(str(refused.value).split("columns: ")[1][0])
    result, _ = solve(tmp_path, matrix=np.delete(matrix, column, axis=1), rhs="ones")
    assert result.converged
