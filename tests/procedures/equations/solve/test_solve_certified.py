"""With `certify` the file holds proved intervals for every element of the exact solution, and every surface says so."""

from __future__ import annotations

from fractions import Fraction
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from daily import daily
from rich.console import Console

from mho import run
from mho.cli.run_files.show import show
from mho.cli.terminal.run_display import print_solution
from mho.procedures import Solution, Solve
from mho.procedures.equations.solve.solve_tables import ENCLOSURE_ARRAYS
from mho.runs import RunFile

MATRIX = np.array([[2.0, 0.5], [0.25, 1.5]])


def solve(folder: Path, **parameters: object) -> Solution:
    parameters = {"matrix": MATRIX, "bits": 20, "certify": True} | parameters
    result: Solution = run(Solve(**parameters), "arrays", seed=1, output=folder / "run.h5")
    return result


def told(result: Solution) -> tuple[str, str]:
    """Return what `mho solve` and `mho show` print."""
    consoles = [Console(file=StringIO(), width=200) for _ in range(2)]
    print_solution(result, consoles[0])
    show(result.path, consoles[1])
    texts = [console.file.getvalue() for console in consoles]  # type: ignore[attr-defined]
    return texts[0], " ".join(texts[1].split())


def exactly(matrix: np.ndarray, rhs: np.ndarray) -> list[Fraction]:
    (a, b), (c, d) = [[Fraction(float(v)) for v in row] for row in matrix]
    p, q = (Fraction(float(v)) for v in rhs)
    return [(d * p - b * q) / (a * d - b * c), (a * q - c * p) / (a * d - b * c)]


def test_the_intervals_hold_the_exact_solutions_of_every_column(tmp_path):
    result = solve(tmp_path, count=2)
    with RunFile(result.path) as file:
        rhs, solution = file.array("rhs"), file.array("solution")
        correction, radius, lower, upper = (file.array(name) for name in ENCLOSURE_ARRAYS)
    for column in range(2):
        for row, truth in enumerate(exactly(MATRIX, rhs[:, column])):
            place = row, column
            assert Fraction(float(lower[place])) <= truth <= Fraction(float(upper[place]))
            off = truth - Fraction(float(solution[place])) - Fraction(float(correction[place]))
            assert abs(off) <= Fraction(float(radius[place]))
    enclosure = result.summary["enclosure"]
    assert enclosure["certified"]
    assert enclosure["method"] == "float64"
    assert enclosure["contraction"] < 1.0
    assert enclosure["bits"] >= 20.0
    assert result.converged
    for text in told(result):
        assert f"enclosed: every element to within {enclosure['relative_error']:.2e} of the largest" in text


@pytest.mark.thorough
def test_a_complex_system_is_enclosed_in_its_real_form(tmp_path):
    matrix = MATRIX * (1.0 + 0.5j)
    result = solve(tmp_path, matrix=matrix, rhs="ones")
    with RunFile(result.path) as file:
        lower, upper = file.array("solution_lower"), file.array("solution_upper")
    exact = np.linalg.solve(matrix, np.ones(2))
    real = np.concatenate([exact.real, exact.imag])
    assert ((lower - 1e-15 <= real) & (real <= upper + 1e-15)).all()


def test_a_solve_that_cannot_be_certified_keeps_its_verdict_and_says_the_bound_it_reached(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(
        "mho.procedures.equations.certificates.enclosure.arbitrary_precision_installed", lambda: False
    )
    monkeypatch.setattr("mho.procedures.equations.certificates.enclosure.VerifiedInverse", NotContracting)
    result = solve(tmp_path, rhs="ones")
    assert result.converged
    enclosure = result.summary["enclosure"]
    assert not enclosure["certified"]
    assert enclosure["contraction"] == 1.25
    assert enclosure["relative_error"] is None
    with RunFile(result.path) as file:
        assert np.isinf(file.array("radius")).all()
    for text in told(result):
        assert (
            "cannot be certified: float64 bounds the norm of I - R A by 1.25 only, and it must be below 1"
            in text
        )


class NotContracting:
    """An inverse of which no contraction below 1 was found."""

    contraction = 1.25

    def __init__(self, *parts: object) -> None:
        pass


@pytest.mark.parametrize("rhs", daily(["ones", "random"], ["ones"]))
def test_nobody_is_told_of_intervals_who_did_not_ask(tmp_path, rhs):
    result = solve(tmp_path, rhs=rhs, certify=False)
    assert "enclosure" not in result.summary
    with RunFile(result.path) as file:
        assert not set(ENCLOSURE_ARRAYS) & set(file.arrays)
    assert all("enclosed" not in text for text in told(result))
