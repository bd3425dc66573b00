"""The refinement loop on plain arrays: as fast as forecast, never worse with a line search, exact in the end."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chip_maps.fixed_point import FixedPoint
from chip_maps.forecast import contraction
from procedures.refinement import Cycle, refine

Floats = np.ndarray


def exactly(matrix: Floats) -> Callable[[FixedPoint], Floats]:
    return lambda vector: matrix @ vector.values


def roughly(matrix: Floats) -> Callable[[Floats], Floats]:
    return lambda residual: np.linalg.solve(matrix, residual)


def cycles(matrix: Floats, inverse_of: Floats, rhs: Floats, count: int, **options: object) -> list[Cycle]:
    return list(islice(refine(rhs, roughly(inverse_of), exactly(matrix), **options), count))


def system(seed: int, error: float, n: int = 6) -> tuple[Floats, Floats, Floats]:
    """A diagonally dominant A, an A0 that is off by about `error`, and b."""
    rng = np.random.default_rng(seed)
    matrix = np.eye(n) + 0.5 * rng.standard_normal((n, n)) / n
    return matrix, matrix + error * rng.standard_normal((n, n)), rng.standard_normal(n)


@pytest.mark.parametrize("seed", range(5))
def test_it_converges_at_the_rate_forecast(seed):
    matrix, inverse_of, rhs = system(seed, 0.1)
    rho = float(contraction(matrix, inverse_of))
    assert 0.05 < rho < 0.9
    norms = [cycle.relative_residual for cycle in cycles(matrix, inverse_of, rhs, 60, correction_bits=24)]
    tail = [norm for norm in norms if norm > 1e-14]
    start = min(8, len(tail) // 3)
    rate = (tail[-1] / tail[start]) ** (1 / (len(tail) - 1 - start))
    assert rate == pytest.approx(rho, rel=0.2)


def test_an_exact_inverse_takes_one_cycle_a_correction_s_bits():
    matrix, _, rhs = system(0, 0.0)
    (first, second) = cycles(matrix, matrix, rhs, 2, correction_bits=12)
    assert first.relative_residual < 2.0**-10
    assert second.relative_residual < 2.0**-20


@given(st.integers(0, 10_000), st.sampled_from([0.3, 1.0, 3.0]))
@settings(max_examples=60)
def test_with_a_line_search_the_residual_never_grows(seed, error):
    matrix, inverse_of, rhs = system(seed, error)
    norms = [
        1.0,
        *(
            c.relative_residual
            for c in cycles(matrix, inverse_of, rhs, 25, correction_bits=6, line_search=True)
        ),
    ]
    assert all(after <= before * (1.0 + 1e-12) for before, after in pairwise(norms))


def test_without_a_line_search_a_poor_inverse_diverges():
    matrix, inverse_of, rhs = system(1, 1.0)
    assert contraction(matrix, inverse_of) > 1.0
    assert cycles(matrix, inverse_of, rhs, 40)[-1].relative_residual > 10.0


def test_a_line_search_takes_the_full_step_along_an_exact_correction():
    matrix, _, rhs = system(2, 0.0)
    for gain in (1.0, -3.0, 0.1):
        first = next(
            refine(rhs, lambda r, g=gain: g * np.linalg.solve(matrix, r), exactly(matrix), line_search=True)
        )
        assert first.step == pytest.approx(1.0 / gain, rel=1e-2)
        assert first.relative_residual < 1e-3


@pytest.mark.parametrize("bits", [3, 6, 12])
def test_rounding_the_corrections_costs_cycles_but_no_precision(bits):
    matrix, inverse_of, rhs = system(3, 0.02)
    last = cycles(matrix, inverse_of, rhs, 60, correction_bits=bits)[-1]
    exact = np.linalg.solve(matrix, rhs)
    assert np.linalg.norm(last.solution - exact) < 1e-13 * np.linalg.norm(exact)
    assert np.linalg.norm(rhs - matrix @ last.solution - last.residual) < 1e-13 * np.linalg.norm(rhs)


def test_the_residual_is_relative_to_the_right_hand_side():
    matrix, inverse_of, rhs = system(4, 0.1)
    small, large = (next(refine(scale * rhs, roughly(inverse_of), exactly(matrix))) for scale in (1e-9, 1e6))
    assert small.relative_residual == pytest.approx(large.relative_residual, rel=1e-6)
    assert large.relative_residual == pytest.approx(
        np.linalg.norm(large.residual) / np.linalg.norm(1e6 * rhs)
    )


def test_an_inverse_that_answers_nothing_changes_nothing():
    matrix, _, rhs = system(5, 0.0)
    for line_search in (False, True):
        silent = refine(rhs, np.zeros_like, exactly(matrix), line_search=line_search)
        for number, cycle in enumerate(islice(silent, 3), 1):
            assert (cycle.number, cycle.step, cycle.relative_residual) == (number, 0.0, 1.0)
            assert not cycle.solution.any()


def test_a_cycle_s_arrays_are_its_own():
    matrix, inverse_of, rhs = system(6, 0.1)
    before = rhs.copy()
    first, second = cycles(matrix, inverse_of, rhs, 2)
    assert not np.shares_memory(first.solution, second.solution)
    assert np.array_equal(rhs, before)
