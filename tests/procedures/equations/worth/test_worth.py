"""What a chip was worth: the contraction of its loop, the verdict, and what a run's result, line and tables say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daily import daily

import mho
from mho.instruments.bench_file import load_bench_file
from mho.procedures.equations.worth import SampledWorth, UnaidedSolve, Work, contraction_of


def krylov(iteration: np.ndarray, count: int, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    vector, found = np.random.default_rng(seed).standard_normal(len(iteration)), []
    for _ in range(count):
        found.append(vector)
        vector = iteration @ vector
    return found, [iteration @ one for one in found]


def test_of_as_many_residuals_as_unknowns_it_is_the_spectral_radius() -> None:
    iteration = 0.4 * np.random.default_rng(1).standard_normal((5, 5))
    exact = np.abs(np.linalg.eigvals(iteration)).max()
    rng = np.random.default_rng(2)
    residuals = list(np.linalg.qr(rng.standard_normal((5, 5)))[0])
    assert contraction_of(residuals, [iteration @ one for one in residuals]) == pytest.approx(exact)


def test_of_fewer_it_is_near_it_and_of_one_the_factor_itself() -> None:
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    iteration = turn @ np.diag(np.linspace(-0.3, 0.5, 12)) @ turn.T
    assert contraction_of(*krylov(iteration, 6)) == pytest.approx(0.5, rel=0.05)
    (one,), (left,) = krylov(iteration, 1)
    assert contraction_of([one], [left]) == pytest.approx(np.linalg.norm(left) / np.linalg.norm(one))
    huge = [1e200 * vector for vector in krylov(iteration, 6)[0]]
    assert contraction_of(huge, [iteration @ one for one in huge]) == pytest.approx(0.5, rel=0.05)
    assert contraction_of([], []) is None
    assert contraction_of([np.zeros(3)], [np.zeros(3)]) is None


def judged(cycles: tuple[Any, ...], without: tuple[Any, ...], *, nothing: bool = False) -> SampledWorth:
    solves = tuple(UnaidedSolve(number, one, [], Work()) for number, one in enumerate(without))
    return SampledWorth(solves, cycles, Work(), digital_without=7, most=50, allowed=20, lost=nothing)


@pytest.mark.parametrize(
    ("cycles", "without", "nothing", "verdict", "words"),
    [
        ((6,), (13,), False, "saved", "6 cycles, 13 without the chip"),
        ((6,), (13,), True, "saved", "6 cycles, 13 without the chip"),
        ((4,), (4,), False, "saved nothing", "the chip saved no cycle (4, 4 without it)"),
        ((5,), (4,), False, "saved nothing", "the chip saved no cycle (5, 4 without it)"),
        ((4,), (4,), True, "contributed nothing", "the chip contributed nothing (4 cycles, 4 without it)"),
        ((6,), (None,), False, "needed", "6 cycles, more than 50 without the chip"),
        ((None,), (13,), False, "saved nothing", "without the chip 13 cycles do"),
        ((None,), (None,), False, "unknown", "nor does it without the chip in 50 cycles"),
        ((6, 7), (13, 12), False, "saved", "6.5 cycles, 12.5 without the chip"),
        ((6, None), (13, 12), False, "saved nothing", "without the chip 12.5 cycles do"),
        ((None,), (21,), False, "unknown", "without the chip 21 cycles do"),  # with it 20 were allowed
        ((6, 7), (13, None), False, "needed", "6.5 cycles, more than 50 without the chip"),
    ],
)
def test_the_verdict(cycles, without, nothing: bool, verdict: str, words: str) -> None:
    worth = judged(cycles, without, nothing=nothing)
    assert (worth.verdict, worth.in_words()) == (verdict, words)
    plain = worth.plain()
    assert plain["saved"] is None if None in cycles else plain["saved"] == worth.saved
    assert (plain["digital_ratio"] is None) == (None in (*cycles, *without))  # of work that got there alone


def system(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, n)) + 1.2 * n**0.5 * np.eye(n)


@pytest.mark.thorough
def test_a_solve_says_it_in_result_line_table_and_figure(tmp_path: Path) -> None:
    matrix = system(24)
    result = mho.solve(matrix, np.ones(24), bench="arrays", seed=1, output=tmp_path / "a.h5")
    without, work = result.summary["without_chip"], result.summary["multiplications"]
    assert without["verdict"] == "saved"
    assert without["cycles"] > without["cycles_with"] == len(result.cycles)
    assert work["chip"]["inversions"] == result.summary["inversions"] * 24**2
    assert work["digital"]["residual"] > 0
    assert 0.0 < work["share_on_chip"] < 1.0
    with mho.open_run(result.path) as run:
        assert without["in_words"] in run.conclusion.line
        assert run.column("without_chip", "cycle").tolist() == list(range(1, without["cycles"] + 1))
        assert [one.beside for one in run.figures if one.name == "convergence"] == ["without_chip"]
    assert result.summary["measured_rho"] == pytest.approx(result.summary["forecast_rho"], rel=0.3)


def test_taken_over_and_zero_right_hand_sides_have_no_baseline(tmp_path: Path) -> None:
    result = mho.solve(system(3), np.zeros(3), bench="arrays", seed=1, output=tmp_path / "a.h5")
    assert "without_chip" not in result.summary


@pytest.mark.parametrize("size", daily([1, 4, 8], [4]))
def test_a_chip_of_stuck_cells_contributes_nothing(size: int, tmp_path: Path) -> None:
    bench = tmp_path / "stuck.toml"
    bench.write_text(load_bench_file("arrays").text.replace('preset = "pku"', 'preset = "pku"\nstuck = 1.0'))
    result = mho.solve(system(size), np.ones(size), bench=str(bench), seed=0, output=tmp_path / "a.h5")
    assert result.converged
    assert result.summary["without_chip"]["verdict"] == "contributed nothing"


@pytest.mark.thorough
def test_analogue_products_say_what_the_array_alone_got_right(tmp_path: Path) -> None:
    result = mho.solve(
        system(6), np.ones(6), bench="arrays", seed=1, residual="analogue", output=tmp_path / "a.h5"
    ).summary
    subtracted, alone, wrong = (result[f"mvm_{name}"] for name in ("subtracted", "alone", "wrong"))
    assert 0 < subtracted < result["mvm_outputs"]
    assert alone <= result["mvm_outputs"]
    assert wrong == 0
    loose = mho.solve(
        system(6),
        np.ones(6),
        bench="arrays",
        preset="relaxing",
        seed=1,
        residual="analogue",
        output=tmp_path / "b.h5",
    ).summary
    assert (
        loose["mvm_alone"] < loose["mvm_outputs"] - loose["mvm_wrong"]
    )  # what only the subtraction set right
