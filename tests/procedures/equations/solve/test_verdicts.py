"""No solve says converged that is not: over families of systems, cells, stuck cells, waits, benches."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
from daily import daily

pytest.importorskip("mho.extensions.reach")  # whose families the benchmarks draw from

from benchmarks._families import BASIC, FAMILIES, DrawnSystem, draw
from benchmarks._judging import BITS, Case, Verdict, _error, judge, judge_all
from benchmarks.verdicts import NOISY, cases
from mho.chip_maps.checksums import ChecksumCode
from mho.chip_maps.multiply_encoding import to_fixed_point
from mho.instruments import open_bench
from mho.procedures import Solve
from mho.procedures.equations.algorithms.refinement import Cycle
from mho.procedures.equations.certificates.certificate import exact_residual
from mho.running.execution import evaluate


def assert_true(verdicts: list[Verdict]) -> None:
    false = [verdict for verdict in verdicts if verdict.false]
    assert not false, f"{len(false)} of {len(verdicts)} say converged and are not, {false[0]}"
    assert all(verdict.bits >= BITS for verdict in verdicts if verdict.converged)
    assert all(
        verdict.error <= 2.0**-verdict.bits * (1.0 + 1e-6) for verdict in verdicts if verdict.bits > 0.0
    )


def test_the_cases_cover_every_family_preset_share_and_wait():
    drawn = list(islice(cases("arrays"), 400))
    assert {case.family for case in drawn} == set(BASIC)
    assert len({(case.preset, case.stuck, case.wait) for case in drawn}) == 64
    assert drawn == list(islice(cases("arrays"), 400))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_the_same_for_the_same_seed_and_square(family):
    one, again, other = (draw(family, 4, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.matrix, again.matrix)
    assert not np.array_equal(one.matrix, other.matrix)
    assert one.matrix.shape[0] == one.matrix.shape[1] == len(one.rhs)


@pytest.mark.parametrize("condition", ["1", "3", "10", "100", "1e3", "1e4"])
def test_a_condition_number_is_what_its_family_says(condition):
    assert draw(f"condition {condition}", 6, 3).condition == pytest.approx(float(condition), rel=1e-6)


@pytest.mark.parametrize("first", daily(range(0, 48, 4), [0]))
def test_no_solve_on_arrays_says_converged_that_is_not(first):
    assert_true([judge(case) for case in islice(cases("arrays"), first, first + 4)])


@pytest.mark.parametrize("preset", daily(NOISY, 1))
def test_noisy_cells_converge_all_the_same(preset):
    verdicts = [
        judge(Case(seed, family, 4, preset, 0.0, wait, "arrays"))
        for seed, (family, wait) in enumerate([("dominant", 0.0), ("Gram", 3600.0), ("condition 3", 86400.0)])
    ]
    assert_true(verdicts)
    assert all(verdict.converged for verdict in verdicts)


@pytest.mark.parametrize("residual", ["float64", "analogue"])
def test_units_of_equations_and_unknowns_hinder_no_proof(residual):
    verdict = judge(Case(0, "badly scaled", 8, "pku", 0.0, 0.0, "arrays", residual))
    assert verdict.condition > 2.0 ** (53 - BITS)  # beyond what the residual as it is can prove
    assert_true([verdict])
    assert verdict.converged


def test_a_tolerance_is_of_the_residual_as_it_is_whatever_the_units():
    system = draw("badly scaled", 4, 0)
    solve = Solve(matrix=system.matrix, rhs=system.rhs, tolerance=1e-6, residual="float64")
    with open_bench("arrays", preset="pku", seed=0) as bench:
        found = evaluate(solve, bench, seed=0)
    residual = np.linalg.norm(exact_residual(system.matrix, found.solution, system.rhs))
    assert found.converged
    assert residual <= 1e-6 * np.linalg.norm(system.rhs)
    assert found.certificate.residual == pytest.approx(residual)


def believing_the_products(rhs, invert, multiply, recompute, enough, *, correction_bits, max_cycles, **_):
    """Refine as `refine` does, but plainly, and never look at the matrix again."""
    solution, residual = np.zeros_like(rhs), rhs
    for number in range(1, max_cycles + 1):
        correction = to_fixed_point(invert(residual), correction_bits)
        solution, residual = solution + correction.values, residual - multiply(correction)
        carried = float(np.linalg.norm(residual))
        end = "converged" if enough(solution, carried) else "cycles" if number == max_cycles else ""
        yield Cycle(number, solution, residual, carried, np.nan, np.nan, 1.0, end)
        if end:
            return


def test_a_false_claim_would_be_found(monkeypatch):
    monkeypatch.setattr("mho.procedures.equations.solve.refined_answers.refine", believing_the_products)
    monkeypatch.setattr(ChecksumCode, "syndrome", lambda code, integers, lines: np.zeros(len(integers), int))
    verdicts = [judge(Case(seed, "dominant", 8, "relaxing", 0.0, 0.0, "arrays")) for seed in range(2)]
    assert any(verdict.false for verdict in verdicts)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_none_of_two_thousand_solves_on_arrays_says_converged_that_is_not():
    verdicts = judge_all(list(islice(cases("arrays"), 2000)))
    assert_true(verdicts)
    easy = [v for v in verdicts if v.case.preset in NOISY and v.condition < 10.0]
    assert sum(verdict.converged for verdict in easy) >= 0.95 * len(easy)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_none_of_thirty_solves_at_the_wire_says_converged_that_is_not():
    assert_true(judge_all(list(islice(cases("simulated"), 30))))


def test_the_error_of_the_nearest_float_is_its_rounding():
    """What is compared with 2^-bits is no solution in float64, whose own last digits are as wrong."""
    third, half = 1.0 / 3.0, 0.5
    exact = float(abs(Fraction(third) - Fraction(1, 3))) / np.hypot(1.0 / 3.0, 0.5)
    system = DrawnSystem("diagonal", np.diag([3.0, 2.0]), np.ones(2))
    assert _error(system, np.array([third, half])) == pytest.approx(exact, rel=1e-12)
    turned = DrawnSystem("turned", 1j * np.diag([3.0, 2.0]), 1j * np.ones(2))
    assert _error(turned, np.array([third, half + 0j])) == pytest.approx(exact, rel=1e-12)
