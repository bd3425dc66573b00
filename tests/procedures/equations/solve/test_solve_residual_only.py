"""With `certificate = residual` a solve promises its residual, and every surface says that no error bound is proved."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from daily import daily
from rich.console import Console

from mho import run
from mho.cli.run_files.show import show
from mho.cli.terminal.run_display import print_solution
from mho.errors import InputError
from mho.gui.solve.reading import read_frame, read_verdict
from mho.procedures import Solution, Solve
from mho.procedures.equations.certificates.certificate import exact_residual
from mho.runs import RunFile

MATRIX = np.array([[1.0, 2.0, -0.5], [-1.5, 1.0, 1.0], [0.5, -1.0, 2.0]])
DOMINANT = MATRIX + 6.0 * np.eye(3)
UNPROVED = "residual only: no error bound is proved"


def solve(folder: Path, **parameters: object) -> Solution:
    parameters = {"matrix": MATRIX, "rhs": np.ones(3), "bits": 20, "certificate": "residual"} | parameters
    result: Solution = run(Solve(**parameters), "arrays", seed=1, output=folder / "run.h5")
    return result


def printed(result: Solution) -> tuple[str, str]:
    """Return what `mho solve` and `mho show` print."""
    consoles = [Console(file=StringIO(), width=200) for _ in range(2)]
    print_solution(result, consoles[0])
    show(result.path, consoles[1])
    texts = [console.file.getvalue() for console in consoles]  # type: ignore[attr-defined]
    return texts[0], " ".join(texts[1].split())


@pytest.mark.parametrize("residual", daily(["analogue", "float64"], ["float64"]))
def test_it_keeps_its_residual_and_every_surface_says_that_nothing_else_is_proved(tmp_path, residual):
    result = solve(tmp_path, residual=residual)
    left = np.linalg.norm(exact_residual(MATRIX, result.solution, np.ones(3))) / np.sqrt(3.0)
    assert result.converged
    assert left <= 2.0**-20
    summary = result.summary
    assert summary["tolerance"] == 2.0**-20
    assert (summary["bits"], summary["certificate"]["by"]) == (0.0, "residual only")
    assert all(
        summary[name] is None for name in ("relative_error", "sliced_error", "condition", "bits_asked")
    )
    assert all(np.isnan(row["relative_error"]) for row in result.cycles)
    for text in printed(result):
        assert UNPROVED in text
        assert "nan" not in text.lower()
    with RunFile(result.path) as file:
        assert np.isnan(file.array("reference")).all()
        verdict = read_verdict(file)
        assert verdict is not None
        assert not verdict.proved
        assert read_frame(file).reference(0) is None


def test_a_bound_that_dominance_proves_is_told_with_its_proof(tmp_path):
    result = solve(tmp_path, matrix=DOMINANT)
    exact = np.linalg.solve(DOMINANT, np.ones(3))
    error = np.linalg.norm(result.solution - exact) / np.linalg.norm(exact)
    assert error <= result.certificate.error_bound < 2.0**-16
    for text in printed(result):
        assert UNPROVED not in text
    assert "bits proved by diagonal dominance" in printed(result)[1]


@pytest.mark.thorough
def test_each_of_several_right_hand_sides_keeps_its_residual(tmp_path):
    result = solve(tmp_path, rhs="random", count=3, tolerance=1e-4)
    with RunFile(result.path) as file:
        rhs = file.array("rhs")
    left = rhs - MATRIX @ result.solution
    assert (np.linalg.norm(left, axis=0) <= 1e-4 * np.linalg.norm(rhs, axis=0)).all()
    assert result.summary["tolerance"] == 1e-4
    assert UNPROVED in printed(result)[1]


def test_an_enclosure_is_refused_as_it_needs_an_inverse():
    with pytest.raises(InputError, match="certify encloses the solution by an inverse"):
        Solve(matrix=MATRIX, certificate="residual", certify=True).check()


@pytest.mark.parametrize("residual", daily(["auto", "float64"], ["auto"]))
def test_a_singular_matrix_whose_right_hand_side_it_can_meet_keeps_its_residual(tmp_path, residual):
    result = solve(tmp_path, matrix=np.array([[1.0, 2.0], [2.0, 4.0]]), rhs=[1.0, 2.0], residual=residual)
    assert result.converged
    assert result.solution @ [1.0, 2.0] == pytest.approx(1.0, abs=2.0**-18)


@pytest.mark.thorough
def test_of_a_right_hand_side_that_no_solution_meets_it_is_said(tmp_path):
    result = solve(tmp_path, matrix=np.array([[1.0, 2.0], [2.0, 4.0]]), rhs=[1.0, 0.0], residual="float64")
    assert not result.converged
    assert "no unknown changes it further, so the matrix is singular" in result.summary["reason"]
    early = solve(tmp_path / "early", matrix=MATRIX, bits=40, max_cycles=1, residual="float64")
    assert "allow more cycles" in early.summary["reason"]


@pytest.mark.parametrize(
    ("matrix", "named"),
    [
        (np.diag([1.0, 2.0, 0.0]), "others .counted from 0.: 2; columns: 2"),
        (
            np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]),
            "others .counted from 0.: \\d; columns: \\d",
        ),
        (np.diag([1.0, 2.0], 1), "others .counted from 0.: 2; columns: 0"),
    ],
)
def test_a_matrix_that_its_zeros_make_singular_is_refused_with_its_rows(matrix, named):
    with pytest.raises(InputError, match=f"each order of its rows there is a zero.*{named}"):
        Solve(matrix=matrix, rhs=np.ones(3), certificate="residual").check()
