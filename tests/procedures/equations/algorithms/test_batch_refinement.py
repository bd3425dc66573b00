"""The published loop on many columns at once: its closed form, and that of its line search."""

from __future__ import annotations

import numpy as np
import pytest

from mho.procedures.equations.algorithms.refinement import METHODS, Columns, refine_columns

RNG = np.random.default_rng(3)
MATRIX = RNG.standard_normal((5, 5)) + 5.0 * np.eye(5)
NEAR = np.linalg.inv(MATRIX + 0.3 * RNG.standard_normal((5, 5)))
RHS = RNG.standard_normal((5, 7))


def cycles(count: int, method="plain", start: Columns | None = None) -> list[Columns]:
    loop = refine_columns(RHS, lambda r: NEAR @ r, lambda z: (z, MATRIX @ z), method, start)
    return [next(loop) for _ in range(count)]


def test_the_plain_loop_has_its_closed_form():
    """r_k = (I - A A0^-1)^k b."""
    contraction = np.eye(5) - MATRIX @ NEAR
    for number, found in enumerate(cycles(4), 1):
        np.testing.assert_allclose(
            found.residuals, np.linalg.matrix_power(contraction, number) @ RHS, atol=1e-12
        )


@pytest.mark.parametrize("method", METHODS)
def test_residuals_are_those_of_the_solutions(method):
    for found in cycles(3, method):
        np.testing.assert_allclose(found.residuals, RHS - MATRIX @ found.solutions, atol=1e-12)


def test_a_line_search_leaves_what_is_orthogonal_to_the_product_and_never_grows():
    lengths = np.linalg.norm(RHS, axis=0)
    before = RHS
    for found in cycles(3, "line search"):
        product = MATRIX @ (NEAR @ before)
        np.testing.assert_allclose((product * found.residuals).sum(axis=0), 0.0, atol=1e-10)
        now = np.linalg.norm(found.residuals, axis=0)
        assert (now <= lengths).all()
        lengths, before = now, found.residuals


def test_it_goes_on_from_a_start_as_if_it_had_not_ended():
    whole, first = cycles(4), cycles(2)[-1]
    np.testing.assert_allclose(cycles(2, start=first)[-1].solutions, whole[-1].solutions, rtol=1e-14)


@pytest.mark.parametrize("method", ["line search", "gcr"])
def test_zeros_stay_zeros_where_lengths_are_found(method):
    loop = refine_columns(np.zeros((5, 2)), lambda r: r, lambda z: (z, z), method)
    assert not next(loop).solutions.any()


def test_gcr_ends_with_as_many_cycles_as_unknowns_and_goes_on_with_some_columns():
    found = cycles(3, "gcr")[-1]
    some = np.array([True, False, True, False, False, True, False])
    rest = found.of(some)
    loop = refine_columns(rest.residuals, lambda r: NEAR @ r, lambda z: (z, MATRIX @ z), "gcr", rest)
    whole = cycles(5, "gcr")[-1]
    next(loop)
    np.testing.assert_allclose(next(loop).solutions, whole.solutions[:, some], atol=1e-12)
    np.testing.assert_allclose(whole.solutions, np.linalg.solve(MATRIX, RHS), atol=1e-10)


def test_each_cycle_of_gcr_leaves_the_least_residual_over_all_corrections():
    corrections, now = [], RHS[:, :1]
    loop = refine_columns(now, lambda r: NEAR @ r, lambda z: (z, MATRIX @ z), "gcr")
    for _ in range(3):
        corrections.append(NEAR @ now)
        now = next(loop).residuals
        images = MATRIX @ np.concatenate(corrections, axis=1)
        best = RHS[:, :1] - images @ np.linalg.lstsq(images, RHS[:, :1], rcond=None)[0]
        np.testing.assert_allclose(now, best, atol=1e-12)
