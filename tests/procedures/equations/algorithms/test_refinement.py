"""The refinement loop on plain arrays: as fast as forecast, never worse, and true whatever the products are worth."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.chip_maps.inverse_encoding import contraction
from mho.chip_maps.multiply_encoding import FixedPoint
from mho.errors import ConvergenceError
from mho.procedures.equations.algorithms.refinement import STALL_CYCLES, Cycle, directions, refine
from mho.procedures.equations.certificates.certificate import exact_residual

Floats = np.ndarray
Product = Callable[[FixedPoint], Floats]


def exactly(matrix: Floats) -> Product:
    return lambda vector: matrix @ vector.values


def with_wrong_integers(matrix: Floats, seed: int, size: float) -> Product:
    """Products that are off by about `size`, in the same way each time a line is used: a cell that moved."""
    wrong = matrix + size * np.random.default_rng(seed).standard_normal(matrix.shape)
    return lambda vector: wrong @ vector.values


def roughly(matrix: Floats) -> Callable[[Floats], Floats]:
    return lambda residual: np.linalg.solve(matrix, residual)


def cycles(
    matrix: Floats,
    inverse_of: Floats,
    rhs: Floats,
    count: int,
    *,
    product: Product | None = None,
    tolerance: float = 0.0,
    correction_bits: int = 12,
) -> list[Cycle]:
    limit = tolerance * math.hypot(*rhs)
    return list(
        refine(
            rhs,
            roughly(inverse_of),
            product or exactly(matrix),
            lambda solution: exact_residual(matrix, solution, rhs),
            lambda solution, norm: norm <= limit,
            correction_bits=correction_bits,
            max_cycles=count,
        )
    )


def system(seed: int, error: float, n: int = 6) -> tuple[Floats, Floats, Floats]:
    """A diagonally dominant A, an A0 that is off by about `error`, and b."""
    rng = np.random.default_rng(seed)
    matrix = np.eye(n) + 0.5 * rng.standard_normal((n, n)) / n
    return matrix, matrix + error * rng.standard_normal((n, n)), rng.standard_normal(n)


def relative(matrix: Floats, cycle: Cycle, rhs: Floats) -> float:
    return float(np.linalg.norm(exact_residual(matrix, cycle.solution, rhs)) / np.linalg.norm(rhs))


# --- convergence ---


@pytest.mark.parametrize("seed", range(5))
def test_it_converges_no_slower_than_forecast(seed):
    matrix, inverse_of, rhs = system(seed, 0.1)
    rho = float(contraction(matrix, inverse_of))
    assert 0.05 < rho < 0.9
    norms = [cycle.carried for cycle in cycles(matrix, inverse_of, rhs, 60, correction_bits=24)]
    tail = [norm for norm in norms if norm > 1e-14]
    start = min(8, len(tail) // 3)
    assert (tail[-1] / tail[start]) ** (1 / (len(tail) - 1 - start)) < 1.2 * rho


def test_an_exact_inverse_takes_one_cycle_a_correction_s_bits():
    matrix, _, rhs = system(0, 0.0)
    (first, second) = cycles(matrix, matrix, rhs, 2, correction_bits=12)
    assert first.carried < 2.0**-10
    assert second.carried < 2.0**-20


@pytest.mark.parametrize("gain", [1.0, -3.0, 0.1])
def test_the_full_step_is_taken_along_an_exact_correction(gain):
    matrix, _, rhs = system(2, 0.0)
    first = cycles(matrix, matrix / gain, rhs, 1)[0]
    assert first.step == pytest.approx(1.0 / gain, rel=1e-2)
    assert first.carried < 1e-3


@pytest.mark.parametrize("bits", [3, 6, 12])
def test_rounding_the_corrections_costs_cycles_but_no_precision(bits):
    matrix, inverse_of, rhs = system(3, 0.02)
    last = cycles(matrix, inverse_of, rhs, 60, correction_bits=bits)[-1]
    exact = np.linalg.solve(matrix, rhs)
    assert np.linalg.norm(last.solution - exact) < 1e-13 * np.linalg.norm(exact)


def test_the_residual_is_relative_to_the_right_hand_side():
    matrix, inverse_of, rhs = system(4, 0.1)
    small, large = (cycles(matrix, inverse_of, scale * rhs, 1)[0] for scale in (1e-200, 1e200))
    assert small.carried == pytest.approx(large.carried, rel=1e-6)
    assert large.recomputed == pytest.approx(np.linalg.norm(large.residual / 1e200) / np.linalg.norm(rhs))


# --- the invariant: what is reported is b - A x ---


@given(st.integers(0, 10_000), st.sampled_from([0.02, 0.3, 1.0, 3.0]), st.sampled_from([3, 6, 12]))
@settings(max_examples=60)
def test_with_exact_products_every_residual_is_that_of_its_solution(seed, error, bits):
    matrix, inverse_of, rhs = system(seed, error)
    found = cycles(matrix, inverse_of, rhs, 25, correction_bits=bits)
    for cycle in found:
        off = np.linalg.norm(rhs - matrix @ cycle.solution - cycle.residual)
        assert off < 1e-13 * np.linalg.norm(rhs)
        norm = relative(matrix, cycle, rhs)
        if np.isnan(cycle.recomputed):
            assert cycle.carried == pytest.approx(norm, rel=1e-6, abs=1e-13)
        else:  # where the way was measured digitally, it is better than what the products said
            assert cycle.recomputed == pytest.approx(norm, rel=1e-9, abs=1e-300)
            assert norm <= cycle.carried * (1.0 + 1e-9) + 1e-13
    norms = [1.0, *(cycle.carried for cycle in found)]
    assert all(after <= before * (1.0 + 1e-12) + 1e-15 for before, after in pairwise(norms))


@given(
    st.integers(0, 10_000),
    st.sampled_from([0.02, 0.3, 1.0]),
    st.sampled_from([1e-9, 1e-3, 0.1, 1.0, 10.0]),
    st.sampled_from([0.0, 1e-7, 1e-2]),
)
@settings(max_examples=100)
def test_whatever_the_products_are_worth_the_recomputed_residual_is_true_and_never_grows(
    seed, error, size, tolerance
):
    matrix, inverse_of, rhs = system(seed, error)
    product = with_wrong_integers(matrix, seed, size)
    found = cycles(matrix, inverse_of, rhs, 25, product=product, tolerance=tolerance)
    sure = [cycle for cycle in found if not np.isnan(cycle.recomputed)]
    for cycle in sure:
        assert cycle.recomputed == pytest.approx(relative(matrix, cycle, rhs), rel=1e-9, abs=1e-300)
    norms = [1.0, *(cycle.recomputed for cycle in sure)]
    assert all(after <= before * (1.0 + 1e-12) for before, after in pairwise(norms))
    last = found[-1]
    assert (last.end == "converged") == (relative(matrix, last, rhs) <= tolerance)
    assert last.recomputed == min(norms)
    assert [bool(cycle.end) for cycle in found] == [False] * (len(found) - 1) + [True]


@pytest.mark.parametrize("size", [1e-4, 1e-2, 0.1])
def test_products_that_are_off_cost_cycles_but_no_precision(size):
    matrix, inverse_of, rhs = system(1, 0.02)
    product = with_wrong_integers(matrix, 7, size)
    found = cycles(matrix, inverse_of, rhs, 50, product=product, tolerance=1e-9)
    assert found[-1].end == "converged"
    assert relative(matrix, found[-1], rhs) <= 1e-9
    assert len(found) <= 12


def test_the_residual_is_recomputed_at_first_and_at_the_end_but_not_always():
    matrix, inverse_of, rhs = system(0, 0.05)
    found = cycles(matrix, inverse_of, rhs, 50, tolerance=1e-9)
    known = [not np.isnan(cycle.recomputed) for cycle in found]
    assert known[0]
    assert known[-1]
    assert sum(known) <= 3 < len(known)


# --- the end ---


def test_a_poor_inverse_ends_as_stalled_with_its_best_solution():
    rng = np.random.default_rng(0)
    matrix, rhs = np.diag([1.0, -1.0]), rng.standard_normal(2)
    rotated = np.array([[0.0, 1.0], [1.0, 0.0]])  # r and A dx are orthogonal: no step helps
    found = list(
        refine(
            rhs,
            lambda residual: rotated @ residual,
            exactly(matrix),
            lambda solution: exact_residual(matrix, solution, rhs),
            lambda solution, norm: False,
        )
    )
    assert found[-1].end == "stalled"
    assert len(found) == STALL_CYCLES
    assert found[-1].recomputed <= 1.0


def test_an_inverse_that_answers_nothing_changes_nothing():
    matrix, _, rhs = system(5, 0.0)
    silent = refine(
        rhs,
        np.zeros_like,
        exactly(matrix),
        lambda solution: exact_residual(matrix, solution, rhs),
        lambda solution, norm: False,
        max_cycles=3,
    )
    for number, cycle in enumerate(silent, 1):
        assert (cycle.number, cycle.step, cycle.carried) == (number, 0.0, 1.0)
        assert not cycle.solution.any()


def test_cycles_that_are_used_up_are_told_from_a_stall():
    matrix, inverse_of, rhs = system(0, 0.05)
    assert cycles(matrix, inverse_of, rhs, 3)[-1].end == "cycles"


@pytest.mark.parametrize("rails_in", [1, 3])
def test_a_loop_that_rails_later_leaves_what_was_found_until_then(rails_in):
    matrix, inverse_of, rhs = system(0, 0.05)
    calls = iter(range(1, 100))

    def invert(residual: Floats) -> Floats:
        if next(calls) >= rails_in:
            raise ConvergenceError("the INV loop rails")
        return np.linalg.solve(inverse_of, residual)

    loop = refine(
        rhs,
        invert,
        exactly(matrix),
        lambda solution: exact_residual(matrix, solution, rhs),
        lambda solution, norm: False,
    )
    if rails_in == 1:
        with pytest.raises(ConvergenceError, match="rails"):
            list(loop)
        return
    found = list(loop)
    assert found[-1].end == "railed"
    assert len(found) == rails_in
    assert found[-1].recomputed == pytest.approx(relative(matrix, found[-1], rhs))


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_learnt_before_a_loop_railed_serves_with_another_loop(kept):
    """GCR needs no more than n corrections in all, whatever gave them, where those of before are kept."""
    n, rng = 8, np.random.default_rng(11)
    matrix, rhs = np.eye(n) + rng.standard_normal((n, n)), rng.standard_normal(n)
    poor = [rng.standard_normal((n, n)) for _ in range(2)]
    earlier, limit = directions("gcr"), 1e-6 * np.linalg.norm(rhs)

    def leg(inverse: Floats, count: int, start: Floats | None) -> list[Cycle]:
        return list(
            refine(
                rhs,
                inverse.__matmul__,
                exactly(matrix),
                lambda solution: exact_residual(matrix, solution, rhs),
                lambda solution, norm: norm <= limit,
                method=earlier if kept else "gcr",
                max_cycles=count,
                start=start,
            )
        )

    first = leg(poor[0], 5, None)
    second = leg(poor[1], 20, first[-1].solution)
    assert second[-1].end == "converged"
    assert (len(second) <= n + 1 - 5) == kept


def test_a_cycle_s_arrays_are_its_own():
    matrix, inverse_of, rhs = system(6, 0.1)
    before = rhs.copy()
    first, second = cycles(matrix, inverse_of, rhs, 2)
    assert not np.shares_memory(first.solution, second.solution)
    assert np.array_equal(rhs, before)
