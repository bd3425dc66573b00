"""Numbers of a solve's summary that figures over runs are drawn of: rho, bits a cycle, condition number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from repository import ROOT

import mho
from mho.procedures.equations.algorithms.refinement import Cycle
from mho.procedures.equations.certificates.certificate import Certificate
from mho.procedures.equations.solve.answers import ColumnAnswer, cycle_row, largest_error
from mho.procedures.equations.solve.solve_tables import condition_number, reduction_a_cycle, worst_of


def rows(*residuals: float, rhs: int = 0) -> list[dict[str, float]]:
    return [
        {"rhs": rhs, "cycle": number, "residual": value} for number, value in enumerate(residuals, start=1)
    ]


def test_the_reduction_is_the_mean_factor_a_cycle_of_the_slowest_column() -> None:
    assert reduction_a_cycle(rows(0.1, 0.01, 0.001)) == pytest.approx(0.1)
    assert reduction_a_cycle(rows(0.5, 0.01)) == pytest.approx(0.1)  # whichever way it went there
    assert reduction_a_cycle(rows(0.1) + rows(0.3, 0.04, rhs=1)) == pytest.approx(0.2)
    assert reduction_a_cycle(rows(0.1, 0.0)) == pytest.approx(0.1)  # exact from there on
    assert reduction_a_cycle([]) is None


def test_the_condition_number_is_that_of_the_two_norm() -> None:
    assert condition_number(np.diag([4.0, -0.5])) == pytest.approx(8.0)
    assert condition_number(np.zeros((2, 2))) is None
    assert condition_number(np.eye(2000)) is None  # not within a second


def test_a_solve_keeps_them_with_their_units(tmp_path: Path) -> None:
    matrix = str(ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx")
    path = mho.run(mho.Solve(matrix=matrix, bits=12), "arrays", seed=1, output=tmp_path / "a.h5").path
    with mho.open_run(path) as run:
        result, units = run.summary, run.result_units
        residual = run.column("cycles", "residual")
    assert result["condition"] == pytest.approx(7.7146, abs=1e-4)  # of the published example
    assert result["bits_a_cycle"] == pytest.approx(-np.log2(residual[-1]) / len(residual))
    assert result["measured_rho"] == pytest.approx(result["forecast_rho"], rel=0.5)  # of the same loop
    assert result["forecast_bits_a_cycle"] == pytest.approx(-np.log2(result["forecast_rho"]))
    assert units["bits_a_cycle"] == units["forecast_bits_a_cycle"] == "bit"


def answer(bound: float, converged: bool = True, residual: float = 1e-12) -> ColumnAnswer:
    bits = min(max(-np.log2(bound), 0.0), 53.0)
    return ColumnAnswer([], 0.0, np.ones(1), Certificate(residual, 1.0, 1.0, bound, bits), converged, "", 1)


def test_the_worst_of_many_answers_is_the_one_of_the_largest_bound_where_all_are_at_the_cap() -> None:
    best, worst, middle = answer(2.0**-60), answer(2.0**-54), answer(2.0**-57)
    assert {one.certificate.bits for one in (best, worst, middle)} == {53.0}
    assert worst_of([best, worst, middle]) is worst
    missed = answer(2.0**-58, converged=False)
    assert worst_of([best, missed, worst]) is missed


def test_of_answers_without_a_bound_the_worst_is_that_of_the_largest_residual() -> None:
    answers = [answer(np.inf, residual=size) for size in (1e-9, 1e-7, 1e-8)]
    assert worst_of(answers) is answers[1]


def test_beside_zeros_there_is_no_relative_error() -> None:
    # Of a least-squares right-hand side that is orthogonal to all columns but for rounding, zeros may be the reference.
    cycle = Cycle(1, np.array([1e-17]), np.array([0.0]), 0.0, 0.0, 1.0, 0.0, "converged")
    row = cycle_row(cycle, np.array([1e-17]), 0, np.zeros(1), np.array([2e-17]))
    assert np.isnan([row["relative_error"], row["bits"]]).all()
    assert row["sliced_error"] == 0.5
    assert largest_error(np.array([[1e-17, 3.0]]), np.array([[0.0, 2.0]])) == 0.5
