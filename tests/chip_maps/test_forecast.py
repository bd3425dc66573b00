"""Contraction and stability are those of linear algebra, and those printed for the published example."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from repository import ROOT

from mho.chip_maps.inverse_encoding import contraction, damping, loop_eigenvalues, slowest_eigenvalue
from mho.chip_maps.matrix_files import load_matrix
from mho.chip_maps.multiply_encoding import slice_digits

PUBLISHED = load_matrix(ROOT / "mho/chip_maps/matrices/zuo2025-4x4.mtx")


def test_the_published_example_truncated_and_rounded():
    truncated = slice_digits((PUBLISHED * 4096).astype(np.int64), 4)[0] / 8.0
    rounded = np.rint(PUBLISHED * 8.0) / 8.0
    assert contraction(PUBLISHED, truncated) == pytest.approx(0.505, abs=5e-4)
    assert contraction(PUBLISHED, rounded) == pytest.approx(0.125, abs=5e-4)
    assert np.linalg.cond(PUBLISHED) == pytest.approx(7.7146, abs=1e-4)


def test_an_exact_inverse_contracts_to_nothing():
    assert contraction(PUBLISHED, PUBLISHED) < 1e-14


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 4.0])
def test_a_gain_error_contracts_by_what_it_is_off(factor):
    assert contraction(PUBLISHED, PUBLISHED * factor) == pytest.approx(abs(1.0 - 1.0 / factor))


def test_refinement_shrinks_by_rho_a_cycle():
    rng = np.random.default_rng(0)
    inverse_of = PUBLISHED + 0.04 * rng.standard_normal((4, 4))
    rho = float(contraction(PUBLISHED, inverse_of))
    residual, norms = rng.standard_normal(4), []
    for _ in range(60):
        residual = residual - PUBLISHED @ np.linalg.solve(inverse_of, residual)
        norms.append(np.linalg.norm(residual))
    assert (norms[-1] / norms[9]) ** (1 / 50) == pytest.approx(rho, rel=0.05)


def test_draws_come_back_one_number_each():
    draws = PUBLISHED * np.array([1.0, 0.5])[:, None, None]
    assert_allclose(contraction(PUBLISHED, draws), [0.0, 1.0], atol=1e-12)


def test_a_singular_array_never_converges():
    assert contraction(PUBLISHED, np.zeros((4, 4))) == np.inf


@pytest.mark.parametrize("spoilt", [0.0, np.nan])
def test_a_singular_draw_spoils_no_other(spoilt):
    draws = np.stack([PUBLISHED, np.full((4, 4), spoilt), 0.5 * PUBLISHED])
    assert_allclose(contraction(PUBLISHED, draws), [0.0, np.inf, 1.0], atol=1e-12)


def test_the_slowest_eigenvalue_is_that_of_the_loaded_loop():
    network = np.array([[3.0, 1.0], [0.0, 1.0]])
    assert slowest_eigenvalue(loop_eigenvalues(network, np.array([6.0, 4.0]))) == pytest.approx(0.25)
    rotation = np.array([[1.0, -2.0], [2.0, 1.0]])
    assert slowest_eigenvalue(loop_eigenvalues(rotation, np.ones(2))).real == pytest.approx(1.0)
    assert abs(slowest_eigenvalue(loop_eigenvalues(rotation, np.ones(2))).imag) == pytest.approx(2.0)


@pytest.mark.parametrize("ratio", [0.5, 2.0, 8.0])
def test_the_damping_tells_where_a_second_pole_makes_a_loop_oscillate(ratio):
    rng = np.random.default_rng(3)
    seen = set()
    for _ in range(100):
        network, load = np.eye(3) + 0.8 * rng.standard_normal((3, 3)), rng.uniform(1.0, 3.0, 3)
        # With w_u = 1: each amplifier integrates, and its second pole lags: (1 + s ratio) s x = -D^-1 G x
        still, one = np.zeros((3, 3)), np.eye(3)
        system = np.block([[still, one], [-network / load[:, None] / ratio, -one / ratio]])
        settles = bool(np.linalg.eigvals(system).real.max() < 0.0)
        assert (damping(loop_eigenvalues(network, load), ratio) > 0.0) == settles
        seen.add(settles)
    assert seen == {True, False}
