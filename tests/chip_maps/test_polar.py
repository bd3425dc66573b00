"""Polar factors: their product, their properties, and a loop that settles for any matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.chip_maps.chip import load_chip_map
from mho.chip_maps.inverse_encoding import assess, candidates
from mho.procedures.equations.planning.block_solve_plan import polar_factors

LEVELS = load_chip_map("reference").level_scale()


@given(st.integers(1, 12), st.integers(0, 1000), st.sampled_from([1e-3, 1.0, 1e3]))
def test_the_factors_are_orthogonal_and_definite_and_their_product_is_the_matrix(n, seed, scale):
    matrix = scale * np.random.default_rng(seed).standard_normal((n, n))
    rotation, definite = polar_factors(matrix)
    np.testing.assert_allclose(rotation @ definite, matrix, atol=1e-13 * scale * n)
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(n), atol=1e-13)
    np.testing.assert_array_equal(definite, definite.T)
    singular = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(np.linalg.eigvalsh(definite)[::-1], singular, atol=1e-12 * scale)


def test_a_definite_matrix_is_its_own_factor():
    matrix = np.array([[2.0, -1.0], [-1.0, 3.0]])
    rotation, definite = polar_factors(matrix)
    np.testing.assert_allclose(rotation, np.eye(2), atol=1e-15)
    np.testing.assert_allclose(definite, matrix, atol=1e-15)


@pytest.mark.parametrize("seed", range(4))
def test_a_loop_of_the_definite_factor_settles_where_that_of_the_matrix_does_not(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((16, 16))
    of_matrix, of_factor = (
        assess(
            candidates(target, LEVELS, kinds=("differential",)),
            target,
            LEVELS,
            np.random.default_rng(0),
            input_conductance=35e-6,
            draws=4,
        )
        for target in (matrix, polar_factors(matrix)[1])
    )
    assert not any(candidate.stable for candidate in of_matrix)
    assert min(of_factor, key=lambda candidate: candidate.rho).stable
