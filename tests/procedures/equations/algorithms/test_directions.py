"""How corrections become steps: what each method minimises, and when it is done."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.procedures.equations.algorithms import refinement as d
from mho.procedures.equations.algorithms.refinement import Cycle, refine
from mho.procedures.equations.certificates.certificate import exact_residual

Floats = np.ndarray


def spd(rng: np.random.Generator, n: int, condition: float) -> Floats:
    turn = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return turn @ np.diag(np.geomspace(1.0, 1.0 / condition, n)) @ turn.T


def cycles(
    matrix: Floats,
    inverse: Floats,
    rhs: Floats,
    method: d.Method,
    *,
    count: int = 60,
    tolerance: float = 1e-9,
    correction_bits: int = 24,
    start: Floats | None = None,
) -> list[Cycle]:
    limit = tolerance * math.hypot(*rhs)
    return list(
        refine(
            rhs,
            lambda residual: inverse @ residual,
            lambda vector: matrix @ vector.values,
            lambda solution: exact_residual(matrix, solution, rhs),
            lambda solution, size: size <= limit,
            method=method,
            correction_bits=correction_bits,
            max_cycles=count,
            start=start,
        )
    )


@given(st.integers(0, 10_000), st.integers(2, 12), st.sampled_from([0.1, 1.0, 3.0]))
@settings(max_examples=40)
def test_gcr_is_done_after_as_many_cycles_as_there_are_unknowns_whatever_the_inverse_is(seed, n, error):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((n, n)) + 2.0 * np.sqrt(n) * np.eye(n)
    inverse = np.linalg.inv(matrix) + error * rng.standard_normal((n, n)) / n
    found = cycles(matrix, inverse, rng.standard_normal(n), "gcr", tolerance=1e-8)
    assert found[-1].end == "converged"
    assert len(found) <= n + 1


@given(st.integers(0, 10_000), st.integers(2, 10), st.integers(1, 5))
@settings(max_examples=40)
def test_gcr_finds_the_smallest_residual_of_all_combinations_of_its_corrections(seed, n, steps):
    rng = np.random.default_rng(seed)
    matrix, rhs = rng.standard_normal((n, n)) + 3.0 * np.eye(n), rng.standard_normal(n)
    way, residual, corrections = d.directions("gcr"), rhs, []
    for _ in range(min(steps, n - 1)):
        correction = rng.standard_normal(n)  # an INV that answers anything
        corrections.append(correction)
        residual = residual - way.step(correction, matrix @ correction, residual)[1]
    products = np.stack([matrix @ one for one in corrections], axis=1)
    best = rhs - products @ np.linalg.lstsq(products, rhs, rcond=None)[0]
    np.testing.assert_allclose(residual, best, atol=1e-9 * np.linalg.norm(rhs))


@given(st.integers(0, 10_000), st.integers(2, 10), st.sampled_from(["line search", "gcr"]))
@settings(max_examples=40)
def test_direction_and_product_belong_together_and_the_step_minimises_the_residual(seed, n, method):
    rng = np.random.default_rng(seed)
    matrix, way, residual = rng.standard_normal((n, n)), d.directions(method), rng.standard_normal(n)
    for _ in range(3):
        correction = rng.standard_normal(n)
        step, image, _ = way.step(correction, matrix @ correction, residual)
        np.testing.assert_allclose(matrix @ step, image, atol=1e-8 * np.abs(step).max() * n)
        after = residual - image
        assert abs(after @ image) <= 1e-9 * np.linalg.norm(residual) * np.linalg.norm(image)
        residual = after


def test_cg_takes_no_more_cycles_than_there_are_eigenvalues():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    matrix = turn @ np.diag(np.repeat([1.0, 0.3, 0.02], 4)) @ turn.T
    found = cycles(matrix, np.eye(12), rng.standard_normal(12), "cg", tolerance=1e-8, correction_bits=40)
    assert found[-1].end == "converged"
    assert len(found) <= 4


@pytest.mark.parametrize("condition", [10.0, 1e3])
def test_krylov_methods_need_fewer_cycles_than_a_line_search_and_that_fewer_than_plain_steps(condition):
    rng = np.random.default_rng(1)
    matrix, rhs = spd(rng, 16, condition), rng.standard_normal(16)
    inverse = np.linalg.inv(matrix + 0.05 * np.eye(16))
    counts = {
        method: len(cycles(matrix, inverse, rhs, method, count=200, tolerance=1e-6)) for method in d.METHODS
    }
    assert counts["gcr"] <= counts["cg"] + 1
    assert counts["cg"] <= counts["line search"] <= counts["plain"]


def test_gcr_converges_where_plain_refinement_and_a_line_search_do_not():
    rng = np.random.default_rng(2)
    matrix, rhs = spd(rng, 8, 100.0), rng.standard_normal(8)
    wrong = np.linalg.inv(
        matrix @ np.diag([1.0] * 7 + [-1.0])
    )  # one direction of the inverse has the wrong sign
    assert cycles(matrix, wrong, rhs, "plain", count=40)[-1].end != "converged"
    assert cycles(matrix, wrong, rhs, "gcr", count=40)[-1].end == "converged"


@pytest.mark.parametrize("method", d.METHODS)
def test_a_refinement_goes_on_from_where_another_ended(method):
    rng = np.random.default_rng(3)
    matrix, rhs = spd(rng, 6, 5.0), rng.standard_normal(6)
    inverse = np.linalg.inv(matrix + 0.02 * np.eye(6))
    first = cycles(matrix, inverse, rhs, method, count=2)[-1]
    second = cycles(matrix, inverse, rhs, method, start=first.solution)
    assert second[0].recomputed < first.recomputed
    assert second[-1].end == "converged"
    np.testing.assert_allclose(matrix @ second[-1].solution, rhs, atol=1e-8)


def test_more_corrections_than_gcr_keeps_replace_the_oldest(monkeypatch):
    monkeypatch.setattr(d, "MEMORY", 3)
    rng = np.random.default_rng(4)
    way, matrix = d.directions("gcr"), rng.standard_normal((9, 9))
    images = []
    for _ in range(7):
        correction = rng.standard_normal(9)
        images.append(way.step(correction, matrix @ correction, rng.standard_normal(9))[1])
    kept = np.stack(images[-4:])
    np.testing.assert_allclose(kept[-1] @ kept[:-1].T, 0.0, atol=1e-12)
    assert np.abs(images[-1] @ images[0]) > 1e-6


def test_what_a_restart_forgets_no_projection_uses():
    way = d.directions("gcr")
    way.step(np.array([1.0, 0.0]), np.array([1.0, 0.0]), np.ones(2))
    step, product = way.project(np.array([2.0, 1.0]))
    np.testing.assert_allclose(step, [2.0, 0.0])
    np.testing.assert_allclose(product, [2.0, 0.0])
    way.restart()
    assert way.project(np.array([2.0, 1.0])) is None


@pytest.mark.parametrize("novelty", [1.0, 1e-3, 1e-7])
def test_products_are_orthogonal_however_little_of_a_correction_is_new(novelty):
    rng = np.random.default_rng(6)
    way, matrix, n = d.directions("gcr"), rng.standard_normal((20, 20)), 20
    correction, images = rng.standard_normal(n), []
    for _ in range(6):
        correction = correction + novelty * rng.standard_normal(n)
        step, image, length = way.step(correction, matrix @ correction, rng.standard_normal(n))
        images.append(image / length)
        np.testing.assert_allclose(matrix @ step / length, image / length, atol=1e-13 / novelty)
    crossed = np.stack(images) @ np.stack(images).T
    np.testing.assert_allclose(crossed, np.eye(len(images)), atol=1e-14)


@given(st.integers(0, 10_000), st.sampled_from([1e-250, 1e-120, 1.0, 1e120, 1e250]))
def test_the_share_of_a_vector_is_the_nearest_at_any_scale(seed, scale):
    vector, along = np.random.default_rng(seed).standard_normal((2, 7))
    nearest = float(vector @ along) / float(along @ along)
    # A sum of products is rounded by its largest terms, whatever is left of them.
    rounding = 1e-14 * float(np.linalg.norm(vector) / np.linalg.norm(along)) / scale
    assert d.share(vector, scale * along) == pytest.approx(nearest / scale, rel=1e-13, abs=rounding)
    assert d.share(scale * vector, scale * along) == pytest.approx(nearest, rel=1e-13)


@pytest.mark.parametrize("scale", [1e-220, 1e220])
@pytest.mark.parametrize("method", d.METHODS)
def test_no_scale_leaves_the_range_of_a_double(method, scale):
    rng = np.random.default_rng(5)
    matrix, rhs = spd(rng, 4, 3.0), rng.standard_normal(4)
    inverse = np.linalg.inv(matrix + 0.02 * np.eye(4))
    plain, scaled = (cycles(matrix, inverse, factor * rhs, method) for factor in (1.0, scale))
    assert len(plain) == len(scaled)
    np.testing.assert_allclose(scaled[-1].solution / scale, plain[-1].solution, rtol=1e-6)
